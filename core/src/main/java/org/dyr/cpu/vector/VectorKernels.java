package org.dyr.cpu.vector;

import org.dyr.cpu.LambKernel;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.op.Activation;
import org.dyr.op.Add;
import org.dyr.op.AddBias;
import org.dyr.op.AllFinite;
import org.dyr.op.Attention;
import org.dyr.op.BiasActivation;
import org.dyr.op.Broadcast;
import org.dyr.op.ClipFactor;
import org.dyr.op.Dropout;
import org.dyr.op.DropoutAddLayerNorm;
import org.dyr.op.EmbeddingLayerNorm;
import org.dyr.op.Gather;
import org.dyr.op.Gemm;
import org.dyr.op.GroupCrossEntropy;
import org.dyr.op.LayerNorm;
import org.dyr.op.MatMul;
import org.dyr.op.Op;
import org.dyr.op.Queries;
import org.dyr.op.RelativeAttention;
import org.dyr.op.Scale;
import org.dyr.op.Sum;
import org.dyr.op.SumRows;
import org.dyr.op.SumSquares;
import org.dyr.op.Update;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/** Kernels in fp32 on the Vector API, over all workers. Their results do not depend on the number of workers. */
public final class VectorKernels implements KernelSet {
  private final Workers workers;

  public VectorKernels(Workers workers) {
    this.workers = workers;
  }

  @Override public String name() {
    return "vector";
  }

  @Override public boolean supports(Op op, Spec[] in) {
    for (Spec s : in) if (s.type().isFloating() && s.type() != DType.F32) return false;
    return switch (op) {
      case MatMul _, Gemm _ -> in[1].shape().rank() == 2 && in[0].shape().size() > 0 && in[1].shape().size() > 0;
      case Gather _, Gather.Grad _ -> true;
      case Attention _, Attention.Grad _, RelativeAttention _, RelativeAttention.Grad _ -> true;
      case EmbeddingLayerNorm o -> o.to().isEmpty();
      case GroupCrossEntropy _, GroupCrossEntropy.Grad _, SumSquares _, AllFinite _, ClipFactor _, Update _ -> true;
      case AddBias _, Add _, Scale _, Sum _, SumRows _, Broadcast _ -> true;
      case Activation _, Activation.Grad _, BiasActivation _, BiasActivation.Grad _ -> true;
      case LayerNorm _, LayerNorm.Grad _, Dropout _ -> true;
      case DropoutAddLayerNorm o -> !o.bias(); // the product takes it
      case DropoutAddLayerNorm.Grad o -> !o.bias();
      default -> false;
    };
  }

  @Override public long scratchBytes(Op op, Spec[] in) {
    int threads = workers.count();
    return switch (op) {
      case MatMul o -> MatrixProducts.scratchBytes(Gemm.of(o), in, threads);
      case Gemm o -> MatrixProducts.scratchBytes(o, in, threads);
      case Attention o when o.queries() == Queries.FIRST ->
          AttentionFirstVector.scratchBytes(o, in[1].shape().rows(), threads);
      case Attention o -> AttentionVector.scratchBytes(o, in, threads);
      case Attention.Grad o when o.of().queries() == Queries.FIRST ->
          AttentionFirstGradVector.scratchBytes(o.of(), in[2].shape().rows(), threads);
      case Attention.Grad o -> AttentionGradVector.scratchBytes(o.of(), in, threads);
      case RelativeAttention o -> RelativeAttentionVector.scratchBytes(o, in, threads);
      case RelativeAttention.Grad o -> RelativeAttentionVector.Grad.scratchBytes(o, in, threads);
      case SumSquares o -> SumSquaresKernel.scratchBytes(o, in);
      case Update.Lamb o -> LambKernel.scratchBytes(o, in);
      case Activation o -> Tail.scratchBytes(threads);
      case Activation.Grad o -> Tail.scratchBytes(threads);
      case BiasActivation _, BiasActivation.Grad _ -> Tail.scratchBytes(threads);
      case LayerNorm.Grad o -> ColumnSums.scratchBytes(in[0], 2);
      case Dropout o -> DropoutVector.scratchBytes(in[0], threads);
      case DropoutAddLayerNorm o -> o.probability() > 0 ? DropoutVector.scratchBytes(in[0], threads) : 0;
      case DropoutAddLayerNorm.Grad o -> DropoutAddLayerNormVector.gradScratchBytes(in[0], o.probability(), threads);
      case Sum o -> SumVector.scratchBytes(in[0].shape().size());
      case SumRows o -> ColumnSums.scratchBytes(in[0], 1);
      default -> 0;
    };
  }

  @Override public Kernel prepare(Op op, Operands args) {
    return switch (op) {
      case MatMul o -> MatrixProducts.prepare(Gemm.of(o), args, workers);
      case Gemm o -> MatrixProducts.prepare(o, args, workers);
      case Attention o when o.queries() == Queries.FIRST -> new AttentionFirstVector(o, args, workers);
      case Attention o -> new AttentionVector(o, args, workers, null);
      case Attention.Grad o when o.of().queries() == Queries.FIRST ->
          new AttentionFirstGradVector(o.of(), args, workers);
      case Attention.Grad o -> new AttentionGradVector(o.of(), args, workers);
      case RelativeAttention o -> RelativeAttentionVector.forward(o, args, workers);
      case RelativeAttention.Grad o -> new RelativeAttentionVector.Grad(o, args, workers);
      case Gather o -> new GatherKernel(o, args, workers);
      case Gather.Grad o -> new GatherGradKernel(o, args, workers);
      case GroupCrossEntropy o -> new GroupCrossEntropyKernel(o, args, workers);
      case GroupCrossEntropy.Grad o -> new GroupCrossEntropyKernel.Grad(o, args, workers);
      case SumSquares o -> new SumSquaresKernel(o, args, workers);
      case AllFinite o -> new AllFiniteKernel(o, args, workers);
      case ClipFactor o -> new ClipFactorKernel(o, args, workers);
      case Update.Lamb o -> new LambVector(o, args, workers);
      case Update.AdamWeightDecay o -> new AdamWeightDecayKernel(o, args, workers);
      case Update.Momentum o -> new MomentumKernel(o, args, workers);
      case AddBias o -> ElementwiseVector.addBias(workers, args);
      case Add o -> ElementwiseVector.add(workers, args);
      case Scale o -> ElementwiseVector.scale(workers, args);
      case Broadcast o -> ElementwiseVector.broadcast(workers, args);
      case Activation o -> ActivationVector.prepare(workers, o.kind(), args);
      case Activation.Grad o -> ActivationGradVector.prepare(workers, o.kind(), args);
      case BiasActivation o -> ActivationVector.prepareWithBias(workers, o.kind(), args);
      case BiasActivation.Grad o -> ActivationGradVector.prepareWithBias(workers, o.kind(), args);
      case LayerNorm o -> LayerNormVector.forward(workers, o.eps(), args);
      case LayerNorm.Grad o -> LayerNormVector.backward(workers, args);
      case Dropout o -> DropoutVector.prepare(workers, o.probability(), o.site(), args);
      case DropoutAddLayerNorm o -> DropoutAddLayerNormVector.forward(workers, o, args);
      case DropoutAddLayerNorm.Grad o -> DropoutAddLayerNormVector.backward(workers, o, args);
      case EmbeddingLayerNorm o -> EmbeddingLayerNormVector.forward(workers, o, args);
      case Sum o -> SumVector.prepare(workers, args);
      case SumRows o -> ColumnSums.prepareSumRows(workers, args);
      default -> throw new UnsupportedOperationException("vector has no kernel for " + op.name());
    };
  }
}
