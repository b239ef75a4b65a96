package org.dyr.kernels.cuda;

import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.op.Add;
import org.dyr.op.AddBias;
import org.dyr.op.Attention;
import org.dyr.op.Broadcast;
import org.dyr.op.Cast;
import org.dyr.op.Op;
import org.dyr.op.RelativeAttention;
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
      case Attention _, RelativeAttention _ -> AttentionCalls.supports(op, in);
      default -> false;
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
      case RelativeAttention o -> AttentionCalls.relative(b, o);
      default -> throw new UnsupportedOperationException("cuda has no kernel for " + op.name());
    };
  }
}
