package org.dyr.kernels.cpu;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.op.Attention;
import org.dyr.op.Philox;
import org.dyr.tensor.Spec;

/**
 * The kernels of {@code attention.h}. Native code divides the work, by the squares of the sequences' lengths: every
 * worker makes one call.
 */
final class AttentionCalls {
  private static final long LINE = 64;

  private AttentionCalls() {}

  /** What a call is told besides addresses. */
  private record Sizes(int tokens, int sequences, int heads, int size, int longest, int site, int threshold, float dropScale) {

    static Sizes of(Attention op, Spec x, Spec offsets) {
      int tokens = x.shape().rows();
      return new Sizes(tokens, offsets.shape().dim(0) - 1, op.heads(), x.shape().last() / op.heads(),
          Math.min(op.longest(), tokens), op.site(), Philox.threshold(op.probability()),
          (float) (1 / (1 - op.probability())));
    }

    /** Bytes of a worker's scratch, whole cache lines. */
    long scratch(int isa, boolean gradient) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment floats = arena.allocate(JAVA_LONG, 2);
        NativeCalls.attentionScratch(isa, floats.address(), longest, size);
        return Float.BYTES * floats.getAtIndex(JAVA_LONG, gradient ? 1 : 0);
      }
    }
  }

  static long scratchBytes(Attention op, Spec[] in, Instructions instructions, Workers workers) {
    return LINE + workers.count() * Sizes.of(op, in[0], in[3]).scratch(instructions.number(), false);
  }

  static long scratchBytes(Attention.Grad op, Spec[] in, Instructions instructions, Workers workers) {
    return LINE + workers.count() * Sizes.of(op.of(), in[1], in[6]).scratch(instructions.number(), true);
  }

  static Kernel forward(Attention op, Binding b) {
    Spec[] in = b.operands.in();
    Sizes n = Sizes.of(op, in[0], in[3]);
    boolean drops = op.probability() > 0;
    int isa = b.isa, type = b.type, count = b.workers.count();
    long q = b.in(0), k = b.in(1), v = b.in(2), offsets = b.in(3), random = drops ? b.in(4) : 0, sequence = drops ? b.in(5) : 0;
    long o = b.out(0), lse = b.out(1), scratch = b.scratch() + LINE - 1 & -LINE, bytes = n.scratch(isa, false);
    Workers.Task task = worker -> NativeCalls.attention(isa, type, q, k, v, offsets, random, sequence, o, lse, n.tokens,
        n.sequences, n.heads, n.size, n.longest, n.site, n.threshold, n.dropScale, scratch + worker * bytes, worker, count);
    return () -> b.workers.run(task);
  }

  static Kernel gradient(Attention.Grad op, Binding b) {
    Spec[] in = b.operands.in();
    Sizes n = Sizes.of(op.of(), in[1], in[6]);
    boolean drops = op.of().probability() > 0;
    int isa = b.isa, type = b.type, count = b.workers.count();
    long dout = b.in(0), q = b.in(1), k = b.in(2), v = b.in(3), o = b.in(4), lse = b.in(5), offsets = b.in(6);
    long random = drops ? b.in(7) : 0, sequence = drops ? b.in(8) : 0;
    long dq = b.out(0), dk = b.out(1), dv = b.out(2);
    long scratch = b.scratch() + LINE - 1 & -LINE, bytes = n.scratch(isa, true);
    Workers.Task task = worker -> NativeCalls.attentionGradient(isa, type, dout, q, k, v, o, lse, offsets, random, sequence, dq,
        dk, dv, n.tokens, n.sequences, n.heads, n.size, n.longest, n.site, n.threshold, n.dropScale, scratch + worker * bytes,
        worker, count);
    return () -> b.workers.run(task);
  }
}
