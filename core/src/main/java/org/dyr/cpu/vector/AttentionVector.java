package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Attention;
import org.dyr.tensor.Spec;

/**
 * o = dropout(softmax(q k^T / sqrt(D))) v for every head of every packed sequence. A worker packs a head's keys
 * (transposed) and values once, then takes {@link AttentionTiles#BLOCK} queries at a time through scores, softmax and
 * the product with the values: only that block of scores exists. Rows are divided by their sums last, on D columns in
 * place of L.
 *
 * <p>Compute-bound: 4 T L C operations on matrix tiles, T L H exponentials.
 */
final class AttentionVector implements Kernel {
  private static final long LINE = 64;

  private final Workers workers;
  private final Workers.Task task = this::share;
  private final AttentionUnits units;
  private final AttentionUnits.Unit unit = this::unit;
  private final AttentionUnits.Rest rest = this::rest;
  private final MemorySegment[] held; // keeps the memory behind the addresses reachable
  private final long q;
  private final long k;
  private final long v;
  private final long o;
  private final long lse;
  private final AttentionDrop drop;
  private final AttentionDistances distances; // null where positions are not relative
  private final int size; // D
  private final int tokens;
  private final int heads;
  private final long stride; // of a token
  private final float scale;
  private final Layout layout;
  private final long scratch;

  /** What a worker's scratch has, for sequences of up to L tokens and heads of D columns; offsets in bytes. */
  private record Layout(long values, long scores, long factors, long totals, long work, long bytes) {

    /**
     * Keys over sqrt(D) (D, L) first, then values (L, D), scores (BLOCK, L), dropout factors (L), the scores' totals.
     */
    static Layout of(int longest, int size) {
      int width = AttentionTiles.padded(longest);
      long values = AttentionTiles.panels(size, longest);
      long scores = values + AttentionTiles.panels(longest, size);
      long factors = scores + 4L * AttentionTiles.BLOCK * width;
      long totals = factors + 4L * PhiloxVector.scratch(width);
      long work = totals + 4L * AttentionTiles.padded(AttentionTiles.BLOCK);
      long bytes = work + AttentionTiles.work(AttentionTiles.BLOCK, Math.max(size, longest));
      return new Layout(values, scores, factors, totals, work, bytes + LINE & -LINE);
    }
  }

  AttentionVector(Attention op, Operands args, Workers workers, AttentionDistances distances) {
    this.workers = workers;
    this.distances = distances;
    Spec x = args.in()[0];
    heads = op.heads();
    size = x.shape().last() / heads;
    tokens = x.shape().rows();
    stride = 4L * x.shape().last();
    scale = (float) (1 / Math.sqrt(size));
    units = new AttentionUnits(args.inputs()[3].segment(), args.in()[3].shape().dim(0) - 1, tokens, heads,
        workers.count());
    held = new MemorySegment[] {args.inputs()[0].segment(), args.inputs()[1].segment(), args.inputs()[2].segment(),
        args.outputs()[0].segment(), args.outputs()[1].segment(), args.scratch().segment()};
    q = held[0].address();
    k = held[1].address();
    v = held[2].address();
    o = held[3].address();
    lse = held[4].address();
    layout = Layout.of(Math.min(op.longest(), tokens), size);
    scratch = Ram.address("Attention: scratch", held[5], scratchBytes(op, args.in(), workers.count()))
        + LINE - 1 & -LINE;
    drop = op.probability() > 0
        ? new AttentionDrop(op.probability(), op.site(), args.inputs()[4].address(), args.inputs()[5].segment()) : null;
  }

  static long scratchBytes(Attention op, Spec[] in, int workers) {
    int tokens = in[0].shape().rows(), size = in[0].shape().last() / op.heads();
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
      AttentionTiles.clear(o + t * stride, stride);
      for (int h = 0; h < heads; h++) Ram.set(lse + 4L * ((long) h * tokens + t), 0);
    }
  }

  private void unit(int worker, int head, int index, int start, int length) {
    long own = scratch + worker * layout.bytes;
    long values = own + layout.values, scores = own + layout.scores, totals = own + layout.totals,
        work = own + layout.work;
    long first = start * stride + 4L * head * size;
    long logs = lse + 4L * ((long) head * tokens + start);
    int width = AttentionTiles.padded(length);
    long row = 4L * width;
    AttentionTiles.packTransposed(k + first, stride, length, size, own);
    AttentionRows.scale(own, AttentionTiles.panels(size, length) / 4, scale);
    AttentionTiles.pack(v + first, stride, length, size, values);
    for (int from = 0; from < length; from += AttentionTiles.BLOCK) {
      int rows = Math.min(AttentionTiles.BLOCK, length - from);
      long at = first + from * stride;
      AttentionTiles.product(rows, width, size, q + at, stride, own, scores, row, work);
      if (distances != null) distances.keys(distances.own(worker), q + at, stride, rows);
      for (int r = 0; r < rows; r++) {
        long s = scores + r * row;
        if (distances != null) distances.addFirst(distances.own(worker), r, from + r, s, width);
        float max = AttentionRows.exponentials(s, length, width);
        float total = AttentionRows.sum(s, width, work);
        Ram.set(totals + 4L * r, total);
        Ram.set(logs + 4L * (from + r), max + (float) Math.log(total));
        if (drop != null) {
          drop.factors(index, head, from + r, width, own + layout.factors);
          AttentionRows.multiply(s, own + layout.factors, width);
        }
        if (distances != null) distances.foldFirst(distances.own(worker), r, from + r, s, length);
      }
      AttentionTiles.product(rows, size, length, scores, row, values, o + at, stride, work);
      if (distances != null) distances.addEmbeddings(distances.own(worker), rows, o + at, stride);
      for (int r = 0; r < rows; r++) AttentionRows.scale(o + at + r * stride, size, 1 / Ram.get(totals + 4L * r));
    }
  }
}
