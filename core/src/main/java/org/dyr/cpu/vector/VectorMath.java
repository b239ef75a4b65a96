package org.dyr.cpu.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Elementary functions of fp32 vectors, without a branch and without a call: about 15 instructions for {@link #exp}.
 * The coefficients are this project's own: weighted least squares on Chebyshev nodes with Lawson's reweighting, which
 * tends to the minimax polynomial, against 40-digit values, then rounded to fp32. NaN gives NaN. Each error below is
 * the largest found against double over the whole range, the rounding of fp32 included.
 */
final class VectorMath {
  // Constants are whole vectors: to broadcast in place costs the compiler as many nodes as to multiply.
  private static final FloatVector ZERO = c(0);
  private static final FloatVector ONE = c(1);
  private static final FloatVector LOG2_E = c(1.44269504f);

  /** -ln 2 in two parts: the first has 15 bits, so that its product with a small integer is exact. */
  private static final FloatVector LN2_HIGH = c(-0.693145752f);
  private static final FloatVector LN2_LOW = c(-1.42860677e-6f);

  /**
   * 1.5 * 2^23: a float this large has no fraction, so adding it rounds to an integer, which stands in its low bits.
   */
  private static final FloatVector ROUND = c(0x1.8p23f + 126);

  /** Of twice e^r: 2, 2, and twice the coefficients of P, the highest last. */
  private static final FloatVector E0 = c(2);
  private static final FloatVector E2 = c(2 * 0.49999994f);
  private static final FloatVector E3 = c(2 * 0.16666521f);
  private static final FloatVector E4 = c(2 * 4.1668389e-2f);
  private static final FloatVector E5 = c(2 * 8.3687110e-3f);
  private static final FloatVector E6 = c(2 * 1.3814608e-3f);
  private static final FloatVector E_LOWEST = c(-86.9f);
  private static final FloatVector E_HIGHEST = c(88.722839f);

  /** P and Q of tanh, the highest last; both begin with 1. */
  private static final FloatVector P1 = c(0.13381013f);
  private static final FloatVector P2 = c(3.4955740e-3f);
  private static final FloatVector P3 = c(2.0608852e-5f);
  private static final FloatVector P4 = c(1.3354351e-8f);
  private static final FloatVector Q1 = c(0.46714330f);
  private static final FloatVector Q2 = c(2.5876928e-2f);
  private static final FloatVector Q3 = c(3.2856117e-4f);
  private static final FloatVector Q4 = c(7.7764287e-7f);
  private static final FloatVector TANH_FLAT = c(9);

  /** R of the normal distribution, the highest last. */
  private static final FloatVector R0 = c(0.49999997f);
  private static final FloatVector R1 = c(-0.39893934f);
  private static final FloatVector R2 = c(0.24995568f);
  private static final FloatVector R3 = c(-0.13271931f);
  private static final FloatVector R4 = c(6.1702415e-2f);
  private static final FloatVector R5 = c(-2.5148761e-2f);
  private static final FloatVector R6 = c(8.7168749e-3f);
  private static final FloatVector R7 = c(-2.4299533e-3f);
  private static final FloatVector R8 = c(5.0744368e-4f);
  private static final FloatVector R9 = c(-7.2764087e-5f);
  private static final FloatVector R10 = c(6.2871250e-6f);
  private static final FloatVector R11 = c(-2.4419762e-7f);
  private static final FloatVector R_END = c(6);

  private static final FloatVector MINUS_HALF = c(-0.5f);
  private static final FloatVector SQRT_1_OVER_2_PI = c(0.398942280f);

  private VectorMath() {}

  private static FloatVector c(float x) {
    return FloatVector.broadcast(Lanes.F, x);
  }

  /** e^x, relative error below 1.3e-7; 0 below -86.9 (where it is 1.8e-38), infinite above 88.72. */
  static FloatVector exp(FloatVector x) {
    FloatVector e = expNotPositive(x);
    return e.blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.GT, E_HIGHEST));
  }

  /**
   * e^x for x up to 0, and right up to 88.7: the error of {@link #exp}.
   *
   * <p>x = n ln 2 + r with |r| at most ln(2)/2, e^x = 2^n e^r, e^r = 1 + r + r^2 P(r) with P of degree 4 (fitted to a
   * relative error of 3.1e-9 of e^r). P is doubled and n less by one, so that e^88.7 does not overflow on the way.
   */
  static FloatVector expNotPositive(FloatVector x) {
    FloatVector shifted = x.fma(LOG2_E, ROUND);
    FloatVector n = shifted.sub(ROUND);
    FloatVector r = n.fma(LN2_LOW, n.fma(LN2_HIGH, x));
    FloatVector p = E6.fma(r, E5).fma(r, E4).fma(r, E3).fma(r, E2).fma(r, E0).fma(r, E0);
    IntVector power = shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
    return p.mul(power.reinterpretAsFloats()).blend(ZERO, x.compare(VectorOperators.LT, E_LOWEST));
  }

  /**
   * tanh x = x P(x^2) / Q(x^2), P and Q of degree 4 (fitted to a relative error of 2.1e-8), x cut off at 9, where tanh
   * is 1 in fp32. Relative error below 3.5e-7.
   */
  static FloatVector tanh(FloatVector x) {
    FloatVector a = x.blend(TANH_FLAT, x.compare(VectorOperators.GT, TANH_FLAT));
    a = a.blend(TANH_FLAT.neg(), x.compare(VectorOperators.LT, TANH_FLAT.neg()));
    FloatVector s = a.mul(a);
    FloatVector p = P4.fma(s, P3).fma(s, P2).fma(s, P1).fma(s, ONE);
    FloatVector q = Q4.fma(s, Q3).fma(s, Q2).fma(s, Q1).fma(s, ONE);
    return a.mul(p).div(q);
  }

  /** e^(-x^2/2): the density of the normal distribution without its factor. */
  static FloatVector bell(FloatVector x) {
    return expNotPositive(x.mul(MINUS_HALF).mul(x));
  }

  /** phi(x) = e^(-x^2/2) / sqrt(2 pi), given the {@link #bell} of x. */
  static FloatVector normalDensity(FloatVector bell) {
    return bell.mul(SQRT_1_OVER_2_PI);
  }

  /**
   * Phi(x) = (1 + erf(x / sqrt 2)) / 2, given the {@link #bell} of x. With a = |x|, Phi(-a) = e^(-a^2/2) R(a), and
   * R is a polynomial of degree 11 on [0,6], fitted to 3.2e-8 of e^(-a^2/2) max(a,1) R(a): the error that Phi(x) and
   * x Phi(x) see. From 6 on, where Phi(-a) is below 1e-9, R stays R(6). Absolute error below 1.2e-7.
   */
  static FloatVector normalDistribution(FloatVector x, FloatVector bell) {
    FloatVector a = x.abs();
    a = a.blend(R_END, a.compare(VectorOperators.GT, R_END));
    FloatVector r = R11.fma(a, R10).fma(a, R9).fma(a, R8).fma(a, R7).fma(a, R6).fma(a, R5).fma(a, R4);
    FloatVector tail = r.fma(a, R3).fma(a, R2).fma(a, R1).fma(a, R0).mul(bell);
    return ONE.sub(tail).blend(tail, x.compare(VectorOperators.LT, ZERO));
  }
}
