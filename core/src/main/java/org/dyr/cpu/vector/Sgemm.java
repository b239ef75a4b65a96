package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import org.dyr.cpu.Workers;

/**
 * C (m,n) = op(A) op(B) [+ residual (m,n)] [+ bias (n), one for each column], float32, on all workers.
 *
 * <p>k is cut into blocks of equal size. For each block the workers pack B together, wait for each other, and multiply:
 * each its own rows by all panels; or, where columns divide more evenly, all rows by its own panels, which needs no
 * waiting. Bias and residual are added when the first block is stored; later blocks add to C. (Adding them with the
 * last would cost the same, but a residual that is C itself would be gone by then.) The order of the additions that
 * make one element of C depends on k alone, so the result has the same bits for any number of workers.
 */
public final class Sgemm {

  /** Steps of k a block; a panel of B is then at most 196 KB. Shorter blocks read and write C more often. */
  private static final int BLOCK_K = 768;

  /**
   * Rows of A packed at a time: 1.2 MB, which stay in the second-level cache while every panel of B goes by; a panel of
   * B comes there once for so many rows.
   */
  private static final int BLOCK_M = 384;

  /** Columns packed at a time; bounds the scratch. */
  private static final int BLOCK_N = 3072;

  /** Below so many multiply-adds a second worker is not worth waking. */
  private static final long ALONE = 1 << 17;

  private static final long ALIGN = 64;

  private final Product size;
  private final Workers workers;
  private final int parts;
  private final boolean byRows;
  private final Barrier barrier;
  private final Workers.Task task = this::share;

  private final MemorySegment[] held; // keeps the memory behind the addresses reachable
  private final long a;
  private final long b;
  private final long c;
  private final long bias;
  private final long residual;
  private final long panels;
  private final long panelStep; // the same for a shorter last block, which a worker may begin before the others
  private final long own;
  private final long ownBytes;

  /**
   * @param bias n floats, or null
   * @param residual (m,n) with row stride ldr, or null; may be c itself, which then accumulates, but must not
   *     overlap it otherwise
   * @param scratch at least {@link #scratchBytes}; keeps nothing between runs
   * @throws IllegalArgumentException if an operand is too small, or not native memory
   */
  public Sgemm(Product size, MemorySegment a, MemorySegment b, MemorySegment c, MemorySegment bias,
      MemorySegment residual, MemorySegment scratch, Workers workers) {
    this.size = size;
    this.workers = workers;
    int m = size.m();
    int n = size.n();
    int k = size.k();
    this.a = Ram.address("Sgemm: a", a, size.transposeA() ? extent(k, m, size.lda()) : extent(m, k, size.lda()));
    this.b = Ram.address("Sgemm: b", b, size.transposeB() ? extent(n, k, size.ldb()) : extent(k, n, size.ldb()));
    this.c = Ram.address("Sgemm: c", c, extent(m, n, size.ldc()));
    this.bias = bias == null ? 0 : Ram.address("Sgemm: bias", bias, 4L * n);
    this.residual = residual == null ? 0 : Ram.address("Sgemm: residual", residual, extent(m, n, size.ldr()));
    long start = Ram.address("Sgemm: scratch", scratch, scratchBytes(size, workers.count()));
    panels = (start + ALIGN - 1) & -ALIGN;
    panelStep = Panels.bytesB(blockK(k));
    own = panels + panelBytes(size);
    ownBytes = ownBytes(size);
    held = new MemorySegment[] {a, b, c, bias, residual, scratch};
    parts = (long) m * n * k < ALONE ? 1 : workers.count();
    byRows = byRows(size, parts);
    barrier = new Barrier(parts);
  }

  /** Bytes of scratch for {@code workers} workers: a block of packed panels, and room for each worker. */
  public static long scratchBytes(Product size, int workers) {
    return ALIGN + panelBytes(size) + workers * ownBytes(size);
  }

  /** Allocates nothing. One caller at a time for each object, and for each scratch. */
  public void run() {
    if (parts == 1) share(0);
    else workers.run(task);
  }

  private static long extent(int rows, int columns, int stride) {
    return 4 * ((long) (rows - 1) * stride + columns);
  }

  private static long panelBytes(Product size) {
    return Panels.bytesB(blockK(size.k())) * tiles(Math.min(size.n(), BLOCK_N), Tile.COLUMNS);
  }

  /** A worker's own: the sums of a tile, and a block of packed A. */
  private static long ownBytes(Product size) {
    return Tile.SUMS + Panels.bytesA(blockK(size.k())) * tiles(Math.min(size.m(), BLOCK_M), Tile.ROWS)
        + ALIGN - 1 & -ALIGN;
  }

  private static int blockK(int k) {
    int blocks = tiles(k, BLOCK_K);
    return tiles(k, blocks);
  }

  private static int tiles(int items, int size) {
    return (items + size - 1) / size;
  }

  /**
   * Rows unless columns spread more evenly by a tenth: what counts is the worker with the most tiles, and by columns
   * each would pack all of A.
   */
  private static boolean byRows(Product size, int parts) {
    int rows = tiles(size.m(), Tile.ROWS);
    int columns = tiles(Math.min(size.n(), BLOCK_N), Tile.COLUMNS);
    double byRows = (double) tiles(rows, parts) / rows;
    double byColumns = (double) tiles(columns, parts) / columns;
    return byRows <= 1.1 * byColumns;
  }

  private void share(int worker) {
    if (worker >= parts) return;
    int n = size.n();
    int k = size.k();
    int kc = blockK(k);
    for (int n0 = 0; n0 < n; n0 += BLOCK_N) {
      int columns = Math.min(BLOCK_N, n - n0);
      int count = tiles(columns, Tile.COLUMNS);
      int first = Workers.begin(count, worker, parts);
      int end = Workers.begin(count, worker + 1, parts);
      for (int k0 = 0; k0 < k; k0 += kc) {
        int depth = Math.min(kc, k - k0);
        for (int j = first; j < end; j++) pack(n0 + j * Tile.COLUMNS, k0, depth, panels + j * panelStep);
        if (byRows) {
          barrier.await();
          int tiles = tiles(size.m(), Tile.ROWS);
          multiply(worker, Workers.begin(tiles, worker, parts) * Tile.ROWS,
              Math.min(size.m(), Workers.begin(tiles, worker + 1, parts) * Tile.ROWS), n0, 0, count, k0, depth);
          barrier.await();
        } else {
          multiply(worker, 0, size.m(), n0, first, end, k0, depth);
        }
      }
      if (!byRows && n0 + BLOCK_N < n) barrier.await(); // the next columns may be divided differently
    }
  }

  private void pack(int column, int k0, int depth, long panel) {
    int columns = Math.min(Tile.COLUMNS, size.n() - column);
    long stride = 4L * size.ldb();
    if (size.transposeB()) Panels.packTransposedB(b + column * stride + 4L * k0, stride, depth, columns, panel);
    else Panels.packB(b + k0 * stride + 4L * column, stride, depth, columns, panel);
  }

  /** Rows {@code m0} to {@code m1} of C by the panels {@code first} to {@code end}, which begin at column n0. */
  private void multiply(int worker, int m0, int m1, int n0, int first, int end, int k0, int depth) {
    long sums = own + worker * ownBytes;
    long packed = sums + Tile.SUMS;
    long panelA = Panels.bytesA(depth);
    long lda = 4L * size.lda();
    long cRow = 4L * size.ldc();
    boolean fresh = k0 == 0;
    long from = fresh ? residual : c;
    long fromRow = !fresh ? cRow : residual == 0 ? 0 : 4L * size.ldr();
    for (int r0 = m0; r0 < m1; r0 += BLOCK_M) {
      int rows = Math.min(BLOCK_M, m1 - r0);
      if (size.transposeA()) Panels.packTransposedA(a + k0 * lda + 4L * r0, lda, depth, rows, packed);
      else Panels.packA(a + r0 * lda + 4L * k0, lda, depth, rows, packed);
      for (int j = first; j < end; j++) {
        int column = n0 + j * Tile.COLUMNS;
        int width = Math.min(Tile.COLUMNS, size.n() - column);
        for (int r = 0; r < rows; r += Tile.ROWS) {
          Tile.run(depth, packed + r / Tile.ROWS * panelA, panels + j * panelStep, Math.min(Tile.ROWS, rows - r), width,
              c + (r0 + r) * cRow + 4L * column, cRow,
              from == 0 ? Ram.ZEROS : from + (r0 + r) * fromRow + 4L * column, fromRow,
              fresh && bias != 0 ? bias + 4L * column : Ram.ZEROS, sums);
        }
      }
    }
  }
}
