package org.dyr.cpu.vector;

import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.device.Span;
import org.dyr.op.DropoutAddLayerNorm;
import org.dyr.tensor.Spec;

/**
 * h = dropout(x) + residual, y = layer norm of h, and the gradient: all passes of a row while it is in L1. Forward
 * reads 2RC elements and writes 2RC, or RC where h is not kept, against 4RC and 3RC of the three ops one after another.
 */
final class DropoutAddLayerNormVector {
  private DropoutAddLayerNormVector() {}

  /** Scratch of the gradient: the dropout's factors, then the column sums of dw and db. */
  static long gradScratchBytes(Spec x, double probability, int workers) {
    return factorBytes(x, probability, workers) + ColumnSums.scratchBytes(x, 2);
  }

  private static long factorBytes(Spec x, double probability, int workers) {
    return probability > 0 ? DropoutVector.scratchBytes(x, workers) : 0;
  }

  /** Inputs x, residual (R,C), w, b (C) [random, sequence, position]; outputs y (R,C) [h (R,C), mean, rstd (R)]. */
  static Kernel forward(Workers workers, DropoutAddLayerNorm op, Operands o) {
    long x = o.inputs()[0].address(), residual = o.inputs()[1].address();
    long w = o.inputs()[2].address(), b = o.inputs()[3].address();
    boolean kept = op.kept();
    long y = o.outputs()[0].address(), h = kept ? o.outputs()[1].address() : y; // normalized where it stands
    long mean = kept ? o.outputs()[2].address() : 0, rstd = kept ? o.outputs()[3].address() : 0;
    int columns = o.in()[0].shape().last();
    DropoutVector dropout = op.probability() > 0 ? new DropoutVector(op.probability(), op.site(), 4, o) : null;
    return ElementwiseVector.rows(workers, o.in()[0].shape().rows(), (worker, row) -> {
      long at = 4 * row * columns;
      if (dropout != null) dropout.rowPlus(worker, row, x, residual, h);
      else ElementwiseVector.add(x + at, residual + at, h + at, columns);
      LayerNormVector.row(row, h, w, b, y, mean, rstd, columns, op.eps());
    });
  }

  /**
   * Inputs dy, h (R,C), w (C), mean, rstd (R) [random, sequence, position]; outputs dx, dresidual (R,C), dw, db (C).
   */
  static Kernel backward(Workers workers, DropoutAddLayerNorm.Grad op, Operands o) {
    long dy = o.inputs()[0].address(), h = o.inputs()[1].address(), w = o.inputs()[2].address();
    long mean = o.inputs()[3].address(), rstd = o.inputs()[4].address();
    long dx = o.outputs()[0].address(), dresidual = o.outputs()[1].address();
    DropoutVector dropout = op.probability() > 0 ? new DropoutVector(op.probability(), op.site(), 5, o) : null;
    long factors = factorBytes(o.in()[0], op.probability(), workers.count());
    Span scratch = o.scratch().slice(factors, o.scratch().bytes() - factors);
    ColumnSums sums = new ColumnSums(o.in()[0].shape(), scratch, o.outputs()[2], o.outputs()[3]);
    return sums.kernel(workers, (worker, row) -> {
      long at = 4 * row * sums.columns;
      LayerNormRows.gradient(dy + at, h + at, dresidual + at, sums.columns, w, Floats.get(mean, row),
          Floats.get(rstd, row), sums.place(row, 0), sums.place(row, 1));
      if (dropout != null) dropout.row(worker, row, dresidual, dx);
      else ElementwiseVector.copy(dresidual + at, dx + at, sums.columns);
    });
  }
}
