package org.dyr.cpu.vector;

import static jdk.incubator.vector.FloatVector.fromMemorySegment;
import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import org.dyr.cpu.Workers;
import org.dyr.device.Operands;
import org.dyr.op.Update;
import org.dyr.tensor.Spec;

/**
 * {@link Update.Lamb} in two passes over a wave of parameters, so that the second finds in the cache what the first has
 * left there. A wave is a run of parameters, closed as soon as it has {@link #WAVE} elements: the many small ones share
 * the waits for all workers with a large one. Pass 1: m, v, and the norms of each chunk, in float within the chunk.
 * Then the norms of each parameter, its chunks added in double and in order. Pass 2: p, from the last chunk back.
 * Reads p, m, v, g and writes p, m, v once, 28 bytes an element, as long as a wave fits the last level of the cache:
 * bandwidth-bound.
 */
final class LambKernel extends UpdateKernel {

  /** Elements at which a wave is closed: 8 MiB of p, m, v and g. */
  static final long WAVE = 1 << 19;

  private static final int NORMS = 3;

  /** Room for the lanes of one norm. */
  private static final int LANES = 16;

  private final Update.Lamb op;
  private final long m;
  private final long v;
  private final MemorySegment partial; // (chunks of the largest wave, NORMS), double
  private final int[] waves;    // the first chunk of each wave, and the end
  private final int[][] shares; // of each wave, by worker
  private final float[] decays; // by parameter
  private final float[] steps;  // lr ratio, by parameter
  private final float[] lanes;  // (workers, NORMS, LANES)
  private final Workers.Task first = worker -> pass1(0, worker);
  private final Workers.Task next = this::next;
  private int wave;
  private float correct1;
  private float correct2;

  LambKernel(Update.Lamb op, Operands o, Workers workers) {
    super(op.segments(), o, workers);
    this.op = op;
    m = state(1);
    v = state(2);
    partial = o.scratch().segment();
    waves = waves(op);
    shares = new int[waves.length - 1][];
    for (int w = 0; w < shares.length; w++) shares[w] = chunks.shares(waves[w], waves[w + 1], workers.count());
    decays = decays(op.segments(), op.weightDecay());
    steps = new float[decays.length];
    lanes = new float[workers.count() * NORMS * LANES];
  }

  static long scratchBytes(Update.Lamb op, Spec[] in) {
    int[] waves = waves(op);
    int largest = 0;
    for (int w = 1; w < waves.length; w++) largest = Math.max(largest, waves[w] - waves[w - 1]);
    return 8L * NORMS * largest;
  }

  private static int[] waves(Update.Lamb op) {
    IntStream.Builder cuts = IntStream.builder().add(0);
    int chunk = 0;
    long elements = 0;
    for (Update.Segment s : op.segments()) {
      elements += s.length();
      chunk += Chunks.count(s);
      if (elements >= WAVE) {
        cuts.add(chunk);
        elements = 0;
      }
    }
    return cuts.add(chunk).build().distinct().toArray();
  }

  @Override void step() {
    double rate = hyper(0);
    correct1 = hyper(1);
    correct2 = hyper(2);
    wave = 0;
    workers.run(first);
    for (; wave < shares.length; wave++) {
      ratios(rate);
      workers.run(next);
    }
  }

  /** Pass 2 of this wave, and without waiting for the others pass 1 of the next. */
  private void next(int worker) {
    pass2(wave, worker);
    if (wave + 1 < shares.length) pass1(wave + 1, worker);
  }

  /** lr times the trust ratio of each parameter of the wave. Of g' it asks only whether it is zero: sum |g'| tells. */
  private void ratios(double rate) {
    int first = waves[wave], end = waves[wave + 1];
    for (int c = first; c < end;) {
      int s = chunks.segment[c];
      double p2 = 0, g1 = 0, u2 = 0;
      for (; c < end && chunks.segment[c] == s; c++) {
        long slot = (long) NORMS * (c - first);
        p2 += partial.getAtIndex(ValueLayout.JAVA_DOUBLE, slot);
        g1 += partial.getAtIndex(ValueLayout.JAVA_DOUBLE, slot + 1);
        u2 += partial.getAtIndex(ValueLayout.JAVA_DOUBLE, slot + 2);
      }
      steps[s] = (float) (rate * Update.Lamb.ratio(p2, g1, u2));
    }
  }

  private void pass1(int wave, int worker) {
    int[] share = shares[wave];
    for (int c = share[worker]; c < share[worker + 1]; c++) moments(c, (long) NORMS * (c - waves[wave]), worker);
  }

  private void pass2(int wave, int worker) {
    int[] share = shares[wave];
    for (int c = share[worker + 1] - 1; c >= share[worker]; c--) {
      int s = chunks.segment[c];
      step(4 * chunks.begin[c], chunks.length[c], decays[s], steps[s]);
    }
  }

  /** m, v of one chunk, and its three norms. */
  private void moments(int c, long slot, int worker) {
    long base = 4 * chunks.begin[c];
    int n = chunks.length[c], whole = F.loopBound(n), buffer = worker * NORMS * LANES;
    float decay = decays[chunks.segment[c]];
    moments(base, whole, decay, buffer);
    moment(base + 4L * whole, n - whole, decay, buffer);
    for (int i = 0; i < NORMS; i++) {
      double sum = 0;
      for (int lane = 0; lane < COUNT; lane++) sum += lanes[buffer + i * LANES + lane];
      partial.setAtIndex(ValueLayout.JAVA_DOUBLE, slot + i, sum);
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
      FloatVector d = fromMemorySegment(F, ALL, at(g + o), ORDER).mul(f), x = fromMemorySegment(F, ALL, at(p + o), ORDER);
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

  /** p -= step (m' / (sqrt(v')+eps) + wd p) of n elements from this byte on. */
  private void step(long from, int n, float decay, float step) {
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
