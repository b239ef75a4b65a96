package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Attention;
import org.dyr.op.RelativeAttention;
import org.dyr.tensor.Spec;

/**
 * {@link AttentionVector} and {@link AttentionGradVector} with {@link AttentionDistances}. The table's gradient is a
 * sum over all units: it is taken in parts, each over a fixed run of units that one worker has, and the parts are added
 * in order.
 */
final class RelativeAttentionVector {

  /** Most parts of the table's gradient: 4 MiB of them for heads of 64 columns. */
  private static final int PARTS = 512;

  private RelativeAttentionVector() {}

  static Kernel forward(RelativeAttention op, Operands args, Workers workers) {
    return new AttentionVector(op.of(), args, workers, distances(op.of(), args, args.in()[0],
        AttentionVector.scratchBytes(op.of(), args.in(), workers.count())));
  }

  static long scratchBytes(RelativeAttention op, Spec[] in, int workers) {
    return AttentionVector.scratchBytes(op.of(), in, workers) + distancesBytes(op.of(), in, in[0], workers);
  }

  /** The table is the last input. */
  private static AttentionDistances distances(Attention op, Operands args, Spec x, long scratchOffset) {
    Spec table = args.in()[args.in().length - 1];
    return new AttentionDistances(args.inputs()[args.in().length - 1], table.shape().rows(), table.shape().last(),
        longest(op, x), args.scratch(), scratchOffset);
  }

  private static long distancesBytes(Attention op, Spec[] in, Spec x, int workers) {
    Spec table = in[in.length - 1];
    return AttentionDistances.scratchBytes(table.shape().rows(), table.shape().last(), longest(op, x), workers);
  }

  private static int longest(Attention op, Spec x) {
    return Math.min(op.longest(), x.shape().rows());
  }

  /** The gradient: clears the parts, runs attention's, adds the parts up. */
  static final class Grad implements Kernel {
    private static final long LINE = 64;

    private final Workers workers;
    private final AttentionGradVector attention;
    private final MemorySegment[] cleared; // each worker's share of the parts
    private final Workers.Task clear = this::clear;
    private final Workers.Task add = this::add;
    private final MemorySegment held; // keeps the memory behind the address reachable
    private final long da; // (R,D)
    private final int elements;
    private final long parts; // (count, R, D)
    private final int count;

    Grad(RelativeAttention.Grad op, Operands args, Workers workers) {
      this.workers = workers;
      Attention of = op.of().of();
      Spec[] in = args.in();
      held = args.outputs()[3].segment();
      da = args.outputs()[3].address();
      elements = Math.toIntExact(args.out()[3].shape().size());
      int units = units(of, in);
      int chunk = Math.ceilDiv(Math.max(1, units), PARTS);
      count = parts(units);
      long own = AttentionGradVector.scratchBytes(of, in, workers.count());
      long after = own + distancesBytes(of, in, in[1], workers.count());
      long aligned = (args.scratch().address() + after + LINE - 1 & -LINE) - args.scratch().address();
      long bytes = 4L * elements * count;
      MemorySegment all = args.scratch().segment().asSlice(aligned, bytes);
      parts = all.address();
      cleared = new MemorySegment[workers.count()];
      for (int w = 0; w < cleared.length; w++) {
        long from = 4 * Workers.begin(bytes / 4, w, cleared.length);
        cleared[w] = all.asSlice(from, 4 * Workers.begin(bytes / 4, w + 1, cleared.length) - from);
      }
      attention = new AttentionGradVector(of, args, workers, distances(of, args, in[1], own), parts, chunk);
    }

    static long scratchBytes(RelativeAttention.Grad op, Spec[] in, int workers) {
      Attention of = op.of().of();
      return AttentionGradVector.scratchBytes(of, in, workers) + distancesBytes(of, in, in[1], workers)
          + LINE + 4L * parts(units(of, in)) * in[in.length - 1].shape().size();
    }

    private static int units(Attention op, Spec[] in) {
      return Math.multiplyExact(op.heads(), in[6].shape().dim(0) - 1);
    }

    private static int parts(int units) {
      int chunk = Math.ceilDiv(Math.max(1, units), PARTS);
      return Math.ceilDiv(units, chunk);
    }

    @Override public void launch() {
      workers.run(clear);
      attention.launch();
      workers.run(add);
    }

    private void clear(int worker) {
      cleared[worker].fill((byte) 0);
    }

    private void add(int worker) {
      int from = (int) Floats.begin(elements, worker, workers.count());
      int n = (int) Floats.begin(elements, worker + 1, workers.count()) - from;
      long sum = da + 4L * from;
      AttentionTiles.clear(sum, 4L * n);
      for (int p = 0; p < count; p++) ElementwiseVector.add(sum, parts + 4L * ((long) p * elements + from), sum, n);
    }
  }
}
