package org.dyr.ranker.train;

import java.util.Comparator;
import java.util.stream.IntStream;

/** Which rank takes which sample of a block. A function of the lengths alone, so that every rank finds the same. */
public enum Balance {

  /** Contiguous parts with as many samples, or one more or less where they do not divide: the original's split. */
  SAMPLES {
    @Override int[] owners(int[] lengths, int[] tokens) {
      int ranks = tokens.length;
      int[] owners = new int[lengths.length];
      for (int r = 0, i = 0; r < ranks; r++) {
        for (int end = (int) ((long) lengths.length * (r + 1) / ranks); i < end; i++) owners[i] = r;
      }
      return owners;
    }
  },

  /** The longest sample first, each to the rank that has the fewest tokens, of equal ones the first. */
  TOKENS {
    @Override int[] owners(int[] lengths, int[] tokens) {
      int[] owners = new int[lengths.length], load = tokens.clone();
      IntStream.range(0, lengths.length).boxed().sorted(Comparator.comparingInt(i -> -lengths[i])).forEach(i -> {
        int least = 0;
        for (int r = 1; r < load.length; r++) if (load[r] < load[least]) least = r;
        owners[i] = least;
        load[least] += lengths[i];
      });
      return owners;
    }
  };

  /**
   * The rank of each sample.
   *
   * @param lengths tokens of each sample
   * @param tokens what each rank has already; not changed
   */
  abstract int[] owners(int[] lengths, int[] tokens);
}
