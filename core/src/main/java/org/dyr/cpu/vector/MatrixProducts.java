package org.dyr.cpu.vector;

import java.lang.foreign.MemorySegment;
import org.dyr.cpu.Workers;
import org.dyr.device.Kernel;
import org.dyr.device.Operands;
import org.dyr.op.Gemm;
import org.dyr.tensor.Spec;

/** The ops MatMul and Gemm as {@link Sgemm}s over whole tensors. */
final class MatrixProducts {
  private MatrixProducts() {}

  static long scratchBytes(Gemm op, Spec[] in, int workers) {
    return Sgemm.scratchBytes(size(op, in), workers);
  }

  static Kernel prepare(Gemm op, Operands o, Workers workers) {
    MemorySegment bias = op.bias() ? o.inputs()[2].segment() : null;
    MemorySegment residual = op.residual() ? o.inputs()[op.residualInput()].segment() : null;
    Sgemm product = new Sgemm(size(op, o.in()), o.inputs()[0].segment(), o.inputs()[1].segment(),
        o.outputs()[0].segment(), bias, residual, o.scratch().segment(), workers);
    return product::run;
  }

  private static Product size(Gemm op, Spec[] in) {
    Spec c = op.outputs(in)[0];
    return Product.of(c.shape().dim(0), c.shape().dim(1), in[0].shape().dim(op.transposeA() ? 0 : 1), op.transposeA(),
        op.transposeB());
  }
}
