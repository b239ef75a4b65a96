package org.dyr.cpu;

import org.dyr.tensor.DType;

/** Some milliseconds of independent multiply-adds on one thread, from registers. */
@FunctionalInterface
public interface PeakLoop {

  /**
   * Runs and returns the floating-point operations done: two a multiply-add.
   *
   * @param type fp32, or bf16 where the processor multiplies it as it is; else this is fp32's loop too
   */
  long run(DType type);

  /** Without a vector unit: eight chains of scalar multiply-adds. */
  PeakLoop SCALAR = _ -> {
    int n = 1_000_000;
    float a = 1e-9f, x0 = 1, x1 = 2, x2 = 3, x3 = 4, x4 = 5, x5 = 6, x6 = 7, x7 = 8;
    for (int i = 0; i < n; i++) {
      x0 = Math.fma(a, a, x0);
      x1 = Math.fma(a, a, x1);
      x2 = Math.fma(a, a, x2);
      x3 = Math.fma(a, a, x3);
      x4 = Math.fma(a, a, x4);
      x5 = Math.fma(a, a, x5);
      x6 = Math.fma(a, a, x6);
      x7 = Math.fma(a, a, x7);
    }
    // The sum is positive; the comparison keeps the loop from being removed.
    return x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 > 0 ? 16L * n : 0;
  };
}
