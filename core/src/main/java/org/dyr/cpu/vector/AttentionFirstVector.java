package org.dyr.cpu.vector;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Attention;

/**
 * {@link AttentionVector} where only the first token of each sequence asks: one row of scores for each head of each
 * sequence. q, o (S,C), lse (H,S). Reads keys and values once: bound by memory.
 */
final class AttentionFirstVector implements Kernel {
  private final Workers workers;
  private final Workers.Task task = this::share;
  private final AttentionUnits units;
  private final AttentionUnits.Unit unit = this::unit;
  private final AttentionUnits.Rest rest = (from, to) -> { };
  private final MemorySegment[] held; // keeps the memory behind the addresses reachable
  private final MemorySegment offsets; // i32(S+1)
  private final int sequences;
  private final long q;
  private final long k;
  private final long v;
  private final long o;
  private final long lse;
  private final AttentionDrop drop;
  private final int heads;
  private final int size; // D
  private final long stride; // of a token
  private final float scale;
  private final Rows rows;
  private final long scratch;

  /**
   * What a worker's scratch has, for sequences of up to {@code width} keys: rows over the keys, dropout factors, room
   * for a vector; offsets in bytes.
   */
  record Rows(int width, long factors, long lanes, long bytes) {
    private static final long LINE = 64;

    static Rows of(int count, Attention op, int tokens) {
      int width = AttentionTiles.padded(Math.min(op.longest(), tokens));
      long factors = 4L * count * width, lanes = factors + 4L * PhiloxVector.scratch(width);
      return new Rows(width, factors, lanes, lanes + LINE);
    }

    long scratchBytes(int workers) {
      return LINE + workers * bytes;
    }

    /** The first line of the scratch. */
    long begin(MemorySegment scratch, int workers) {
      return Ram.address("Attention: scratch", scratch, scratchBytes(workers)) + LINE - 1 & -LINE;
    }
  }

  AttentionFirstVector(Attention op, Operands args, Workers workers) {
    this.workers = workers;
    int tokens = args.in()[1].shape().rows();
    heads = op.heads();
    size = args.in()[0].shape().last() / heads;
    stride = 4L * args.in()[0].shape().last();
    scale = (float) (1 / Math.sqrt(size));
    offsets = args.inputs()[3].segment();
    sequences = args.in()[0].shape().rows();
    units = new AttentionUnits(offsets, sequences, tokens, heads, workers.count());
    held = new MemorySegment[] {args.inputs()[0].segment(), args.inputs()[1].segment(), args.inputs()[2].segment(),
        args.outputs()[0].segment(), args.outputs()[1].segment(), args.scratch().segment()};
    q = held[0].address();
    k = held[1].address();
    v = held[2].address();
    o = held[3].address();
    lse = held[4].address();
    rows = Rows.of(1, op, tokens);
    scratch = rows.begin(held[5], workers.count());
    drop = op.probability() > 0
        ? new AttentionDrop(op.probability(), op.site(), args.inputs()[4].address(), args.inputs()[5].segment()) : null;
  }

  static long scratchBytes(Attention op, int tokens, int workers) {
    return Rows.of(1, op, tokens).scratchBytes(workers);
  }

  @Override public void launch() {
    workers.run(task);
  }

  private void share(int worker) {
    units.share(worker, unit, rest);
    int to = Workers.begin(sequences, worker + 1, workers.count());
    for (int s = Workers.begin(sequences, worker, workers.count()); s < to; s++) {
      if (offsets.getAtIndex(JAVA_INT, s) < offsets.getAtIndex(JAVA_INT, s + 1)) continue;
      AttentionTiles.clear(o + s * stride, stride);
      for (int h = 0; h < heads; h++) Ram.set(lse + 4L * ((long) h * sequences + s), 0);
    }
  }

  private void unit(int worker, int head, int index, int start, int length) {
    long s = scratch + worker * rows.bytes, factors = s + rows.factors, lanes = s + rows.lanes;
    long query = index * stride + 4L * head * size, first = start * stride + 4L * head * size;
    int width = AttentionTiles.padded(length);
    for (int j = 0; j < length; j++) {
      Ram.set(s + 4L * j, scale * AttentionRows.dot(q + query, k + first + j * stride, size, lanes));
    }
    float max = AttentionRows.exponentials(s, length, width);
    float total = AttentionRows.sum(s, width, lanes);
    Ram.set(lse + 4L * ((long) head * sequences + index), max + (float) Math.log(total));
    if (drop != null) {
      drop.factors(index, head, 0, width, factors);
      AttentionRows.multiply(s, factors, width);
    }
    AttentionTiles.clear(o + query, 4L * size);
    for (int j = 0; j < length; j++) {
      AttentionRows.addScaled(o + query, v + first + j * stride, Ram.get(s + 4L * j), size);
    }
    AttentionRows.scale(o + query, size, 1 / total);
  }
}
