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
 * The kernels of {@code attention_first.h}, for attention where first tokens alone ask. Native code divides the work:
 * every worker makes one call.
 */
final class AttentionFirstCalls {
  private static final long LINE = 64;

  private AttentionFirstCalls() {}

  /** What a call is told besides addresses. */
  private record Sizes(int tokens, int sequences, int heads, int size, int longest, int site, int threshold,
      float dropScale) {

    static Sizes of(Attention op, Spec q, Spec k) {
      int tokens = k.shape().rows();
      return new Sizes(tokens, q.shape().rows(), op.heads(), q.shape().last() / op.heads(),
          Math.min(op.longest(), tokens), op.site(), Philox.threshold(op.probability()),
          (float) Philox.scale(op.probability()));
    }
  }

  /** Bytes, whole cache lines, of a worker's scratch forward and in the gradient. */
  private record Scratch(long forward, long gradient) {

    static Scratch of(Sizes n, int isa) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment floats = arena.allocate(JAVA_LONG, 2);
        NativeCalls.attentionFirstScratch(isa, floats.address(), n.heads, n.size, n.longest);
        return new Scratch(Float.BYTES * floats.getAtIndex(JAVA_LONG, 0),
            Float.BYTES * floats.getAtIndex(JAVA_LONG, 1));
      }
    }
  }

  static long forwardScratch(Attention op, Spec[] in, Instructions instructions, Workers workers) {
    return LINE + workers.count() * Scratch.of(Sizes.of(op, in[0], in[1]), instructions.number()).forward;
  }

  static long gradientScratch(Attention op, Spec[] in, Instructions instructions, Workers workers) {
    return LINE + workers.count() * Scratch.of(Sizes.of(op, in[1], in[2]), instructions.number()).gradient;
  }

  static Kernel forward(Attention op, Binding b) {
    Sizes n = Sizes.of(op, b.operands.in()[0], b.operands.in()[1]);
    boolean drops = op.probability() > 0;
    int isa = b.isa, type = b.type, count = b.workers.count();
    long q = b.in(0), k = b.in(1), v = b.in(2), offsets = b.in(3), random = drops ? b.in(4) : 0,
        sequence = drops ? b.in(5) : 0, o = b.out(0), lse = b.out(1);
    long scratch = b.scratch() + LINE - 1 & -LINE, bytes = Scratch.of(n, isa).forward;
    Workers.Task task = worker -> NativeCalls.attentionFirst(isa, type, q, k, v, offsets, random, sequence, o, lse,
        n.sequences, n.heads, n.size, n.longest, n.site, n.threshold, n.dropScale, scratch + worker * bytes, worker,
        count);
    return () -> b.workers.run(task);
  }

  /** @param op whose gradient it is */
  static Kernel gradient(Attention op, Binding b) {
    Sizes n = Sizes.of(op, b.operands.in()[1], b.operands.in()[2]);
    boolean drops = op.probability() > 0;
    int isa = b.isa, type = b.type, count = b.workers.count();
    long dout = b.in(0), q = b.in(1), k = b.in(2), v = b.in(3), o = b.in(4), lse = b.in(5), offsets = b.in(6);
    long random = drops ? b.in(7) : 0, sequence = drops ? b.in(8) : 0, dq = b.out(0), dk = b.out(1), dv = b.out(2);
    long scratch = b.scratch() + LINE - 1 & -LINE, bytes = Scratch.of(n, isa).gradient;
    Workers.Task task = worker -> NativeCalls.attentionFirstGradient(isa, type, dout, q, k, v, o, lse, offsets, random,
        sequence, dq, dk, dv, n.tokens, n.sequences, n.heads, n.size, n.site, n.threshold, n.dropScale,
        scratch + worker * bytes, worker, count);
    return () -> b.workers.run(task);
  }
}
