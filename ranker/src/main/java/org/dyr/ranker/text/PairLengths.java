package org.dyr.ranker.text;

/**
 * How much of a query and a passage a model reads, in tokens. A model ranks best what it was trained on, so it keeps
 * the lengths of its training.
 *
 * @param pair of both together, the three special tokens included
 * @param query of the query alone
 */
public record PairLengths(int pair, int query) {
  private static final int MOST_OF_A_QUERY = 64;

  /** Of a model that says nothing of them: all its positions, 64 of them or half for the query. */
  public static PairLengths of(int positions) {
    return new PairLengths(positions, Math.min(MOST_OF_A_QUERY, positions / 2));
  }
}
