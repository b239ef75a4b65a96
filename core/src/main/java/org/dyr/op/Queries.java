package org.dyr.op;

/**
 * Which tokens of each packed sequence ask in attention; all of its tokens are keys and values. Queries, outputs and
 * rows of scores number Q.
 */
public enum Queries {
  /** Every token: Q = T, row t is token t. */
  ALL,

  /** The first token alone: Q = S, row s is the first token of sequence s. An empty sequence has a row, of zeros. */
  FIRST;

  /** Q. */
  public int rows(int tokens, int sequences) {
    return this == ALL ? tokens : sequences;
  }

  /** The row of the first query of a sequence that starts at this token. */
  public int begin(int sequence, int start) {
    return this == ALL ? start : sequence;
  }

  /** The number of queries of a sequence of this length; they stand at its first places. */
  public int count(int length) {
    return this == ALL ? length : Math.min(length, 1);
  }

  /**
   * Pairs of a query and a key in a batch, as if its sequences were of one length: what they have is known only when
   * it runs. None is longer than {@code longest}.
   */
  long pairs(int tokens, int sequences, int longest) {
    if (sequences == 0) return 0;
    return this == ALL ? Math.min((long) tokens * longest, (long) tokens * tokens / sequences)
        : Math.min(tokens, (long) sequences * longest);
  }

  /** What a fused op's name ends with, to tell the two apart in a profile. */
  String mark() {
    return this == ALL ? "" : "[" + this + "]";
  }
}
