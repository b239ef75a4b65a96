package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
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
    MemorySegment x = o.inputs()[0].segment(), w = o.inputs()[1].segment(), b = o.inputs()[2].segment();
    MemorySegment y = o.outputs()[0].segment(), mean = o.outputs()[1].segment(), rstd = o.outputs()[2].segment();
    int rows = o.in()[0].shape().rows(), columns = o.in()[0].shape().last();
    Workers.Task task = worker -> {
      int end = Workers.begin(rows, worker + 1, workers.count());
      for (int row = Workers.begin(rows, worker, workers.count()); row < end; row++) {
        row(x, w, b, y, mean, rstd, row, columns, eps);
      }
    };
    return () -> workers.run(task);
  }

  /** y = layer norm of x for one row, whose mean and rstd are kept. */
  static void row(MemorySegment x, MemorySegment w, MemorySegment b, MemorySegment y, MemorySegment mean,
      MemorySegment rstd, long row, int columns, double eps) {
    long at = row * columns;
    float m = LayerNormRows.mean(x, at, columns), r = LayerNormRows.rstd(x, at, columns, m, eps);
    LayerNormRows.normalize(x, y, at, columns, m, r, w, b);
    Floats.set(mean, row, m);
    Floats.set(rstd, row, r);
  }

  /** Inputs dy, x (R,C), w (C), mean, rstd (R); outputs dx (R,C), dw, db (C). */
  static Kernel backward(Workers workers, Operands o) {
    MemorySegment dy = o.inputs()[0].segment(), x = o.inputs()[1].segment(), w = o.inputs()[2].segment();
    MemorySegment mean = o.inputs()[3].segment(), rstd = o.inputs()[4].segment(), dx = o.outputs()[0].segment();
    ColumnSums s = new ColumnSums(o.in()[0].shape(), o.scratch(), o.outputs()[1], o.outputs()[2]);
    return s.kernel(workers, (worker, row) -> LayerNormRows.gradient(dy, x, dx, row * s.columns, s.columns, w,
        Floats.get(mean, row), Floats.get(rstd, row), s.partial, s.at(row, 0), s.at(row, 1)));
  }
}
