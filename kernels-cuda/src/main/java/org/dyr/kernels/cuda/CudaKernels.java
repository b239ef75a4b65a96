package org.dyr.kernels.cuda;

import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.op.Activation;
import org.dyr.op.Add;
import org.dyr.op.AddBias;
import org.dyr.op.AllFinite;
import org.dyr.op.BiasActivation;
import org.dyr.op.Attention;
import org.dyr.op.AttentionContext;
import org.dyr.op.AttentionDropout;
import org.dyr.op.AttentionScores;
import org.dyr.op.AttentionSoftmax;
import org.dyr.op.Broadcast;
import org.dyr.op.Cast;
import org.dyr.op.ClipFactor;
import org.dyr.op.Dropout;
import org.dyr.op.DropoutAddLayerNorm;
import org.dyr.op.EmbeddingLayerNorm;
import org.dyr.op.Gather;
import org.dyr.op.GroupCrossEntropy;
import org.dyr.op.IfFinite;
import org.dyr.op.LayerNorm;
import org.dyr.op.Op;
import org.dyr.op.RelativeAttention;
import org.dyr.op.RelativeContext;
import org.dyr.op.RelativeScores;
import org.dyr.op.Scale;
import org.dyr.op.Sum;
import org.dyr.op.SumRows;
import org.dyr.op.SumSquares;
import org.dyr.op.Update;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/** Our kernels for the card, in fp32, bf16 and fp16. */
final class CudaKernels implements KernelSet {
  private final long stream;

  /** @param stream the address of the stream that kernels go to */
  CudaKernels(long stream) {
    this.stream = stream;
  }

  @Override public String name() {
    return "cuda";
  }

  @Override public boolean supports(Op op, Spec[] in) {
    for (Spec s : in) if (s.type() == DType.F64) return false;
    return switch (op) {
      case Add _, AddBias _, Scale _, Broadcast _ -> true;
      case Cast c -> c.to() != DType.F64;
      case Activation _, Activation.Grad _ -> true;
      case BiasActivation _, BiasActivation.Grad _, BiasActivation.GradSumRows _ -> true;
      case Dropout _ -> true;
      case LayerNorm _, LayerNorm.Grad _, DropoutAddLayerNorm _ -> NormCalls.fits(in[0], 2);
      case DropoutAddLayerNorm.Grad o -> NormCalls.fits(in[0], NormCalls.sums(o));
      case EmbeddingLayerNorm o -> NormCalls.embeds(o, in);
      case Sum _, SumRows _, SumSquares _, AllFinite _, IfFinite _, ClipFactor _ -> in[0].type().isFloating();
      case Gather _, Gather.Grad _, GroupCrossEntropy _, GroupCrossEntropy.Grad _ -> true;
      case Update _ -> in[0].type() == DType.F32;
      case Attention _, Attention.Grad _, RelativeAttention _, RelativeAttention.Grad _ ->
          AttentionCalls.supports(op, in);
      case AttentionScores _, AttentionScores.Grad _, AttentionSoftmax _, AttentionSoftmax.Grad _, AttentionDropout _,
          AttentionContext _, AttentionContext.Grad _, RelativeScores _, RelativeScores.Grad _, RelativeContext _,
          RelativeContext.Grad _ -> true;
      default -> false;
    };
  }

  @Override public long scratchBytes(Op op, Spec[] in) {
    return switch (op) {
      case LayerNorm.Grad _ -> NormCalls.gradScratch(in[0], 2);
      case DropoutAddLayerNorm.Grad o -> NormCalls.gradScratch(in[0], NormCalls.sums(o));
      case Sum _, SumSquares _, AllFinite _ -> SumCalls.scratch(in[0]);
      case SumRows _ -> SumCalls.rowsScratch(in[0]);
      case BiasActivation.GradSumRows _ -> ActivationCalls.sumsScratch(in[0]);
      case Gather.Grad o -> GatherCalls.gradScratch(o, in[0]);
      case Update.Lamb o -> UpdateCalls.lambScratch(o);
      case Attention.Grad _, RelativeAttention.Grad _ -> AttentionCalls.scratchBytes(op, in);
      case RelativeScores.Grad _, RelativeContext.Grad _ -> AttentionPartsCalls.scratchBytes(op, in);
      default -> 0;
    };
  }

  @Override public Kernel prepare(Op op, Operands operands) {
    Binding b = new Binding(operands, stream);
    return switch (op) {
      case Add _ -> ElementwiseCalls.add(b);
      case AddBias _ -> ElementwiseCalls.addBias(b);
      case Scale _ -> ElementwiseCalls.scale(b);
      case Broadcast _ -> ElementwiseCalls.broadcast(b);
      case Cast o -> ElementwiseCalls.cast(b, o);
      case Activation o -> ActivationCalls.forward(b, o.kind());
      case Activation.Grad o -> ActivationCalls.backward(b, o.kind());
      case BiasActivation o -> ActivationCalls.forwardWithBias(b, o.kind());
      case BiasActivation.Grad o -> ActivationCalls.backwardWithBias(b, o.kind());
      case BiasActivation.GradSumRows o -> ActivationCalls.backwardWithSums(b, o.kind());
      case Dropout o -> NormCalls.dropout(b, o);
      case LayerNorm o -> NormCalls.layerNorm(b, o.eps());
      case LayerNorm.Grad _ -> NormCalls.layerNormGrad(b);
      case DropoutAddLayerNorm o -> NormCalls.dropoutAddLayerNorm(b, o);
      case DropoutAddLayerNorm.Grad o -> NormCalls.dropoutAddLayerNormGrad(b, o);
      case EmbeddingLayerNorm o -> NormCalls.embeddingLayerNorm(b, o);
      case Sum _ -> SumCalls.all(b);
      case SumRows _ -> SumCalls.rows(b);
      case SumSquares _ -> SumCalls.squares(b);
      case AllFinite _ -> SumCalls.finite(b);
      case IfFinite _ -> SumCalls.ifFinite(b);
      case ClipFactor o -> SumCalls.clipFactor(b, o);
      case Gather _ -> GatherCalls.gather(b);
      case Gather.Grad o -> GatherCalls.gatherGrad(b, o);
      case GroupCrossEntropy o -> GatherCalls.loss(b, o);
      case GroupCrossEntropy.Grad o -> GatherCalls.lossGrad(b, o);
      case Update.Lamb o -> UpdateCalls.lamb(b, o);
      case Update.AdamWeightDecay o -> UpdateCalls.adamWeightDecay(b, o);
      case Update.Momentum o -> UpdateCalls.momentum(b, o);
      case Attention o -> AttentionCalls.attention(b, o);
      case Attention.Grad o -> AttentionCalls.gradient(b, o);
      case RelativeAttention o -> AttentionCalls.relative(b, o);
      case RelativeAttention.Grad o -> AttentionCalls.gradient(b, o);
      case AttentionScores o -> AttentionPartsCalls.scores(b, o);
      case AttentionScores.Grad o -> AttentionPartsCalls.scoresGradient(b, o);
      case AttentionSoftmax o -> AttentionPartsCalls.softmax(b, o);
      case AttentionSoftmax.Grad o -> AttentionPartsCalls.softmaxGradient(b, o);
      case AttentionDropout o -> AttentionPartsCalls.dropout(b, o);
      case AttentionContext o -> AttentionPartsCalls.context(b, o);
      case AttentionContext.Grad o -> AttentionPartsCalls.contextGradient(b, o);
      case RelativeScores o -> AttentionPartsCalls.scores(b, o);
      case RelativeScores.Grad o -> AttentionPartsCalls.scoresGradient(b, o);
      case RelativeContext o -> AttentionPartsCalls.context(b, o);
      case RelativeContext.Grad o -> AttentionPartsCalls.contextGradient(b, o);
      default -> throw new UnsupportedOperationException("cuda has no kernel for " + op.name());
    };
  }
}
