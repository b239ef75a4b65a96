package org.dyr.cpu.vector;

/**
 * The small products of attention on one worker, over {@link Tile} and {@link Panels}: a block of rows times a packed operand.
 * Addresses and strides in bytes.
 */
final class AttentionTiles {
  /** Rows of queries that go through the scores together: the depth of the products that add up keys' and values' gradients. */
  static final int BLOCK = 126;

  private AttentionTiles() {}

  /** Columns in whole panels. */
  static int padded(int columns) {
    return (columns + Tile.COLUMNS - 1) / Tile.COLUMNS * Tile.COLUMNS;
  }

  /** Sets a row to zero. */
  static void clear(long row, long bytes) {
    for (long at = 0; at < bytes; at += 4) Ram.set(row + at, 0);
  }

  /** Packs x (rows,columns) as a right operand: panels of (rows, COLUMNS). */
  static void pack(long x, long stride, int rows, int columns, long panels) {
    for (int j = 0; j < columns; j += Tile.COLUMNS) {
      Panels.packB(x + 4L * j, stride, rows, Math.min(Tile.COLUMNS, columns - j), panels + j / Tile.COLUMNS * Panels.bytes(rows));
    }
  }

  /** Packs the transpose of x (rows,columns) as a right operand: panels of (columns, COLUMNS). */
  static void packTransposed(long x, long stride, int rows, int columns, long panels) {
    for (int j = 0; j < rows; j += Tile.COLUMNS) {
      Panels.packTransposedB(x + j * stride, stride, columns, Math.min(Tile.COLUMNS, rows - j),
          panels + j / Tile.COLUMNS * Panels.bytes(columns));
    }
  }

  /**
   * c (m,n) = a (m,k) b (k,n), b packed; with {@code add}, c is added to. aRow and cRow are from one row to the next.
   */
  static void product(int m, int n, int k, long a, long aRow, long panels, long c, long cRow, boolean add, long sums) {
    for (int j = 0; j < n; j += Tile.COLUMNS) {
      long panel = panels + j / Tile.COLUMNS * Panels.bytes(k);
      int columns = Math.min(Tile.COLUMNS, n - j);
      for (int r = 0; r < m; r += Tile.ROWS) {
        long at = c + r * cRow + 4L * j;
        Tile.run(k, a + r * aRow, aRow, Math.min(Tile.ROWS, m - r), columns, panel, at, cRow,
            add ? at : Ram.ZEROS, add ? cRow : 0, Ram.ZEROS, sums);
      }
    }
  }
}
