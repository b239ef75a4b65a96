package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/**
 * Copies that put operands into the order in which {@link Tile} reads them. A panel of B holds {@link Tile#COLUMNS}
 * columns, step after step of k: (k, COLUMNS), the columns beyond the matrix zero. A is read in place, or, where it is
 * stored (k, rows), after {@link #transpose}. Addresses and strides in bytes.
 */
final class Panels {

  private static final int ROW = 4 * Tile.COLUMNS;

  /** Columns transposed at a time. */
  private static final int RUN = 32;

  /** Two neighbouring floats. */
  private static final ValueLayout.OfLong PAIR = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final long LOW = 0xffff_ffffL;

  private Panels() {}

  /** Bytes of one panel of B. */
  static long bytes(int k) {
    return (long) ROW * k;
  }

  /**
   * One panel from B stored (k, columns).
   *
   * @param b the first of the panel's columns at the first k; the next k is {@code stride} further
   * @param columns how many columns there are, 1 to COLUMNS
   */
  static void packB(long b, long stride, int k, int columns, long panel) {
    if (columns < Tile.COLUMNS) clear(k, panel);
    for (int i = 0; i < k; i++) MemorySegment.copy(ALL, b + i * stride, ALL, panel + (long) i * ROW, 4L * columns);
  }

  /**
   * One panel from B stored (columns, k).
   *
   * @param b the first of the panel's columns at the first k; the next column is {@code stride} further
   */
  static void packTransposedB(long b, long stride, int k, int columns, long panel) {
    if (columns < Tile.COLUMNS) clear(k, panel);
    transpose(b, stride, columns, k, panel, ROW);
  }

  private static void clear(int k, long panel) {
    FloatVector zero = FloatVector.zero(Lanes.F);
    for (int i = 0; i < k * Tile.COLUMNS / Lanes.COUNT; i++) {
      zero.intoMemorySegment(ALL, panel + (long) i * Lanes.BYTES, ORDER);
    }
  }

  /**
   * to[c][r] = from[r][c]. Goes by short runs of columns, so that the part that is being filled stays in the
   * first-level cache until its lines are complete.
   */
  static void transpose(long from, long fromRow, int rows, int columns, long to, long toRow) {
    for (int c = 0; c < columns; c += RUN) {
      int run = Math.min(RUN, columns - c);
      long q = from + 4L * c;
      long p = to + c * toRow;
      int r = 0;
      for (; r + 4 <= rows; r += 4) four(q + r * fromRow, fromRow, run, p + 4 * r, toRow);
      for (; r < rows; r++) one(q + r * fromRow, run, p + 4 * r, toRow);
    }
  }

  /**
   * Two columns of four rows at a time: eight bytes hold two neighbours of a row, then two of a column. Not by vectors of four
   * lanes: with two widths in one program, the compiler no longer knows the width of what other loops have loaded when they come
   * to store it, and keeps it on the heap.
   */
  private static void four(long from, long fromRow, int run, long to, long toRow) {
    long f1 = from + fromRow;
    long f2 = f1 + fromRow;
    long f3 = f2 + fromRow;
    int i = 0;
    for (; i + 2 <= run; i += 2) {
      long y = to + i * toRow;
      long x0 = ALL.get(PAIR, from + 4L * i);
      long x1 = ALL.get(PAIR, f1 + 4L * i);
      long x2 = ALL.get(PAIR, f2 + 4L * i);
      long x3 = ALL.get(PAIR, f3 + 4L * i);
      ALL.set(PAIR, y, x0 & LOW | x1 << 32);
      ALL.set(PAIR, y + 8, x2 & LOW | x3 << 32);
      ALL.set(PAIR, y + toRow, x0 >>> 32 | x1 & ~LOW);
      ALL.set(PAIR, y + toRow + 8, x2 >>> 32 | x3 & ~LOW);
    }
    if (i < run) {
      long y = to + i * toRow;
      Ram.set(y, Ram.get(from + 4L * i));
      Ram.set(y + 4, Ram.get(f1 + 4L * i));
      Ram.set(y + 8, Ram.get(f2 + 4L * i));
      Ram.set(y + 12, Ram.get(f3 + 4L * i));
    }
  }

  private static void one(long from, int run, long to, long toRow) {
    for (int i = 0; i < run; i++) Ram.set(to + i * toRow, Ram.get(from + 4L * i));
  }
}
