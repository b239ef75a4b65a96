package org.dyr.kernels.cuda;

import static org.bytedeco.cuda.global.cublas.CUBLAS_STATUS_SUCCESS;

import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.dyr.device.Kernel;

/**
 * A product with its algorithm and its memory: a launch is one call. With a right algorithm ({@link Trial}) the bias
 * is added to the sums before they are rounded, the residual too; in place, c is the residual.
 */
final class CublasLtProduct implements Kernel {
  private final cublasLtContext handle;
  private final Descriptors descriptors;
  private final Blas.Algorithm algorithm;
  private final FloatPointer factor = new FloatPointer(1f);
  private final FloatPointer addend;
  private final Pointer a;         // op(a) is (M,K)
  private final Pointer b;         // op(b) is (K,N)
  private final Pointer residual;  // (M,N); c where there is none
  private final Pointer c;         // (M,N)
  private final Pointer workspace;
  private final CUstream_st stream;

  /** The addresses of its operands; what it has not is 0. */
  record Operands(long a, long b, long bias, long residual, long c, long workspace) {

    /** @throws IllegalArgumentException where an address is not as algorithms are chosen for */
    Operands {
      if (((a | b | bias | residual | c) & Blas.ALIGNMENT - 1) != 0) {
        throw new IllegalArgumentException("operands of a product lie at multiples of %d bytes, not %x, %x, %x, %x, %x"
            .formatted(Blas.ALIGNMENT, a, b, bias, residual, c));
      }
    }
  }

  CublasLtProduct(cublasLtContext handle, Product product, Blas.Algorithm algorithm, Operands o, CUstream_st stream) {
    this.handle = handle;
    this.algorithm = algorithm;
    this.stream = stream;
    descriptors = Descriptors.of(product);
    if (product.bias()) Blas.setBias(descriptors.operation(), o.bias(), product);
    addend = new FloatPointer(product.residual() ? 1f : 0f);
    a = new At(o.a());
    b = new At(o.b());
    residual = new At(product.residual() ? o.residual() : o.c());
    c = new At(o.c());
    workspace = new At(o.workspace());
  }

  /** A pointer to memory that it does not own. */
  private static final class At extends Pointer {
    At(long address) {
      super((Pointer) null);
      this.address = address;
    }
  }

  @Override public void launch() {
    Blas.check(multiply(), "cublasLtMatmul", descriptors.product());
  }

  /** Launches it, unless the library refuses what it has proposed. */
  boolean isTaken() {
    return multiply() == CUBLAS_STATUS_SUCCESS;
  }

  private int multiply() {
    return Blas.multiply(handle, descriptors, factor, a, b, addend, residual, c, algorithm, workspace, stream);
  }

  @Override public void close() {
    descriptors.close();
    factor.close();
    addend.close();
  }
}
