package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.device.Span;
import org.dyr.op.DropoutAddLayerNorm;
import org.dyr.tensor.Spec;

/**
 * h = dropout(x) + residual, y = layer norm of h, and the gradient: all passes of a row while it is in L1. Forward
 * reads 2RC elements and writes 2RC, against 7RC of the three ops one after another.
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

  /** Inputs x, residual (R,C), w, b (C) [random, sequence, position]; outputs y, h (R,C), mean, rstd (R). */
  static Kernel forward(Workers workers, DropoutAddLayerNorm op, Operands o) {
    MemorySegment x = o.inputs()[0].segment(), residual = o.inputs()[1].segment();
    MemorySegment w = o.inputs()[2].segment(), b = o.inputs()[3].segment();
    MemorySegment y = o.outputs()[0].segment(), h = o.outputs()[1].segment();
    MemorySegment mean = o.outputs()[2].segment(), rstd = o.outputs()[3].segment();
    int rows = o.in()[0].shape().rows(), columns = o.in()[0].shape().last();
    DropoutVector dropout = op.probability() > 0 ? new DropoutVector(op.probability(), op.site(), 4, o) : null;
    Workers.Task task = worker -> {
      int end = Workers.begin(rows, worker + 1, workers.count());
      for (int row = Workers.begin(rows, worker, workers.count()); row < end; row++) {
        if (dropout != null) dropout.rowPlus(worker, row, x, residual, h);
        else ElementwiseVector.add(x, (long) row * columns, residual, (long) row * columns, h, columns);
        LayerNormVector.row(h, w, b, y, mean, rstd, row, columns, op.eps());
      }
    };
    return () -> workers.run(task);
  }

  /**
   * Inputs dy, h (R,C), w (C), mean, rstd (R) [random, sequence, position]; outputs dx, dresidual (R,C), dw, db (C).
   */
  static Kernel backward(Workers workers, DropoutAddLayerNorm.Grad op, Operands o) {
    MemorySegment dy = o.inputs()[0].segment(), h = o.inputs()[1].segment(), w = o.inputs()[2].segment();
    MemorySegment mean = o.inputs()[3].segment(), rstd = o.inputs()[4].segment();
    MemorySegment dx = o.outputs()[0].segment(), dresidual = o.outputs()[1].segment();
    DropoutVector dropout = op.probability() > 0 ? new DropoutVector(op.probability(), op.site(), 5, o) : null;
    long factors = factorBytes(o.in()[0], op.probability(), workers.count());
    Span sums = o.scratch().slice(factors, o.scratch().bytes() - factors);
    ColumnSums s = new ColumnSums(o.in()[0].shape(), sums, o.outputs()[2], o.outputs()[3]);
    return s.kernel(workers, (worker, row) -> {
      LayerNormRows.gradient(dy, h, dresidual, row * s.columns, s.columns, w,
          Floats.get(mean, row), Floats.get(rstd, row), s.partial, s.at(row, 0), s.at(row, 1));
      if (dropout != null) dropout.row(worker, row, dresidual, dx);
      else ElementwiseVector.copy(dresidual, dx, row * s.columns, s.columns);
    });
  }
}
