package org.dyr.cpu.widening;

import java.lang.foreign.MemorySegment;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Span;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/** One tensor from fp32 to a 16-bit type or back, over all workers. Memory-bound: 6 bytes an element. */
final class Conversion implements Kernel {
  private final Workers workers;
  private final Workers.Task task = this::part;
  private final DType from;
  private final DType to;
  private final MemorySegment x;
  private final MemorySegment y;
  private final int size;

  Conversion(Spec from, Span x, Spec to, Span y, Workers workers) {
    this.from = from.type();
    this.to = to.type();
    this.x = x.segment();
    this.y = y.segment();
    this.workers = workers;
    size = Math.toIntExact(from.shape().size());
  }

  @Override public void launch() {
    workers.run(task);
  }

  private void part(int worker) {
    int begin = Workers.begin(size, worker, workers.count()), end = Workers.begin(size, worker + 1, workers.count());
    if (from.isHalf()) Conversions.widen(from, x, y, begin, end);
    else Conversions.round(to, x, y, begin, end);
  }
}
