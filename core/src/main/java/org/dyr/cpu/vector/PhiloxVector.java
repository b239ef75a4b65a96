package org.dyr.cpu.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.dyr.op.Philox;

/**
 * The dropout masks of {@link Philox}, as factors: 0 where an element is dropped, 1/(1-p) where it stays.
 *
 * <p>Counters stand in the lower halves of long lanes, the even ones in one vector and the odd in another: the product
 * of two lower halves is then one vpmuludq, which the compiler takes when it sees both factors masked, and what gathers
 * in the upper halves does no harm. At the end the odd words are shifted up beside the even ones, and the words stand
 * in the order of their columns. About 200 instructions for 64 elements with 512 bits: two cycles an element.
 */
final class PhiloxVector {
  /** Elements drawn together, by 16 counters. */
  static final int BLOCK = 64;

  /** Counters of a block. */
  static final int COUNTERS = 16;

  private static final VectorSpecies<Long> L = Lanes.F.withLanes(long.class);
  private static final long LOW = 0xFFFFFFFFL; // a scalar: the compiler must see the value
  private static final LongVector MULTIPLIER_0 = LongVector.broadcast(L, Philox.MULTIPLIER_0);
  private static final LongVector MULTIPLIER_1 = LongVector.broadcast(L, Philox.MULTIPLIER_1);
  private static final LongVector WEYL_0 = LongVector.broadcast(L, Philox.WEYL_0);
  private static final LongVector WEYL_1 = LongVector.broadcast(L, Philox.WEYL_1);
  private static final LongVector STEP_2 = LongVector.zero(L).addIndex(2);
  private static final FloatVector ZERO = FloatVector.zero(Lanes.F);

  private final long random; // i32(4): seed low and high, step, unused
  private final int threshold;
  private final float scale;

  /** @param random the op's input, read anew at every draw */
  PhiloxVector(long random, double probability) {
    this.random = random;
    threshold = Philox.threshold(probability);
    scale = (float) (1 / (1 - probability));
  }

  /** Floats that the factors of so many columns take: whole blocks. */
  static int width(int columns) {
    return (columns + BLOCK - 1) / BLOCK * BLOCK;
  }

  /** Floats of scratch that {@link #factors} needs for so many columns: the factors and as much again behind them. */
  static int scratch(int columns) {
    return 2 * width(columns);
  }

  /**
   * Writes the factors of neighbouring columns of one row, whole blocks of 64. Two passes over {@code out}.
   *
   * @param counter word 0 of the first block's first counter: place in the sequence * stride + 16 * (column / 64)
   * @param sequence number of the sequence in the global batch
   * @param site {@link Philox#site}
   * @param out the address they go to; as many floats again behind them are written over
   */
  void factors(int counter, int sequence, int site, int blocks, long out) {
    int key0 = Floats.getInt(random, 0), key1 = Floats.getInt(random, 1);
    int step = Floats.getInt(random, 2);
    words(counter, 0, sequence, site, step, key0, key1, blocks, out);
    words(counter, 1, sequence, site, step, key0, key1, blocks, out);
    compare(out, blocks * BLOCK);
  }

  /**
   * The four words of the even counters (parity 0) or the odd ones. The words of neighbouring counters go, as longs, to
   * twice the index that their factors will have, the odd ones a vector behind the even.
   */
  private static void words(int counter, int parity, int sequence, int site, int step, int key0, int key1, int blocks,
      long out) {
    LongVector multiplier0 = MULTIPLIER_0.and(LOW), multiplier1 = MULTIPLIER_1.and(LOW);
    for (int lane = 0; lane < blocks * COUNTERS; lane += Lanes.COUNT) {
      LongVector c0 = STEP_2.add(counter + parity + lane), c1 = LongVector.broadcast(L, sequence);
      LongVector c2 = LongVector.broadcast(L, site), c3 = LongVector.broadcast(L, step);
      LongVector k0 = LongVector.broadcast(L, key0), k1 = LongVector.broadcast(L, key1);
      for (int round = 0; round < Philox.ROUNDS; round++) {
        LongVector p = c0.and(LOW).mul(multiplier0), q = c2.and(LOW).mul(multiplier1);
        c0 = q.lanewise(VectorOperators.LSHR, 32).lanewise(VectorOperators.XOR, c1).lanewise(VectorOperators.XOR, k0);
        c2 = p.lanewise(VectorOperators.LSHR, 32).lanewise(VectorOperators.XOR, c3).lanewise(VectorOperators.XOR, k1);
        c1 = q;
        c3 = p;
        k0 = k0.add(WEYL_0);
        k1 = k1.add(WEYL_1);
      }
      long to = Ram.at(out + 8L * (lane / COUNTERS * BLOCK + lane % COUNTERS) + parity * Lanes.BYTES);
      c0.intoMemorySegment(Ram.ALL, to, Ram.ORDER);
      c1.intoMemorySegment(Ram.ALL, to + 128, Ram.ORDER);
      c2.intoMemorySegment(Ram.ALL, to + 256, Ram.ORDER);
      c3.intoMemorySegment(Ram.ALL, to + 384, Ram.ORDER);
    }
  }

  /**
   * Puts the odd counters' words beside the even ones' and compares: what is written lies before what is still to read.
   */
  private void compare(long out, int n) {
    for (int i = 0; i < n; i += Lanes.COUNT) {
      long from = Ram.at(out + 8L * i);
      LongVector even = LongVector.fromMemorySegment(L, Ram.ALL, from, Ram.ORDER);
      LongVector odd = LongVector.fromMemorySegment(L, Ram.ALL, from + Lanes.BYTES, Ram.ORDER);
      IntVector words = even.and(LOW).or(odd.lanewise(VectorOperators.LSHL, 32)).reinterpretAsInts();
      FloatVector factors = ZERO.blend(scale, words.compare(VectorOperators.UGE, threshold).cast(Lanes.F));
      factors.intoMemorySegment(Ram.ALL, out + 4L * i, Ram.ORDER);
    }
  }
}
