package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
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

  private final MemorySegment x; // (N)
  private final MemorySegment y; // (1)
  private final long size;
  private final long chunks;
  private final int count;
  private final boolean[] finite; // (workers)
  private final Workers workers;
  private final Workers.Task task = this::share;

  AllFiniteKernel(AllFinite op, Operands o, Workers workers) {
    this.workers = workers;
    x = o.inputs()[0].segment();
    y = o.outputs()[0].segment();
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
    y.set(ValueLayout.JAVA_FLOAT, 0, all ? 1 : 0);
  }

  private void share(int worker) {
    long end = Workers.begin(chunks, worker + 1, count);
    boolean ok = true;
    for (long c = Workers.begin(chunks, worker, count); ok && c < end; c++) {
      ok = isFinite(c * CHUNK, (int) Math.min(CHUNK, size - c * CHUNK));
    }
    finite[worker] = ok;
  }

  private boolean isFinite(long from, int n) {
    long base = 4 * from;
    int step = Lanes.COUNT;
    FloatVector zero = FloatVector.zero(Lanes.F), s0 = zero, s1 = zero, s2 = zero, s3 = zero;
    int i = 0;
    for (; i <= n - 4 * step; i += 4 * step) {
      long at = base + 4L * i;
      s0 = load(at).fma(zero, s0);
      s1 = load(at + 4L * step).fma(zero, s1);
      s2 = load(at + 8L * step).fma(zero, s2);
      s3 = load(at + 12L * step).fma(zero, s3);
    }
    for (; i <= n - step; i += step) s0 = load(base + 4L * i).fma(zero, s0);
    float tail = 0;
    for (; i < n; i++) tail += 0 * x.get(ValueLayout.JAVA_FLOAT, base + 4L * i);
    return tail == 0 && s0.add(s1).add(s2.add(s3)).compare(VectorOperators.EQ, zero).allTrue();
  }

  private FloatVector load(long at) {
    return FloatVector.fromMemorySegment(Lanes.F, x, at, ByteOrder.nativeOrder());
  }
}
