package org.dyr.ranker.group;

/**
 * The SplitMix64 generator (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): the state
 * grows by a constant, and a bijection of it is the draw. A copy of our own fixes the draws, whatever a JDK does.
 */
final class SplitMix64 {

  private static final long GOLDEN = 0x9E3779B97F4A7C15L;

  private long state;

  /** A stream of its own for every key: the words are absorbed one after another, each followed by a full mix. */
  SplitMix64(long... key) {
    for (long word : key) state = mix((state ^ word) + GOLDEN);
  }

  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  long nextLong() {
    state += GOLDEN;
    return mix(state);
  }

  /** Uniform in [0, bound), bound at least 1: the high word of a 128-bit product, without bias (Lemire 2019). */
  int below(int bound) {
    long threshold = Long.remainderUnsigned(-bound, bound); // 2^64 mod bound
    while (true) {
      long draw = nextLong();
      if (Long.compareUnsigned(draw * bound, threshold) >= 0) return (int) Math.unsignedMultiplyHigh(draw, bound);
    }
  }
}
