package org.dyr.cpu.vector;

import static org.dyr.cpu.vector.Lanes.COUNT;
import static org.dyr.cpu.vector.Lanes.F;
import static org.dyr.cpu.vector.Ram.ALL;
import static org.dyr.cpu.vector.Ram.ORDER;
import static org.dyr.cpu.vector.Ram.at;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Elementary functions in fp32, from memory to memory (see {@link Floats} for why not from vector to vector), over
 * whole vectors of native floats; x and y may be one. No branch and no call: about 15 instructions for {@link #exp}.
 *
 * <p>The coefficients are this project's own: weighted least squares on Chebyshev nodes with Lawson's reweighting,
 * which tends to the minimax polynomial, against 40-digit values, then rounded to fp32. NaN gives NaN. Each error below
 * bounds what is found against double over the whole range, the rounding of fp32 included.
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
   * 1.5 * 2^23: a float this large has no fraction, so adding it rounds to an integer k, which stands in its low bits.
   * With 126 more, those hold k - 1 and the exponent's bias of 127, as a power of two wants them.
   */
  private static final FloatVector ROUND = c(0x1.8p23f + 126);

  /** Of twice e^r: 2, 2, and twice the coefficients of P, the highest last. */
  private static final FloatVector E0 = c(2);
  private static final FloatVector E2 = c(2 * 0.49999994f);
  private static final FloatVector E3 = c(2 * 0.16666521f);
  private static final FloatVector E4 = c(2 * 4.1668389e-2f);
  private static final FloatVector E5 = c(2 * 8.3687110e-3f);
  private static final FloatVector E6 = c(2 * 1.3814608e-3f);
  private static final FloatVector INFINITY = c(Float.POSITIVE_INFINITY);
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
  private static final FloatVector MINUS_TANH_FLAT = c(-9);

  private VectorMath() {}

  private static FloatVector c(float x) {
    return FloatVector.broadcast(F, x);
  }

  /**
   * y = e^(x - shift) over n floats. With z = x - shift, relative error below 1.3e-7 of e^z; 0 for z below -86.9 (where
   * it is 1.8e-38), infinite above 88.72.
   *
   * <p>z = k ln 2 + r with |r| at most ln(2)/2, e^z = 2^k e^r, e^r = 1 + r + r^2 P(r) with P of degree 4 (fitted to a
   * relative error of 3.1e-9 of e^r). P is doubled and k less by one, so that e^88.7 does not overflow on the way.
   */
  static void exp(long x, float shift, long y, int n) {
    for (int i = 0; i < n; i += COUNT) {
      FloatVector z = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * i), ORDER).sub(shift);
      FloatVector rounded = z.fma(LOG2_E, ROUND);
      FloatVector k = rounded.sub(ROUND);
      FloatVector r = k.fma(LN2_LOW, k.fma(LN2_HIGH, z));
      FloatVector p = E6.fma(r, E5).fma(r, E4).fma(r, E3).fma(r, E2).fma(r, E0).fma(r, E0);
      FloatVector power = rounded.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
      FloatVector e = p.mul(power).blend(ZERO, z.compare(VectorOperators.LT, E_LOWEST));
      e.blend(INFINITY, z.compare(VectorOperators.GT, E_HIGHEST)).intoMemorySegment(ALL, at(y + 4L * i), ORDER);
    }
  }

  /**
   * y = tanh x = x P(x^2) / Q(x^2) over n floats, P and Q of degree 4 (fitted to a relative error of 2.1e-8), x cut off
   * at 9, where tanh is 1 in fp32. Relative error below 3.5e-7.
   */
  static void tanh(long x, long y, int n) {
    for (int i = 0; i < n; i += COUNT) {
      FloatVector a = FloatVector.fromMemorySegment(F, ALL, at(x + 4L * i), ORDER);
      a = a.blend(TANH_FLAT, a.compare(VectorOperators.GT, TANH_FLAT));
      a = a.blend(MINUS_TANH_FLAT, a.compare(VectorOperators.LT, MINUS_TANH_FLAT));
      FloatVector s = a.mul(a);
      FloatVector p = P4.fma(s, P3).fma(s, P2).fma(s, P1).fma(s, ONE);
      FloatVector q = Q4.fma(s, Q3).fma(s, Q2).fma(s, Q1).fma(s, ONE);
      a.mul(p).div(q).intoMemorySegment(ALL, at(y + 4L * i), ORDER);
    }
  }
}
