package org.dyr.kernels.cuda;

import org.bytedeco.cuda.cublas.cublasLtMatmulDescOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatrixLayoutOpaque_t;

/** A product in cuBLASLt's terms: the operation and how its matrices lie; residual and c lie alike. */
record Descriptors(Product product, cublasLtMatmulDescOpaque_t operation, cublasLtMatrixLayoutOpaque_t a,
    cublasLtMatrixLayoutOpaque_t b, cublasLtMatrixLayoutOpaque_t c) implements AutoCloseable {

  static Descriptors of(Product p) {
    return new Descriptors(p, Blas.operation(p), Blas.layout(p.a()), Blas.layout(p.b()), Blas.layout(p.c()));
  }

  @Override public void close() {
    Blas.destroy(operation, product);
    Blas.destroy(a, product.a());
    Blas.destroy(b, product.b());
    Blas.destroy(c, product.c());
  }
}
