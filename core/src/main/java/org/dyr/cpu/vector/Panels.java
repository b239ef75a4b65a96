package org.dyr.cpu.vector;

import static jdk.incubator.vector.IntVector.fromMemorySegment;
import static org.dyr.cpu.vector.Lanes.BYTES;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Copies that put operands into the order in which {@link Tile} reads them, step after step of k: a panel of A is
 * (k, {@link Tile#ROWS}), a panel of B (k, {@link Tile#COLUMNS}). Rows and columns beyond the matrix are zero.
 * Addresses and strides in bytes.
 *
 * <p>Transposing needs no vectors but those of {@link Lanes#F}: with two widths in one program, the compiler no longer
 * knows the width of what other loops have loaded when they come to store it, and keeps it on the heap.
 */
final class Panels {

  private static final int A_STEP = 4 * Tile.ROWS;
  private static final int B_STEP = 4 * Tile.COLUMNS;

  /** Rows that go side by side into a panel of B. */
  private static final int GROUP = 16;

  /** Steps of k that are copied for all panels of A before the next: their lines stay in the first-level cache. */
  private static final int RUN = 32;

  /** Two neighbouring floats. */
  private static final ValueLayout.OfLong PAIR = ValueLayout.JAVA_LONG_UNALIGNED;

  private static final VectorSpecies<Integer> I = F.withLanes(int.class);

  /** The even and the odd places of two vectors in a row. */
  private static final IntVector EVEN = IntVector.zero(I).addIndex(2);
  private static final IntVector ODD = EVEN.add(1);

  private Panels() {}

  /** Bytes of a panel of A. */
  static long bytesA(int k) {
    return (long) A_STEP * k;
  }

  /** Bytes of a panel of B. */
  static long bytesB(int k) {
    return (long) B_STEP * k;
  }

  /**
   * Panels of A, one after the other, from A stored (rows, k).
   *
   * @param a the first row at the first k; the next row is {@code stride} further
   */
  static void packA(long a, long stride, int k, int rows, long panels) {
    long bytes = bytesA(k);
    int whole = k / Lanes.COUNT * Lanes.COUNT;
    for (int r = 0; r < rows; r += Tile.ROWS) {
      long from = a + r * stride;
      long panel = panels + r / Tile.ROWS * bytes;
      int height = Math.min(Tile.ROWS, rows - r);
      if (height < Tile.ROWS) {
        clear(panel, bytes);
        scalar(from, stride, height, 0, k, panel, A_STEP);
      } else {
        six(from, stride, whole, panel);
        scalar(from, stride, height, whole, k, panel, A_STEP);
      }
    }
  }

  /**
   * Panels of A, one after the other, from A stored (k, rows).
   *
   * @param a the first row at the first k; the next k is {@code stride} further
   */
  static void packTransposedA(long a, long stride, int k, int rows, long panels) {
    long bytes = bytesA(k);
    for (int i = 0; i < k; i += RUN) {
      for (int r = 0; r < rows; r += Tile.ROWS) {
        copy(a + i * stride + 4L * r, stride, Math.min(RUN, k - i), Math.min(Tile.ROWS, rows - r),
            panels + r / Tile.ROWS * bytes + (long) i * A_STEP);
      }
    }
  }

  /**
   * One panel from B stored (k, columns).
   *
   * @param b the first of the panel's columns at the first k; the next k is {@code stride} further
   * @param columns how many columns there are, 1 to COLUMNS
   */
  static void packB(long b, long stride, int k, int columns, long panel) {
    if (columns < Tile.COLUMNS) clear(panel, bytesB(k));
    for (int i = 0; i < k; i++) MemorySegment.copy(ALL, b + i * stride, ALL, panel + (long) i * B_STEP, 4L * columns);
  }

  /**
   * One panel from B stored (columns, k).
   *
   * @param b the first of the panel's columns at the first k; the next column is {@code stride} further
   */
  static void packTransposedB(long b, long stride, int k, int columns, long panel) {
    if (columns < Tile.COLUMNS) clear(panel, bytesB(k));
    int whole = k / Lanes.COUNT * Lanes.COUNT;
    int grouped = columns / GROUP * GROUP;
    for (int c = 0; c < grouped; c += GROUP) sixteen(b + c * stride, stride, whole, panel + 4L * c, B_STEP);
    scalar(b, stride, grouped, whole, k, panel, B_STEP);
    scalar(b + grouped * stride, stride, columns - grouped, 0, k, panel + 4L * grouped, B_STEP);
  }

  private static void clear(long panel, long bytes) {
    IntVector zero = IntVector.zero(I);
    long i = 0;
    for (; i <= bytes - BYTES; i += BYTES) zero.intoMemorySegment(ALL, at(panel + i), ORDER);
    for (; i < bytes; i += 4) Ram.set(panel + i, 0);
  }

  /** Six floats, or fewer, of each step. */
  private static void copy(long from, long stride, int steps, int width, long to) {
    if (width < Tile.ROWS) {
      for (int i = 0; i < steps; i++) {
        for (int r = 0; r < Tile.ROWS; r++) {
          Ram.set(to + (long) i * A_STEP + 4 * r, r < width ? Ram.get(from + i * stride + 4 * r) : 0);
        }
      }
      return;
    }
    for (int i = 0; i < steps; i++) {
      long x = at(from + i * stride);
      long y = at(to + (long) i * A_STEP);
      ALL.set(PAIR, y, ALL.get(PAIR, x));
      ALL.set(PAIR, y + 8, ALL.get(PAIR, x + 8));
      ALL.set(PAIR, y + 16, ALL.get(PAIR, x + 16));
    }
  }

  /** to[c][r] = from[r][c] for the columns {@code begin} to {@code end}, one by one. */
  private static void scalar(long from, long stride, int rows, int begin, int end, long to, int step) {
    for (int c = begin; c < end; c++) {
      for (int r = 0; r < rows; r++) Ram.set(to + (long) c * step + 4L * r, Ram.get(from + r * stride + 4L * c));
    }
  }

  /**
   * Six rows to (columns, 6), Lanes.COUNT columns at a time. Read as one sequence of n = 6 COUNT floats, element i goes
   * to place i 6 mod (n - 1). Parting evens from odds, all evens first, takes element i to i / 2 mod (n - 1), and since
   * 6 COUNT = n, log2(COUNT) partings are the transposition.
   */
  private static void six(long from, long stride, int columns, long to) {
    for (int c = 0; c < columns; c += Lanes.COUNT) {
      long x = from + 4L * c;
      IntVector x0 = fromMemorySegment(I, ALL, at(x), ORDER);
      IntVector x1 = fromMemorySegment(I, ALL, at(x + stride), ORDER);
      IntVector x2 = fromMemorySegment(I, ALL, at(x + 2 * stride), ORDER);
      IntVector x3 = fromMemorySegment(I, ALL, at(x + 3 * stride), ORDER);
      IntVector x4 = fromMemorySegment(I, ALL, at(x + 4 * stride), ORDER);
      IntVector x5 = fromMemorySegment(I, ALL, at(x + 5 * stride), ORDER);
      for (int part = Lanes.COUNT; part > 2; part /= 2) {
        IntVector y0 = EVEN.selectFrom(x0, x1), y3 = ODD.selectFrom(x0, x1);
        IntVector y1 = EVEN.selectFrom(x2, x3), y4 = ODD.selectFrom(x2, x3);
        IntVector y2 = EVEN.selectFrom(x4, x5), y5 = ODD.selectFrom(x4, x5);
        x0 = y0; x1 = y1; x2 = y2; x3 = y3; x4 = y4; x5 = y5;
      }
      long y = at(to + 24L * c);
      EVEN.selectFrom(x0, x1).intoMemorySegment(ALL, y, ORDER);
      EVEN.selectFrom(x2, x3).intoMemorySegment(ALL, y + BYTES, ORDER);
      EVEN.selectFrom(x4, x5).intoMemorySegment(ALL, y + 2 * BYTES, ORDER);
      ODD.selectFrom(x0, x1).intoMemorySegment(ALL, y + 3 * BYTES, ORDER);
      ODD.selectFrom(x2, x3).intoMemorySegment(ALL, y + 4 * BYTES, ORDER);
      ODD.selectFrom(x4, x5).intoMemorySegment(ALL, y + 5 * BYTES, ORDER);
    }
  }

  /** Sixteen rows to (columns, 16) the same way; the columns come to lie {@code toStride} apart. */
  private static void sixteen(long from, long stride, int columns, long to, long toStride) {
    for (int c = 0; c < columns; c += Lanes.COUNT) {
      long x = from + 4L * c;
      IntVector x0 = fromMemorySegment(I, ALL, at(x), ORDER);
      IntVector x1 = fromMemorySegment(I, ALL, at(x + stride), ORDER);
      IntVector x2 = fromMemorySegment(I, ALL, at(x + 2 * stride), ORDER);
      IntVector x3 = fromMemorySegment(I, ALL, at(x + 3 * stride), ORDER);
      IntVector x4 = fromMemorySegment(I, ALL, at(x + 4 * stride), ORDER);
      IntVector x5 = fromMemorySegment(I, ALL, at(x + 5 * stride), ORDER);
      IntVector x6 = fromMemorySegment(I, ALL, at(x + 6 * stride), ORDER);
      IntVector x7 = fromMemorySegment(I, ALL, at(x + 7 * stride), ORDER);
      IntVector x8 = fromMemorySegment(I, ALL, at(x + 8 * stride), ORDER);
      IntVector x9 = fromMemorySegment(I, ALL, at(x + 9 * stride), ORDER);
      IntVector x10 = fromMemorySegment(I, ALL, at(x + 10 * stride), ORDER);
      IntVector x11 = fromMemorySegment(I, ALL, at(x + 11 * stride), ORDER);
      IntVector x12 = fromMemorySegment(I, ALL, at(x + 12 * stride), ORDER);
      IntVector x13 = fromMemorySegment(I, ALL, at(x + 13 * stride), ORDER);
      IntVector x14 = fromMemorySegment(I, ALL, at(x + 14 * stride), ORDER);
      IntVector x15 = fromMemorySegment(I, ALL, at(x + 15 * stride), ORDER);
      for (int part = Lanes.COUNT; part > 2; part /= 2) {
        IntVector y0 = EVEN.selectFrom(x0, x1), y8 = ODD.selectFrom(x0, x1);
        IntVector y1 = EVEN.selectFrom(x2, x3), y9 = ODD.selectFrom(x2, x3);
        IntVector y2 = EVEN.selectFrom(x4, x5), y10 = ODD.selectFrom(x4, x5);
        IntVector y3 = EVEN.selectFrom(x6, x7), y11 = ODD.selectFrom(x6, x7);
        IntVector y4 = EVEN.selectFrom(x8, x9), y12 = ODD.selectFrom(x8, x9);
        IntVector y5 = EVEN.selectFrom(x10, x11), y13 = ODD.selectFrom(x10, x11);
        IntVector y6 = EVEN.selectFrom(x12, x13), y14 = ODD.selectFrom(x12, x13);
        IntVector y7 = EVEN.selectFrom(x14, x15), y15 = ODD.selectFrom(x14, x15);
        x0 = y0; x1 = y1; x2 = y2; x3 = y3; x4 = y4; x5 = y5; x6 = y6; x7 = y7;
        x8 = y8; x9 = y9; x10 = y10; x11 = y11; x12 = y12; x13 = y13; x14 = y14; x15 = y15;
      }
      long y = to + c * toStride;
      EVEN.selectFrom(x0, x1).intoMemorySegment(ALL, at(place(y, toStride, 0)), ORDER);
      EVEN.selectFrom(x2, x3).intoMemorySegment(ALL, at(place(y, toStride, 1)), ORDER);
      EVEN.selectFrom(x4, x5).intoMemorySegment(ALL, at(place(y, toStride, 2)), ORDER);
      EVEN.selectFrom(x6, x7).intoMemorySegment(ALL, at(place(y, toStride, 3)), ORDER);
      EVEN.selectFrom(x8, x9).intoMemorySegment(ALL, at(place(y, toStride, 4)), ORDER);
      EVEN.selectFrom(x10, x11).intoMemorySegment(ALL, at(place(y, toStride, 5)), ORDER);
      EVEN.selectFrom(x12, x13).intoMemorySegment(ALL, at(place(y, toStride, 6)), ORDER);
      EVEN.selectFrom(x14, x15).intoMemorySegment(ALL, at(place(y, toStride, 7)), ORDER);
      ODD.selectFrom(x0, x1).intoMemorySegment(ALL, at(place(y, toStride, 8)), ORDER);
      ODD.selectFrom(x2, x3).intoMemorySegment(ALL, at(place(y, toStride, 9)), ORDER);
      ODD.selectFrom(x4, x5).intoMemorySegment(ALL, at(place(y, toStride, 10)), ORDER);
      ODD.selectFrom(x6, x7).intoMemorySegment(ALL, at(place(y, toStride, 11)), ORDER);
      ODD.selectFrom(x8, x9).intoMemorySegment(ALL, at(place(y, toStride, 12)), ORDER);
      ODD.selectFrom(x10, x11).intoMemorySegment(ALL, at(place(y, toStride, 13)), ORDER);
      ODD.selectFrom(x12, x13).intoMemorySegment(ALL, at(place(y, toStride, 14)), ORDER);
      ODD.selectFrom(x14, x15).intoMemorySegment(ALL, at(place(y, toStride, 15)), ORDER);
    }
  }

  /** Where vector i of sixteen rows goes: a column takes 16 / Lanes.COUNT vectors. */
  private static long place(long to, long stride, int i) {
    return to + i * Lanes.COUNT / GROUP * stride + i * Lanes.COUNT % GROUP * 4L;
  }
}
