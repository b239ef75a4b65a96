package org.dyr.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.dyr.device.Backend;
import org.dyr.device.KernelSet;
import org.dyr.device.Peak;
import org.dyr.device.Slab;
import org.dyr.device.Span;

/** The opened CPU: a stack of kernel sets over one pool of workers. */
public final class CpuBackend implements Backend {
  /** Uploads of this size, which weights reach and a batch's inputs do not, are shared out to the workers. */
  private static final long SHARED_BYTES = 1 << 20;

  /** Twice as many were no faster where it was measured, and take twice the workspace. */
  private static final int TOKENS_A_WORKER = 1024;

  /** Stands for any thread but the caller's: what is confined to the caller, it copies alone. */
  private static final Thread ANOTHER = Thread.ofPlatform().unstarted(() -> {});

  private final Workers workers;
  private final List<KernelSet> sets;
  private final PeakLoop peakLoop;
  private Peak peak;

  /** Takes over the workers and closes them. */
  public CpuBackend(Workers workers, List<KernelSet> sets, PeakLoop peakLoop) {
    this.workers = workers;
    this.peakLoop = peakLoop;
    this.sets = List.copyOf(sets);
  }

  @Override public String name() {
    return "cpu";
  }

  public Workers workers() {
    return workers;
  }

  @Override public Slab allocate(long bytes, String what) {
    return new HostSlab(bytes, what);
  }

  @Override public List<KernelSet> kernelSets() {
    return sets;
  }

  @Override public int batchTokens() {
    return TOKENS_A_WORKER * workers.count();
  }

  @Override public void upload(MemorySegment from, long bytes, Span to) {
    if (bytes > to.bytes()) {
      throw new IndexOutOfBoundsException("cpu: %d bytes do not fit a span of %d".formatted(bytes, to.bytes()));
    }
    if (bytes < SHARED_BYTES || !from.isAccessibleBy(ANOTHER)) {
      copy(from, to, 0, bytes);
    } else {
      int n = workers.count();
      workers.run(w -> copy(from, to, Workers.begin(bytes, w, n), Workers.begin(bytes, w + 1, n)));
    }
  }

  private static void copy(MemorySegment from, Span to, long begin, long end) {
    MemorySegment.copy(from, begin, to.slab().host(), to.offset() + begin, end - begin);
  }

  @Override public void download(Span from, MemorySegment to) {
    MemorySegment.copy(from.slab().host(), from.offset(), to, 0, from.bytes());
  }

  @Override public MemorySegment view(Span span, Arena arena) {
    return span.segment();
  }

  @Override public void synchronize() {}

  @Override public synchronized Peak measurePeak() {
    if (peak == null) peak = CpuPeak.measure(workers, peakLoop);
    return peak;
  }

  @Override public void close() {
    workers.close();
  }
}
