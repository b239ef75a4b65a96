package org.dyr.cpu.vector;

import static jdk.incubator.vector.FloatVector.fromMemorySegment;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Copies that put operands into the order in which {@link Tile} reads them. A panel of B holds {@link Tile#COLUMNS}
 * columns, step after step of k: (k, COLUMNS), the columns beyond the matrix zero. A is read in place, or, where it is
 * stored (k, rows), after {@link #transpose}. Addresses and strides in bytes.
 */
final class Panels {

  private static final int ROW = 4 * Tile.COLUMNS;

  /** Columns transposed at a time. */
  private static final int RUN = 32;

  private static final VectorSpecies<Float> FOUR = FloatVector.SPECIES_128;
  private static final VectorShuffle<Float> SWAP = VectorShuffle.fromValues(FOUR, 1, 0, 3, 2);
  private static final VectorShuffle<Float> TURN = VectorShuffle.fromValues(FOUR, 2, 3, 0, 1);
  private static final VectorMask<Float> ODD = VectorMask.fromValues(FOUR, false, true, false, true);
  private static final VectorMask<Float> HIGH = VectorMask.fromValues(FOUR, false, false, true, true);

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
    // A loop of vector loads and stores would box: with vectors of two widths in one program (the transposition below has four
    // lanes), the compiler no longer knows the width of what it has just loaded when it comes to the store.
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

  /** Four rows, four columns at a time: first neighbours change places across the diagonal, then pairs of them. */
  private static void four(long from, long fromRow, int run, long to, long toRow) {
    long f1 = from + fromRow;
    long f2 = f1 + fromRow;
    long f3 = f2 + fromRow;
    int i = 0;
    for (; i + 4 <= run; i += 4) {
      FloatVector x0 = fromMemorySegment(FOUR, ALL, from + 4L * i, ORDER);
      FloatVector x1 = fromMemorySegment(FOUR, ALL, f1 + 4L * i, ORDER);
      FloatVector x2 = fromMemorySegment(FOUR, ALL, f2 + 4L * i, ORDER);
      FloatVector x3 = fromMemorySegment(FOUR, ALL, f3 + 4L * i, ORDER);
      FloatVector y0 = x0.blend(x1.rearrange(SWAP), ODD);
      FloatVector y1 = x0.rearrange(SWAP).blend(x1, ODD);
      FloatVector y2 = x2.blend(x3.rearrange(SWAP), ODD);
      FloatVector y3 = x2.rearrange(SWAP).blend(x3, ODD);
      long y = to + i * toRow;
      y0.blend(y2.rearrange(TURN), HIGH).intoMemorySegment(ALL, y, ORDER);
      y1.blend(y3.rearrange(TURN), HIGH).intoMemorySegment(ALL, y + toRow, ORDER);
      y0.rearrange(TURN).blend(y2, HIGH).intoMemorySegment(ALL, y + 2 * toRow, ORDER);
      y1.rearrange(TURN).blend(y3, HIGH).intoMemorySegment(ALL, y + 3 * toRow, ORDER);
    }
    for (; i < run; i++) {
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
