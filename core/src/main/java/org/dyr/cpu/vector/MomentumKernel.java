package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Update;

/** {@link Update.Momentum} in one pass: reads p, v, g, writes p, v, 20 bytes an element: bandwidth-bound. */
final class MomentumKernel implements Kernel {

  private final Update.Momentum op;
  private final MemorySegment p;      // (N)
  private final MemorySegment v;      // (N)
  private final MemorySegment g;      // (N)
  private final MemorySegment factor; // (1)
  private final MemorySegment hyper;  // (3)
  private final Chunks chunks;
  private final int[] shares;
  private final Workers workers;
  private final Workers.Task task = this::share;
  private float scale;
  private float rate;

  MomentumKernel(Update.Momentum op, Operands o, Workers workers) {
    this.op = op;
    this.workers = workers;
    p = o.inputs()[0].segment();
    v = o.inputs()[1].segment();
    g = o.inputs()[2].segment();
    factor = o.inputs()[3].segment();
    hyper = o.inputs()[4].segment();
    chunks = new Chunks(op.segments());
    shares = chunks.shares(0, chunks.count, workers.count());
  }

  @Override public void launch() {
    scale = factor.get(ValueLayout.JAVA_FLOAT, 0);
    if (Float.isNaN(scale)) return;
    rate = hyper.get(ValueLayout.JAVA_FLOAT, 0);
    workers.run(task);
  }

  private void share(int worker) {
    for (int c = shares[worker]; c < shares[worker + 1]; c++) update(chunks.begin[c], chunks.length[c]);
  }

  private void update(long from, int n) {
    long base = 4 * from;
    float mu = (float) op.momentum(), f = scale, lr = rate;
    int i = 0;
    for (; i <= n - Lanes.COUNT; i += Lanes.COUNT) {
      long at = base + 4L * i;
      FloatVector a = load(v, at).mul(mu).add(load(g, at).mul(f));
      a.intoMemorySegment(v, at, ByteOrder.nativeOrder());
      load(p, at).sub(a.mul(lr)).intoMemorySegment(p, at, ByteOrder.nativeOrder());
    }
    for (; i < n; i++) {
      long at = base + 4L * i;
      float a = v.get(ValueLayout.JAVA_FLOAT, at) * mu + g.get(ValueLayout.JAVA_FLOAT, at) * f;
      v.set(ValueLayout.JAVA_FLOAT, at, a);
      p.set(ValueLayout.JAVA_FLOAT, at, p.get(ValueLayout.JAVA_FLOAT, at) - a * lr);
    }
  }

  private static FloatVector load(MemorySegment memory, long at) {
    return FloatVector.fromMemorySegment(Lanes.F, memory, at, ByteOrder.nativeOrder());
  }
}
