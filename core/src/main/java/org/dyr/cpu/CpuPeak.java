package org.dyr.cpu;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.dyr.device.Peak;
import org.dyr.tensor.DType;

/**
 * Measures what the processor reaches with all workers: multiply-adds from registers, and copying through memory, in
 * many short rounds, since what else runs on the machine does not disturb them all. Of multiply-adds the best round
 * counts, of copying the upper quartile: memory is shared, and once in a while gives one half as much again.
 */
final class CpuPeak {
  private static final long COPY_BYTES = 128L << 20;
  private static final int COPIES = 20;
  private static final long WARM_UP = 100_000_000; // nanoseconds: clocks and the compiler settle
  private static final long MEASURED = 150_000_000;

  private CpuPeak() {}

  static Peak measure(Workers workers, PeakLoop loop) {
    return new Peak(flops(workers, loop, DType.F32), flops(workers, loop, DType.BF16), copy(workers));
  }

  /** Each worker's best round, added up: no worker has to be undisturbed while the others are. */
  private static double flops(Workers workers, PeakLoop loop, DType type) {
    double[] best = new double[workers.count()];
    workers.run(w -> {
      long begin = System.nanoTime(), end = begin;
      while (end - begin < WARM_UP + MEASURED) {
        long start = end;
        long done = loop.run(type);
        end = System.nanoTime();
        if (start - begin >= WARM_UP || best[w] == 0) best[w] = Math.max(best[w], done * 1e9 / (end - start));
      }
    });
    double sum = 0;
    for (double b : best) sum += b;
    return sum;
  }

  private static double copy(Workers workers) {
    double[] rates = new double[COPIES];
    try (HostSlab from = new HostSlab(COPY_BYTES, "bandwidth measurement");
        HostSlab to = new HostSlab(COPY_BYTES, "bandwidth measurement")) {
      from.host().fill((byte) 1);
      MemorySegment source = from.host(), target = to.host();
      for (int round = 0; round < COPIES; round++) {
        long start = System.nanoTime();
        workers.run(w -> {
          long begin = Workers.begin(COPY_BYTES, w, workers.count());
          long end = Workers.begin(COPY_BYTES, w + 1, workers.count());
          MemorySegment.copy(source, begin, target, begin, end - begin);
        });
        rates[round] = 2.0 * COPY_BYTES * 1e9 / (System.nanoTime() - start);
      }
    }
    Arrays.sort(rates);
    return rates[COPIES * 3 / 4];
  }
}
