package org.dyr.cpu.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.dyr.op.Philox;

/**
 * The dropout masks of {@link Philox}, as factors: 0 where an element is dropped, the scale where it stays.
 *
 * <p>Counters stand in the lower halves of long lanes, the even ones in one vector and the odd in another: the product
 * of two lower halves is then one vpmuludq, which the compiler takes when it sees both factors masked, and what gathers
 * in the upper halves does no harm. At the end the odd words are shifted up beside the even ones, and the 16-bit halves
 * stand in the order of their columns. Passes of few vectors, with memory between them: of one that draws even and odd
 * together, or merges them as it stores, the compiler leaves vectors on the heap, and it is several times as slow.
 */
final class PhiloxVector {
  /** Elements drawn together, by 8 counters. */
  static final int BLOCK = 64;

  /** Counters of a block. */
  static final int COUNTERS = 8;

  private static final VectorSpecies<Long> L = Lanes.F.withLanes(long.class);
  private static final long LOW = 0xFFFFFFFFL; // a scalar: the compiler must see the value
  private static final LongVector MULTIPLIER_0 = LongVector.broadcast(L, Philox.MULTIPLIER_0);
  private static final LongVector MULTIPLIER_1 = LongVector.broadcast(L, Philox.MULTIPLIER_1);
  private static final LongVector WEYL_0 = LongVector.broadcast(L, Philox.WEYL_0);
  private static final LongVector WEYL_1 = LongVector.broadcast(L, Philox.WEYL_1);
  private static final LongVector STEP_2 = LongVector.zero(L).addIndex(2);
  private static final FloatVector ZERO = FloatVector.zero(Lanes.F);

  /** Blocks that a vector of counters covers, 1 at least. */
  private static final int TOGETHER = Math.max(1, Lanes.COUNT / COUNTERS);

  /** Bytes from the factors of a word's lower half of counters to those of its upper half: the next block, if any. */
  private static final int UPPER = TOGETHER > 1 ? 4 * BLOCK : Lanes.BYTES;

  private final long random; // i32(4): seed low and high, step, unused
  private final short threshold;
  private final float scale;

  /** @param random the op's input, read anew at every draw */
  PhiloxVector(long random, double probability) {
    this.random = random;
    threshold = (short) Philox.threshold(probability);
    scale = (float) Philox.scale(probability);
  }

  /** Floats that the factors of so many columns take: whole blocks. */
  static int width(int columns) {
    return (columns + BLOCK - 1) / BLOCK * BLOCK;
  }

  /** Floats of scratch that {@link #factors} needs: for the blocks that whole vectors draw, factors and words. */
  static int scratch(int columns) {
    int together = TOGETHER * BLOCK;
    return (columns + together - 1) / together * together * 2;
  }

  /**
   * Writes the factors of neighbouring columns of one row, whole blocks of 64.
   *
   * @param counter word 0 of the first block's first counter: place in the sequence * stride + 8 * (column / 64)
   * @param sequence number of the sequence in the global batch
   * @param site {@link Philox#site}
   * @param out the address they go to; there is room for {@link #scratch}
   */
  void factors(int counter, int sequence, int site, int blocks, long out) {
    long words = out + 2L * scratch(BLOCK * blocks);
    words(counter, 0, sequence, site, blocks, words);
    words(counter, 1, sequence, site, blocks, words);
    compare(words, blocks, out);
  }

  /** The four words of the even counters (parity 0) or of the odd (1), each vector of the odd behind its even one. */
  private void words(int counter, int parity, int sequence, int site, int blocks, long out) {
    int key0 = Floats.getInt(random, 0), key1 = Floats.getInt(random, 1), step = Floats.getInt(random, 2);
    LongVector multiplier0 = MULTIPLIER_0.and(LOW), multiplier1 = MULTIPLIER_1.and(LOW);
    // In the first round word 0 alone differs by counter, in the second words 2 and 3: the rest of both is scalar.
    long p1 = (Philox.MULTIPLIER_1 & LOW) * (site & LOW);
    long p0 = (Philox.MULTIPLIER_0 & LOW) * (((int) (p1 >>> 32) ^ sequence ^ key0) & LOW);
    int mixed = step ^ key1, first = (int) p1 ^ key0 + Philox.WEYL_0;
    int second = (int) (p0 >>> 32) ^ key1 + Philox.WEYL_1;
    for (int lane = 0; lane < blocks * COUNTERS; lane += Lanes.COUNT) {
      LongVector p = STEP_2.add(counter + parity + lane).and(LOW).mul(multiplier0);
      LongVector c1 = upper(p).lanewise(VectorOperators.XOR, mixed).and(LOW).mul(multiplier1);
      LongVector c0 = upper(c1).lanewise(VectorOperators.XOR, first);
      LongVector c2 = p.lanewise(VectorOperators.XOR, second), c3 = LongVector.broadcast(L, p0);
      LongVector k0 = LongVector.broadcast(L, key0 + 2 * Philox.WEYL_0);
      LongVector k1 = LongVector.broadcast(L, key1 + 2 * Philox.WEYL_1);
      for (int round = 2; round < Philox.ROUNDS; round++) {
        LongVector q = c2.and(LOW).mul(multiplier1);
        p = c0.and(LOW).mul(multiplier0);
        c0 = upper(q).lanewise(VectorOperators.XOR, c1).lanewise(VectorOperators.XOR, k0);
        c2 = upper(p).lanewise(VectorOperators.XOR, c3).lanewise(VectorOperators.XOR, k1);
        c1 = q;
        c3 = p;
        k0 = k0.add(WEYL_0);
        k1 = k1.add(WEYL_1);
      }
      long to = Ram.at(out + 32L * lane + parity * Lanes.BYTES);
      c0.intoMemorySegment(Ram.ALL, to, Ram.ORDER);
      c1.intoMemorySegment(Ram.ALL, to + 2 * Lanes.BYTES, Ram.ORDER);
      c2.intoMemorySegment(Ram.ALL, to + 4 * Lanes.BYTES, Ram.ORDER);
      c3.intoMemorySegment(Ram.ALL, to + 6 * Lanes.BYTES, Ram.ORDER);
    }
  }

  private static LongVector upper(LongVector x) {
    return x.lanewise(VectorOperators.LSHR, 32);
  }

  /** Puts the odd counters' words beside the even ones' and compares halves: each word gives two vectors of factors. */
  private void compare(long words, int blocks, long out) {
    for (int lane = 0; lane < blocks * COUNTERS; lane += Lanes.COUNT) {
      for (int word = 0; word < 4; word++, words += 2 * Lanes.BYTES) {
        long from = Ram.at(words), to = Ram.at(out + lane / COUNTERS * 4L * BLOCK + lane % COUNTERS * 8L + 64 * word);
        LongVector even = LongVector.fromMemorySegment(L, Ram.ALL, from, Ram.ORDER);
        LongVector odd = LongVector.fromMemorySegment(L, Ram.ALL, from + Lanes.BYTES, Ram.ORDER);
        ShortVector halves = even.and(LOW).or(odd.lanewise(VectorOperators.LSHL, 32)).reinterpretAsShorts();
        long kept = halves.compare(VectorOperators.UGE, threshold).toLong();
        ZERO.blend(scale, VectorMask.fromLong(Lanes.F, kept)).intoMemorySegment(Ram.ALL, to, Ram.ORDER);
        ZERO.blend(scale, VectorMask.fromLong(Lanes.F, kept >>> Lanes.COUNT))
            .intoMemorySegment(Ram.ALL, to + UPPER, Ram.ORDER);
      }
    }
  }
}
