package org.dyr.cpu.vector;

/**
 * The sizes of C (m,n) = op(A) (m,k) op(B) (k,n), all row-major.
 *
 * @param transposeA A is stored (k,m) instead of (m,k)
 * @param transposeB B is stored (n,k) instead of (k,n)
 * @param lda floats from one stored row of A to the next; ldb, ldc and ldr likewise for B, C and the residual
 */
public record Product(int m, int n, int k, boolean transposeA, boolean transposeB, int lda, int ldb, int ldc, int ldr) {

  public Product {
    if (m < 1 || n < 1 || k < 1) {
      throw new IllegalArgumentException("Product: m %d, n %d, k %d must all be at least 1".formatted(m, n, k));
    }
    check("lda", lda, transposeA ? m : k);
    check("ldb", ldb, transposeB ? k : n);
    check("ldc", ldc, n);
    check("ldr", ldr, n);
  }

  /** Without gaps between the rows. */
  public static Product of(int m, int n, int k, boolean transposeA, boolean transposeB) {
    return new Product(m, n, k, transposeA, transposeB, transposeA ? m : k, transposeB ? k : n, n, n);
  }

  public double flops() {
    return 2.0 * m * n * k;
  }

  private static void check(String name, int stride, int width) {
    if (stride < width) {
      throw new IllegalArgumentException(
          "Product: %s %d is less than the row's width %d".formatted(name, stride, width));
    }
  }
}
