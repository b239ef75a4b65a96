package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Gather;

/**
 * dtable[index[r],:] += dy[r,:] into zeros, in the order of r. dy (R,C), index i32(R), dtable (V,C).
 *
 * <p>First all workers zero the table, each its part of the bytes; that is nearly all of the time, 4VC bytes written.
 * Then each adds all rows in a range of columns of its own, whole cache lines: the order of a sum does not depend on
 * the number of workers, no two write to the same place, and it does not matter which rows the indices favour.
 */
final class GatherGradKernel implements Kernel {

  /** Floats a cache line. */
  private static final int LINE = 16;

  /** Below this many bytes one thread is faster than two. */
  private static final long ALONE = 1 << 15;

  private final long dy;              // (R,C)
  private final long index;           // i32(R)
  private final MemorySegment[] part; // dtable's bytes, one part a worker
  private final long dtable;          // (V,C)
  private final int rows;             // R
  private final int columns;          // C
  private final int zeroing;
  private final int adding;
  private final Workers workers;
  private final Workers.Task zero = this::zero;
  private final Workers.Task add = this::add;

  GatherGradKernel(Gather.Grad op, Operands o, Workers workers) {
    this.workers = workers;
    dy = o.inputs()[0].address();
    index = o.inputs()[1].address();
    dtable = o.outputs()[0].address();
    MemorySegment table = o.outputs()[0].segment();
    rows = o.in()[0].shape().rows();
    columns = o.in()[0].shape().last();
    zeroing = table.byteSize() < ALONE ? 1 : workers.count();
    adding = o.inputs()[0].bytes() < ALONE ? 1 : workers.count();
    part = new MemorySegment[zeroing];
    long lines = Math.ceilDiv(table.byteSize(), 4L * LINE);
    for (int w = 0; w < zeroing; w++) {
      long from = Workers.begin(lines, w, zeroing) * 4 * LINE;
      long to = Math.min(table.byteSize(), Workers.begin(lines, w + 1, zeroing) * 4 * LINE);
      part[w] = table.asSlice(from, to - from);
    }
  }

  @Override public void launch() {
    if (zeroing == 1) zero(0);
    else workers.run(zero);
    if (adding == 1) add(0);
    else workers.run(add);
  }

  private void zero(int worker) {
    part[worker].fill((byte) 0);
  }

  private void add(int worker) {
    int lines = Math.ceilDiv(columns, LINE);
    int from = Workers.begin(lines, worker, adding) * LINE;
    int to = Math.min(columns, Workers.begin(lines, worker + 1, adding) * LINE);
    if (from >= to) return;
    for (int r = 0; r < rows; r++) {
      long sum = dtable + 4 * ((long) Floats.getInt(index, r) * columns + from);
      ElementwiseVector.add(sum, dy + 4 * ((long) r * columns + from), sum, to - from);
    }
  }
}
