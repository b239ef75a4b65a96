package org.dyr.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.DoubleUnaryOperator;
import org.dyr.op.Activation;
import org.dyr.tensor.DType;
import org.dyr.tensor.Spec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The errors that {@link VectorMath} states, over the whole range, and the values at its ends. */
class VectorMathTest {
  private static final float[] ENDS = {0f, -0f, Float.MIN_VALUE, -Float.MIN_VALUE, 1e-30f, -1e-30f, 5.9999f, 6f,
      6.0001f, -6f, 9f, -9f, 10f, -10f, 10.001f, -10.001f, 13f, -13f, 20f, -20f, 88f, -88f, 1e4f,
      -1e4f, 1e13f, -1e13f, 1e19f, -1e19f, 1e30f, -1e30f, Float.MAX_VALUE, -Float.MAX_VALUE,
      Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY,
      Float.NaN};

  private interface Loop {
    void run(long x, long y, int n);
  }

  private static final Loop EXP = (x, y, n) -> VectorMath.exp(x, 0, y, n);

  /** Runs the loop over whole vectors of the values. */
  private static float[] apply(Loop loop, float... values) {
    int n = (values.length + Lanes.COUNT - 1) / Lanes.COUNT * Lanes.COUNT;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment x = arena.allocate(4L * n, 64), y = arena.allocate(4L * n, 64);
      MemorySegment.copy(values, 0, x, ValueLayout.JAVA_FLOAT, 0, values.length);
      loop.run(x.address(), y.address(), n);
      return y.asSlice(0, 4L * values.length).toArray(ValueLayout.JAVA_FLOAT);
    }
  }

  /** The largest |got - want| / (want + floor) between two ends. */
  private static double error(Loop loop, DoubleUnaryOperator want, double from, double to, double floor) {
    float[] x = new float[40_001];
    for (int i = 0; i < x.length; i++) x[i] = (float) (from + (to - from) * i / (x.length - 1));
    float[] y = apply(loop, x);
    double worst = 0;
    for (int i = 0; i < x.length; i++) {
      double w = want.applyAsDouble(x[i]);
      worst = Math.max(worst, Math.abs(y[i] - w) / (Math.abs(w) + floor));
    }
    return worst;
  }

  private static void assertBelow(double error, double bound) {
    assertTrue(error < bound, "error " + error + ", not below " + bound);
  }

  @Test void exp() {
    assertBelow(error(EXP, Math::exp, -86.9, 88.72, 0), 1.3e-7);
    assertBelow(error(EXP, Math::exp, -1e-3, 1e-3, 0), 1.3e-7);
    assertBelow(error((x, y, n) -> VectorMath.exp(x, 3, y, n), x -> Math.exp(x - 3), -2, 5, 0), 4e-7);
    float inf = Float.POSITIVE_INFINITY;
    assertArrayEquals(new float[] {1, 1, 0, 0, inf, inf, Float.NaN},
        apply(EXP, 0f, -0f, -88f, -inf, 89f, inf, Float.intBitsToFloat(0x7fc12345)));
  }

  @Test void tanh() {
    assertBelow(error(VectorMath::tanh, Math::tanh, -10, 10, 1e-30), 3.5e-7);
    assertBelow(error(VectorMath::tanh, Math::tanh, -1e-3, 1e-3, 1e-30), 3.5e-7);
    assertArrayEquals(new float[] {0, 1, -1, 1, -1, Float.NaN},
        apply(VectorMath::tanh, 0f, 20f, -20f, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN), 1e-7f);
  }

  @ParameterizedTest
  @EnumSource(Activation.Kind.class)
  void activationsAndSlopesOverTheWholeRange(Activation.Kind kind) {
    float[] x = Arrays.copyOf(ENDS, ENDS.length + 40_001);
    for (int i = 0; i <= 40_000; i++) x[ENDS.length + i] = (i - 20_000) / 1000f;
    float[] ones = new float[x.length];
    Arrays.fill(ones, 1f);
    Spec spec = Spec.of(DType.F32, x.length);
    check(x, new VectorCase(new Activation(kind), spec), x);
    check(x, new VectorCase(new Activation.Grad(kind), spec, spec), ones, x);
  }

  private static void check(float[] x, VectorCase c, float[]... inputs) {
    float[] want = c.reference(inputs)[0], got = c.vector(1, inputs)[0];
    for (int i = 0; i < x.length; i++) {
      String place = c.op().name() + " at " + x[i];
      // Where the formula is infinity times zero, the kernel may have the limit.
      if (Float.isInfinite(x[i]) && Float.isNaN(want[i]) && (got[i] == 0 || got[i] == 1)) continue;
      if (Float.isFinite(want[i])) assertEquals(want[i], got[i], 1e-6 + 1e-6 * Math.abs(want[i]), place);
      else assertEquals(want[i], got[i], place);
    }
  }
}
