package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Update;

/** {@link Update.AdamWeightDecay} in one pass: reads p, m, v, g, writes p, m, v: 28 bytes an element. */
final class AdamWeightDecayKernel implements Kernel {

  private final Update.AdamWeightDecay op;
  private final MemorySegment p;      // (N)
  private final MemorySegment m;      // (N)
  private final MemorySegment v;      // (N)
  private final MemorySegment g;      // (N)
  private final MemorySegment factor; // (1)
  private final MemorySegment hyper;  // (3)
  private final Chunks chunks;
  private final int[] shares;
  private final float[] decays; // by parameter
  private final Workers workers;
  private final Workers.Task task = this::share;
  private float scale;
  private float rate;

  AdamWeightDecayKernel(Update.AdamWeightDecay op, Operands o, Workers workers) {
    this.op = op;
    this.workers = workers;
    p = o.inputs()[0].segment();
    m = o.inputs()[1].segment();
    v = o.inputs()[2].segment();
    g = o.inputs()[3].segment();
    factor = o.inputs()[4].segment();
    hyper = o.inputs()[5].segment();
    chunks = new Chunks(op.segments());
    shares = chunks.shares(0, chunks.count, workers.count());
    decays = new float[op.segments().size()];
    for (int i = 0; i < decays.length; i++) decays[i] = op.segments().get(i).decay() ? (float) op.weightDecay() : 0;
  }

  @Override public void launch() {
    scale = factor.get(ValueLayout.JAVA_FLOAT, 0);
    if (Float.isNaN(scale)) return;
    rate = hyper.get(ValueLayout.JAVA_FLOAT, 0);
    workers.run(task);
  }

  private void share(int worker) {
    for (int c = shares[worker]; c < shares[worker + 1]; c++) {
      update(chunks.begin[c], chunks.length[c], decays[chunks.segment[c]]);
    }
  }

  private void update(long from, int n, float decay) {
    long base = 4 * from;
    float b1 = (float) op.beta1(), c1 = (float) (1 - op.beta1());
    float b2 = (float) op.beta2(), c2 = (float) (1 - op.beta2());
    float f = scale, lr = rate, eps = (float) op.eps();
    int i = 0;
    for (; i <= n - Lanes.COUNT; i += Lanes.COUNT) {
      long at = base + 4L * i;
      FloatVector d = load(g, at).mul(f), x = load(p, at);
      FloatVector a = load(m, at).mul(b1).add(d.mul(c1));
      FloatVector b = load(v, at).mul(b2).add(d.mul(d).mul(c2));
      a.intoMemorySegment(m, at, ByteOrder.nativeOrder());
      b.intoMemorySegment(v, at, ByteOrder.nativeOrder());
      FloatVector u = a.div(b.sqrt().add(eps)).add(x.mul(decay));
      x.sub(u.mul(lr)).intoMemorySegment(p, at, ByteOrder.nativeOrder());
    }
    for (; i < n; i++) {
      long at = base + 4L * i;
      float d = g.get(ValueLayout.JAVA_FLOAT, at) * f, x = p.get(ValueLayout.JAVA_FLOAT, at);
      float a = m.get(ValueLayout.JAVA_FLOAT, at) * b1 + d * c1;
      float b = v.get(ValueLayout.JAVA_FLOAT, at) * b2 + d * d * c2;
      m.set(ValueLayout.JAVA_FLOAT, at, a);
      v.set(ValueLayout.JAVA_FLOAT, at, b);
      float u = a / ((float) Math.sqrt(b) + eps) + x * decay;
      p.set(ValueLayout.JAVA_FLOAT, at, x - u * lr);
    }
  }

  private static FloatVector load(MemorySegment memory, long at) {
    return FloatVector.fromMemorySegment(Lanes.F, memory, at, ByteOrder.nativeOrder());
  }
}
