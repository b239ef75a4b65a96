package org.dyr.cpu.vector;

import static jdk.incubator.vector.FloatVector.fromMemorySegment;
import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import org.dyr.cpu.LambKernel;
import org.dyr.cpu.Workers;
import org.dyr.device.Operands;
import org.dyr.op.Update;

/** The loops of {@link LambKernel}. */
final class LambVector extends LambKernel {
  /** Room for the lanes of one norm. */
  private static final int LANES = 16;

  private final float[] lanes; // (workers, NORMS, LANES)

  LambVector(Update.Lamb op, Operands o, Workers workers) {
    super(op, o, workers);
    lanes = new float[workers.count() * NORMS * LANES];
  }

  @Override protected void moments(long from, int n, float decay, long norms, int worker) {
    int whole = F.loopBound(n), buffer = worker * NORMS * LANES;
    moments(from, whole, decay, buffer);
    moment(from + 4L * whole, n - whole, decay, buffer);
    for (int i = 0; i < NORMS; i++) {
      double sum = 0;
      for (int lane = 0; lane < COUNT; lane++) sum += lanes[buffer + i * LANES + lane];
      ALL.set(ValueLayout.JAVA_DOUBLE, at(norms + 8L * i), sum);
    }
  }

  /** Whole vectors; their lanes' sums of p^2, |g'| and u^2 go to the buffer. */
  private void moments(long from, int n, float decay, int buffer) {
    float b1 = (float) op.beta1(), c1 = (float) (1 - op.beta1());
    float b2 = (float) op.beta2(), c2 = (float) (1 - op.beta2());
    float k1 = correct1, k2 = correct2, f = scale, eps = (float) op.eps();
    FloatVector p2 = FloatVector.zero(F), g1 = p2, u2 = p2;
    for (int i = 0; i < n; i += COUNT) {
      long o = from + 4L * i;
      FloatVector d = fromMemorySegment(F, ALL, at(g + o), ORDER).mul(f),
          x = fromMemorySegment(F, ALL, at(p + o), ORDER);
      FloatVector a = fromMemorySegment(F, ALL, at(m + o), ORDER).mul(b1).add(d.mul(c1));
      FloatVector b = fromMemorySegment(F, ALL, at(v + o), ORDER).mul(b2).add(d.mul(d).mul(c2));
      a.intoMemorySegment(ALL, at(m + o), ORDER);
      b.intoMemorySegment(ALL, at(v + o), ORDER);
      FloatVector u = a.mul(k1).div(b.mul(k2).add(eps).sqrt()).add(x.mul(decay));
      p2 = x.fma(x, p2);
      g1 = d.abs().add(g1);
      u2 = u.fma(u, u2);
    }
    Floats.ZERO.add(p2).intoArray(lanes, buffer);
    Floats.ZERO.add(g1).intoArray(lanes, buffer + LANES);
    Floats.ZERO.add(u2).intoArray(lanes, buffer + 2 * LANES);
  }

  /** The elements behind the last whole vector, each added to a lane of its own. */
  private void moment(long from, int n, float decay, int buffer) {
    float b1 = (float) op.beta1(), c1 = (float) (1 - op.beta1());
    float b2 = (float) op.beta2(), c2 = (float) (1 - op.beta2());
    for (int i = 0; i < n; i++) {
      long o = from + 4L * i;
      float d = Ram.get(g + o) * scale, x = Ram.get(p + o);
      float a = Ram.get(m + o) * b1 + d * c1;
      float b = Ram.get(v + o) * b2 + d * d * c2;
      Ram.set(m + o, a);
      Ram.set(v + o, b);
      float u = a * correct1 / (float) Math.sqrt(b * correct2 + (float) op.eps()) + x * decay;
      lanes[buffer + i] += x * x;
      lanes[buffer + LANES + i] += Math.abs(d);
      lanes[buffer + 2 * LANES + i] += u * u;
    }
  }

  /** p -= step (m' / (sqrt(v')+eps) + wd p). */
  @Override protected void step(long from, int n, float decay, float step) {
    float k1 = correct1, k2 = correct2, eps = (float) op.eps();
    int i = 0;
    for (; i <= n - COUNT; i += COUNT) {
      long o = from + 4L * i;
      FloatVector x = fromMemorySegment(F, ALL, at(p + o), ORDER);
      FloatVector root = fromMemorySegment(F, ALL, at(v + o), ORDER).mul(k2).sqrt().add(eps);
      FloatVector u = fromMemorySegment(F, ALL, at(m + o), ORDER).mul(k1).div(root).add(x.mul(decay));
      x.sub(u.mul(step)).intoMemorySegment(ALL, at(p + o), ORDER);
    }
    for (; i < n; i++) {
      long o = from + 4L * i;
      float x = Ram.get(p + o);
      float u = Ram.get(m + o) * k1 / ((float) Math.sqrt(Ram.get(v + o) * k2) + eps) + x * decay;
      Ram.set(p + o, x - u * step);
    }
  }
}
