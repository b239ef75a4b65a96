package org.dyr.kernels.cpu;

import java.util.Optional;
import org.dyr.cpu.LambKernel;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.op.AbsorbedAttention;
import org.dyr.op.Activation;
import org.dyr.op.Add;
import org.dyr.op.AddBias;
import org.dyr.op.AllFinite;
import org.dyr.op.Attention;
import org.dyr.op.BiasActivation;
import org.dyr.op.Broadcast;
import org.dyr.op.Cast;
import org.dyr.op.ClipFactor;
import org.dyr.op.Dropout;
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
import org.dyr.op.Panels;
import org.dyr.op.Queries;
import org.dyr.op.RelativeAttention;
import org.dyr.op.Scale;
import org.dyr.op.Sum;
import org.dyr.op.SumRows;
import org.dyr.op.SumSquares;
import org.dyr.op.Update;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * Kernels in C++ for one instruction set, over all workers: fp32 and bf16 storage, fp32 arithmetic and sums. Their
 * results do not depend on the number of workers.
 */
final class NativeKernels implements KernelSet {
  private final Instructions instructions;
  private final Workers workers;

  NativeKernels(Instructions instructions, Workers workers) {
    this.instructions = instructions;
    this.workers = workers;
  }

  @Override public String name() {
    return "native";
  }

  @Override public boolean supports(Op op, Spec[] in) {
    for (Spec s : in) if (s.type() == DType.F64 || s.type() == DType.F16) return false;
    return switch (op) {
      case Cast o -> in[0].type() == DType.F32 && o.to() == DType.BF16
          || in[0].type() == DType.BF16 && o.to() == DType.F32;
      case MatMul _, Gemm _, GemmSumRows _, GemmActivation _, GemmActivation.Grad _, GemmRounding _ ->
          NativeGemm.supports(op, in, instructions);
      case Panels o -> NativeGemm.areNative(o, in[0].type(), instructions);
      case Update _ -> in[0].type() == DType.F32;
      case Add _, AddBias _, Scale _, Broadcast _, Sum _, SumRows _, SumSquares _, AllFinite _, ClipFactor _ -> true;
      case Activation _, Activation.Grad _, BiasActivation _, BiasActivation.Grad _ -> true;
      case LayerNorm _, LayerNorm.Grad _, Dropout _ -> true;
      case DropoutAddLayerNorm o -> !o.bias(); // the product takes it
      case DropoutAddLayerNorm.Grad o -> !o.bias();
      case EmbeddingLayerNorm o -> NormCalls.embeds(o, in);
      case Gather _, Gather.Grad _, GroupCrossEntropy _, GroupCrossEntropy.Grad _ -> true;
      case Attention _, Attention.Grad _, RelativeAttention _, RelativeAttention.Grad _ -> true;
      case AbsorbedAttention o -> AttentionAbsorbedCalls.supports(o, in, instructions);
      default -> false;
    };
  }

  @Override public Optional<Panels> panels(Spec weight) {
    return NativeGemm.panels(weight, instructions);
  }

  @Override public long scratchBytes(Op op, Spec[] in) {
    return switch (op) {
      case MatMul _, Gemm _, GemmSumRows _, GemmActivation _, GemmActivation.Grad _, GemmRounding _ ->
          NativeGemm.scratchBytes(op, in, instructions, workers.count());
      case Sum _, SumSquares _, AllFinite _ -> SumCalls.scratchBytes(in[0]);
      case SumRows _ -> Binding.rowChunkBytes(in[0], 1);
      case LayerNorm.Grad _, DropoutAddLayerNorm.Grad _ -> Binding.rowChunkBytes(in[0], 2);
      case DropoutAddLayerNorm _, EmbeddingLayerNorm _ -> NormCalls.rowBytes(in[0], workers.count());
      case Update.Lamb o -> LambKernel.scratchBytes(o, in);
      case Attention o when o.queries() == Queries.FIRST ->
          AttentionFirstCalls.forwardScratch(o, in, instructions, workers);
      case Attention o -> AttentionCalls.forwardScratch(o, in, false, instructions, workers);
      case Attention.Grad o when o.of().queries() == Queries.FIRST ->
          AttentionFirstCalls.gradientScratch(o.of(), in, instructions, workers);
      case Attention.Grad o -> AttentionCalls.gradientScratch(o.of(), in, false, instructions, workers);
      case AbsorbedAttention o -> AttentionAbsorbedCalls.scratchBytes(o, in, instructions, workers);
      case RelativeAttention o -> AttentionCalls.forwardScratch(o.of(), in, true, instructions, workers);
      case RelativeAttention.Grad o -> AttentionCalls.gradientScratch(o.of().of(), in, true, instructions, workers);
      default -> 0;
    };
  }

  @Override public Kernel prepare(Op op, Operands operands) {
    Binding b = new Binding(instructions, workers, operands);
    return switch (op) {
      case Add _ -> ElementwiseCalls.add(b);
      case AddBias _ -> ElementwiseCalls.addBias(b);
      case Scale _ -> ElementwiseCalls.scale(b);
      case MatMul _, Gemm _, GemmSumRows _, GemmActivation _, GemmActivation.Grad _, GemmRounding _ ->
          new NativeGemm(op, b, instructions);
      case Panels o -> NativeGemm.panels(o, b);
      case Broadcast _ -> ElementwiseCalls.broadcast(b);
      case Cast _ -> ElementwiseCalls.cast(b);
      case Sum _ -> SumCalls.all(b);
      case SumRows _ -> SumCalls.rows(b);
      case SumSquares _ -> SumCalls.squares(b);
      case AllFinite _ -> SumCalls.finite(b);
      case ClipFactor o -> SumCalls.clipFactor(b, o);
      case Activation o -> ActivationCalls.forward(b, o.kind());
      case Activation.Grad o -> ActivationCalls.backward(b, o.kind());
      case BiasActivation o -> ActivationCalls.forwardWithBias(b, o.kind());
      case BiasActivation.Grad o -> ActivationCalls.backwardWithBias(b, o.kind());
      case LayerNorm o -> NormCalls.layerNorm(b, o);
      case LayerNorm.Grad _ -> NormCalls.layerNormGrad(b);
      case Dropout o -> NormCalls.dropout(b, o);
      case DropoutAddLayerNorm o -> NormCalls.dropoutAddLayerNorm(b, o);
      case DropoutAddLayerNorm.Grad o -> NormCalls.dropoutAddLayerNormGrad(b, o);
      case EmbeddingLayerNorm o -> NormCalls.embeddingLayerNorm(b, o);
      case Gather _ -> GatherCalls.gather(b);
      case Gather.Grad _ -> GatherCalls.gatherGrad(b);
      case GroupCrossEntropy o -> GatherCalls.loss(b, o);
      case GroupCrossEntropy.Grad o -> GatherCalls.lossGrad(b, o);
      case Update.Lamb o -> new UpdateCalls.Lamb(b.isa, o, operands, workers);
      case Update.AdamWeightDecay o -> new UpdateCalls.Adam(b.isa, o, operands, workers);
      case Update.Momentum o -> new UpdateCalls.Momentum(b.isa, o, operands, workers);
      case Attention o when o.queries() == Queries.FIRST -> AttentionFirstCalls.forward(o, b);
      case Attention o -> AttentionCalls.forward(o, b);
      case Attention.Grad o when o.of().queries() == Queries.FIRST -> AttentionFirstCalls.gradient(o.of(), b);
      case Attention.Grad o -> AttentionCalls.gradient(o, b);
      case AbsorbedAttention o -> AttentionAbsorbedCalls.forward(o, b);
      case RelativeAttention o -> AttentionCalls.forward(o, b);
      case RelativeAttention.Grad o -> AttentionCalls.gradient(o, b);
      default -> throw new UnsupportedOperationException("native has no kernel for " + op.name());
    };
  }
}
