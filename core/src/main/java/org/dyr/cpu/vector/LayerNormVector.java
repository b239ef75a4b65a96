package org.dyr.cpu.vector;

import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;

/**
 * Layer norm and its gradient, rows divided among the workers; {@link LayerNormRows} has the loops. Bound by memory.
 */
final class LayerNormVector {
  private LayerNormVector() {}

  /** Inputs x (R,C), w, b (C); outputs y (R,C), mean, rstd (R). */
  static Kernel forward(Workers workers, double eps, Operands o) {
    long x = o.inputs()[0].address(), w = o.inputs()[1].address(), b = o.inputs()[2].address();
    long y = o.outputs()[0].address(), mean = o.outputs()[1].address(), rstd = o.outputs()[2].address();
    int columns = o.in()[0].shape().last();
    return ElementwiseVector.rows(workers, o.in()[0].shape().rows(),
        (worker, row) -> row(row, x, w, b, y, mean, rstd, columns, eps));
  }

  /** A row of y = layer norm of x, which may be y, by addresses; those of mean and rstd are 0 if they are not kept. */
  static void row(long row, long x, long w, long b, long y, long mean, long rstd, int columns, double eps) {
    long from = x + 4 * row * columns;
    float m = LayerNormRows.mean(from, columns), r = LayerNormRows.rstd(from, columns, m, eps);
    LayerNormRows.normalize(from, y + 4 * row * columns, columns, m, r, w, b);
    if (mean == 0) return;
    Ram.set(mean + 4 * row, m);
    Ram.set(rstd + 4 * row, r);
  }

  /** Inputs dy, x (R,C), w (C), mean, rstd (R); outputs dx (R,C), dw, db (C). */
  static Kernel backward(Workers workers, Operands o) {
    long dy = o.inputs()[0].address(), x = o.inputs()[1].address(), w = o.inputs()[2].address();
    long mean = o.inputs()[3].address(), rstd = o.inputs()[4].address(), dx = o.outputs()[0].address();
    ColumnSums sums = new ColumnSums(o.in()[0].shape(), o.scratch(), o.outputs()[1], o.outputs()[2]);
    return sums.kernel(workers, (worker, row) -> {
      long at = 4 * row * sums.columns;
      LayerNormRows.gradient(dy + at, x + at, dx + at, sums.columns, w, Floats.get(mean, row), Floats.get(rstd, row),
          sums.place(row, 0), sums.place(row, 1));
    });
  }
}
