package org.dyr.kernels.cpu;

import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.KernelSet;
import org.dyr.device.Operands;
import org.dyr.op.Gemm;
import org.dyr.op.MatMul;
import org.dyr.op.Op;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * Matrix products in fp32 by OpenBLAS. The library is loaded when a product is asked for that no set above took; where
 * it does not load, it supports none, and the sets below serve.
 */
final class OpenBlas implements KernelSet {
  private final Workers workers;

  OpenBlas(Workers workers) {
    this.workers = workers;
  }

  @Override public String name() {
    return "openblas";
  }

  @Override public boolean supports(Op op, Spec[] in) {
    return (op instanceof MatMul || op instanceof Gemm) && in[0].type() == DType.F32 && in[1].shape().rank() == 2
        && OpenBlasProvider.loadingFailure().isEmpty();
  }

  @Override public Kernel prepare(Op op, Operands o) {
    return new OpenBlasGemm(NativeGemm.gemm(op), o, workers);
  }
}
