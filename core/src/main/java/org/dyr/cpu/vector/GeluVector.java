package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * gelu over whole vectors: y = u Phi(u), u = x + b, and its slope Phi(u) + u phi(u). See {@link ActivationVector} for b
 * and step; y and dx hold e^(-u^2/2) between the passes and must have memory of their own.
 *
 * <p>With a = |u|, Phi(-a) = e^(-a^2/2) R(a), and R is a polynomial of degree 11 on [0,6], fitted as in
 * {@link VectorMath} to 3.2e-8 of e^(-a^2/2) max(a,1) R(a): the error that Phi(u) and u Phi(u) see. From 6 on, where
 * Phi(-a) is below 1e-9, R stays R(6).
 */
final class GeluVector {
  /** The coefficients of R, the highest last. */
  private static final FloatVector R0 = FloatVector.broadcast(F, 0.49999997f);
  private static final FloatVector R1 = FloatVector.broadcast(F, -0.39893934f);
  private static final FloatVector R2 = FloatVector.broadcast(F, 0.24995568f);
  private static final FloatVector R3 = FloatVector.broadcast(F, -0.13271931f);
  private static final FloatVector R4 = FloatVector.broadcast(F, 6.1702415e-2f);
  private static final FloatVector R5 = FloatVector.broadcast(F, -2.5148761e-2f);
  private static final FloatVector R6 = FloatVector.broadcast(F, 8.7168749e-3f);
  private static final FloatVector R7 = FloatVector.broadcast(F, -2.4299533e-3f);
  private static final FloatVector R8 = FloatVector.broadcast(F, 5.0744368e-4f);
  private static final FloatVector R9 = FloatVector.broadcast(F, -7.2764087e-5f);
  private static final FloatVector R10 = FloatVector.broadcast(F, 6.2871250e-6f);
  private static final FloatVector R11 = FloatVector.broadcast(F, -2.4419762e-7f);
  private static final FloatVector R_END = FloatVector.broadcast(F, 6);

  private static final FloatVector ZERO = FloatVector.zero(F);
  private static final FloatVector ONE = FloatVector.broadcast(F, 1);
  private static final FloatVector MINUS_HALF = FloatVector.broadcast(F, -0.5f);
  private static final FloatVector SQRT_1_OVER_2_PI = FloatVector.broadcast(F, 0.398942280f);

  private GeluVector() {}

  /** y = e^(-u^2/2): the density of the normal distribution without its factor. */
  private static void bell(long x, long b, int step, long y, int n) {
    for (int i = 0; i < n; i += COUNT) {
      FloatVector u = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * i), ORDER)
          .add(FloatVector.fromMemorySegment(F, ALL, at(b + 4L * i * step), ORDER));
      u.mul(MINUS_HALF).mul(u).intoMemorySegment(ALL, at(y + 4L * i), ORDER);
    }
    VectorMath.exp(y, 0, y, n);
  }

  /** y = u Phi(u). */
  static void forward(long x, long b, int step, long y, int n) {
    bell(x, b, step, y, n);
    for (int i = 0; i < n; i += COUNT) {
      FloatVector u = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * i), ORDER)
          .add(FloatVector.fromMemorySegment(F, ALL, at(b + 4L * i * step), ORDER));
      FloatVector bell = FloatVector.fromMemorySegment(F, ALL, at(y + 4L * i), ORDER), a = u.abs();
      a = a.blend(R_END, a.compare(VectorOperators.GT, R_END));
      FloatVector r = R11.fma(a, R10).fma(a, R9).fma(a, R8).fma(a, R7).fma(a, R6).fma(a, R5).fma(a, R4);
      FloatVector tail = r.fma(a, R3).fma(a, R2).fma(a, R1).fma(a, R0).mul(bell);
      FloatVector phi = ONE.sub(tail).blend(tail, u.compare(VectorOperators.LT, ZERO));
      u.mul(phi).intoMemorySegment(ALL, at(y + 4L * i), ORDER);
    }
  }

  /** dx = dy (Phi(u) + u phi(u)). */
  static void backward(long dy, long x, long b, int step, long dx, int n) {
    bell(x, b, step, dx, n);
    for (int i = 0; i < n; i += COUNT) {
      FloatVector u = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * i), ORDER)
          .add(FloatVector.fromMemorySegment(F, ALL, at(b + 4L * i * step), ORDER));
      FloatVector bell = FloatVector.fromMemorySegment(F, ALL, at(dx + 4L * i), ORDER), a = u.abs();
      a = a.blend(R_END, a.compare(VectorOperators.GT, R_END));
      FloatVector r = R11.fma(a, R10).fma(a, R9).fma(a, R8).fma(a, R7).fma(a, R6).fma(a, R5).fma(a, R4);
      FloatVector tail = r.fma(a, R3).fma(a, R2).fma(a, R1).fma(a, R0).mul(bell);
      FloatVector phi = ONE.sub(tail).blend(tail, u.compare(VectorOperators.LT, ZERO));
      FloatVector slope = u.mul(bell).fma(SQRT_1_OVER_2_PI, phi);
      slope.mul(FloatVector.fromMemorySegment(F, ALL, at(dy + 4L * i), ORDER))
          .intoMemorySegment(ALL, at(dx + 4L * i), ORDER);
    }
  }
}
