package org.dyr.cpu.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.dyr.op.Philox;

/**
 * The dropout masks of {@link Philox}, as factors: 0 where an element is dropped, the scale where it stays.
 *
 * <p>Counters stand in the lower halves of long lanes, the even ones in one vector and the odd in another: the product
 * of two lower halves is then one vpmuludq, which the compiler takes when it sees both factors masked, and what gathers
 * in the upper halves does no harm. At the end the odd words are shifted up beside the even ones, and their halves, as
 * numbers of 16 bits, stand in the order of their columns.
 */
final class PhiloxVector {
  /** Elements drawn together, whole blocks of 64: by 8 counters, or as many as a vector has lanes. */
  static final int BLOCK = Math.max(64, 8 * Lanes.COUNT);

  private static final int WORDS = 4;
  private static final VectorSpecies<Long> L = Lanes.F.withLanes(long.class);
  private static final VectorSpecies<Integer> I = Lanes.F.withLanes(int.class);
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
    scale = (float) Philox.scale(probability);
  }

  /** Floats that the factors of so many columns take: whole blocks. */
  static int width(int columns) {
    return (columns + BLOCK - 1) / BLOCK * BLOCK;
  }

  /** Floats of scratch that {@link #factors} needs for so many columns: the factors, and behind them the words. */
  static int scratch(int columns) {
    return 2 * width(columns);
  }

  /**
   * Writes the factors of neighbouring columns of one row, whole blocks.
   *
   * @param counter word 0 of the first counter: place in the sequence * stride + 8 * (column / 64)
   * @param sequence number of the sequence in the global batch
   * @param site {@link Philox#site}
   * @param out the address they go to; as many floats again behind them are written over
   */
  void factors(int counter, int sequence, int site, int blocks, long out) {
    int key0 = Floats.getInt(random, 0), key1 = Floats.getInt(random, 1);
    int step = Floats.getInt(random, 2), counters = blocks * BLOCK / 8;
    long words = out + 4L * blocks * BLOCK;
    words(counter, 0, sequence, site, step, key0, key1, counters, words);
    words(counter, 1, sequence, site, step, key0, key1, counters, words);
    compare(words, counters, out);
  }

  /**
   * The four words of the even counters (parity 0) or the odd ones: of each vector of counters the first word of the
   * even ones, that of the odd ones, the second of both, and so on.
   */
  private static void words(int counter, int parity, int sequence, int site, int step, int key0, int key1, int counters,
      long out) {
    LongVector multiplier0 = MULTIPLIER_0.and(LOW), multiplier1 = MULTIPLIER_1.and(LOW);
    for (int lane = 0; lane < counters; lane += Lanes.COUNT) {
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
      long to = Ram.at(out + 2L * WORDS * 4 * lane + parity * Lanes.BYTES);
      c0.intoMemorySegment(Ram.ALL, to, Ram.ORDER);
      c1.intoMemorySegment(Ram.ALL, to + 2 * Lanes.BYTES, Ram.ORDER);
      c2.intoMemorySegment(Ram.ALL, to + 4 * Lanes.BYTES, Ram.ORDER);
      c3.intoMemorySegment(Ram.ALL, to + 6 * Lanes.BYTES, Ram.ORDER);
    }
  }

  /** Puts the odd counters' words beside the even ones' and compares their halves. */
  private void compare(long words, int counters, long out) {
    for (int lane = 0; lane < counters; lane += Lanes.COUNT) {
      for (int word = 0; word < WORDS; word++) {
        long from = Ram.at(words + 2L * WORDS * 4 * lane + 2L * word * Lanes.BYTES);
        LongVector even = LongVector.fromMemorySegment(L, Ram.ALL, from, Ram.ORDER);
        LongVector odd = LongVector.fromMemorySegment(L, Ram.ALL, from + Lanes.BYTES, Ram.ORDER);
        ShortVector halves = even.and(LOW).or(odd.lanewise(VectorOperators.LSHL, 32)).reinterpretAsShorts();
        IntVector first = (IntVector) halves.convertShape(VectorOperators.ZERO_EXTEND_S2I, I, 0);
        IntVector second = (IntVector) halves.convertShape(VectorOperators.ZERO_EXTEND_S2I, I, 1);
        ZERO.blend(scale, first.compare(VectorOperators.GE, threshold).cast(Lanes.F))
            .intoMemorySegment(Ram.ALL, Ram.at(out + 4L * column(lane, word)), Ram.ORDER);
        ZERO.blend(scale, second.compare(VectorOperators.GE, threshold).cast(Lanes.F))
            .intoMemorySegment(Ram.ALL, Ram.at(out + 4L * column(lane + Lanes.COUNT / 2, word)), Ram.ORDER);
      }
    }
  }

  /** The first column that a word of this counter and those after it has. */
  private static int column(int counter, int word) {
    return counter / 8 * 64 + word * 16 + counter % 8 * 2;
  }
}
