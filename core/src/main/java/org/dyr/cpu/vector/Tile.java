package org.dyr.cpu.vector;

import static jdk.incubator.vector.FloatVector.broadcast;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;
import static jdk.incubator.vector.FloatVector.zero;
import static org.dyr.cpu.vector.Lanes.BYTES;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.FLOAT;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import jdk.incubator.vector.FloatVector;

/**
 * The register tile of the matrix product: {@link #ROWS} rows times {@link #COLUMNS} columns of C stay in registers
 * while k runs. With 32 vector registers a row has four vectors (24 sums, 4 of B, 1 of A: 24 independent fused
 * multiply-adds hide their latency, 10 loads feed them), with 16 registers two (12 + 2 + 1). Both operands come packed
 * ({@link Panels}), so that two pointers do: with A read in place, its six rows' pointers spill, and every spill is
 * one more load beside the ten. One step of k a turn: given four, the compiler lines up the four additions to one sum,
 * which wait for each other, and spills others meanwhile.
 *
 * <p>The sums go to a small buffer, and a second method adds what is to be added and stores: a few dozen instructions
 * in thousands, and any edge is handled there. The first method must not grow: with the additions inside, the quick
 * compiler (C1) runs out of virtual registers, and after that the method sometimes never reaches the optimizing one
 * (30 times slower). It is written out by hand because sums in an array, or in helpers that are not inlined, turn
 * vectors into objects.
 */
final class Tile {

  static final int ROWS = 6;

  /** Vectors a row: 512-bit machines and AArch64 have 32 registers; 128 bits need four for 16 columns. */
  private static final int VECTORS = BYTES == 32 && !System.getProperty("os.arch").equals("aarch64") ? 2 : 4;

  /** Columns of a tile and of a packed panel of B, a multiple of 16. */
  static final int COLUMNS = VECTORS * Lanes.COUNT;

  /** Bytes of one step of k in a packed panel of A. */
  private static final int STEP = 4 * ROWS;

  /** Bytes of one step of k in a packed panel of B, and of one row of the sums. */
  private static final int ROW = 4 * COLUMNS;

  /** Bytes of the buffer for the sums. */
  static final long SUMS = ROWS * ROW;

  private Tile() {}

  /**
   * c[r][x] = (sum_i a[i][r] b[i][x]) + from[r][x] + bias[x] for r below rows, x below columns, i below k. The sum runs
   * over i in order, each step one fused multiply-add, so it does not depend on the tile's place. All strides in bytes.
   *
   * @param a a packed panel, (k, ROWS)
   * @param b a packed panel, (k, COLUMNS)
   * @param rows 1 to {@link #ROWS}; rows above are not touched in c and from
   * @param columns 1 to {@link #COLUMNS}; columns above are not touched in c, from and bias
   * @param from what is added, rows {@code fromRow} apart: c itself, a residual, or {@link Ram#ZEROS} with stride 0
   * @param bias {@code columns} floats, or {@link Ram#ZEROS}
   * @param sums {@link #SUMS} bytes of scratch, best aligned to 64
   */
  static void run(int k, long a, long b, int rows, int columns, long c, long cRow, long from, long fromRow, long bias,
      long sums) {
    if (VECTORS == 4) wide(k, a, b, sums);
    else narrow(k, a, b, sums);
    for (int r = 0; r < rows; r++) {
      store(columns, sums + r * (long) ROW, from + r * fromRow, bias, c + r * cRow);
    }
  }

  private static void store(int columns, long sums, long from, long bias, long c) {
    int bytes = 4 * columns;
    int x = 0;
    for (; x <= bytes - BYTES; x += BYTES) {
      fromMemorySegment(F, ALL, at(sums + x), ORDER).add(fromMemorySegment(F, ALL, at(from + x), ORDER))
          .add(fromMemorySegment(F, ALL, at(bias + x), ORDER)).intoMemorySegment(ALL, at(c + x), ORDER);
    }
    for (; x < bytes; x += 4) Ram.set(c + x, Ram.get(sums + x) + Ram.get(from + x) + Ram.get(bias + x));
  }

  private static void wide(int k, long a, long b, long sums) {
    FloatVector c00 = zero(F), c01 = zero(F), c02 = zero(F), c03 = zero(F);
    FloatVector c10 = zero(F), c11 = zero(F), c12 = zero(F), c13 = zero(F);
    FloatVector c20 = zero(F), c21 = zero(F), c22 = zero(F), c23 = zero(F);
    FloatVector c30 = zero(F), c31 = zero(F), c32 = zero(F), c33 = zero(F);
    FloatVector c40 = zero(F), c41 = zero(F), c42 = zero(F), c43 = zero(F);
    FloatVector c50 = zero(F), c51 = zero(F), c52 = zero(F), c53 = zero(F);
    long p = a;
    long q = b;
    for (int i = 0; i < k; i++, p += STEP, q += ROW) {
      p = at(p);
      q = at(q);
      FloatVector b0 = fromMemorySegment(F, ALL, q, ORDER);
      FloatVector b1 = fromMemorySegment(F, ALL, q + BYTES, ORDER);
      FloatVector b2 = fromMemorySegment(F, ALL, q + 2 * BYTES, ORDER);
      FloatVector b3 = fromMemorySegment(F, ALL, q + 3 * BYTES, ORDER);
      FloatVector x = broadcast(F, ALL.get(FLOAT, p));
      c00 = x.fma(b0, c00); c01 = x.fma(b1, c01); c02 = x.fma(b2, c02); c03 = x.fma(b3, c03);
      x = broadcast(F, ALL.get(FLOAT, p + 4));
      c10 = x.fma(b0, c10); c11 = x.fma(b1, c11); c12 = x.fma(b2, c12); c13 = x.fma(b3, c13);
      x = broadcast(F, ALL.get(FLOAT, p + 8));
      c20 = x.fma(b0, c20); c21 = x.fma(b1, c21); c22 = x.fma(b2, c22); c23 = x.fma(b3, c23);
      x = broadcast(F, ALL.get(FLOAT, p + 12));
      c30 = x.fma(b0, c30); c31 = x.fma(b1, c31); c32 = x.fma(b2, c32); c33 = x.fma(b3, c33);
      x = broadcast(F, ALL.get(FLOAT, p + 16));
      c40 = x.fma(b0, c40); c41 = x.fma(b1, c41); c42 = x.fma(b2, c42); c43 = x.fma(b3, c43);
      x = broadcast(F, ALL.get(FLOAT, p + 20));
      c50 = x.fma(b0, c50); c51 = x.fma(b1, c51); c52 = x.fma(b2, c52); c53 = x.fma(b3, c53);
    }
    long s = at(sums);
    c00.intoMemorySegment(ALL, s, ORDER);
    c01.intoMemorySegment(ALL, s + BYTES, ORDER);
    c02.intoMemorySegment(ALL, s + 2 * BYTES, ORDER);
    c03.intoMemorySegment(ALL, s + 3 * BYTES, ORDER);
    c10.intoMemorySegment(ALL, s + ROW, ORDER);
    c11.intoMemorySegment(ALL, s + ROW + BYTES, ORDER);
    c12.intoMemorySegment(ALL, s + ROW + 2 * BYTES, ORDER);
    c13.intoMemorySegment(ALL, s + ROW + 3 * BYTES, ORDER);
    c20.intoMemorySegment(ALL, s + 2 * ROW, ORDER);
    c21.intoMemorySegment(ALL, s + 2 * ROW + BYTES, ORDER);
    c22.intoMemorySegment(ALL, s + 2 * ROW + 2 * BYTES, ORDER);
    c23.intoMemorySegment(ALL, s + 2 * ROW + 3 * BYTES, ORDER);
    c30.intoMemorySegment(ALL, s + 3 * ROW, ORDER);
    c31.intoMemorySegment(ALL, s + 3 * ROW + BYTES, ORDER);
    c32.intoMemorySegment(ALL, s + 3 * ROW + 2 * BYTES, ORDER);
    c33.intoMemorySegment(ALL, s + 3 * ROW + 3 * BYTES, ORDER);
    c40.intoMemorySegment(ALL, s + 4 * ROW, ORDER);
    c41.intoMemorySegment(ALL, s + 4 * ROW + BYTES, ORDER);
    c42.intoMemorySegment(ALL, s + 4 * ROW + 2 * BYTES, ORDER);
    c43.intoMemorySegment(ALL, s + 4 * ROW + 3 * BYTES, ORDER);
    c50.intoMemorySegment(ALL, s + 5 * ROW, ORDER);
    c51.intoMemorySegment(ALL, s + 5 * ROW + BYTES, ORDER);
    c52.intoMemorySegment(ALL, s + 5 * ROW + 2 * BYTES, ORDER);
    c53.intoMemorySegment(ALL, s + 5 * ROW + 3 * BYTES, ORDER);
  }

  private static void narrow(int k, long a, long b, long sums) {
    FloatVector c00 = zero(F), c01 = zero(F);
    FloatVector c10 = zero(F), c11 = zero(F);
    FloatVector c20 = zero(F), c21 = zero(F);
    FloatVector c30 = zero(F), c31 = zero(F);
    FloatVector c40 = zero(F), c41 = zero(F);
    FloatVector c50 = zero(F), c51 = zero(F);
    long p = a;
    long q = b;
    for (int i = 0; i < k; i++, p += STEP, q += ROW) {
      p = at(p);
      q = at(q);
      FloatVector b0 = fromMemorySegment(F, ALL, q, ORDER);
      FloatVector b1 = fromMemorySegment(F, ALL, q + BYTES, ORDER);
      FloatVector x = broadcast(F, ALL.get(FLOAT, p));
      c00 = x.fma(b0, c00); c01 = x.fma(b1, c01);
      x = broadcast(F, ALL.get(FLOAT, p + 4));
      c10 = x.fma(b0, c10); c11 = x.fma(b1, c11);
      x = broadcast(F, ALL.get(FLOAT, p + 8));
      c20 = x.fma(b0, c20); c21 = x.fma(b1, c21);
      x = broadcast(F, ALL.get(FLOAT, p + 12));
      c30 = x.fma(b0, c30); c31 = x.fma(b1, c31);
      x = broadcast(F, ALL.get(FLOAT, p + 16));
      c40 = x.fma(b0, c40); c41 = x.fma(b1, c41);
      x = broadcast(F, ALL.get(FLOAT, p + 20));
      c50 = x.fma(b0, c50); c51 = x.fma(b1, c51);
    }
    long s = at(sums);
    c00.intoMemorySegment(ALL, s, ORDER);
    c01.intoMemorySegment(ALL, s + BYTES, ORDER);
    c10.intoMemorySegment(ALL, s + ROW, ORDER);
    c11.intoMemorySegment(ALL, s + ROW + BYTES, ORDER);
    c20.intoMemorySegment(ALL, s + 2 * ROW, ORDER);
    c21.intoMemorySegment(ALL, s + 2 * ROW + BYTES, ORDER);
    c30.intoMemorySegment(ALL, s + 3 * ROW, ORDER);
    c31.intoMemorySegment(ALL, s + 3 * ROW + BYTES, ORDER);
    c40.intoMemorySegment(ALL, s + 4 * ROW, ORDER);
    c41.intoMemorySegment(ALL, s + 4 * ROW + BYTES, ORDER);
    c50.intoMemorySegment(ALL, s + 5 * ROW, ORDER);
    c51.intoMemorySegment(ALL, s + 5 * ROW + BYTES, ORDER);
  }
}
