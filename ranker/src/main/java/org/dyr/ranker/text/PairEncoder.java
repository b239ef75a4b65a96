package org.dyr.ranker.text;

import java.util.concurrent.atomic.LongAdder;

/**
 * Lays out query and passage as {@code [CLS] query [SEP] passage [SEP]}. A passage is cut at its end so that the pair
 * fits; a query only beyond its own limit. Both cuts are counted. Safe for use by many threads.
 */
public final class PairEncoder {
  private static final int SPECIAL_TOKENS = 3;

  private final int clsId;
  private final int sepId;
  private final int maxLength;
  private final int maxQueryLength;
  private final LongAdder truncatedQueries = new LongAdder();
  private final LongAdder truncatedPassages = new LongAdder();

  /**
   * @param maxLength tokens of a pair at most, the three special tokens included
   * @param maxQueryLength tokens of a query at most, without special tokens
   * @throws IllegalArgumentException when the longest query leaves no token for the passage
   */
  public PairEncoder(Tokenizer tokenizer, int maxLength, int maxQueryLength) {
    if (maxQueryLength < 1) {
      throw new IllegalArgumentException("max_query_length must be at least 1, not " + maxQueryLength);
    }
    if (maxLength - SPECIAL_TOKENS - maxQueryLength < 1) {
      throw new IllegalArgumentException("max_length " + maxLength + " leaves no room for a passage: a query may take "
          + maxQueryLength + " (max_query_length) and the special tokens take " + SPECIAL_TOKENS
          + "; raise max_length to at least " + (maxQueryLength + SPECIAL_TOKENS + 1L) + " or lower max_query_length");
    }
    clsId = tokenizer.clsId();
    sepId = tokenizer.sepId();
    this.maxLength = maxLength;
    this.maxQueryLength = maxQueryLength;
  }

  /** Ids as {@link Tokenizer#encode} gives them; neither array is changed or kept. */
  public EncodedPair encode(int[] queryIds, int[] passageIds) {
    int query = Math.min(queryIds.length, maxQueryLength);
    int passage = Math.min(passageIds.length, maxLength - SPECIAL_TOKENS - query);
    if (query < queryIds.length) truncatedQueries.increment();
    if (passage < passageIds.length) truncatedPassages.increment();
    int[] ids = new int[query + passage + SPECIAL_TOKENS];
    int firstSegment = query + 2;
    ids[0] = clsId;
    System.arraycopy(queryIds, 0, ids, 1, query);
    ids[firstSegment - 1] = sepId;
    System.arraycopy(passageIds, 0, ids, firstSegment, passage);
    ids[ids.length - 1] = sepId;
    return new EncodedPair(ids, firstSegment);
  }

  public int maxLength() {
    return maxLength;
  }

  public int maxQueryLength() {
    return maxQueryLength;
  }

  /** Pairs so far whose query was cut. */
  public long truncatedQueries() {
    return truncatedQueries.sum();
  }

  /** Pairs so far whose passage was cut. */
  public long truncatedPassages() {
    return truncatedPassages.sum();
  }
}
