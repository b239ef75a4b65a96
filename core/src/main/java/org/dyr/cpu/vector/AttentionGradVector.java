package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Attention;
import org.dyr.tensor.Spec;

/**
 * The gradient of {@link AttentionVector}: for each head of each sequence, a block of queries at a time, the
 * probabilities once more from q, k and lse, then
 * <pre>
 * dp = f (do v^T)              f the dropout factors
 * ds = p (dp - do . o) / sqrt(D)
 * dq = ds k;  dk += ds^T q;  dv += (f p)^T do
 * </pre>
 * Compute-bound: 10 T L C operations.
 */
final class AttentionGradVector implements Kernel {
  private static final long LINE = 64;

  private final Workers workers;
  private final Workers.Task task = this::share;
  private final AttentionUnits units;
  private final AttentionUnits.Unit unit = this::unit;
  private final AttentionUnits.Rest rest = this::rest;
  private final MemorySegment[] held; // keeps the memory behind the addresses reachable
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
  private final AttentionDistances distances; // null where positions are not relative
  private final long sums; // of the table's gradient, (2m+1, D) for each run of units
  private final long sumsBytes;
  private final int size; // D
  private final int tokens;
  private final long stride; // of a token
  private final float scale;
  private final Layout layout;
  private final long scratch;

  /** What a worker's scratch has, for sequences of up to L tokens and heads of D columns; offsets in bytes. */
  private record Layout(long keys, long valuesTransposed, long queries, long outputs, long p, long dp, long factors,
      long work, long bytes) {

    /**
     * Keys over sqrt(D), transposed (D, L), first, then keys (L, D), values transposed (D, L), a block of queries and
     * of dout (BLOCK, D), probabilities and their gradient (BLOCK, L), dropout factors (L).
     */
    static Layout of(int longest, int size) {
      int block = AttentionTiles.BLOCK, width = AttentionTiles.padded(longest);
      long keys = AttentionTiles.panels(size, longest);
      long valuesTransposed = keys + AttentionTiles.panels(longest, size);
      long queries = valuesTransposed + AttentionTiles.panels(size, longest);
      long outputs = queries + AttentionTiles.panels(block, size);
      long p = outputs + AttentionTiles.panels(block, size);
      long dp = p + 4L * block * width;
      long factors = dp + 4L * block * width;
      long work = factors + 4L * PhiloxVector.scratch(width);
      long bytes = work + Math.max(AttentionTiles.work(block, Math.max(size, longest)),
          AttentionTiles.work(longest, block));
      return new Layout(keys, valuesTransposed, queries, outputs, p, dp, factors, work, bytes + LINE & -LINE);
    }
  }

  AttentionGradVector(Attention op, Operands args, Workers workers) {
    this(op, args, workers, null, 0, 1);
  }

  /**
   * With relative positions, whose table is the last input.
   *
   * @param sums where each run of {@code run} units adds to the table's gradient, (R,D) of its own
   */
  AttentionGradVector(Attention op, Operands args, Workers workers, AttentionDistances distances, long sums, int run) {
    this.workers = workers;
    this.distances = distances;
    this.sums = sums;
    sumsBytes = distances == null ? 0 : args.in()[args.in().length - 1].bytes();
    Spec x = args.in()[1];
    size = x.shape().last() / op.heads();
    tokens = x.shape().rows();
    stride = 4L * x.shape().last();
    scale = (float) (1 / Math.sqrt(size));
    units = new AttentionUnits(args.inputs()[6].segment(), args.in()[6].shape().dim(0) - 1, tokens, op.heads(),
        workers.count(), run);
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
    layout = Layout.of(Math.min(op.longest(), tokens), size);
    scratch = Ram.address("Attention: scratch", held[9], scratchBytes(op, args.in(), workers.count()))
        + LINE - 1 & -LINE;
    drop = op.probability() > 0
        ? new AttentionDrop(op.probability(), op.site(), args.inputs()[7].address(), args.inputs()[8].segment()) : null;
  }

  static long scratchBytes(Attention op, Spec[] in, int workers) {
    int tokens = in[1].shape().rows(), size = in[1].shape().last() / op.heads();
    return LINE + workers * Layout.of(Math.min(op.longest(), tokens), size).bytes;
  }

  @Override public void launch() {
    workers.run(task);
  }

  private void share(int worker) {
    if (distances != null) distances.pack(distances.own(worker));
    units.share(worker, unit, rest);
  }

  private void rest(int from, int to) {
    for (int t = from; t < to; t++) {
      AttentionTiles.clear(dq + t * stride, stride);
      AttentionTiles.clear(dk + t * stride, stride);
      AttentionTiles.clear(dv + t * stride, stride);
    }
  }

  private void unit(int worker, int head, int index, int start, int length) {
    long own = scratch + worker * layout.bytes;
    long keys = own + layout.keys, valuesTransposed = own + layout.valuesTransposed, work = own + layout.work;
    long queries = own + layout.queries, outputs = own + layout.outputs, p = own + layout.p, dp = own + layout.dp,
        factors = own + layout.factors;
    long first = start * stride + 4L * head * size;
    int width = AttentionTiles.padded(length);
    long row = 4L * width;
    AttentionTiles.packTransposed(k + first, stride, length, size, own);
    AttentionRows.scale(own, AttentionTiles.panels(size, length) / 4, scale);
    AttentionTiles.packTransposed(v + first, stride, length, size, valuesTransposed);
    AttentionTiles.pack(k + first, stride, length, size, keys);
    for (int from = 0; from < length; from += AttentionTiles.BLOCK) {
      int rows = Math.min(AttentionTiles.BLOCK, length - from);
      long at = first + from * stride;
      AttentionTiles.pack(q + at, stride, rows, size, queries);
      AttentionTiles.pack(dout + at, stride, rows, size, outputs);
      AttentionTiles.product(rows, width, size, q + at, stride, own, p, row, work);
      AttentionTiles.product(rows, width, size, dout + at, stride, valuesTransposed, dp, row, work);
      if (distances != null) {
        distances.keys(distances.own(worker), q + at, stride, rows);
        distances.values(distances.own(worker), dout + at, stride, rows);
      }
      for (int r = 0; r < rows; r++) {
        long token = at + r * stride, log = lse + 4L * ((long) head * tokens + start + from + r);
        if (distances != null) {
          distances.addFirst(distances.own(worker), r, from + r, p + r * row, width);
          distances.addSecond(distances.own(worker), r, from + r, dp + r * row, width);
        }
        VectorMath.exp(p + r * row, Ram.get(log), p + r * row, width);
        float delta = AttentionRows.dot(dout + token, o + token, size, work);
        if (drop != null) {
          drop.factors(index, head, from + r, width, factors);
          AttentionRows.multiply(dp + r * row, factors, width);
        }
        AttentionRows.scoresGrad(p + r * row, dp + r * row, width, delta, scale);
        if (drop != null) AttentionRows.multiply(p + r * row, factors, width);
        if (distances != null) {
          distances.foldFirst(distances.own(worker), r, from + r, dp + r * row, length);
          distances.foldSecond(distances.own(worker), r, from + r, p + r * row, length);
        }
      }
      AttentionTiles.product(rows, size, length, dp, row, keys, dq + at, stride, work);
      if (distances != null) {
        distances.addEmbeddings(distances.own(worker), rows, dq + at, stride);
        distances.addGradient(distances.own(worker), rows, queries, outputs,
            sums + units.runOf(index, head) * sumsBytes);
      }
      AttentionTiles.productTransposed(length, size, rows, dp, row, queries, dk + first, stride, from > 0, work);
      AttentionTiles.productTransposed(length, size, rows, p, row, outputs, dv + first, stride, from > 0, work);
    }
  }
}
