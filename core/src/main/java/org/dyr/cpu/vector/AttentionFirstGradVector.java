package org.dyr.cpu.vector;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Attention;

/**
 * The gradient of {@link AttentionFirstVector}: for each head of each sequence one row of probabilities once more, then
 * <pre>
 * dp[j] = f[j] (do . v[j])              f the dropout factors
 * ds = p (dp - do . o) / sqrt(D)
 * dq = sum_j ds[j] k[j];  dk[j] = ds[j] q;  dv[j] = f[j] p[j] do
 * </pre>
 * dout, q, o, dq (S,C). Reads keys and values and writes their gradients: bound by memory.
 */
final class AttentionFirstGradVector implements Kernel {
  private final Workers workers;
  private final Workers.Task task = this::share;
  private final AttentionUnits units;
  private final AttentionUnits.Unit unit = this::unit;
  private final AttentionUnits.Rest rest = this::rest;
  private final MemorySegment[] held; // keeps the memory behind the addresses reachable
  private final MemorySegment offsets; // i32(S+1)
  private final int sequences;
  private final long dout;
  private final long q;
  private final long k;
  private final long v;
  private final long o;
  private final long lse;
  private final long dq;
  private final long dk;
  private final long dv;
  private final AttentionDrop drop;
  private final int size; // D
  private final long stride; // of a token
  private final float scale;
  private final AttentionFirstVector.Rows rows;
  private final long scratch;

  AttentionFirstGradVector(Attention op, Operands args, Workers workers) {
    this.workers = workers;
    int tokens = args.in()[2].shape().rows();
    size = args.in()[1].shape().last() / op.heads();
    stride = 4L * args.in()[1].shape().last();
    scale = (float) (1 / Math.sqrt(size));
    offsets = args.inputs()[6].segment();
    sequences = args.in()[1].shape().rows();
    units = new AttentionUnits(offsets, sequences, tokens, op.heads(), workers.count());
    held = new MemorySegment[10];
    for (int i = 0; i < 6; i++) held[i] = args.inputs()[i].segment();
    for (int i = 0; i < 3; i++) held[6 + i] = args.outputs()[i].segment();
    held[9] = args.scratch().segment();
    dout = held[0].address();
    q = held[1].address();
    k = held[2].address();
    v = held[3].address();
    o = held[4].address();
    lse = held[5].address();
    dq = held[6].address();
    dk = held[7].address();
    dv = held[8].address();
    rows = AttentionFirstVector.Rows.of(2, op, tokens);
    scratch = rows.begin(held[9], workers.count());
    drop = op.probability() > 0
        ? new AttentionDrop(op.probability(), op.site(), args.inputs()[7].address(), args.inputs()[8].segment()) : null;
  }

  static long scratchBytes(Attention op, int tokens, int workers) {
    return AttentionFirstVector.Rows.of(2, op, tokens).scratchBytes(workers);
  }

  @Override public void launch() {
    workers.run(task);
  }

  private void share(int worker) {
    units.share(worker, unit, rest);
    int to = Workers.begin(sequences, worker + 1, workers.count());
    for (int s = Workers.begin(sequences, worker, workers.count()); s < to; s++) {
      if (offsets.getAtIndex(JAVA_INT, s) == offsets.getAtIndex(JAVA_INT, s + 1)) {
        AttentionTiles.clear(dq + s * stride, stride);
      }
    }
  }

  private void rest(int from, int to) {
    AttentionTiles.clear(dk + from * stride, (to - from) * stride);
    AttentionTiles.clear(dv + from * stride, (to - from) * stride);
  }

  private void unit(int worker, int head, int index, int start, int length) {
    long p = scratch + worker * rows.bytes(), factors = p + rows.factors(), lanes = p + rows.lanes();
    long ds = p + 4L * rows.width(); // dp first
    long query = index * stride + 4L * head * size, first = start * stride + 4L * head * size;
    int width = AttentionTiles.padded(length);
    for (int j = 0; j < length; j++) {
      long key = first + j * stride;
      Ram.set(p + 4L * j, scale * AttentionRows.dot(q + query, k + key, size, lanes));
      Ram.set(ds + 4L * j, AttentionRows.dot(dout + query, v + key, size, lanes));
    }
    VectorMath.exp(p, Ram.get(lse + 4L * ((long) head * sequences + index)), p, width);
    if (drop != null) {
      drop.factors(index, head, 0, width, factors);
      AttentionRows.multiply(ds, factors, width);
    }
    AttentionRows.scoresGrad(p, ds, width, AttentionRows.dot(dout + query, o + query, size, lanes), scale);
    if (drop != null) AttentionRows.multiply(p, factors, width);
    AttentionTiles.clear(dq + query, 4L * size);
    for (int j = 0; j < length; j++) {
      long key = first + j * stride;
      AttentionRows.addScaled(dq + query, k + key, Ram.get(ds + 4L * j), size);
      AttentionRows.scaled(q + query, Ram.get(ds + 4L * j), dk + key, size);
      AttentionRows.scaled(dout + query, Ram.get(p + 4L * j), dv + key, size);
    }
  }
}
