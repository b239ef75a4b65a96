package org.dyr.cpu.vector;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;
import org.dyr.cpu.Workers;

/**
 * Vectors in and out of native segments by the index of their first float, the lanes' sum, and the split among workers.
 *
 * <p>What the kernels of this package keep to, since a vector that crosses a call that was not inlined becomes an object:
 * the compiler stops inlining at 18,000 nodes, and one operation on vectors costs it about 450 (a reduction 5,000). So
 * a method has one loop or two, and ends in a scalar tail; masked tails would double it. Vectors are not handed to
 * methods that compile to more than 2,500 bytes.
 */
final class Floats {
  static final ByteOrder ORDER = ByteOrder.nativeOrder();

  /** Four cache lines of floats: what work is split in, so that no two workers write to one line. */
  static final int BLOCK = 64;

  /** One vector of zeros, for a kernel that has nothing to add. */
  static final MemorySegment ZEROS = Arena.global().allocate(Lanes.BYTES, 64);

  private static final VectorShuffle<Float> BY_8 = turned(8);
  private static final VectorShuffle<Float> BY_4 = turned(4);
  private static final VectorShuffle<Float> BY_2 = turned(2);
  private static final VectorShuffle<Float> BY_1 = turned(1);

  private Floats() {}

  private static VectorShuffle<Float> turned(int by) {
    return VectorShuffle.fromOp(Lanes.F, lane -> lane + by & Lanes.COUNT - 1);
  }

  static FloatVector load(MemorySegment s, long i) {
    return FloatVector.fromMemorySegment(Lanes.F, s, i << 2, ORDER);
  }

  static void store(FloatVector v, MemorySegment s, long i) {
    v.intoMemorySegment(s, i << 2, ORDER);
  }

  static float get(MemorySegment s, long i) {
    return s.get(ValueLayout.JAVA_FLOAT, i << 2);
  }

  static void set(MemorySegment s, long i, float x) {
    s.set(ValueLayout.JAVA_FLOAT, i << 2, x);
  }

  static FloatVector all(float x) {
    return FloatVector.broadcast(Lanes.F, x);
  }

  /**
   * The sum of the lanes, halves upon halves. The order of {@code reduceLanes} is not fixed: interpreted it goes lane
   * by lane, compiled by halves, and a sum would change its last bit while the program warms up.
   */
  static float sum(FloatVector v) {
    if (Lanes.COUNT == 16) v = v.add(v.rearrange(BY_8));
    if (Lanes.COUNT >= 8) v = v.add(v.rearrange(BY_4));
    v = v.add(v.rearrange(BY_2));
    return v.add(v.rearrange(BY_1)).lane(0);
  }

  /**
   * The first of {@code n} floats that {@code worker} takes, in whole blocks; its last is before that of worker + 1.
   */
  static long begin(long n, int worker, int workers) {
    return Math.min(n, Workers.begin((n + BLOCK - 1) / BLOCK, worker, workers) * BLOCK);
  }
}
