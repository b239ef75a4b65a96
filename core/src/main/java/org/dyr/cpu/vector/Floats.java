package org.dyr.cpu.vector;

import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;
import org.dyr.cpu.Workers;

/**
 * Single elements by a tensor's address and their index, the split among workers, and the order in which lanes are
 * summed.
 *
 * <p>What the kernels of this package keep to, so that no vector becomes an object. An operation's receiver is a
 * constant or a vector just made, never one that a loop carries from turn to turn: of those the compiler knows the
 * class only from a profile, which comes too late for an operation that is rare. What is carried goes in as argument,
 * is added to {@link #ZERO} when the loop is done, and begins as a vector just made: beginning as a constant, which is
 * an object, it remains one. Nor does a vector cross a call: only the Vector API's own methods are inlined always,
 * others not once a method and its callers have 18,000 nodes, of which one operation may take 450. So loops call those
 * alone, methods hand each other addresses and sizes, and tails are scalar or go through {@link Tail}, since masked
 * ones would double the nodes.
 */
final class Floats {
  /** Four cache lines of floats: what work is split in, so that no two workers write to one line. */
  static final int BLOCK = 64;

  /**
   * Turns the lanes by 8, 4, 2 and 1: adding a vector to itself turned by each in this order sums its lanes, halves
   * upon halves, and {@link #TURNED} takes back the turns that a narrow vector does not need. The order of {@code
   * reduceLanes} is not fixed: interpreted it goes lane by lane, compiled by halves, and a sum would change its last
   * bit while the program warms up.
   */
  static final VectorShuffle<Float> BY_8 = turn(8);
  static final VectorShuffle<Float> BY_4 = turn(4);
  static final VectorShuffle<Float> BY_2 = turn(2);
  static final VectorShuffle<Float> BY_1 = turn(1);
  static final float TURNED = Lanes.COUNT / 16f;

  /** What a carried vector is added to, so that the sum's class is known. */
  static final FloatVector ZERO = FloatVector.zero(Lanes.F);

  private Floats() {}

  private static VectorShuffle<Float> turn(int by) {
    return VectorShuffle.fromOp(Lanes.F, lane -> lane + by & Lanes.COUNT - 1);
  }

  static float get(long address, long i) {
    return Ram.get(address + 4 * i);
  }

  static void set(long address, long i, float x) {
    Ram.set(address + 4 * i, x);
  }

  static int getInt(long address, long i) {
    return Ram.ALL.get(ValueLayout.JAVA_INT_UNALIGNED, Ram.at(address + 4 * i));
  }

  /**
   * The first of {@code n} floats that {@code worker} takes, in whole blocks; its last is before that of worker + 1.
   */
  static long begin(long n, int worker, int workers) {
    return Math.min(n, Workers.begin((n + BLOCK - 1) / BLOCK, worker, workers) * BLOCK);
  }
}
