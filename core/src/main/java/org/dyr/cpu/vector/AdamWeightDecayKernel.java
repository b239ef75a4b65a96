package org.dyr.cpu.vector;

import static jdk.incubator.vector.FloatVector.fromMemorySegment;
import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import jdk.incubator.vector.FloatVector;
import org.dyr.cpu.UpdateKernel;
import org.dyr.cpu.Workers;
import org.dyr.device.Operands;
import org.dyr.op.Update;

/** {@link Update.AdamWeightDecay} in one pass: reads p, m, v, g, writes p, m, v: 28 bytes an element. */
final class AdamWeightDecayKernel extends UpdateKernel {
  private final Update.AdamWeightDecay op;
  private final long m;
  private final long v;
  private final int[] shares;
  private final float[] decays; // by parameter
  private final Workers.Task task = this::share;
  private float rate;

  AdamWeightDecayKernel(Update.AdamWeightDecay op, Operands o, Workers workers) {
    super(op.segments(), o, workers);
    this.op = op;
    m = state(1);
    v = state(2);
    shares = chunks.shares(0, chunks.count, workers.count());
    decays = decays(op.segments(), op.weightDecay());
  }

  @Override protected void step() {
    rate = hyper(0);
    workers.run(task);
  }

  private void share(int worker) {
    for (int c = shares[worker]; c < shares[worker + 1]; c++) {
      update(4 * chunks.begin[c], chunks.length[c], decays[chunks.segment[c]]);
    }
  }

  /** {@code n} elements from this byte on. */
  private void update(long from, int n, float decay) {
    float b1 = (float) op.beta1(), c1 = (float) (1 - op.beta1());
    float b2 = (float) op.beta2(), c2 = (float) (1 - op.beta2());
    float f = scale, lr = rate, eps = (float) op.eps();
    int i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      long o = from + 4L * i;
      FloatVector d = fromMemorySegment(F, ALL, at(g + o), ORDER).mul(f),
          x = fromMemorySegment(F, ALL, at(p + o), ORDER);
      FloatVector a = fromMemorySegment(F, ALL, at(m + o), ORDER).mul(b1).add(d.mul(c1));
      FloatVector b = fromMemorySegment(F, ALL, at(v + o), ORDER).mul(b2).add(d.mul(d).mul(c2));
      a.intoMemorySegment(ALL, at(m + o), ORDER);
      b.intoMemorySegment(ALL, at(v + o), ORDER);
      FloatVector u = a.div(b.sqrt().add(eps)).add(x.mul(decay));
      x.sub(u.mul(lr)).intoMemorySegment(ALL, at(p + o), ORDER);
    }
    for (; i < n; i++) {
      long o = from + 4L * i;
      float d = Ram.get(g + o) * f, x = Ram.get(p + o);
      float a = Ram.get(m + o) * b1 + d * c1;
      float b = Ram.get(v + o) * b2 + d * d * c2;
      Ram.set(m + o, a);
      Ram.set(v + o, b);
      Ram.set(p + o, x - (a / ((float) Math.sqrt(b) + eps) + x * decay) * lr);
    }
  }
}
