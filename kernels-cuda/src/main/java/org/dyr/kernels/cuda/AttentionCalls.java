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
 * The kernels of {@code attention.cu}, which are on tensor cores, and of {@code attention_plain.cu}, which take every
 * type, every size of a head and embeddings of distances.
 */
final class AttentionCalls {
  /** Columns of the widest head: two tiles of 64 rows as floats fit in shared memory. */
  private static final int MOST_COLUMNS = 256;

  /** What a block can have on every card from sm_80 on, by the size of a table of distances beside two tiles. */
  private static final int MOST_SHARED = 160 << 10;
  private static final int TILE_ROWS = 64;

  private AttentionCalls() {}

  /** What a call is told besides addresses; {@code distances} are the table's rows, 0 without one. */
  private record Sizes(int type, int tokens, int sequences, int heads, int size, int longest, int site, int threshold,
      float scale, int distances) {

    /** For keys {@code k} (T,C). */
    static Sizes of(Attention op, Spec k, Spec offsets, int distances) {
      int tokens = k.shape().rows();
      return new Sizes(Binding.number(k.type()), tokens, offsets.shape().dim(0) - 1, op.heads(),
          k.shape().last() / op.heads(), Math.max(1, Math.min(op.longest(), tokens)), op.site(),
          Philox.threshold(op.probability()), (float) (1 / (1 - op.probability())), distances);
    }

    boolean onTensorCores() {
      return type != 0 && distances == 0 && (size == 32 || size == 64 || size == 128);
    }

    boolean fit() {
      int row = Math.max(32, Integer.highestOneBit(2 * size - 1));
      return size <= MOST_COLUMNS && Float.BYTES * (2L * TILE_ROWS * (row + 1) + (long) distances * (row + 4)) <= MOST_SHARED;
    }
  }

  static boolean supports(Op op, Spec[] in) {
    return switch (op) {
      case Attention a -> a.queries() == Queries.ALL && Sizes.of(a, in[1], in[3], 0).fit();
      case RelativeAttention a -> Sizes.of(a.of(), in[1], in[3], in[in.length - 1].shape().rows()).fit();
      default -> false;
    };
  }

  /** Inputs q, k, v, offsets and, where something is dropped, random and sequence; outputs o, lse. */
  static Kernel attention(Binding b, Attention op) {
    Sizes n = Sizes.of(op, b.operands().in()[1], b.operands().in()[3], 0);
    if (!n.onTensorCores()) return plain(b, op, n, 0);
    boolean drops = op.probability() > 0;
    long q = b.in(0), k = b.in(1), v = b.in(2), offsets = b.in(3), random = drops ? b.in(4) : 0;
    long sequence = drops ? b.in(5) : 0, o = b.out(0), lse = b.out(1), stream = b.stream();
    return () -> check(CudaCalls.attentionForward(n.type, q, k, v, offsets, random, sequence, o, lse, n.tokens, n.sequences,
        n.heads, n.size, n.longest, n.site, n.threshold, n.scale, stream));
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
    return () -> check(CudaCalls.attentionPlainForward(n.type, q, k, v, offsets, random, sequence, table, o, lse, n.tokens,
        n.sequences, n.heads, n.size, n.longest, n.site, n.threshold, n.scale, n.distances, stream));
  }
}
