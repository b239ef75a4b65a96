package org.dyr.cpu.vector;

import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.EmbeddingLayerNorm;

/** h = rows of tables added up, y = layer norm of h: all passes of a row while it is in L1. */
final class EmbeddingLayerNormVector {
  private EmbeddingLayerNormVector() {}

  /** Inputs tables (V,C) and their indices (T) in turn, w, b (C); outputs y (T,C) [h (T,C), mean, rstd (T)]. */
  static Kernel forward(Workers workers, EmbeddingLayerNorm op, Operands o) {
    int tables = op.tables();
    long[] table = new long[tables], index = new long[tables];
    for (int t = 0; t < tables; t++) {
      table[t] = o.inputs()[2 * t].address();
      index[t] = o.inputs()[2 * t + 1].address();
    }
    boolean kept = op.kept();
    long w = o.inputs()[2 * tables].address(), b = o.inputs()[2 * tables + 1].address();
    long y = o.outputs()[0].address(), h = kept ? o.outputs()[1].address() : y; // normalized where it stands
    long mean = kept ? o.outputs()[2].address() : 0, rstd = kept ? o.outputs()[3].address() : 0;
    int columns = o.out()[0].shape().last();
    return ElementwiseVector.rows(workers, o.out()[0].shape().rows(), (worker, row) -> {
      long sum = h + 4 * row * columns, from = table[0] + 4L * columns * Floats.getInt(index[0], row);
      for (int t = 1; t < tables; t++) {
        ElementwiseVector.add(from, table[t] + 4L * columns * Floats.getInt(index[t], row), sum, columns);
        from = sum;
      }
      LayerNormVector.row(row, h, w, b, y, mean, rstd, columns, op.eps());
    });
  }
}
