package org.dyr.ranker.group;

import java.util.List;
import org.dyr.ranker.data.TrainingQuery;
import org.dyr.ranker.data.TrainingSet;

/**
 * The groups of a training run: in every epoch one for each (query, positive) pair, with negatives drawn afresh.
 *
 * <p>A group is a pure function of (seed, epoch, index), the same on every machine and in every order of calls, so a
 * run can resume anywhere and ranks can share the work without talking. Pairs are numbered in file order. The order of
 * an epoch is a Fisher-Yates permutation of these numbers from the stream (seed, 0, epoch), or their own order without
 * shuffling. The negatives of pair p come from the stream (seed, 1, epoch, p), so they do not depend on the order. A
 * query with enough negatives gives distinct ones; one with fewer than {@code groupSize - 1} gives all of its groups
 * from independent draws with replacement. Streams are those of {@link SplitMix64}.
 *
 * <p>Safe for use by many threads.
 */
public final class GroupSampler {

  private static final long DRAW = 1;

  private final List<TrainingQuery> queries;
  private final int groupSize;
  private final long seed;
  private final EpochOrder order;
  private final int[] queryOf;    // (pairs): which query
  private final int[] positiveOf; // (pairs): which of its positives
  private final int withReplacement;

  /**
   * @param groupSize passages of a group, the positive included; at least 2
   * @throws IllegalArgumentException for a smaller group size or a set without queries
   */
  public GroupSampler(TrainingSet set, int groupSize, long seed, boolean shuffle) {
    if (groupSize < 2) throw new IllegalArgumentException("group_size must be at least 2, not " + groupSize);
    if (set.queries().isEmpty()) {
      throw new IllegalArgumentException("nothing to train on: no query has both a positive and a negative ("
          + set.leftOut().withoutPositive() + " have no positive, " + set.leftOut().withoutNegative()
          + " no negative)");
    }
    queries = set.queries();
    this.groupSize = groupSize;
    this.seed = seed;
    int pairs = set.pairs();
    order = new EpochOrder(seed, pairs, shuffle);
    queryOf = new int[pairs];
    positiveOf = new int[pairs];
    int pair = 0;
    int tooFew = 0;
    for (int q = 0; q < queries.size(); q++) {
      int positives = queries.get(q).positives().size();
      if (queries.get(q).negatives().size() < groupSize - 1) tooFew += positives;
      for (int p = 0; p < positives; p++) {
        queryOf[pair] = q;
        positiveOf[pair++] = p;
      }
    }
    withReplacement = tooFew;
  }

  /** Groups of one epoch. */
  public int groupsPerEpoch() {
    return queryOf.length;
  }

  /** Groups of every epoch whose query has fewer than {@code groupSize - 1} negatives. */
  public int groupsDrawnWithReplacement() {
    return withReplacement;
  }

  /**
   * A group.
   *
   * @param epoch from 0
   * @param index from 0 to below {@link #groupsPerEpoch}
   */
  public Group group(long epoch, int index) {
    int pair = order.at(epoch, index);
    TrainingQuery query = queries.get(queryOf[pair]);
    return new Group(query, positiveOf[pair], draw(query.negatives().size(), new SplitMix64(seed, DRAW, epoch, pair)));
  }

  private int[] draw(int available, SplitMix64 random) {
    int[] drawn = new int[groupSize - 1];
    if (available < drawn.length) {
      for (int i = 0; i < drawn.length; i++) drawn[i] = random.below(available);
      return drawn;
    }
    int[] rest = identity(available); // the first steps of a Fisher-Yates shuffle
    for (int i = 0; i < drawn.length; i++) {
      int pick = i + random.below(available - i);
      drawn[i] = rest[pick];
      rest[pick] = rest[i];
    }
    return drawn;
  }

  private static int[] identity(int length) {
    int[] numbers = new int[length];
    for (int i = 0; i < length; i++) numbers[i] = i;
    return numbers;
  }
}
