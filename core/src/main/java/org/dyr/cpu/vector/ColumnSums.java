package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.device.Span;
import org.dyr.tensor.Shape;
import org.dyr.tensor.Spec;

/**
 * Sums over rows that are the same for any number of workers. The rows go in chunks of a fixed size; each chunk's sums
 * gather in its own part of the scratch, which stays in L1 meanwhile, and then the chunks are summed in their order,
 * the columns divided among the workers. Scratch: (chunks, sums, width), the columns rounded up to whole cache lines.
 */
final class ColumnSums {
  static final int CHUNK_ROWS = 32;

  /** y[c] = sum over rows of x[r,c]. Input x (R,C), output y (C). */
  static Kernel prepareSumRows(Workers workers, Operands o) {
    MemorySegment x = o.inputs()[0].segment();
    ColumnSums s = new ColumnSums(o.in()[0].shape(), o.scratch(), o.outputs()[0]);
    return s.kernel(workers, (worker, row) ->
        ElementwiseVector.add(s.partial, s.at(row, 0), x, row * s.columns, s.partial, s.columns));
  }

  /** Work on one row, which adds to the chunk's sums. */
  @FunctionalInterface
  interface RowTask {
    void run(int worker, long row);
  }

  final int rows;
  final int columns;
  final MemorySegment partial; // (chunks, sums, width)
  private final int width;
  private final int chunks;
  private final MemorySegment[] sums; // (C) each

  ColumnSums(Shape shape, Span scratch, Span... outputs) {
    rows = shape.rows();
    columns = shape.last();
    width = width(columns);
    chunks = chunks(rows);
    partial = scratch.segment();
    sums = new MemorySegment[outputs.length];
    for (int i = 0; i < sums.length; i++) sums[i] = outputs[i].segment();
  }

  private static int width(int columns) {
    return (columns + 15) / 16 * 16;
  }

  private static int chunks(int rows) {
    return (rows + CHUNK_ROWS - 1) / CHUNK_ROWS;
  }

  /** Bytes of scratch for so many sums over the rows of x. */
  static long scratchBytes(Spec x, int sums) {
    return 4L * chunks(x.shape().rows()) * sums * width(x.shape().last());
  }

  /** Index in {@link #partial} of the first column of a sum, for the chunk that the row belongs to. */
  long at(long row, int sum) {
    return (row / CHUNK_ROWS * sums.length + sum) * width;
  }

  /** Runs the task on every row, a chunk on one worker and in order, and sums up. */
  Kernel kernel(Workers workers, RowTask task) {
    Workers.Task gather = w -> {
      int end = Workers.begin(chunks, w + 1, workers.count());
      for (int chunk = Workers.begin(chunks, w, workers.count()); chunk < end; chunk++) {
        long first = (long) chunk * CHUNK_ROWS, last = Math.min(rows, first + CHUNK_ROWS);
        ElementwiseVector.fill(0, partial, at(first, 0), at(first, 0) + sums.length * (long) width);
        for (long row = first; row < last; row++) task.run(w, row);
      }
    };
    Workers.Task fold = w -> {
      int from = (int) Floats.begin(columns, w, workers.count()), to = (int) Floats.begin(columns, w + 1, workers.count());
      for (int s = 0; s < sums.length; s++) fold(s, sums[s], from, to);
    };
    return () -> {
      workers.run(gather);
      workers.run(fold);
    };
  }

  private void fold(int sum, MemorySegment out, int from, int to) {
    long stride = (long) sums.length * width, at = (long) sum * width;
    int c = from;
    for (; c <= to - Lanes.COUNT; c += Lanes.COUNT) {
      FloatVector total = Floats.load(partial, at + c);
      for (int chunk = 1; chunk < chunks; chunk++) total = total.add(Floats.load(partial, at + c + chunk * stride));
      Floats.store(total, out, c);
    }
    for (; c < to; c++) {
      float total = Floats.get(partial, at + c);
      for (int chunk = 1; chunk < chunks; chunk++) total += Floats.get(partial, at + c + chunk * stride);
      Floats.set(out, c, total);
    }
  }
}
