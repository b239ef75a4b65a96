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

/** {@link Update.Momentum} in one pass: reads p, v, g, writes p, v, 20 bytes an element: bandwidth-bound. */
final class MomentumKernel extends UpdateKernel {
  private final float mu;
  private final long v;
  private final int[] shares;
  private final Workers.Task task = this::share;
  private float rate;

  MomentumKernel(Update.Momentum op, Operands o, Workers workers) {
    super(op.segments(), o, workers);
    mu = (float) op.momentum();
    v = state(1);
    shares = chunks.shares(0, chunks.count, workers.count());
  }

  @Override protected void step() {
    rate = hyper(0);
    workers.run(task);
  }

  private void share(int worker) {
    for (int c = shares[worker]; c < shares[worker + 1]; c++) update(4 * chunks.begin[c], chunks.length[c]);
  }

  /** {@code n} elements from this byte on. */
  private void update(long from, int n) {
    float mu = this.mu, f = scale, lr = rate;
    int i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      long o = from + 4L * i;
      FloatVector a = fromMemorySegment(F, ALL, at(v + o), ORDER).mul(mu)
          .add(fromMemorySegment(F, ALL, at(g + o), ORDER).mul(f));
      a.intoMemorySegment(ALL, at(v + o), ORDER);
      fromMemorySegment(F, ALL, at(p + o), ORDER).sub(a.mul(lr)).intoMemorySegment(ALL, at(p + o), ORDER);
    }
    for (; i < n; i++) {
      long o = from + 4L * i;
      float a = Ram.get(v + o) * mu + Ram.get(g + o) * f;
      Ram.set(v + o, a);
      Ram.set(p + o, Ram.get(p + o) - a * lr);
    }
  }
}
