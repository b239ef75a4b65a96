package org.dyr.kernels.cuda;

import org.dyr.op.Gemm;
import org.dyr.op.MatMul;
import org.dyr.op.Op;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;

/**
 * c = op(a) op(b) [+ bias] [+ residual] by all that an algorithm is chosen by; op(a) is (M,K), op(b) (K,N), bias (N),
 * residual and c (M,N).
 *
 * @param type of a and b
 * @param result of c, bias and residual
 */
record Product(int m, int n, int k, boolean transposeA, boolean transposeB, DType type, DType result, boolean bias,
    boolean residual) {

  /** Of a {@link MatMul} or a {@link Gemm}. */
  static Product of(Op op, Spec[] in) {
    Gemm g = gemm(op);
    Spec c = g.outputs(in)[0];
    return new Product(c.shape().dim(0), c.shape().dim(1), in[0].shape().dim(g.transposeA() ? 0 : 1), g.transposeA(),
        g.transposeB(), in[0].type(), c.type(), g.bias(), g.residual());
  }

  /** The plain product of two squares. */
  static Product square(DType type, int size) {
    return new Product(size, size, size, false, true, type, type, false, false);
  }

  static Gemm gemm(Op op) {
    return op instanceof MatMul m ? Gemm.of(m) : (Gemm) op;
  }

  /**
   * Whether its algorithms are tried for rounding sums of 16 bits before they add. Not for a residual alone: all do so
   * at the sizes of a model, as the MatMul and the Add do that such a product stands for.
   */
  boolean isTried() {
    return result.isHalf() && bias;
  }

  /** The same with all but a and b in fp32. */
  Product wide() {
    return new Product(m, n, k, transposeA, transposeB, type, DType.F32, bias, residual);
  }

  Spec a() {
    return transposeA ? Spec.of(type, k, m) : Spec.of(type, m, k);
  }

  Spec b() {
    return transposeB ? Spec.of(type, n, k) : Spec.of(type, k, n);
  }

  Spec c() {
    return Spec.of(result, m, n);
  }

  /** {@code bf16(512,768) bf16(3072,768)^T + bias -> bf16(512,3072)}. */
  @Override public String toString() {
    return "%s%s %s%s%s%s -> %s".formatted(a(), transposeA ? "^T" : "", b(), transposeB ? "^T" : "",
        bias ? " + bias" : "", residual ? " + residual" : "", c());
  }
}
