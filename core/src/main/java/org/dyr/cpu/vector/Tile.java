package org.dyr.cpu.vector;

import static jdk.incubator.vector.FloatVector.broadcast;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;
import static jdk.incubator.vector.FloatVector.zero;
import static org.dyr.cpu.vector.Lanes.BYTES;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.FLOAT;
import static org.dyr.cpu.vector.Ram.ORDER;

import jdk.incubator.vector.FloatVector;

/**
 * The register tile of the matrix product: {@link #ROWS} rows times {@link #COLUMNS} columns of C stay in registers
 * while k runs. With 32 vector registers a row has four vectors (24 sums, 4 of B, 1 of A: 24 independent fused
 * multiply-adds hide their latency, 10 loads feed them), with 16 registers two (12 + 2 + 1). B comes as a packed panel
 * ({@link Panels}); A is read where it lies, one float broadcast a row. The steps of A lie side by side, always: with
 * a variable step the bounds checks stay in the loop, and their registers spill into vector registers (about 10
 * percent).
 *
 * <p>The sums go to a small buffer, and a second method adds what is to be added and stores: a few dozen instructions
 * in thousands, and any edge is handled there. The first method must not grow: with the additions inside, the quick
 * compiler (C1) runs out of virtual registers, and after that the method sometimes never reaches the optimizing one
 * (30 times slower). It is written out by hand because sums in an array, or in helpers that are not inlined, turn
 * vectors into objects.
 */
final class Tile {

  static final int ROWS = 6;

  /** Vectors a row: 512-bit machines and AArch64 have 32 registers. */
  private static final int VECTORS = BYTES == 64 || System.getProperty("os.arch").equals("aarch64") ? 4 : 2;

  /** Columns of a tile and of a packed panel of B. */
  static final int COLUMNS = VECTORS * Lanes.COUNT;

  private static final int ROW = 4 * COLUMNS;

  /** Bytes of the buffer for the sums. */
  static final long SUMS = ROWS * ROW;

  private Tile() {}

  /**
   * c[r][x] = (sum_i a[r][i] b[i][x]) + from[r][x] + bias[x] for r below rows, x below columns, i below k. The sum runs
   * over i in order, each step one fused multiply-add, so it does not depend on the tile's place. All strides in bytes.
   *
   * @param a address of a[0][0]; row r is {@code r * aRow} further, step i 4 bytes
   * @param rows 1 to {@link #ROWS}; rows above are neither read nor written
   * @param columns 1 to {@link #COLUMNS}; columns above are not touched in c, from and bias
   * @param b a packed panel, (k, COLUMNS)
   * @param from what is added, rows {@code fromRow} apart: c itself, a residual, or {@link Ram#ZEROS} with stride 0
   * @param bias {@code columns} floats, or {@link Ram#ZEROS}
   * @param sums {@link #SUMS} bytes of scratch, best aligned to 64
   */
  static void run(int k, long a, long aRow, int rows, int columns, long b, long c, long cRow,
      long from, long fromRow, long bias, long sums) {
    if (VECTORS == 4) wide(k, a, aRow, rows, b, sums);
    else narrow(k, a, aRow, rows, b, sums);
    for (int r = 0; r < rows; r++) {
      store(columns, sums + r * (long) ROW, from + r * fromRow, bias, c + r * cRow);
    }
  }

  private static void store(int columns, long sums, long from, long bias, long c) {
    int bytes = 4 * columns;
    int x = 0;
    for (; x <= bytes - BYTES; x += BYTES) {
      fromMemorySegment(F, ALL, sums + x, ORDER).add(fromMemorySegment(F, ALL, from + x, ORDER))
          .add(fromMemorySegment(F, ALL, bias + x, ORDER)).intoMemorySegment(ALL, c + x, ORDER);
    }
    for (; x < bytes; x += 4) Ram.set(c + x, Ram.get(sums + x) + Ram.get(from + x) + Ram.get(bias + x));
  }

  private static void wide(int k, long a, long aRow, int rows, long b, long sums) {
    FloatVector c00 = zero(F), c01 = zero(F), c02 = zero(F), c03 = zero(F);
    FloatVector c10 = zero(F), c11 = zero(F), c12 = zero(F), c13 = zero(F);
    FloatVector c20 = zero(F), c21 = zero(F), c22 = zero(F), c23 = zero(F);
    FloatVector c30 = zero(F), c31 = zero(F), c32 = zero(F), c33 = zero(F);
    FloatVector c40 = zero(F), c41 = zero(F), c42 = zero(F), c43 = zero(F);
    FloatVector c50 = zero(F), c51 = zero(F), c52 = zero(F), c53 = zero(F);
    int last = rows - 1;
    long a1 = a + Math.min(1, last) * aRow;
    long a2 = a + Math.min(2, last) * aRow;
    long a3 = a + Math.min(3, last) * aRow;
    long a4 = a + Math.min(4, last) * aRow;
    long a5 = a + Math.min(5, last) * aRow;
    for (int i = 0; i < k; i++) {
      long q = b + i * (long) ROW;
      FloatVector b0 = fromMemorySegment(F, ALL, q, ORDER);
      FloatVector b1 = fromMemorySegment(F, ALL, q + BYTES, ORDER);
      FloatVector b2 = fromMemorySegment(F, ALL, q + 2 * BYTES, ORDER);
      FloatVector b3 = fromMemorySegment(F, ALL, q + 3 * BYTES, ORDER);
      FloatVector x0 = broadcast(F, ALL.get(FLOAT, a + 4L * i));
      c00 = x0.fma(b0, c00); c01 = x0.fma(b1, c01);
      c02 = x0.fma(b2, c02); c03 = x0.fma(b3, c03);
      FloatVector x1 = broadcast(F, ALL.get(FLOAT, a1 + 4L * i));
      c10 = x1.fma(b0, c10); c11 = x1.fma(b1, c11);
      c12 = x1.fma(b2, c12); c13 = x1.fma(b3, c13);
      FloatVector x2 = broadcast(F, ALL.get(FLOAT, a2 + 4L * i));
      c20 = x2.fma(b0, c20); c21 = x2.fma(b1, c21);
      c22 = x2.fma(b2, c22); c23 = x2.fma(b3, c23);
      FloatVector x3 = broadcast(F, ALL.get(FLOAT, a3 + 4L * i));
      c30 = x3.fma(b0, c30); c31 = x3.fma(b1, c31);
      c32 = x3.fma(b2, c32); c33 = x3.fma(b3, c33);
      FloatVector x4 = broadcast(F, ALL.get(FLOAT, a4 + 4L * i));
      c40 = x4.fma(b0, c40); c41 = x4.fma(b1, c41);
      c42 = x4.fma(b2, c42); c43 = x4.fma(b3, c43);
      FloatVector x5 = broadcast(F, ALL.get(FLOAT, a5 + 4L * i));
      c50 = x5.fma(b0, c50); c51 = x5.fma(b1, c51);
      c52 = x5.fma(b2, c52); c53 = x5.fma(b3, c53);
    }
    c00.intoMemorySegment(ALL, sums, ORDER);
    c01.intoMemorySegment(ALL, sums + BYTES, ORDER);
    c02.intoMemorySegment(ALL, sums + 2 * BYTES, ORDER);
    c03.intoMemorySegment(ALL, sums + 3 * BYTES, ORDER);
    c10.intoMemorySegment(ALL, sums + ROW, ORDER);
    c11.intoMemorySegment(ALL, sums + ROW + BYTES, ORDER);
    c12.intoMemorySegment(ALL, sums + ROW + 2 * BYTES, ORDER);
    c13.intoMemorySegment(ALL, sums + ROW + 3 * BYTES, ORDER);
    c20.intoMemorySegment(ALL, sums + 2 * ROW, ORDER);
    c21.intoMemorySegment(ALL, sums + 2 * ROW + BYTES, ORDER);
    c22.intoMemorySegment(ALL, sums + 2 * ROW + 2 * BYTES, ORDER);
    c23.intoMemorySegment(ALL, sums + 2 * ROW + 3 * BYTES, ORDER);
    c30.intoMemorySegment(ALL, sums + 3 * ROW, ORDER);
    c31.intoMemorySegment(ALL, sums + 3 * ROW + BYTES, ORDER);
    c32.intoMemorySegment(ALL, sums + 3 * ROW + 2 * BYTES, ORDER);
    c33.intoMemorySegment(ALL, sums + 3 * ROW + 3 * BYTES, ORDER);
    c40.intoMemorySegment(ALL, sums + 4 * ROW, ORDER);
    c41.intoMemorySegment(ALL, sums + 4 * ROW + BYTES, ORDER);
    c42.intoMemorySegment(ALL, sums + 4 * ROW + 2 * BYTES, ORDER);
    c43.intoMemorySegment(ALL, sums + 4 * ROW + 3 * BYTES, ORDER);
    c50.intoMemorySegment(ALL, sums + 5 * ROW, ORDER);
    c51.intoMemorySegment(ALL, sums + 5 * ROW + BYTES, ORDER);
    c52.intoMemorySegment(ALL, sums + 5 * ROW + 2 * BYTES, ORDER);
    c53.intoMemorySegment(ALL, sums + 5 * ROW + 3 * BYTES, ORDER);
  }

  private static void narrow(int k, long a, long aRow, int rows, long b, long sums) {
    FloatVector c00 = zero(F), c01 = zero(F);
    FloatVector c10 = zero(F), c11 = zero(F);
    FloatVector c20 = zero(F), c21 = zero(F);
    FloatVector c30 = zero(F), c31 = zero(F);
    FloatVector c40 = zero(F), c41 = zero(F);
    FloatVector c50 = zero(F), c51 = zero(F);
    int last = rows - 1;
    long a1 = a + Math.min(1, last) * aRow;
    long a2 = a + Math.min(2, last) * aRow;
    long a3 = a + Math.min(3, last) * aRow;
    long a4 = a + Math.min(4, last) * aRow;
    long a5 = a + Math.min(5, last) * aRow;
    for (int i = 0; i < k; i++) {
      long q = b + i * (long) ROW;
      FloatVector b0 = fromMemorySegment(F, ALL, q, ORDER);
      FloatVector b1 = fromMemorySegment(F, ALL, q + BYTES, ORDER);
      FloatVector x0 = broadcast(F, ALL.get(FLOAT, a + 4L * i));
      c00 = x0.fma(b0, c00); c01 = x0.fma(b1, c01);
      FloatVector x1 = broadcast(F, ALL.get(FLOAT, a1 + 4L * i));
      c10 = x1.fma(b0, c10); c11 = x1.fma(b1, c11);
      FloatVector x2 = broadcast(F, ALL.get(FLOAT, a2 + 4L * i));
      c20 = x2.fma(b0, c20); c21 = x2.fma(b1, c21);
      FloatVector x3 = broadcast(F, ALL.get(FLOAT, a3 + 4L * i));
      c30 = x3.fma(b0, c30); c31 = x3.fma(b1, c31);
      FloatVector x4 = broadcast(F, ALL.get(FLOAT, a4 + 4L * i));
      c40 = x4.fma(b0, c40); c41 = x4.fma(b1, c41);
      FloatVector x5 = broadcast(F, ALL.get(FLOAT, a5 + 4L * i));
      c50 = x5.fma(b0, c50); c51 = x5.fma(b1, c51);
    }
    c00.intoMemorySegment(ALL, sums, ORDER);
    c01.intoMemorySegment(ALL, sums + BYTES, ORDER);
    c10.intoMemorySegment(ALL, sums + ROW, ORDER);
    c11.intoMemorySegment(ALL, sums + ROW + BYTES, ORDER);
    c20.intoMemorySegment(ALL, sums + 2 * ROW, ORDER);
    c21.intoMemorySegment(ALL, sums + 2 * ROW + BYTES, ORDER);
    c30.intoMemorySegment(ALL, sums + 3 * ROW, ORDER);
    c31.intoMemorySegment(ALL, sums + 3 * ROW + BYTES, ORDER);
    c40.intoMemorySegment(ALL, sums + 4 * ROW, ORDER);
    c41.intoMemorySegment(ALL, sums + 4 * ROW + BYTES, ORDER);
    c50.intoMemorySegment(ALL, sums + 5 * ROW, ORDER);
    c51.intoMemorySegment(ALL, sums + 5 * ROW + BYTES, ORDER);
  }
}
