package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Gather;

/**
 * y[r,:] = table[index[r],:]. table (V,C), index i32(R), y (R,C). Rows are copied whole; the workers share out the
 * rows.
 */
final class GatherKernel implements Kernel {

  /** Below this many bytes one thread is faster than two. */
  private static final long ALONE = 1 << 15;

  private final MemorySegment table; // (V,C)
  private final MemorySegment index; // i32(R)
  private final MemorySegment y;     // (R,C)
  private final int rows;
  private final long rowBytes;
  private final int count;
  private final Workers workers;
  private final Workers.Task task = this::share;

  GatherKernel(Gather op, Operands o, Workers workers) {
    this.workers = workers;
    table = o.inputs()[0].segment();
    index = o.inputs()[1].segment();
    y = o.outputs()[0].segment();
    rows = o.out()[0].shape().rows();
    rowBytes = 4L * o.out()[0].shape().last();
    count = rows * rowBytes < ALONE ? 1 : workers.count();
  }

  @Override public void launch() {
    if (count == 1) share(0);
    else workers.run(task);
  }

  private void share(int worker) {
    int end = Workers.begin(rows, worker + 1, count);
    for (int r = Workers.begin(rows, worker, count); r < end; r++) {
      long from = index.getAtIndex(ValueLayout.JAVA_INT, r) * rowBytes;
      MemorySegment.copy(table, from, y, r * rowBytes, rowBytes);
    }
  }
}
