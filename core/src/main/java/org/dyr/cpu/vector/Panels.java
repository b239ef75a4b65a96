package org.dyr.cpu.vector;

import static jdk.incubator.vector.FloatVector.fromMemorySegment;
import static org.dyr.cpu.vector.Lanes.BYTES;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;

/**
 * Copies that put operands into the order in which {@link Tile} reads them, step after step of k: a panel of A is
 * (k, {@link Tile#ROWS}), a panel of B (k, {@link Tile#COLUMNS}). Rows and columns beyond the matrix are zero. Addresses
 * and strides in bytes.
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

  private static final VectorShuffle<Float> EVEN = VectorShuffle.makeUnzip(F, 0);
  private static final VectorShuffle<Float> ODD = VectorShuffle.makeUnzip(F, 1);

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
    FloatVector zero = FloatVector.zero(F);
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
      FloatVector x0 = fromMemorySegment(F, ALL, at(x), ORDER);
      FloatVector x1 = fromMemorySegment(F, ALL, at(x + stride), ORDER);
      FloatVector x2 = fromMemorySegment(F, ALL, at(x + 2 * stride), ORDER);
      FloatVector x3 = fromMemorySegment(F, ALL, at(x + 3 * stride), ORDER);
      FloatVector x4 = fromMemorySegment(F, ALL, at(x + 4 * stride), ORDER);
      FloatVector x5 = fromMemorySegment(F, ALL, at(x + 5 * stride), ORDER);
      for (int part = Lanes.COUNT; part > 1; part /= 2) {
        FloatVector y0 = x0.rearrange(EVEN, x1), y3 = x0.rearrange(ODD, x1);
        FloatVector y1 = x2.rearrange(EVEN, x3), y4 = x2.rearrange(ODD, x3);
        FloatVector y2 = x4.rearrange(EVEN, x5), y5 = x4.rearrange(ODD, x5);
        x0 = y0; x1 = y1; x2 = y2; x3 = y3; x4 = y4; x5 = y5;
      }
      long y = at(to + 24L * c);
      x0.intoMemorySegment(ALL, y, ORDER);
      x1.intoMemorySegment(ALL, y + BYTES, ORDER);
      x2.intoMemorySegment(ALL, y + 2 * BYTES, ORDER);
      x3.intoMemorySegment(ALL, y + 3 * BYTES, ORDER);
      x4.intoMemorySegment(ALL, y + 4 * BYTES, ORDER);
      x5.intoMemorySegment(ALL, y + 5 * BYTES, ORDER);
    }
  }

  /** Sixteen rows to (columns, 16) the same way; the columns come to lie {@code toStride} apart. */
  private static void sixteen(long from, long stride, int columns, long to, long toStride) {
    for (int c = 0; c < columns; c += Lanes.COUNT) {
      long x = from + 4L * c;
      FloatVector x0 = fromMemorySegment(F, ALL, at(x), ORDER);
      FloatVector x1 = fromMemorySegment(F, ALL, at(x + stride), ORDER);
      FloatVector x2 = fromMemorySegment(F, ALL, at(x + 2 * stride), ORDER);
      FloatVector x3 = fromMemorySegment(F, ALL, at(x + 3 * stride), ORDER);
      FloatVector x4 = fromMemorySegment(F, ALL, at(x + 4 * stride), ORDER);
      FloatVector x5 = fromMemorySegment(F, ALL, at(x + 5 * stride), ORDER);
      FloatVector x6 = fromMemorySegment(F, ALL, at(x + 6 * stride), ORDER);
      FloatVector x7 = fromMemorySegment(F, ALL, at(x + 7 * stride), ORDER);
      FloatVector x8 = fromMemorySegment(F, ALL, at(x + 8 * stride), ORDER);
      FloatVector x9 = fromMemorySegment(F, ALL, at(x + 9 * stride), ORDER);
      FloatVector x10 = fromMemorySegment(F, ALL, at(x + 10 * stride), ORDER);
      FloatVector x11 = fromMemorySegment(F, ALL, at(x + 11 * stride), ORDER);
      FloatVector x12 = fromMemorySegment(F, ALL, at(x + 12 * stride), ORDER);
      FloatVector x13 = fromMemorySegment(F, ALL, at(x + 13 * stride), ORDER);
      FloatVector x14 = fromMemorySegment(F, ALL, at(x + 14 * stride), ORDER);
      FloatVector x15 = fromMemorySegment(F, ALL, at(x + 15 * stride), ORDER);
      for (int part = Lanes.COUNT; part > 1; part /= 2) {
        FloatVector y0 = x0.rearrange(EVEN, x1), y8 = x0.rearrange(ODD, x1);
        FloatVector y1 = x2.rearrange(EVEN, x3), y9 = x2.rearrange(ODD, x3);
        FloatVector y2 = x4.rearrange(EVEN, x5), y10 = x4.rearrange(ODD, x5);
        FloatVector y3 = x6.rearrange(EVEN, x7), y11 = x6.rearrange(ODD, x7);
        FloatVector y4 = x8.rearrange(EVEN, x9), y12 = x8.rearrange(ODD, x9);
        FloatVector y5 = x10.rearrange(EVEN, x11), y13 = x10.rearrange(ODD, x11);
        FloatVector y6 = x12.rearrange(EVEN, x13), y14 = x12.rearrange(ODD, x13);
        FloatVector y7 = x14.rearrange(EVEN, x15), y15 = x14.rearrange(ODD, x15);
        x0 = y0; x1 = y1; x2 = y2; x3 = y3; x4 = y4; x5 = y5; x6 = y6; x7 = y7;
        x8 = y8; x9 = y9; x10 = y10; x11 = y11; x12 = y12; x13 = y13; x14 = y14; x15 = y15;
      }
      long y = to + c * toStride;
      x0.intoMemorySegment(ALL, at(place(y, toStride, 0)), ORDER);
      x1.intoMemorySegment(ALL, at(place(y, toStride, 1)), ORDER);
      x2.intoMemorySegment(ALL, at(place(y, toStride, 2)), ORDER);
      x3.intoMemorySegment(ALL, at(place(y, toStride, 3)), ORDER);
      x4.intoMemorySegment(ALL, at(place(y, toStride, 4)), ORDER);
      x5.intoMemorySegment(ALL, at(place(y, toStride, 5)), ORDER);
      x6.intoMemorySegment(ALL, at(place(y, toStride, 6)), ORDER);
      x7.intoMemorySegment(ALL, at(place(y, toStride, 7)), ORDER);
      x8.intoMemorySegment(ALL, at(place(y, toStride, 8)), ORDER);
      x9.intoMemorySegment(ALL, at(place(y, toStride, 9)), ORDER);
      x10.intoMemorySegment(ALL, at(place(y, toStride, 10)), ORDER);
      x11.intoMemorySegment(ALL, at(place(y, toStride, 11)), ORDER);
      x12.intoMemorySegment(ALL, at(place(y, toStride, 12)), ORDER);
      x13.intoMemorySegment(ALL, at(place(y, toStride, 13)), ORDER);
      x14.intoMemorySegment(ALL, at(place(y, toStride, 14)), ORDER);
      x15.intoMemorySegment(ALL, at(place(y, toStride, 15)), ORDER);
    }
  }

  /** Where vector i of sixteen rows goes: a column takes 16 / Lanes.COUNT vectors. */
  private static long place(long to, long stride, int i) {
    return to + i * Lanes.COUNT / GROUP * stride + i * Lanes.COUNT % GROUP * 4L;
  }
}
