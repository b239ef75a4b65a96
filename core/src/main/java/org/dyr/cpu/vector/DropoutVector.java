package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Philox;
import org.dyr.tensor.Spec;

/**
 * Dropout of rows: y = factor * x, the factors of a row drawn into the worker's own scratch first. Bound by the
 * drawing. Scratch: one row a worker.
 */
final class DropoutVector {
  private final PhiloxVector philox;
  private final int site;
  private final int columns;
  private final MemorySegment sequence; // i32(R)
  private final MemorySegment position; // i32(R)
  private final MemorySegment scratch; // (workers, width)

  /** @param first where random, sequence and position stand among the inputs */
  DropoutVector(double probability, int site, int first, Operands o) {
    philox = new PhiloxVector(o.inputs()[first].segment(), probability);
    this.site = Philox.site(site, 0);
    columns = o.in()[0].shape().last();
    sequence = o.inputs()[first + 1].segment();
    position = o.inputs()[first + 2].segment();
    scratch = o.scratch().segment();
  }

  /** Bytes of scratch for the factors; further scratch stands behind them. */
  static long scratchBytes(Spec x, int workers) {
    return 4L * workers * PhiloxVector.scratch(x.shape().last());
  }

  /** Inputs x (R,C), random, sequence, position. */
  static Kernel prepare(Workers workers, double probability, int site, Operands o) {
    MemorySegment x = o.inputs()[0].segment(), y = o.outputs()[0].segment();
    DropoutVector dropout = new DropoutVector(probability, site, 1, o);
    int rows = o.in()[0].shape().rows();
    Workers.Task task = w -> {
      int end = Workers.begin(rows, w + 1, workers.count());
      for (int row = Workers.begin(rows, w, workers.count()); row < end; row++) dropout.row(w, row, x, y);
    };
    return () -> workers.run(task);
  }

  /** y = dropout(x) for one row. */
  void row(int worker, long row, MemorySegment x, MemorySegment y) {
    long at = row * columns, factors = draw(worker, row);
    int c = 0;
    for (; c <= columns - Lanes.COUNT; c += Lanes.COUNT) {
      Floats.store(Floats.load(x, at + c).mul(Floats.load(scratch, factors + c)), y, at + c);
    }
    for (; c < columns; c++) Floats.set(y, at + c, Floats.get(x, at + c) * Floats.get(scratch, factors + c));
  }

  /** h = dropout(x) + residual for one row. */
  void rowPlus(int worker, long row, MemorySegment x, MemorySegment residual, MemorySegment h) {
    long at = row * columns, factors = draw(worker, row);
    int c = 0;
    for (; c <= columns - Lanes.COUNT; c += Lanes.COUNT) {
      FloatVector kept = Floats.load(x, at + c).fma(Floats.load(scratch, factors + c), Floats.load(residual, at + c));
      Floats.store(kept, h, at + c);
    }
    for (; c < columns; c++) {
      float kept = Math.fma(Floats.get(x, at + c), Floats.get(scratch, factors + c), Floats.get(residual, at + c));
      Floats.set(h, at + c, kept);
    }
  }

  /** Draws the row's factors and gives the index of the first in the scratch. */
  private long draw(int worker, long row) {
    int blocks = PhiloxVector.width(columns) / PhiloxVector.BLOCK;
    long at = (long) worker * PhiloxVector.scratch(columns);
    philox.factors(position.getAtIndex(ValueLayout.JAVA_INT, row) * Philox.stride(columns),
        sequence.getAtIndex(ValueLayout.JAVA_INT, row), site, blocks, scratch, at);
    return at;
  }
}
