package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
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
final class LambKernel implements Kernel {

  /** Elements at which a wave is closed: 8 MiB of p, m, v and g. */
  static final long WAVE = 1 << 19;

  private static final int NORMS = 3;

  /** Room for the lanes of one norm. */
  private static final int LANES = 16;

  private final Update.Lamb op;
  private final MemorySegment p;       // (N)
  private final MemorySegment m;       // (N)
  private final MemorySegment v;       // (N)
  private final MemorySegment g;       // (N)
  private final MemorySegment factor;  // (1)
  private final MemorySegment hyper;   // (3)
  private final MemorySegment partial; // (chunks of the largest wave, NORMS), double
  private final Chunks chunks;
  private final int[] waves;    // the first chunk of each wave, and the end
  private final int[][] shares; // of each wave, by worker
  private final float[] decays; // by parameter
  private final float[] steps;  // lr ratio, by parameter
  private final float[] lanes;  // (workers, NORMS, LANES)
  private final Workers workers;
  private final Workers.Task first = worker -> pass1(0, worker);
  private final Workers.Task next = this::next;
  private int wave;
  private float scale;
  private float correct1;
  private float correct2;

  LambKernel(Update.Lamb op, Operands o, Workers workers) {
    this.op = op;
    this.workers = workers;
    p = o.inputs()[0].segment();
    m = o.inputs()[1].segment();
    v = o.inputs()[2].segment();
    g = o.inputs()[3].segment();
    factor = o.inputs()[4].segment();
    hyper = o.inputs()[5].segment();
    partial = o.scratch().segment();
    chunks = new Chunks(op.segments());
    waves = waves(op);
    shares = new int[waves.length - 1][];
    for (int w = 0; w < shares.length; w++) shares[w] = chunks.shares(waves[w], waves[w + 1], workers.count());
    int n = op.segments().size();
    decays = new float[n];
    for (int i = 0; i < n; i++) decays[i] = op.segments().get(i).decay() ? (float) op.weightDecay() : 0;
    steps = new float[n];
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

  @Override public void launch() {
    scale = factor.get(ValueLayout.JAVA_FLOAT, 0);
    if (Float.isNaN(scale) || shares.length == 0) return;
    double rate = hyper.getAtIndex(ValueLayout.JAVA_FLOAT, 0);
    correct1 = hyper.getAtIndex(ValueLayout.JAVA_FLOAT, 1);
    correct2 = hyper.getAtIndex(ValueLayout.JAVA_FLOAT, 2);
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
      step(chunks.begin[c], chunks.length[c], decays[s], steps[s]);
    }
  }

  /** m, v of one chunk, and its three norms. */
  private void moments(int c, long slot, int worker) {
    long base = 4 * chunks.begin[c];
    int n = chunks.length[c], whole = Lanes.F.loopBound(n), buffer = worker * NORMS * LANES;
    float decay = decays[chunks.segment[c]];
    moments(base, whole, decay, buffer);
    moment(base + 4L * whole, n - whole, decay, buffer);
    for (int i = 0; i < NORMS; i++) {
      double sum = 0;
      for (int lane = 0; lane < Lanes.COUNT; lane++) sum += lanes[buffer + i * LANES + lane];
      partial.setAtIndex(ValueLayout.JAVA_DOUBLE, slot + i, sum);
    }
  }

  /** Whole vectors; their lanes' sums of p^2, |g'| and u^2 go to the buffer. */
  private void moments(long base, int n, float decay, int buffer) {
    float b1 = (float) op.beta1(), c1 = (float) (1 - op.beta1());
    float b2 = (float) op.beta2(), c2 = (float) (1 - op.beta2());
    float k1 = correct1, k2 = correct2, f = scale, eps = (float) op.eps();
    FloatVector p2 = FloatVector.zero(Lanes.F), g1 = p2, u2 = p2;
    for (int i = 0; i < n; i += Lanes.COUNT) {
      long at = base + 4L * i;
      FloatVector d = load(g, at).mul(f), x = load(p, at);
      FloatVector a = load(m, at).mul(b1).add(d.mul(c1));
      FloatVector b = load(v, at).mul(b2).add(d.mul(d).mul(c2));
      a.intoMemorySegment(m, at, ByteOrder.nativeOrder());
      b.intoMemorySegment(v, at, ByteOrder.nativeOrder());
      FloatVector u = a.mul(k1).div(b.mul(k2).add(eps).sqrt()).add(x.mul(decay));
      p2 = x.fma(x, p2);
      g1 = g1.add(d.abs());
      u2 = u.fma(u, u2);
    }
    p2.intoArray(lanes, buffer);
    g1.intoArray(lanes, buffer + LANES);
    u2.intoArray(lanes, buffer + 2 * LANES);
  }

  /** The elements behind the last whole vector, each added to a lane of its own. */
  private void moment(long base, int n, float decay, int buffer) {
    float b1 = (float) op.beta1(), c1 = (float) (1 - op.beta1());
    float b2 = (float) op.beta2(), c2 = (float) (1 - op.beta2());
    for (int i = 0; i < n; i++) {
      long at = base + 4L * i;
      float d = g.get(ValueLayout.JAVA_FLOAT, at) * scale, x = p.get(ValueLayout.JAVA_FLOAT, at);
      float a = m.get(ValueLayout.JAVA_FLOAT, at) * b1 + d * c1;
      float b = v.get(ValueLayout.JAVA_FLOAT, at) * b2 + d * d * c2;
      m.set(ValueLayout.JAVA_FLOAT, at, a);
      v.set(ValueLayout.JAVA_FLOAT, at, b);
      float u = a * correct1 / (float) Math.sqrt(b * correct2 + (float) op.eps()) + x * decay;
      lanes[buffer + i] += x * x;
      lanes[buffer + LANES + i] += Math.abs(d);
      lanes[buffer + 2 * LANES + i] += u * u;
    }
  }

  /** p -= step (m' / (sqrt(v')+eps) + wd p) of n elements. */
  private void step(long from, int n, float decay, float step) {
    long base = 4 * from;
    float k1 = correct1, k2 = correct2, eps = (float) op.eps();
    int i = 0;
    for (; i <= n - Lanes.COUNT; i += Lanes.COUNT) {
      long at = base + 4L * i;
      FloatVector x = load(p, at);
      FloatVector u = load(m, at).mul(k1).div(load(v, at).mul(k2).sqrt().add(eps)).add(x.mul(decay));
      x.sub(u.mul(step)).intoMemorySegment(p, at, ByteOrder.nativeOrder());
    }
    for (; i < n; i++) {
      long at = base + 4L * i;
      float x = p.get(ValueLayout.JAVA_FLOAT, at), a = m.get(ValueLayout.JAVA_FLOAT, at);
      float u = a * k1 / ((float) Math.sqrt(v.get(ValueLayout.JAVA_FLOAT, at) * k2) + eps) + x * decay;
      p.set(ValueLayout.JAVA_FLOAT, at, x - u * step);
    }
  }

  private static FloatVector load(MemorySegment memory, long at) {
    return FloatVector.fromMemorySegment(Lanes.F, memory, at, ByteOrder.nativeOrder());
  }
}
