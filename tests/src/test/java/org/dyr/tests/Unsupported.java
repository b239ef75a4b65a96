package org.dyr.tests;

import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.dyr.op.AbsorbedAttention;
import org.dyr.op.AllGather;
import org.dyr.op.Cast;
import org.dyr.op.AttentionContext;
import org.dyr.op.AttentionDropout;
import org.dyr.op.AttentionScores;
import org.dyr.op.AttentionSoftmax;
import org.dyr.op.BiasActivation;
import org.dyr.op.DropoutAddLayerNorm;
import org.dyr.op.EmbeddingLayerNorm;
import org.dyr.op.FusedOp;
import org.dyr.op.Gemm;
import org.dyr.op.GemmActivation;
import org.dyr.op.GemmRounding;
import org.dyr.op.GemmSumRows;
import org.dyr.op.IfFinite;
import org.dyr.op.MatMul;
import org.dyr.op.Op;
import org.dyr.op.Panels;
import org.dyr.op.RelativeContext;
import org.dyr.op.RelativeScores;
import org.dyr.tensor.DType;

/**
 * What each kernel set leaves to the sets below it, or has not. The parity test expects exactly this: a kernel
 * that vanishes fails, and so does one that appears unannounced.
 */
final class Unsupported {
  private static final Map<String, Predicate<Op>> BY_SET = Map.of(
      "reference", op -> op instanceof FusedOp,
      "vector", op -> isPartOfAttention(op) || isBiasedNorm(op) || op instanceof Cast || op instanceof AllGather
          || op instanceof AllGather.Grad || op instanceof IfFinite || op instanceof Panels || op instanceof GemmSumRows
          || op instanceof GemmActivation || op instanceof GemmActivation.Grad || op instanceof GemmRounding
          || op instanceof AbsorbedAttention || op instanceof BiasActivation.GradSumRows,
      "native", op -> isPartOfAttention(op) || isBiasedNorm(op) || op instanceof Cast || op instanceof AllGather
          || op instanceof AllGather.Grad || op instanceof IfFinite || op instanceof BiasActivation.GradSumRows,
      "openblas", op -> !(op instanceof MatMul || op instanceof Gemm),
      "cuda", op -> op instanceof GemmSumRows || op instanceof GemmActivation || op instanceof GemmActivation.Grad
          || op instanceof GemmRounding || op instanceof AbsorbedAttention || op instanceof AllGather
          || op instanceof AllGather.Grad
          || op instanceof Panels || op instanceof Cast c && c.to() == DType.F64);

  private Unsupported() {}

  /** The smaller ops that attention is made of: vector has attention itself. */
  private static boolean isPartOfAttention(Op op) {
    return op instanceof AttentionScores || op instanceof AttentionScores.Grad || op instanceof AttentionSoftmax
        || op instanceof AttentionSoftmax.Grad || op instanceof AttentionDropout || op instanceof AttentionContext
        || op instanceof AttentionContext.Grad || op instanceof RelativeScores || op instanceof RelativeScores.Grad
        || op instanceof RelativeContext || op instanceof RelativeContext.Grad;
  }

  /** Norms of x with a bias, which the CPU's products add to x. */
  private static boolean isBiasedNorm(Op op) {
    return op instanceof DropoutAddLayerNorm n && n.bias() || op instanceof DropoutAddLayerNorm.Grad d && d.bias();
  }

  /** Whether a set makes or reads such panels: {@code native} does, its own, and adds no parts up in 16 bits. */
  private static boolean knows(String set, String features, DType type, Op op, Panels p) {
    int columns = features.equals("avx2") ? 16 : 32, unit = type == DType.BF16 ? 2 : 1;
    boolean addsNone = op instanceof Panels || op instanceof AbsorbedAttention || p.parts() == 1;
    boolean inHalf = features.equals("avx512bf16") && addsNone;
    return set.equals("reference") || set.equals("native") && p.columns() == columns && p.unit() == unit
        && (type == DType.F32 || inHalf);
  }

  /** Whether heads and rows of x are as {@code native} takes them. */
  private static boolean isInVectors(AbsorbedAttention a, OpCase c) {
    return c.in().get(0).shape().last() / a.heads() % 16 == 0 && c.in().get(1).shape().last() % 32 == 0;
  }

  /** Whether the set, with these instructions, is expected to have no kernel for the case in this type. */
  static boolean by(String set, String features, DType type, OpCase c) {
    Predicate<Op> unsupported = BY_SET.get(set);
    if (unsupported == null) {
      throw new IllegalArgumentException("kernel set '%s' has no row in Unsupported; there are %s"
          .formatted(set, List.copyOf(BY_SET.keySet())));
    }
    // The tables that embeddings are looked up in are fp32.
    boolean hasNoHalfTables = set.equals("native") || set.equals("cuda");
    if (hasNoHalfTables && type.isHalf() && c.op() instanceof EmbeddingLayerNorm) return true;
    // In fp32 there is nothing to round.
    if (set.equals("native") && c.op() instanceof GemmRounding && type == DType.F32) return true;
    if (set.equals("native") && c.op() instanceof AbsorbedAttention a && !isInVectors(a, c)) return true;
    return unsupported.test(c.op())
        || c.panels().filter(p -> !knows(set, features, type, c.op(), p)).isPresent();
  }
}
