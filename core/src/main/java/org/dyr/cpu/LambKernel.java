package org.dyr.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;
import org.dyr.device.Operands;
import org.dyr.op.Update;
import org.dyr.tensor.Spec;

/**
 * {@link Update.Lamb} but for its loops over elements, in two passes over a wave of parameters, so that the second
 * finds in the cache what the first has left there. A wave is a run of parameters, closed as soon as it has {@link
 * #WAVE} elements: the many small ones share the waits for all workers with a large one. Pass 1: m, v, and the norms of
 * each chunk, in float within the chunk. Then the norms of each parameter, its chunks added in double and in order.
 * Pass 2: p, from the last chunk back. Reads p, m, v, g and writes p, m, v once, 28 bytes an element, as long as a wave
 * fits the last level of the cache: bandwidth-bound.
 */
public abstract class LambKernel extends UpdateKernel {

  /** Elements at which a wave is closed: 8 MiB of p, m, v and g. */
  public static final long WAVE = 1 << 19;

  /** |p|, |g'| and |u|. */
  protected static final int NORMS = 3;

  protected final Update.Lamb op;
  protected final long m;
  protected final long v;
  private final MemorySegment partial; // (chunks of the largest wave, NORMS), double
  private final int[] waves;    // the first chunk of each wave, and the end
  private final int[][] shares; // of each wave, by worker
  private final float[] decays; // by parameter
  private final float[] steps;  // lr ratio, by parameter
  private final Workers.Task first = worker -> pass1(0, worker);
  private final Workers.Task next = this::next;
  private int wave;
  protected float correct1;
  protected float correct2;

  protected LambKernel(Update.Lamb op, Operands o, Workers workers) {
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
  }

  /** Bytes for the norms of the largest wave. */
  public static long scratchBytes(Update.Lamb op, Spec[] in) {
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

  @Override protected final void step() {
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
    for (int c = share[worker]; c < share[worker + 1]; c++) {
      long norms = partial.address() + 8L * NORMS * (c - waves[wave]);
      moments(4 * chunks.begin[c], chunks.length[c], decays[chunks.segment[c]], norms, worker);
    }
  }

  private void pass2(int wave, int worker) {
    int[] share = shares[wave];
    for (int c = share[worker + 1] - 1; c >= share[worker]; c--) {
      int s = chunks.segment[c];
      step(4 * chunks.begin[c], chunks.length[c], decays[s], steps[s]);
    }
  }

  /**
   * m and v of n elements from the byte {@code from} of each slab on.
   *
   * @param norms the address of three doubles to write: the sums of p^2, |g'| and u^2
   */
  protected abstract void moments(long from, int n, float decay, long norms, int worker);

  /** p of n elements from this byte on, from their m and v; {@code step} is lr times the trust ratio. */
  protected abstract void step(long from, int n, float decay, float step);
}
