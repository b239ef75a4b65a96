package org.dyr.ranker.train;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.dyr.graph.Bucket;

/**
 * A run of blocks that a group of ranks computes at once, each rank its own samples of every one of them. All ranks of
 * the group know all lengths, so each finds the same cuts by itself.
 *
 * @param from the first block, of those that the group has
 * @param to the block behind the last
 * @param owners a block: the rank of each sample that stays
 * @param bucket what the largest share of a rank falls into: the same for all, so that their logits can be gathered
 */
record MicroBatch(int from, int to, List<int[]> owners, Bucket bucket) {

  /** What the ranks have of the blocks taken so far. */
  private static final class Load {
    final int[] tokens;
    final int[] sequences;
    final List<int[]> owners = new ArrayList<>();

    Load(int ranks) {
      tokens = new int[ranks];
      sequences = new int[ranks];
    }

    /** Takes a further block, or leaves all as it is where a rank's share would exceed the budget. */
    boolean take(int[] lengths, Balance balance, int budget) {
      int[] rankOf = balance.owners(lengths, tokens), sum = tokens.clone();
      for (int i = 0; i < lengths.length; i++) sum[rankOf[i]] += lengths[i];
      if (most(sum) > budget || owners.size() == budget) return false;
      System.arraycopy(sum, 0, tokens, 0, sum.length);
      for (int r : rankOf) sequences[r]++;
      owners.add(rankOf);
      return true;
    }

    MicroBatch endingAt(int to) {
      return new MicroBatch(to - owners.size(), to, owners, Bucket.of(most(tokens), most(sequences), owners.size()));
    }
  }

  private static int most(int[] counts) {
    return Arrays.stream(counts).max().orElseThrow();
  }

  /**
   * Cuts blocks into runs, each as long as every rank's share stays within the budget.
   *
   * @param lengths a block: the tokens of each sample that stays
   * @param budget the most tokens of a rank at once
   * @throws GroupTooLargeException when a rank's share of one block alone exceeds the budget
   */
  static List<MicroBatch> cut(List<int[]> lengths, int ranks, Balance balance, int budget) {
    List<MicroBatch> cuts = new ArrayList<>();
    Load load = new Load(ranks);
    for (int b = 0; b < lengths.size(); b++) {
      if (load.take(lengths.get(b), balance, budget)) continue;
      if (!load.owners.isEmpty()) cuts.add(load.endingAt(b));
      load = new Load(ranks);
      if (!load.take(lengths.get(b), balance, budget)) throw tooLarge(lengths.get(b), ranks, budget);
    }
    cuts.add(load.endingAt(lengths.size()));
    return cuts;
  }

  private static GroupTooLargeException tooLarge(int[] lengths, int ranks, int budget) {
    String along = ranks == 1 ? "" : ", split along %d ranks,".formatted(ranks);
    return new GroupTooLargeException(
        "a group of %d tokens%s does not fit token_budget %d: raise it, or lower max_length or group_size".formatted(
            Arrays.stream(lengths).sum(), along, budget));
  }

  /**
   * Writes where each sample's logit stands among those gathered, block after block, and where the blocks begin.
   *
   * @param order i32: the row of each sample; rows of no sample follow, up to as many as are gathered
   * @param blocks i32: the bounds of the blocks, up to as many as the bucket has
   */
  void writeTo(MemorySegment order, MemorySegment blocks, int ranks) {
    int[] next = new int[ranks];
    for (int r = 0; r < ranks; r++) next[r] = r * bucket.sequences();
    int samples = 0, block = 0;
    blocks.setAtIndex(ValueLayout.JAVA_INT, 0, 0);
    for (int[] rankOf : owners) {
      for (int r : rankOf) order.setAtIndex(ValueLayout.JAVA_INT, samples++, next[r]++);
      blocks.setAtIndex(ValueLayout.JAVA_INT, ++block, samples);
    }
    while (block < bucket.groups()) blocks.setAtIndex(ValueLayout.JAVA_INT, ++block, samples);
    for (int i = samples; i < ranks * bucket.sequences(); i++) order.setAtIndex(ValueLayout.JAVA_INT, i, 0);
  }
}
