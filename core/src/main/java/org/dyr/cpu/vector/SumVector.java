package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;

/**
 * y = the sum of all elements. Chunks of a fixed size are summed with four accumulators each, then their sums in double
 * in their order: the same for any number of workers. Scratch: one float a chunk. Reads 4 bytes an addition: bound by
 * memory.
 */
final class SumVector {
  private static final int CHUNK = 4096;

  private SumVector() {}

  static long scratchBytes(long n) {
    return 4 * chunks(n);
  }

  private static long chunks(long n) {
    return (n + CHUNK - 1) / CHUNK;
  }

  static Kernel prepare(Workers workers, Operands o) {
    MemorySegment x = o.inputs()[0].segment(), y = o.outputs()[0].segment(), partial = o.scratch().segment();
    long n = o.in()[0].shape().size(), chunks = chunks(n);
    Workers.Task task = w -> {
      long end = Workers.begin(chunks, w + 1, workers.count());
      for (long chunk = Workers.begin(chunks, w, workers.count()); chunk < end; chunk++) {
        long from = chunk * CHUNK;
        Floats.set(partial, chunk, sum(x, from, (int) Math.min(CHUNK, n - from)));
      }
    };
    return () -> {
      workers.run(task);
      double sum = 0;
      for (long chunk = 0; chunk < chunks; chunk++) sum += Floats.get(partial, chunk);
      Floats.set(y, 0, (float) sum);
    };
  }

  /** The sum of n floats. */
  static float sum(MemorySegment x, long from, int n) {
    FloatVector s0 = Floats.all(0), s1 = s0, s2 = s0, s3 = s0;
    int i = 0;
    for (; i <= n - 4 * Lanes.COUNT; i += 4 * Lanes.COUNT) {
      s0 = s0.add(Floats.load(x, from + i));
      s1 = s1.add(Floats.load(x, from + i + Lanes.COUNT));
      s2 = s2.add(Floats.load(x, from + i + 2 * Lanes.COUNT));
      s3 = s3.add(Floats.load(x, from + i + 3 * Lanes.COUNT));
    }
    for (; i <= n - Lanes.COUNT; i += Lanes.COUNT) {
      // Not by Floats.load: a call that is rare is not inlined.
      s0 = s0.add(FloatVector.fromMemorySegment(Lanes.F, x, from + i << 2, Floats.ORDER));
    }
    float sum = Floats.sum(s0.add(s1).add(s2.add(s3)));
    for (; i < n; i++) sum += Floats.get(x, from + i);
    return sum;
  }
}
