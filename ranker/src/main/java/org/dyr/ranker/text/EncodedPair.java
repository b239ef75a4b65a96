package org.dyr.ranker.text;

/**
 * One input of the model: {@code [CLS] query [SEP] passage [SEP]}.
 *
 * @param ids token ids, not padded
 * @param firstSegment tokens of segment 0, which ends with the first [SEP]; token types are 0 before this index and 1
 *     from it on
 */
public record EncodedPair(int[] ids, int firstSegment) {

  /** The number of tokens. */
  public int length() {
    return ids.length;
  }
}
