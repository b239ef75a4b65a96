package org.dyr.kernels.cpu;

import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.op.Add;
import org.dyr.op.AddBias;
import org.dyr.op.Attention;
import org.dyr.op.Cast;
import org.dyr.op.Op;
import org.dyr.op.Scale;
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
      case Cast o -> in[0].type() == DType.F32 && o.to() == DType.BF16 || in[0].type() == DType.BF16 && o.to() == DType.F32;
      case Add _, AddBias _, Scale _ -> true;
      case Attention _, Attention.Grad _ -> true;
      default -> false;
    };
  }

  @Override public long scratchBytes(Op op, Spec[] in) {
    return switch (op) {
      case Attention o -> AttentionCalls.scratchBytes(o, in, instructions, workers);
      case Attention.Grad o -> AttentionCalls.scratchBytes(o, in, instructions, workers);
      default -> 0;
    };
  }

  @Override public Kernel prepare(Op op, Operands operands) {
    Binding b = new Binding(instructions, workers, operands);
    return switch (op) {
      case Add _ -> ElementwiseCalls.add(b);
      case AddBias _ -> ElementwiseCalls.addBias(b);
      case Scale _ -> ElementwiseCalls.scale(b);
      case Cast _ -> ElementwiseCalls.cast(b);
      case Attention o -> AttentionCalls.forward(o, b);
      case Attention.Grad o -> AttentionCalls.gradient(o, b);
      default -> throw new UnsupportedOperationException("native has no kernel for " + op.name());
    };
  }
}
