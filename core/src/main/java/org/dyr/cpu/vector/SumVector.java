package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Lanes.BYTES;
import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import jdk.incubator.vector.FloatVector;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;

/**
 * y = the sum of all elements. Chunks of a fixed size are summed with four accumulators each, then their sums in double
 * in their order: the same for any number of workers. Scratch: one float a chunk. Bound by memory.
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
    long x = o.inputs()[0].address(), y = o.outputs()[0].address(), partial = o.scratch().address();
    long n = o.in()[0].shape().size(), chunks = chunks(n);
    Workers.Task task = w -> {
      long end = Workers.begin(chunks, w + 1, workers.count());
      for (long chunk = Workers.begin(chunks, w, workers.count()); chunk < end; chunk++) {
        long from = chunk * CHUNK;
        Floats.set(partial, chunk, sum(x + 4 * from, (int) Math.min(CHUNK, n - from)));
      }
    };
    return () -> {
      workers.run(task);
      double sum = 0;
      for (long chunk = 0; chunk < chunks; chunk++) sum += Floats.get(partial, chunk);
      Ram.set(y, (float) sum);
    };
  }

  /** The sum of n floats. */
  static float sum(long x, int n) {
    FloatVector s0 = FloatVector.zero(F), s1 = s0, s2 = s0, s3 = s0;
    int i = 0;
    for (; i <= n - 4 * COUNT; i += 4 * COUNT) {
      long p = at(x + 4L * i);
      s0 = FloatVector.fromMemorySegment(F, ALL, p, ORDER).add(s0);
      s1 = FloatVector.fromMemorySegment(F, ALL, p + BYTES, ORDER).add(s1);
      s2 = FloatVector.fromMemorySegment(F, ALL, p + 2 * BYTES, ORDER).add(s2);
      s3 = FloatVector.fromMemorySegment(F, ALL, p + 3 * BYTES, ORDER).add(s3);
    }
    for (; i <= n - COUNT; i += COUNT) s0 = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * i), ORDER).add(s0);
    FloatVector s = Floats.ZERO.add(s0).add(s1).add(s2).add(s3);
    s = s.add(s.rearrange(Floats.BY_8));
    s = s.add(s.rearrange(Floats.BY_4));
    s = s.add(s.rearrange(Floats.BY_2));
    float sum = s.add(s.rearrange(Floats.BY_1)).lane(0) * Floats.TURNED;
    for (; i < n; i++) sum += Floats.get(x, i);
    return sum;
  }
}
