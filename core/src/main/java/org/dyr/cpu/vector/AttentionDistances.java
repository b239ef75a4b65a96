package org.dyr.cpu.vector;

import static jdk.incubator.vector.FloatVector.fromMemorySegment;
import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import org.dyr.device.Span;

/**
 * What relative positions add to the work of {@link AttentionVector} and {@link AttentionGradVector} on a block of
 * queries. A query meets a table of R = 2m+1 distances, not L keys, so that the products are R wide; such a row is
 * spread over the keys, each taking the element of its distance, and a row over the keys is folded into the sums of
 * each distance. All but 2m-1 of the keys share the first or the last distance.
 */
final class AttentionDistances {
  private static final long LINE = 64;

  private final MemorySegment held; // keeps the memory behind the address reachable
  private final long table; // (R,D)
  private final int rows; // R
  private final int most; // m
  private final int size; // D
  private final float scale;
  private final long row; // bytes of a row of products, whole panels
  private final Layout layout;
  private final long scratch;

  /** What a worker's scratch has; offsets in bytes. */
  private record Layout(long values, long table, long first, long second, long line, long work, long bytes) {

    /**
     * The table over sqrt(D), transposed (D, R), first, then transposed as it is, as it is (R, D), two blocks of rows
     * of distances (BLOCK, R), one row over the keys with room on both sides.
     */
    static Layout of(int rows, int size, int longest) {
      int block = AttentionTiles.BLOCK, width = AttentionTiles.padded(rows);
      long values = AttentionTiles.panels(size, rows);
      long table = values + AttentionTiles.panels(size, rows);
      long first = table + AttentionTiles.panels(rows, size);
      long second = first + 4L * block * width;
      long line = second + 4L * block * width;
      long work = line + 4L * (AttentionTiles.padded(longest) + 2 * rows + 2 * COUNT);
      long bytes = work + AttentionTiles.work(Math.max(block, rows), Math.max(size, Math.max(block, rows)));
      return new Layout(values, table, first, second, line, work, bytes + LINE & -LINE);
    }
  }

  /**
   * @param scratch has {@link #scratchBytes} from {@code offset} on
   * @param longest no sequence is longer
   */
  AttentionDistances(Span table, int rows, int size, int longest, Span scratch, long offset) {
    this.held = table.segment();
    this.table = Ram.address("table of distances", held, 4L * rows * size);
    this.rows = rows;
    this.size = size;
    most = rows / 2;
    scale = (float) (1 / Math.sqrt(size));
    row = 4L * AttentionTiles.padded(rows);
    layout = Layout.of(rows, size, longest);
    this.scratch = scratch.address() + offset + LINE - 1 & -LINE;
  }

  static long scratchBytes(int rows, int size, int longest, int workers) {
    return LINE + workers * Layout.of(rows, size, longest).bytes;
  }

  /** A worker's scratch, which the other methods take. */
  long own(int worker) {
    return scratch + worker * layout.bytes;
  }

  /** Packs the table; before the first block of a launch. */
  void pack(long own) {
    AttentionTiles.packTransposed(table, 4L * size, rows, size, own);
    AttentionRows.scale(own, AttentionTiles.panels(size, rows) / 4, scale);
    AttentionTiles.packTransposed(table, 4L * size, rows, size, own + layout.values);
    AttentionTiles.pack(table, 4L * size, rows, size, own + layout.table);
  }

  /** first = q a^T / sqrt(D) of {@code n} queries. */
  void keys(long own, long q, long stride, int n) {
    AttentionTiles.product(n, AttentionTiles.padded(rows), size, q, stride, own, own + layout.first, row,
        own + layout.work);
  }

  /** second = do a^T of {@code n} queries. */
  void values(long own, long dout, long stride, int n) {
    AttentionTiles.product(n, AttentionTiles.padded(rows), size, dout, stride, own + layout.values, own + layout.second,
        row, own + layout.work);
  }

  /** s += row {@code r} of first, spread from the query at {@code place} over {@code width} keys, whole panels. */
  void addFirst(long own, int r, int place, long s, int width) {
    spread(own + layout.first + r * row, place, width, own + layout.line);
    ElementwiseVector.add(s, own + layout.line + 4L * rows, s, width);
  }

  /** The same with second. */
  void addSecond(long own, int r, int place, long s, int width) {
    spread(own + layout.second + r * row, place, width, own + layout.line);
    ElementwiseVector.add(s, own + layout.line + 4L * rows, s, width);
  }

  /** Key 0 stands R elements behind {@code line}; what overruns a stretch is written over by the next. */
  private void spread(long distances, int place, int width, long line) {
    long keys = line + 4L * rows;
    fill(keys, place - most, Ram.get(distances));
    copy(distances, rows, keys + 4L * (place - most));
    int last = place + most + 1;
    fill(keys + 4L * last, width - last, Ram.get(distances + 4L * (rows - 1)));
  }

  /** x = value for {@code n} floats, and beyond them to the end of a vector. */
  private static void fill(long x, int n, float value) {
    for (int i = 0; i < n; i += COUNT) FloatVector.broadcast(F, value).intoMemorySegment(ALL, at(x + 4L * i), ORDER);
  }

  /** y = x for {@code n} floats, and beyond them to the end of a vector. */
  private static void copy(long x, int n, long y) {
    for (int i = 0; i < n; i += COUNT) {
      fromMemorySegment(F, ALL, at(x + 4L * i), ORDER).intoMemorySegment(ALL, at(y + 4L * i), ORDER);
    }
  }

  /** Row {@code r} of first = the {@code length} keys of p, folded for the query at {@code place}. */
  void foldFirst(long own, int r, int place, long p, int length) {
    fold(p, place, length, own + layout.first + r * row, own + layout.work);
  }

  /** The same into second. */
  void foldSecond(long own, int r, int place, long p, int length) {
    fold(p, place, length, own + layout.second + r * row, own + layout.work);
  }

  private void fold(long p, int place, int length, long distances, long lanes) {
    int before = place - most, last = place + most;
    if (before >= 0 && last < length) {
      copy(p + 4L * before, rows, distances);
    } else {
      for (int c = 0; c < rows; c++) {
        int j = before + c;
        Ram.set(distances + 4L * c, j >= 0 && j < length ? Ram.get(p + 4L * j) : 0);
      }
    }
    if (before > 0) Ram.set(distances, sum(p, before + 1, lanes));
    if (last < length - 1) Ram.set(distances + 4L * (rows - 1), sum(p + 4L * last, length - last, lanes));
  }

  private static float sum(long x, int n, long lanes) {
    int whole = n - n % COUNT;
    float rest = 0;
    for (int i = whole; i < n; i++) rest += Ram.get(x + 4L * i);
    return whole == 0 ? rest : AttentionRows.sum(x, whole, lanes) + rest;
  }

  /** to (n,D) += first a. */
  void addEmbeddings(long own, int n, long to, long stride) {
    AttentionTiles.addProduct(n, size, rows, own + layout.first, row, own + layout.table, to, stride,
        own + layout.work);
  }

  /** sums (R,D) += first^T q + second^T do, of {@code n} queries, both packed (n, D). */
  void addGradient(long own, int n, long queries, long outputs, long sums) {
    AttentionTiles.productTransposed(rows, size, n, own + layout.first, row, queries, sums, 4L * size, true,
        own + layout.work);
    AttentionTiles.productTransposed(rows, size, n, own + layout.second, row, outputs, sums, 4L * size, true,
        own + layout.work);
  }
}
