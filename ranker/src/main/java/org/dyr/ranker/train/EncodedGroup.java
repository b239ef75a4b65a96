package org.dyr.ranker.train;

import java.util.List;
import java.util.stream.IntStream;
import org.dyr.ranker.text.EncodedPair;

/**
 * A block: one positive and its negatives, encoded.
 *
 * @param pairs the positive first
 * @param retrieval each pair's place in the pool that it was drawn from, the best retrieved lowest; the positive's is
 *     not looked at
 */
public record EncodedGroup(List<EncodedPair> pairs, int[] retrieval) {

  public EncodedGroup {
    if (pairs.size() != retrieval.length) {
      throw new IllegalArgumentException("%d places for %d pairs".formatted(retrieval.length, pairs.size()));
    }
  }

  /** Retrieved in the order given. */
  public static EncodedGroup of(List<EncodedPair> pairs) {
    return new EncodedGroup(pairs, IntStream.range(0, pairs.size()).toArray());
  }

  /** Tokens of all pairs. */
  public int tokens() {
    return pairs.stream().mapToInt(EncodedPair::length).sum();
  }
}
