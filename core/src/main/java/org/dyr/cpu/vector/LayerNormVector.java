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
    return ElementwiseVector.rows(workers, o.in()[0].shape().rows(), (worker, row) -> {
      long at = 4 * row * columns;
      row(x + at, w, b, y + at, mean + 4 * row, rstd + 4 * row, columns, eps);
    });
  }

  /** y = layer norm of x for one row of n floats, by addresses; mean and rstd are kept. */
  static void row(long x, long w, long b, long y, long mean, long rstd, int n, double eps) {
    float m = LayerNormRows.mean(x, n), r = LayerNormRows.rstd(x, n, m, eps);
    LayerNormRows.normalize(x, y, n, m, r, w, b);
    Ram.set(mean, m);
    Ram.set(rstd, r);
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
