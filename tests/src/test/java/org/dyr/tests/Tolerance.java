package org.dyr.tests;

import org.dyr.op.AbsorbedAttention;
import org.dyr.op.Attention;
import org.dyr.op.AttentionContext;
import org.dyr.op.AttentionScores;
import org.dyr.op.AttentionSoftmax;
import org.dyr.op.BiasActivation;
import org.dyr.op.DropoutAddLayerNorm;
import org.dyr.op.EmbeddingLayerNorm;
import org.dyr.op.Gather;
import org.dyr.op.Gemm;
import org.dyr.op.GemmActivation;
import org.dyr.op.GemmRounding;
import org.dyr.op.GemmSumRows;
import org.dyr.op.GroupCrossEntropy;
import org.dyr.op.LayerNorm;
import org.dyr.op.MatMul;
import org.dyr.op.Op;
import org.dyr.op.RelativeAttention;
import org.dyr.op.RelativeContext;
import org.dyr.op.RelativeScores;
import org.dyr.op.Sum;
import org.dyr.op.SumRows;
import org.dyr.op.SumSquares;
import org.dyr.tensor.Shape;
import org.dyr.tensor.Spec;

/**
 * How far a kernel in float may be from the same op in double, for operands of magnitude 1: stated here and nowhere
 * else.
 */
final class Tolerance {
  private Tolerance() {}

  /** 1e-6 sqrt(K) + 1e-5 |expected|, K the length of the op's longest sum. */
  static double f32(Op op, Spec[] in, double expected) {
    return 1e-6 * Math.sqrt(reduction(op, in)) + 1e-5 * Math.abs(expected);
  }

  /** How many terms the longest sum that the op takes has. */
  static long reduction(Op op, Spec[] in) {
    Shape x = in[0].shape();
    return switch (op) {
      case MatMul m -> x.dim(m.transposeA() ? 0 : 1);
      case Gemm g -> x.dim(g.transposeA() ? 0 : 1);
      case GemmSumRows g -> x.dim(0);
      case LayerNorm n -> x.last();
      case DropoutAddLayerNorm n -> x.last();
      case EmbeddingLayerNorm n -> x.last();
      case LayerNorm.Grad n -> Math.max(x.rows(), x.last());
      case DropoutAddLayerNorm.Grad n -> Math.max(x.rows(), x.last());
      case GemmActivation g -> x.dim(g.transposeA() ? 0 : 1);
      case GemmActivation.Grad g -> x.dim(g.transposeA() ? 0 : 1);
      case GemmRounding g -> reduction(g.of(), in);
      case SumRows s -> x.rows();
      case BiasActivation.GradSumRows s -> x.rows();
      case Gather.Grad g -> x.rows();
      case Sum s -> x.size();
      case SumSquares s -> x.size();
      case GroupCrossEntropy c -> x.size();
      case GroupCrossEntropy.Grad c -> in[1].shape().size();
      case AttentionScores a -> x.last() / a.heads();
      case AttentionScores.Grad a -> x.last();
      case AttentionSoftmax a -> x.last();
      case AttentionSoftmax.Grad a -> x.last();
      case AttentionContext a -> x.last();
      case AttentionContext.Grad a -> Math.max(x.last() / a.heads(), in[1].shape().last());
      case Attention a -> Math.max(x.last() / a.heads(), a.longest());
      case Attention.Grad a -> Math.max(x.last() / a.of().heads(), a.of().longest());
      case AbsorbedAttention a -> Math.max(in[1].shape().last(), a.longest());
      case RelativeScores a -> x.last() / a.heads();
      case RelativeScores.Grad a -> x.size();
      case RelativeContext a -> x.last();
      case RelativeContext.Grad a -> in[1].shape().size();
      case RelativeAttention a -> Math.max(x.last() / a.of().heads(), a.of().longest());
      case RelativeAttention.Grad a -> Math.max((long) x.dim(0) * a.of().of().heads(), a.of().of().longest());
      default -> 1;
    };
  }
}
