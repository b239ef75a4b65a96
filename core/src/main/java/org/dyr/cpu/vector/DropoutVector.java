package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import jdk.incubator.vector.FloatVector;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Philox;
import org.dyr.tensor.Spec;

/**
 * Dropout of rows: y = factor * x, the factors of a row drawn into the worker's own scratch first. Bound by the
 * drawing. Scratch: what {@link PhiloxVector} wants for a row, for each worker.
 */
final class DropoutVector {
  private final PhiloxVector philox;
  private final int site;
  private final int columns;
  private final long sequence; // i32(R)
  private final long position; // i32(R)
  private final long scratch; // (workers, PhiloxVector.scratch)

  /** @param first where random, sequence and position stand among the inputs */
  DropoutVector(double probability, int site, int first, Operands o) {
    philox = new PhiloxVector(o.inputs()[first].address(), probability);
    this.site = Philox.site(site, 0);
    columns = o.in()[0].shape().last();
    sequence = o.inputs()[first + 1].address();
    position = o.inputs()[first + 2].address();
    scratch = o.scratch().address();
  }

  /** Bytes of scratch for the factors, at the beginning of the op's. */
  static long scratchBytes(Spec x, int workers) {
    return 4L * workers * PhiloxVector.scratch(x.shape().last());
  }

  /** Inputs x (R,C), random, sequence, position. */
  static Kernel prepare(Workers workers, double probability, int site, Operands o) {
    long x = o.inputs()[0].address(), y = o.outputs()[0].address();
    DropoutVector dropout = new DropoutVector(probability, site, 1, o);
    return ElementwiseVector.rows(workers, o.in()[0].shape().rows(), (w, row) -> dropout.row(w, row, x, y));
  }

  /** y = dropout(x) for one row of x and y (R,C). */
  void row(int worker, long row, long x, long y) {
    long at = 4 * row * columns;
    multiply(draw(worker, row), x + at, y + at, columns);
  }

  /** h = dropout(x) + residual for one row of x, residual and h (R,C). */
  void rowPlus(int worker, long row, long x, long residual, long h) {
    long at = 4 * row * columns;
    multiplyAdd(draw(worker, row), x + at, residual + at, h + at, columns);
  }

  private static void multiply(long factors, long x, long y, int n) {
    int c = 0;
    for (; c <= n - COUNT; c += COUNT) {
      FloatVector factor = FloatVector.fromMemorySegment(F, ALL, at(factors + 4L * c), ORDER);
      factor.mul(FloatVector.fromMemorySegment(F, ALL, at(x + 4L * c), ORDER))
          .intoMemorySegment(ALL, at(y + 4L * c), ORDER);
    }
    for (; c < n; c++) Floats.set(y, c, Floats.get(factors, c) * Floats.get(x, c));
  }

  private static void multiplyAdd(long factors, long x, long residual, long h, int n) {
    int c = 0;
    for (; c <= n - COUNT; c += COUNT) {
      FloatVector factor = FloatVector.fromMemorySegment(F, ALL, at(factors + 4L * c), ORDER);
      FloatVector kept = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * c), ORDER);
      FloatVector other = FloatVector.fromMemorySegment(F, ALL, at(residual + 4L * c), ORDER);
      factor.fma(kept, other).intoMemorySegment(ALL, at(h + 4L * c), ORDER);
    }
    for (; c < n; c++) Floats.set(h, c, Math.fma(Floats.get(factors, c), Floats.get(x, c), Floats.get(residual, c)));
  }

  /** Draws the row's factors and gives their address. */
  private long draw(int worker, long row) {
    int blocks = PhiloxVector.width(columns) / PhiloxVector.BLOCK;
    long to = scratch + 4L * worker * PhiloxVector.scratch(columns);
    int counter = Floats.getInt(position, row) * Philox.stride(columns);
    philox.factors(counter, Floats.getInt(sequence, row), site, blocks, to);
    return to;
  }
}
