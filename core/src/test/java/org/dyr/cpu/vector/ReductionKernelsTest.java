package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Operation.floats;
import static org.dyr.cpu.vector.Operation.random;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.dyr.op.AllFinite;
import org.dyr.op.ClipFactor;
import org.dyr.op.SumSquares;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The global norm, the check for finite values, and the factor made of them. */
class ReductionKernelsTest {

  private static final SumSquares SQUARES = new SumSquares();

  private static float sumSquares(int threads, float[] x, boolean reference) {
    Spec[] in = {floats(x.length)};
    try (Operation o = new Operation(threads, SQUARES, SumSquaresKernel.scratchBytes(SQUARES, in), in)) {
      o.set(0, x);
      if (reference) o.reference();
      else o.run((p, w) -> new SumSquaresKernel(SQUARES, p, w));
      return o.output(0)[0];
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3, 31, 32, 33, 255, 8191, 8192, 8193, 100_003})
  void sumOfSquaresIsRoundedOnce(int n) {
    float[] x = random(n, n, 3);
    float expected = sumSquares(1, x, true);
    for (int threads = 1; threads <= 3; threads++) {
      assertEquals(expected, sumSquares(threads, x, false), Math.ulp(expected), threads + " threads");
      assertEquals(sumSquares(1, x, false), sumSquares(threads, x, false), threads + " threads");
    }
  }

  /** In float the squares of these would be zero, or the small ones lost beside the large one. */
  @Test void squaresAreAddedInDouble() {
    float[] x = new float[70_000];
    java.util.Arrays.fill(x, 1e-4f);
    x[0] = 1;
    assertEquals(1 + 69_999e-8, sumSquares(2, x, false), 1e-7);
    float[] tiny = new float[64];
    java.util.Arrays.fill(tiny, 1e-22f);
    assertEquals(64e-44, sumSquares(1, tiny, false), 1.5e-45);
    assertEquals(Float.NaN, sumSquares(2, new float[] {1, Float.NaN}, false));
    assertEquals(Float.POSITIVE_INFINITY, sumSquares(2, new float[] {1, Float.NEGATIVE_INFINITY}, false));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 31, 33, 100, 8193, 40_000})
  void oneValueThatIsNotFiniteIsFound(int n) {
    AllFinite op = new AllFinite();
    float[] x = random(n, n, 1e30f);
    if (n > 1) x[1] = Float.MAX_VALUE;
    for (int threads = 1; threads <= 3; threads++) {
      try (Operation o = new Operation(threads, op, 0, floats(n))) {
        var kernel = o.set(0, x).kernel((p, w) -> new AllFiniteKernel(op, p, w));
        kernel.launch();
        assertEquals(1, o.output(0)[0]);
        for (int at : new int[] {0, n / 3, n / 2, n - 2, n - 1}) {
          if (at < 0 || at >= n) continue;
          for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
            float[] y = x.clone();
            y[at] = bad;
            o.set(0, y);
            kernel.launch();
            assertEquals(0, o.output(0)[0], bad + " at " + at + " of " + n);
          }
        }
        o.set(0, x).run((p, w) -> new AllFiniteKernel(op, p, w));
        assertEquals(1, o.output(0)[0]);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"4,1,1", "0.25,1,1", "4,65536,1", "1e12,65536,1", "4,2,0", "0,1,1", "NaN,1,1", "Infinity,1,0"})
  void factorIsThatOfTheOp(float squares, float scale, double maxNorm) {
    ClipFactor op = new ClipFactor(maxNorm);
    try (Operation o = new Operation(1, op, 0, floats(1), floats(1))) {
      o.set(0, squares).set(1, scale).reference();
      float[] factor = o.output(0), norm = o.output(1);
      o.run((p, w) -> new ClipFactorKernel(op, p, w));
      assertArrayEquals(factor, o.output(0));
      assertArrayEquals(norm, o.output(1));
    }
  }
}
