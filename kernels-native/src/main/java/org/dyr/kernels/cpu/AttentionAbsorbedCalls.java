package org.dyr.kernels.cpu;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.op.AbsorbedAttention;
import org.dyr.op.Panels;
import org.dyr.tensor.Spec;

/**
 * The kernel of {@code attention_absorbed.h}. Native code divides the work: every worker makes one call. Heads and rows
 * of x are whole vectors of every instruction set, in units as well, and so are the parts of panels.
 */
final class AttentionAbsorbedCalls {
  private static final long LINE = 64;
  private static final int HEAD = 16;
  private static final int COLUMNS = 32;

  private AttentionAbsorbedCalls() {}

  static boolean supports(AbsorbedAttention op, Spec[] in, Instructions instructions) {
    int size = in[0].shape().last() / op.heads();
    return size % HEAD == 0 && isReadable(in[1], in[2], instructions) && isReadable(in[1], in[4], instructions);
  }

  private static boolean isReadable(Spec x, Spec weight, Instructions instructions) {
    int columns = x.shape().last(), parts = Math.max(1, parts(weight));
    return columns % (parts * COLUMNS) == 0 && Panels.of(weight.shape())
        .map(p -> NativeGemm.areNative(p, weight.type(), instructions)).orElse(true);
  }

  /** The parts of panels, 0 where the weight lies row by row. */
  private static int parts(Spec weight) {
    return Panels.of(weight.shape()).map(Panels::parts).orElse(0);
  }

  /** Bytes, whole cache lines, of a worker's scratch. */
  private static long bytes(AbsorbedAttention op, Spec[] in, int isa) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment floats = arena.allocate(JAVA_LONG);
      NativeCalls.attentionAbsorbedScratch(isa, floats.address(), op.heads(), in[0].shape().last() / op.heads(),
          in[1].shape().last(), longest(op, in));
      return Float.BYTES * floats.get(JAVA_LONG, 0);
    }
  }

  private static int longest(AbsorbedAttention op, Spec[] in) {
    return Math.min(op.longest(), in[1].shape().rows());
  }

  static long scratchBytes(AbsorbedAttention op, Spec[] in, Instructions instructions, Workers workers) {
    return LINE + workers.count() * bytes(op, in, instructions.number());
  }

  static Kernel forward(AbsorbedAttention op, Binding b) {
    Spec[] in = b.operands.in();
    int isa = b.isa, type = b.type, count = b.workers.count(), keyParts = parts(in[2]), valueParts = parts(in[4]);
    int sequences = in[0].shape().rows(), heads = op.heads(), size = in[0].shape().last() / heads,
        columns = in[1].shape().last(), longest = longest(op, in);
    long q = b.in(0), x = b.in(1), key = b.in(2), value = b.in(4), valueBias = b.in(5), offsets = b.in(6), o = b.out(0);
    long scratch = b.scratch() + LINE - 1 & -LINE, bytes = bytes(op, in, isa);
    Workers.Task task = worker -> NativeCalls.attentionAbsorbed(isa, type, q, x, key, keyParts, value, valueParts,
        valueBias, offsets, o, sequences, heads, size, columns, longest, scratch + worker * bytes, worker, count);
    return () -> b.workers.run(task);
  }
}
