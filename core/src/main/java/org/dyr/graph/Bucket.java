package org.dyr.graph;

/**
 * The capacity that a program is prepared for: tokens, sequences and groups of a packed batch. Real batches are rounded
 * up to a capacity with three significant bits, so that few programs serve all lengths and at most an eighth (on
 * average a sixteenth) is computed for nothing.
 */
public record Bucket(int tokens, int sequences, int groups) {
  /** The most tokens, sequences or groups: the next capacity is beyond an int. */
  public static final int MOST = 15 << 27;

  private static final int LEAST_TOKENS = 32;

  /** The smallest bucket that holds a batch. */
  public static Bucket of(int tokens, int sequences, int groups) {
    return new Bucket(roundUp(Math.max(tokens, LEAST_TOKENS)), roundUp(sequences), roundUp(groups));
  }

  /** The next number that is m 2^e with m in 8..16; numbers up to 16 stay. */
  static int roundUp(int n) {
    int step = Math.max(1, Integer.highestOneBit(Math.max(n, 1)) / 8);
    return Math.ceilDiv(n, step) * step;
  }
}
