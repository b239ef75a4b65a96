package org.dyr.cpu.vector;

/**
 * The small products of attention on one worker, over {@link Tile} and {@link Panels}: a block of rows times a packed
 * operand. Addresses and strides in bytes.
 */
final class AttentionTiles {
  /**
   * Rows of queries that go through the scores together: the depth of the products that add up keys' and values'
   * gradients.
   */
  static final int BLOCK = 132;

  private AttentionTiles() {}

  /** Columns in whole panels. */
  static int padded(int columns) {
    return (columns + Tile.COLUMNS - 1) / Tile.COLUMNS * Tile.COLUMNS;
  }

  /** Sets a row to zero. */
  static void clear(long row, long bytes) {
    for (long at = 0; at < bytes; at += 4) Ram.set(row + at, 0);
  }

  /** Bytes of a packed right operand (k,n). */
  static long panels(int k, int n) {
    return padded(n) / Tile.COLUMNS * Panels.bytesB(k);
  }

  /** Bytes that {@link #product} needs to work in, for m rows and depth k. */
  static long work(int m, int k) {
    return Tile.SUMS + (m + Tile.ROWS - 1) / Tile.ROWS * Panels.bytesA(k);
  }

  /** Packs x (rows,columns) as a right operand: panels of (rows, COLUMNS). */
  static void pack(long x, long stride, int rows, int columns, long panels) {
    for (int j = 0; j < columns; j += Tile.COLUMNS) {
      Panels.packB(x + 4L * j, stride, rows, Math.min(Tile.COLUMNS, columns - j),
          panels + j / Tile.COLUMNS * Panels.bytesB(rows));
    }
  }

  /** Packs the transpose of x (rows,columns) as a right operand: panels of (columns, COLUMNS). */
  static void packTransposed(long x, long stride, int rows, int columns, long panels) {
    for (int j = 0; j < rows; j += Tile.COLUMNS) {
      Panels.packTransposedB(x + j * stride, stride, columns, Math.min(Tile.COLUMNS, rows - j),
          panels + j / Tile.COLUMNS * Panels.bytesB(columns));
    }
  }

  /** c (m,n) = a (m,k) b (k,n), b packed. aRow and cRow are from one stored row to the next. */
  static void product(int m, int n, int k, long a, long aRow, long panels, long c, long cRow, long work) {
    Panels.packA(a, aRow, k, m, work + Tile.SUMS);
    tiles(m, n, k, panels, c, cRow, false, work);
  }

  /** c (m,n) += a (m,k) b (k,n), b packed. */
  static void addProduct(int m, int n, int k, long a, long aRow, long panels, long c, long cRow, long work) {
    Panels.packA(a, aRow, k, m, work + Tile.SUMS);
    tiles(m, n, k, panels, c, cRow, true, work);
  }

  /** c (m,n) = a^T b of a (k,m) and b (k,n), b packed; with {@code add}, c is added to. */
  static void productTransposed(int m, int n, int k, long a, long aRow, long panels, long c, long cRow, boolean add,
      long work) {
    Panels.packTransposedA(a, aRow, k, m, work + Tile.SUMS);
    tiles(m, n, k, panels, c, cRow, add, work);
  }

  private static void tiles(int m, int n, int k, long panels, long c, long cRow, boolean add, long sums) {
    for (int j = 0; j < n; j += Tile.COLUMNS) {
      for (int r = 0; r < m; r += Tile.ROWS) {
        long at = c + r * cRow + 4L * j;
        Tile.run(k, sums + Tile.SUMS + r / Tile.ROWS * Panels.bytesA(k), panels + j / Tile.COLUMNS * Panels.bytesB(k),
            Math.min(Tile.ROWS, m - r), Math.min(Tile.COLUMNS, n - j), at, cRow, add ? at : Ram.ZEROS, add ? cRow : 0,
            Ram.ZEROS, sums);
      }
    }
  }
}
