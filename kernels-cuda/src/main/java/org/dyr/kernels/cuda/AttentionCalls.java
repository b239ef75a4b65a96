package org.dyr.kernels.cuda;

import static org.dyr.kernels.cuda.Driver.check;

import org.dyr.device.Kernel;
import org.dyr.op.Attention;
import org.dyr.op.Op;
import org.dyr.op.Philox;
import org.dyr.op.Queries;
import org.dyr.op.RelativeAttention;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * The kernels of attention: {@code attention.cu} and {@code attention_gradient.cu} are on tensor cores,
 * {@code attention_plain.cu} and {@code attention_plain_gradient.cu} take every type, every size of a head and
 * embeddings of distances, {@code attention_first.cu} has one query a sequence.
 */
final class AttentionCalls {
  /** Columns of the widest head: two tiles of 64 rows as floats fit in shared memory. */
  private static final int MOST_COLUMNS = 256;

  private static final int TILE_ROWS = 64;

  private static final int LINE = 64;

  private AttentionCalls() {}

  /** What a call is told besides addresses; {@code distances} are the table's rows, 0 without one. */
  private record Sizes(int type, int tokens, int sequences, int heads, int size, int longest, int site, int threshold,
      float scale, int distances) {

    /** For keys {@code k} (T,C). */
    static Sizes of(Attention op, Spec k, Spec offsets, int distances) {
      int tokens = k.shape().rows();
      return new Sizes(Binding.number(k.type()), tokens, offsets.shape().dim(0) - 1, op.heads(),
          k.shape().last() / op.heads(), Math.max(1, Math.min(op.longest(), tokens)), op.site(),
          Philox.threshold(op.probability()), (float) Philox.scale(op.probability()), distances);
    }

    boolean onTensorCores() {
      return type != 0 && distances == 0 && (size == 32 || size == 64 || size == 128);
    }

    /** Whether a block of this card has shared memory for two tiles and a table of distances. */
    boolean fit() {
      int row = Math.max(32, Integer.highestOneBit(2 * size - 1));
      long floats = 2L * TILE_ROWS * (row + 1) + (long) distances * (row + 4);
      return size <= MOST_COLUMNS && Float.BYTES * floats <= Driver.sharedBytes(0);
    }
  }

  private static Sizes gradient(Attention op, Spec[] in, boolean relative) {
    return Sizes.of(op, in[2], in[6], relative ? in[in.length - 1].shape().rows() : 0);
  }

  static boolean supports(Op op, Spec[] in) {
    return switch (op) {
      case Attention a -> Sizes.of(a, in[1], in[3], 0).fit();
      case Attention.Grad a -> gradient(a.of(), in, false).fit();
      case RelativeAttention a -> Sizes.of(a.of(), in[1], in[3], in[in.length - 1].shape().rows()).fit();
      case RelativeAttention.Grad a -> gradient(a.of().of(), in, true).fit();
      default -> false;
    };
  }

  static long scratchBytes(Op op, Spec[] in) {
    return switch (op) {
      case Attention.Grad a when a.of().queries() == Queries.ALL ->
          Scratch.of(a.of(), gradient(a.of(), in, false)).bytes;
      case RelativeAttention.Grad a -> Scratch.of(a.of().of(), gradient(a.of().of(), in, true)).bytes;
      default -> 0;
    };
  }

  /**
   * Where a gradient's masks, delta, sums over the keys of a distance and parts of the table's begin; see the kernels.
   */
  private record Scratch(long kept, long delta, long folded, long parts, int count, long bytes) {

    static Scratch of(Attention op, Sizes n) {
      long rows = (long) n.heads * n.tokens;
      int count = DistanceParts.count(n.heads, n.tokens);
      long delta = op.probability() > 0 ? align(rows * Math.ceilDiv(n.longest, Long.SIZE) * Long.BYTES) : 0;
      long folded = delta + align(rows * Float.BYTES), parts = folded + align(2 * rows * n.distances * Float.BYTES);
      return new Scratch(0, delta, folded, parts, count, parts + (long) count * n.distances * n.size * Float.BYTES);
    }

    private static long align(long bytes) {
      return (bytes + LINE - 1) / LINE * LINE;
    }
  }

  /** Inputs q, k, v, offsets and, where something is dropped, random and sequence; outputs o, lse. */
  static Kernel attention(Binding b, Attention op) {
    Sizes n = Sizes.of(op, b.operands().in()[1], b.operands().in()[3], 0);
    if (op.queries() == Queries.FIRST) return first(b, op, n);
    if (!n.onTensorCores()) return plain(b, op, n, 0);
    boolean drops = op.probability() > 0;
    long q = b.in(0), k = b.in(1), v = b.in(2), offsets = b.in(3), random = drops ? b.in(4) : 0;
    long sequence = drops ? b.in(5) : 0, o = b.out(0), lse = b.out(1), stream = b.stream();
    return () -> check(CudaCalls.attentionForward(n.type, q, k, v, offsets, random, sequence, o, lse, n.tokens,
        n.sequences, n.heads, n.size, n.longest, n.site, n.threshold, n.scale, stream));
  }

  private static Kernel first(Binding b, Attention op, Sizes n) {
    boolean drops = op.probability() > 0;
    long q = b.in(0), k = b.in(1), v = b.in(2), offsets = b.in(3), random = drops ? b.in(4) : 0;
    long sequence = drops ? b.in(5) : 0, o = b.out(0), lse = b.out(1), stream = b.stream();
    return () -> check(CudaCalls.attentionFirst(n.type, q, k, v, offsets, random, sequence, o, lse, n.tokens,
        n.sequences, n.heads, n.size, n.site, n.threshold, n.scale, stream));
  }

  private static Kernel firstGradient(Binding b, Attention op, Sizes n) {
    boolean drops = op.probability() > 0;
    long dout = b.in(0), q = b.in(1), k = b.in(2), v = b.in(3), o = b.in(4), lse = b.in(5), offsets = b.in(6);
    long random = drops ? b.in(7) : 0, sequence = drops ? b.in(8) : 0, dq = b.out(0), dk = b.out(1), dv = b.out(2);
    long stream = b.stream();
    return () -> check(CudaCalls.attentionFirstGradient(n.type, dout, q, k, v, o, lse, offsets, random, sequence, dq,
        dk, dv, n.tokens, n.sequences, n.heads, n.size, n.site, n.threshold, n.scale, stream));
  }

  /** The same and the table of distances. */
  static Kernel relative(Binding b, RelativeAttention op) {
    Spec[] in = b.operands().in();
    int table = in.length - 1;
    return plain(b, op.of(), Sizes.of(op.of(), in[1], in[3], in[table].shape().rows()), b.in(table));
  }

  private static Kernel plain(Binding b, Attention op, Sizes n, long table) {
    boolean drops = op.probability() > 0;
    long q = b.in(0), k = b.in(1), v = b.in(2), offsets = b.in(3), random = drops ? b.in(4) : 0;
    long sequence = drops ? b.in(5) : 0, o = b.out(0), lse = b.out(1), stream = b.stream();
    return () -> check(CudaCalls.attentionPlainForward(n.type, q, k, v, offsets, random, sequence, table, o, lse,
        n.tokens, n.sequences, n.heads, n.size, n.longest, n.site, n.threshold, n.scale, n.distances, stream));
  }

  /** Inputs do, q, k, v, o, lse, offsets and, where something is dropped, random and sequence; outputs dq, dk, dv. */
  static Kernel gradient(Binding b, Attention.Grad op) {
    Sizes n = gradient(op.of(), b.operands().in(), false);
    if (op.of().queries() == Queries.FIRST) return firstGradient(b, op.of(), n);
    Scratch at = Scratch.of(op.of(), n);
    Kernel setup = setup(b, op.of(), n, at);
    if (!n.onTensorCores()) return plainGradient(b, op.of(), n, at, setup, 0);
    long dout = b.in(0), q = b.in(1), k = b.in(2), v = b.in(3), lse = b.in(5), offsets = b.in(6);
    long random = op.of().probability() > 0 ? b.in(7) : 0, kept = b.scratch() + at.kept, delta = b.scratch() + at.delta;
    long dq = b.out(0), dk = b.out(1), dv = b.out(2), stream = b.stream();
    return () -> {
      setup.launch();
      check(CudaCalls.attentionGradient(n.type, dout, q, k, v, lse, delta, kept, offsets, random, dq, dk, dv, n.tokens,
          n.sequences, n.heads, n.size, n.longest, n.scale, stream));
    };
  }

  /** The same and the table of distances; outputs dq, dk, dv, da. */
  static Kernel gradient(Binding b, RelativeAttention.Grad op) {
    Attention of = op.of().of();
    Sizes n = gradient(of, b.operands().in(), true);
    Scratch at = Scratch.of(of, n);
    Kernel rest = plainGradient(b, of, n, at, setup(b, of, n, at), b.in(b.operands().in().length - 1));
    long dout = b.in(0), q = b.in(1), offsets = b.in(6), da = b.out(3), stream = b.stream();
    long folded = b.scratch() + at.folded, parts = b.scratch() + at.parts;
    return () -> {
      rest.launch();
      check(CudaCalls.distancesGradient(n.type, folded, q, dout, offsets, parts, da, n.tokens, n.sequences, n.heads,
          n.size, n.distances, at.count, stream));
    };
  }

  /** What the gradients of queries and of keys both need. */
  private static Kernel setup(Binding b, Attention op, Sizes n, Scratch at) {
    boolean drops = op.probability() > 0;
    long dout = b.in(0), o = b.in(4), offsets = b.in(6), random = drops ? b.in(7) : 0, sequence = drops ? b.in(8) : 0;
    long kept = b.scratch() + at.kept, delta = b.scratch() + at.delta, stream = b.stream();
    return () -> check(CudaCalls.attentionGradientSetup(n.type, dout, o, offsets, random, sequence, delta, kept,
        n.tokens, n.sequences, n.heads, n.size, n.longest, n.site, n.threshold, stream));
  }

  private static Kernel plainGradient(Binding b, Attention op, Sizes n, Scratch at, Kernel setup, long table) {
    long dout = b.in(0), q = b.in(1), k = b.in(2), v = b.in(3), lse = b.in(5), offsets = b.in(6);
    long random = op.probability() > 0 ? b.in(7) : 0, kept = b.scratch() + at.kept, delta = b.scratch() + at.delta;
    long folded = b.scratch() + at.folded, dq = b.out(0), dk = b.out(1), dv = b.out(2), stream = b.stream();
    return () -> {
      setup.launch();
      check(CudaCalls.attentionPlainGradient(n.type, dout, q, k, v, lse, delta, kept, offsets, random, table, dq, dk,
          dv, folded, n.tokens, n.sequences, n.heads, n.size, n.longest, n.scale, n.distances, stream));
    };
  }
}
