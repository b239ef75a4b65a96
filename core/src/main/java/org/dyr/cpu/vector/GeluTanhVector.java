package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * gelu by tanh over whole vectors: y = u/2 (1 + tanh v), v = sqrt(2/pi) (u + 0.044715 u^3), u = x + b, and its slope.
 * See {@link ActivationVector} for b and step; y and dx hold e = e^(-2v) between the passes and must have memory of
 * their own. (1 + tanh v) / 2 = s = 1 / (1 + e), the sigmoid of 2v.
 */
final class GeluTanhVector {
  private static final float SQRT_2_OVER_PI = 0.797884561f;
  private static final float CUBIC = 0.044715f;

  /** From here on s is 1 in fp32, and at its negative 0. */
  private static final float FLAT = 10;

  private static final FloatVector ONE = FloatVector.broadcast(F, 1);

  /** -2v = u (LINEAR + CUBE u^2); 2v' = SLOPE + SLOPE_SQUARE u^2. */
  private static final FloatVector LINEAR = FloatVector.broadcast(F, -2 * SQRT_2_OVER_PI);
  private static final FloatVector CUBE = FloatVector.broadcast(F, -2 * SQRT_2_OVER_PI * CUBIC);
  private static final FloatVector SLOPE = FloatVector.broadcast(F, 2 * SQRT_2_OVER_PI);
  private static final FloatVector SLOPE_SQUARE = FloatVector.broadcast(F, 6 * SQRT_2_OVER_PI * CUBIC);

  private GeluTanhVector() {}

  /** e = e^(-2v), u held within [-FLAT, FLAT], so that neither it nor u^3 overflows. */
  private static void exp(long x, long b, int step, long e, int n) {
    for (int i = 0; i < n; i += COUNT) {
      FloatVector u = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * i), ORDER)
          .add(FloatVector.fromMemorySegment(F, ALL, at(b + 4L * i * step), ORDER));
      u = u.blend(FLAT, u.compare(VectorOperators.GT, FLAT));
      u = u.blend(-FLAT, u.compare(VectorOperators.LT, -FLAT));
      u.mul(u).fma(CUBE, LINEAR).mul(u).intoMemorySegment(ALL, at(e + 4L * i), ORDER);
    }
    VectorMath.exp(e, 0, e, n);
  }

  /** y = u s. */
  static void forward(long x, long b, int step, long y, int n) {
    exp(x, b, step, y, n);
    for (int i = 0; i < n; i += COUNT) {
      FloatVector u = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * i), ORDER)
          .add(FloatVector.fromMemorySegment(F, ALL, at(b + 4L * i * step), ORDER));
      FloatVector s = ONE.div(FloatVector.fromMemorySegment(F, ALL, at(y + 4L * i), ORDER).add(1f));
      u.mul(s.blend(0f, u.compare(VectorOperators.LT, -FLAT))).intoMemorySegment(ALL, at(y + 4L * i), ORDER);
    }
  }

  /** dx = dy (s + u s (e s) 2v'), v' = sqrt(2/pi) (1 + 3 * 0.044715 u^2). e s is 1 - s without cancellation. */
  static void backward(long dy, long x, long b, int step, long dx, int n) {
    exp(x, b, step, dx, n);
    for (int i = 0; i < n; i += COUNT) {
      FloatVector u = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * i), ORDER)
          .add(FloatVector.fromMemorySegment(F, ALL, at(b + 4L * i * step), ORDER));
      FloatVector e = FloatVector.fromMemorySegment(F, ALL, at(dx + 4L * i), ORDER);
      FloatVector s = ONE.div(e.add(1f));
      FloatVector d = u.mul(u).fma(SLOPE_SQUARE, SLOPE).mul(u).mul(s).fma(e.mul(s), s);
      d = d.blend(0f, u.compare(VectorOperators.LT, -FLAT)).blend(1f, u.compare(VectorOperators.GT, FLAT));
      d.mul(FloatVector.fromMemorySegment(F, ALL, at(dy + 4L * i), ORDER))
          .intoMemorySegment(ALL, at(dx + 4L * i), ORDER);
    }
  }
}
