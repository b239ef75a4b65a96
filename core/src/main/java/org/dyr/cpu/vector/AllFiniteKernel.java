package org.dyr.cpu.vector;

import static jdk.incubator.vector.FloatVector.fromMemorySegment;
import static org.dyr.cpu.vector.Lanes.BYTES;
import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.AllFinite;

/**
 * y = 1 when no element of x (N) is infinite or NaN, else 0. The sum of 0 x is 0 exactly then, and else NaN. Each
 * worker stops at its first chunk that has one. Reads 4N bytes: bandwidth-bound.
 */
final class AllFiniteKernel implements Kernel {

  private static final int CHUNK = 1 << 13;

  private final long x; // (N)
  private final long y; // (1)
  private final long size;
  private final long chunks;
  private final int count;
  private final boolean[] finite; // (workers)
  private final Workers workers;
  private final Workers.Task task = this::share;

  AllFiniteKernel(AllFinite op, Operands o, Workers workers) {
    this.workers = workers;
    x = o.inputs()[0].address();
    y = o.outputs()[0].address();
    size = o.in()[0].shape().size();
    chunks = Math.ceilDiv(size, (long) CHUNK);
    count = chunks <= 1 ? 1 : workers.count();
    finite = new boolean[count];
  }

  @Override public void launch() {
    if (count == 1) share(0);
    else workers.run(task);
    boolean all = true;
    for (boolean f : finite) all &= f;
    Ram.set(y, all ? 1 : 0);
  }

  private void share(int worker) {
    long end = Workers.begin(chunks, worker + 1, count);
    boolean ok = true;
    for (long c = Workers.begin(chunks, worker, count); ok && c < end; c++) {
      ok = isFinite(x + 4 * c * CHUNK, (int) Math.min(CHUNK, size - c * CHUNK));
    }
    finite[worker] = ok;
  }

  private static boolean isFinite(long x, int n) {
    FloatVector zero = FloatVector.zero(F), s0 = zero, s1 = zero, s2 = zero, s3 = zero;
    int i = 0;
    for (; i <= n - 4 * COUNT; i += 4 * COUNT) {
      long p = at(x + 4L * i);
      s0 = fromMemorySegment(F, ALL, p, ORDER).fma(zero, s0);
      s1 = fromMemorySegment(F, ALL, p + BYTES, ORDER).fma(zero, s1);
      s2 = fromMemorySegment(F, ALL, p + 2 * BYTES, ORDER).fma(zero, s2);
      s3 = fromMemorySegment(F, ALL, p + 3 * BYTES, ORDER).fma(zero, s3);
    }
    for (; i <= n - COUNT; i += COUNT) s0 = fromMemorySegment(F, ALL, at(x + 4L * i), ORDER).fma(zero, s0);
    float tail = 0;
    for (; i < n; i++) tail += 0 * Floats.get(x, i);
    return tail == 0 && zero.add(s0).add(s1).add(s2).add(s3).compare(VectorOperators.EQ, zero).allTrue();
  }
}
