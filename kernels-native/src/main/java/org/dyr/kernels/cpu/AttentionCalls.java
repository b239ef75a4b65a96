package org.dyr.kernels.cpu;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.op.Attention;
import org.dyr.op.Philox;
import org.dyr.op.RelativeAttention;
import org.dyr.tensor.Spec;

/**
 * The kernels of {@code attention.h}. Native code divides the work, by the squares of the sequences' lengths: every
 * worker makes one call. The gradient of the table of distances is a sum over all heads of all sequences, the units: it
 * is taken in parts, each over a fixed run of units that one worker has, and the parts are added in order.
 */
final class AttentionCalls {
  private static final long LINE = 64;

  /** Most parts of the table's gradient: 9 MiB of them for heads of 64 columns. */
  private static final int PARTS = 512;

  private AttentionCalls() {}

  /** What a call is told besides addresses; {@code distances} are the table's rows, 0 without one. */
  private record Sizes(int tokens, int sequences, int heads, int size, int longest, int site, int threshold,
      float dropScale, int distances) {

    static Sizes of(Attention op, Spec x, Spec offsets, int distances) {
      int tokens = x.shape().rows();
      return new Sizes(tokens, offsets.shape().dim(0) - 1, op.heads(), x.shape().last() / op.heads(),
          Math.min(op.longest(), tokens), op.site(), Philox.threshold(op.probability()),
          (float) Philox.scale(op.probability()), distances);
    }

    static Sizes forward(Attention op, Spec[] in, boolean relative) {
      return of(op, in[0], in[3], relative ? in[in.length - 1].shape().rows() : 0);
    }

    static Sizes gradient(Attention op, Spec[] in, boolean relative) {
      return of(op, in[1], in[6], relative ? in[in.length - 1].shape().rows() : 0);
    }

    /** Units that share a part. */
    int run() {
      return distances == 0 ? 1 : Math.max(1, Math.ceilDiv(units(), PARTS));
    }

    int parts() {
      return distances == 0 ? 0 : Math.ceilDiv(units(), run());
    }

    private int units() {
      return Math.multiplyExact(heads, sequences);
    }
  }

  /**
   * Bytes, whole cache lines, of a worker's scratch forward and in the gradient, and of a part of the table's
   * gradient.
   */
  private record Scratch(long forward, long gradient, long part) {

    static Scratch of(Sizes n, int isa) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment floats = arena.allocate(JAVA_LONG, 3);
        NativeCalls.attentionScratch(isa, floats.address(), n.longest, n.size, n.distances);
        return new Scratch(Float.BYTES * floats.getAtIndex(JAVA_LONG, 0), Float.BYTES * floats.getAtIndex(JAVA_LONG, 1),
            Float.BYTES * floats.getAtIndex(JAVA_LONG, 2));
      }
    }
  }

  static long forwardScratch(Attention op, Spec[] in, boolean relative, Instructions instructions, Workers workers) {
    return LINE + workers.count() * Scratch.of(Sizes.forward(op, in, relative), instructions.number()).forward;
  }

  static long gradientScratch(Attention op, Spec[] in, boolean relative, Instructions instructions, Workers workers) {
    Sizes n = Sizes.gradient(op, in, relative);
    Scratch scratch = Scratch.of(n, instructions.number());
    return LINE + workers.count() * scratch.gradient + n.parts() * scratch.part;
  }

  static Kernel forward(Attention op, Binding b) {
    return forward(op, b, false);
  }

  static Kernel forward(RelativeAttention op, Binding b) {
    return forward(op.of(), b, true);
  }

  private static Kernel forward(Attention op, Binding b, boolean relative) {
    Spec[] in = b.operands.in();
    Sizes n = Sizes.forward(op, in, relative);
    boolean drops = op.probability() > 0;
    int isa = b.isa, type = b.type, count = b.workers.count();
    long q = b.in(0), k = b.in(1), v = b.in(2), offsets = b.in(3);
    long random = drops ? b.in(4) : 0, sequence = drops ? b.in(5) : 0;
    long table = relative ? b.in(in.length - 1) : 0, o = b.out(0), lse = b.out(1);
    long scratch = b.scratch() + LINE - 1 & -LINE, bytes = Scratch.of(n, isa).forward;
    Workers.Task task = worker -> NativeCalls.attention(isa, type, q, k, v, offsets, random, sequence, table, o, lse,
        n.tokens, n.sequences, n.heads, n.size, n.longest, n.site, n.threshold, n.dropScale, n.distances,
        scratch + worker * bytes, worker, count);
    return () -> b.workers.run(task);
  }

  static Kernel gradient(Attention.Grad op, Binding b) {
    Workers.Task task = gradient(op.of(), b, false);
    return () -> b.workers.run(task);
  }

  static Kernel gradient(RelativeAttention.Grad op, Binding b) {
    Attention of = op.of().of();
    Sizes n = Sizes.gradient(of, b.operands.in(), true);
    Workers.Task task = gradient(of, b, true);
    int isa = b.isa, type = b.type, count = n.parts();
    long da = b.out(3), parts = parts(b, Scratch.of(n, isa));
    Workers.Task add = b.share(n.distances, (from, to, _) -> NativeCalls.distancesGradient(isa, type, parts, count,
        da, from, to, n.distances, n.size, n.dropScale));
    return () -> {
      b.workers.run(task);
      b.workers.run(add);
    };
  }

  /** Parts stand behind the workers' scratch. */
  private static long parts(Binding b, Scratch scratch) {
    return (b.scratch() + LINE - 1 & -LINE) + b.workers.count() * scratch.gradient;
  }

  private static Workers.Task gradient(Attention op, Binding b, boolean relative) {
    Spec[] in = b.operands.in();
    Sizes n = Sizes.gradient(op, in, relative);
    boolean drops = op.probability() > 0;
    int isa = b.isa, type = b.type, count = b.workers.count(), run = n.run();
    long dout = b.in(0), q = b.in(1), k = b.in(2), v = b.in(3), o = b.in(4), lse = b.in(5), offsets = b.in(6);
    long random = drops ? b.in(7) : 0, sequence = drops ? b.in(8) : 0, table = relative ? b.in(in.length - 1) : 0;
    long dq = b.out(0), dk = b.out(1), dv = b.out(2);
    Scratch sizes = Scratch.of(n, isa);
    long scratch = b.scratch() + LINE - 1 & -LINE, bytes = sizes.gradient, parts = parts(b, sizes);
    return worker -> NativeCalls.attentionGradient(isa, type, dout, q, k, v, o, lse, offsets, random, sequence, table,
        dq, dk, dv, n.tokens, n.sequences, n.heads, n.size, n.longest, n.site, n.threshold, n.dropScale, n.distances,
        parts, run, scratch + worker * bytes, worker, count);
  }
}
