package org.dyr.cpu;

import java.lang.foreign.MemorySegment;
import org.dyr.device.Peak;

/** Measures what the processor reaches with all workers: multiply-adds from registers, and copying through memory. */
final class CpuPeak {
  private static final long COPY_BYTES = 128L << 20;
  private static final int ROUNDS = 5;

  private CpuPeak() {}

  /** The best of a few rounds: a bound, not an average. */
  static Peak measure(Workers workers, PeakLoop loop) {
    double flops = 0;
    long[] done = new long[workers.count()];
    for (int round = 0; round < ROUNDS; round++) {
      long start = System.nanoTime();
      workers.run(w -> done[w] = loop.run());
      long total = 0;
      for (long d : done) total += d;
      flops = Math.max(flops, total * 1e9 / (System.nanoTime() - start));
    }
    return new Peak(flops, copy(workers));
  }

  private static double copy(Workers workers) {
    double best = 0;
    try (HostSlab from = new HostSlab(COPY_BYTES, "bandwidth measurement");
        HostSlab to = new HostSlab(COPY_BYTES, "bandwidth measurement")) {
      from.host().fill((byte) 1);
      MemorySegment source = from.host(), target = to.host();
      for (int round = 0; round < ROUNDS; round++) {
        long start = System.nanoTime();
        workers.run(w -> {
          long begin = Workers.begin(COPY_BYTES, w, workers.count());
          long end = Workers.begin(COPY_BYTES, w + 1, workers.count());
          MemorySegment.copy(source, begin, target, begin, end - begin);
        });
        best = Math.max(best, 2.0 * COPY_BYTES * 1e9 / (System.nanoTime() - start));
      }
    }
    return best;
  }
}
