package org.dyr.kernels.cuda;

import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.op.Add;
import org.dyr.op.AddBias;
import org.dyr.op.Attention;
import org.dyr.op.AttentionContext;
import org.dyr.op.AttentionDropout;
import org.dyr.op.AttentionScores;
import org.dyr.op.AttentionSoftmax;
import org.dyr.op.Broadcast;
import org.dyr.op.Cast;
import org.dyr.op.Op;
import org.dyr.op.RelativeAttention;
import org.dyr.op.RelativeContext;
import org.dyr.op.RelativeScores;
import org.dyr.op.Scale;
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
