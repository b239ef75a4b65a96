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
    long x = o.inputs()[0].address();
    ColumnSums sums = new ColumnSums(o.in()[0].shape(), o.scratch(), o.outputs()[0]);
    return sums.kernel(workers, (w, row) -> {
      long sum = sums.place(row, 0);
      ElementwiseVector.add(sum, x + 4 * row * sums.columns, sum, sums.columns);
    });
  }

  final int rows;
  final int columns;
  private final int width;
  private final int chunks;
  private final long partial; // (chunks, sums, width)
  private final long[] sums; // (C) each

  ColumnSums(Shape shape, Span scratch, Span... outputs) {
    rows = shape.rows();
    columns = shape.last();
    width = width(columns);
    chunks = chunks(rows);
    partial = scratch.address();
    sums = new long[outputs.length];
    for (int i = 0; i < sums.length; i++) sums[i] = outputs[i].address();
  }

  private static int width(int columns) {
    return (columns + 15) / 16 * 16;
  }

  /** One at least, whose sums are zero where there are no rows. */
  private static int chunks(int rows) {
    return Math.max(1, Math.ceilDiv(rows, CHUNK_ROWS));
  }

  /** Bytes of scratch for so many sums over the rows of x. */
  static long scratchBytes(Spec x, int sums) {
    return 4L * chunks(x.shape().rows()) * sums * width(x.shape().last());
  }

  /** Address of a sum's first column, for the chunk that the row belongs to. */
  long place(long row, int sum) {
    return partial + 4 * (row / CHUNK_ROWS * sums.length + sum) * width;
  }

  /** Runs the task, which adds to the chunk's sums, on every row, a chunk on one worker and in order, and sums up. */
  Kernel kernel(Workers workers, ElementwiseVector.Row task) {
    Workers.Task gather = w -> {
      int end = Workers.begin(chunks, w + 1, workers.count());
      for (int chunk = Workers.begin(chunks, w, workers.count()); chunk < end; chunk++) {
        long first = (long) chunk * CHUNK_ROWS, last = Math.min(rows, first + CHUNK_ROWS);
        ElementwiseVector.fill(0, place(first, 0), (long) sums.length * width);
        for (long row = first; row < last; row++) task.run(w, row);
      }
    };
    Workers.Task fold = w -> {
      int from = (int) Floats.begin(columns, w, workers.count());
      int to = (int) Floats.begin(columns, w + 1, workers.count());
      for (int s = 0; s < sums.length; s++) fold(partial + 4L * s * width, sums[s], from, to);
    };
    return () -> {
      workers.run(gather);
      workers.run(fold);
    };
  }

  private void fold(long first, long out, int from, int to) {
    long stride = 4L * sums.length * width;
    int c = from;
    for (; c <= to - COUNT; c += COUNT) {
      FloatVector total = FloatVector.fromMemorySegment(F, ALL, at(first + 4L * c), ORDER);
      for (int chunk = 1; chunk < chunks; chunk++) {
        total = FloatVector.fromMemorySegment(F, ALL, at(first + 4L * c + chunk * stride), ORDER).add(total);
      }
      Floats.ZERO.add(total).intoMemorySegment(ALL, at(out + 4L * c), ORDER);
    }
    for (; c < to; c++) {
      float total = Floats.get(first, c);
      for (int chunk = 1; chunk < chunks; chunk++) total += Floats.get(first + chunk * stride, c);
      Floats.set(out, c, total);
    }
  }
}
