// gelu, u Phi(u), by the error function or by tanh, and its slope. Both forms are f(u) = max(u, 0) - g(|u|), where g is
// small, smooth and below 1e-7 from 6 on. A set whose registers hold tables takes g and g' from polynomials by pieces:
// some 15 instructions, no exponential. T is the storage type: what is rounded to bf16 needs a degree less.
#pragma once

#include "simd.h"

namespace dyr {
namespace DYR_ISA {

#if defined(__AVX512F__)

/**
 * A function of a >= 0 by 32 polynomials in a - k WIDTH, k the integer nearest to a / WIDTH; 0 from 30.5 WIDTH on, 6.2.
 * Made by the compiler: each polynomial meets the function at Chebyshev's points of its piece, the first one at
 * 0 too, so that g(a) / a is right there.
 */
template <int DEGREE> struct Pieces {
  static constexpr int COUNT = 2 * LANES;
  static constexpr float WIDTH = 13.0f / 64;

  alignas(64) float c[DEGREE + 1][COUNT] = {};  // by power

  constexpr explicit Pieces(double (*f)(double)) {
    constexpr double PI = 3.14159265358979323846;
    for (int k = 0; k < COUNT - 1; k++) {
      // x ascends from -1, at the first piece from its lower end, or that end is 0.
      double x[DEGREE + 1] = {}, d[DEGREE + 1] = {}, p[DEGREE + 1] = {};
      for (int i = 0; i <= DEGREE; i++) {
        double t = -__builtin_cos((2 * i + 1) * PI / (2 * DEGREE + 2)), least = __builtin_cos(PI / (2 * DEGREE + 2));
        x[i] = k > 0 ? t * WIDTH / 2 : (t + least) / (1 + least) * WIDTH / 2;
        d[i] = f(x[i] + k * WIDTH);
      }
      // Newton's divided differences, then Horner over (r - x).
      for (int n = 1; n <= DEGREE; n++) for (int i = DEGREE; i >= n; i--) d[i] = (d[i] - d[i - 1]) / (x[i] - x[i - n]);
      for (int i = DEGREE; i >= 0; i--) {
        for (int j = DEGREE; j > 0; j--) p[j] = p[j - 1] - x[i] * p[j];
        p[0] = d[i] - x[i] * p[0];
      }
      for (int j = 0; j <= DEGREE; j++) c[j][k] = static_cast<float>(p[j]);
    }
  }

  /** At |u|; a NaN stays one. */
  DYR_INLINE Floats at(Floats u) const {
    // min gives its second operand where one is a NaN.
    Floats a = min(broadcast((COUNT - 1) * WIDTH), abs(u));
    Floats round = broadcast(0x1.8p23f), index = fma(a, broadcast(1 / WIDTH), round);
    Floats r = fma(sub(index, round), broadcast(-WIDTH), a);
    Floats y = lookup(c[DEGREE], bits(index));
#pragma GCC unroll 8
    for (int j = DEGREE - 1; j >= 0; j--) y = fma(y, r, lookup(c[j], bits(index)));
    return y;
  }
};

/** f of a form of g, off by 2e-8 in fp32 and 9e-7 before it is rounded to bf16; its slope by 4e-8 and 1.6e-6. */
template <class G> struct Rectified {
  template <class T> static constexpr int DEGREE = sizeof(T) == sizeof(float) ? 4 : 3;
  template <class T> static constexpr Pieces<DEGREE<T>> VALUE{G::value};
  template <class T> static constexpr Pieces<DEGREE<T>> SLOPE{G::slope};

  template <class T = float> static DYR_INLINE Floats value(Floats u) {
    return sub(max(zero(), u), VALUE<T>.at(u));
  }
  /** g'(-u) below 0, where f(u) is -g(-u), and 1 - g'(u) above. */
  template <class T = float> static DYR_INLINE Floats slope(Floats u) {
    Floats s = SLOPE<T>.at(u);
    return select(s, sub(broadcast(1.0f), s), less(zero(), u));
  }
};

/** g(a) = a Phi(-a). */
struct Normal {
  static constexpr double tail(double a) { return 0.5 * __builtin_erfc(a * 0.70710678118654752440); }
  static constexpr double value(double a) { return a * tail(a); }
  static constexpr double slope(double a) { return tail(a) - a * 0.39894228040143267794 * __builtin_exp(-0.5 * a * a); }
};

/** g(a) = a s, s = (1 - tanh v) / 2 = 1 / (1 + e^(2v)), v = sqrt(2/pi) (a + 0.044715 a^3). */
struct ByTanh {
  static constexpr double ROOT = 0.79788456080286535588, CUBIC = 0.044715;
  static constexpr double tail(double a) { return 1 / (1 + __builtin_exp(2 * ROOT * (a + CUBIC * a * a * a))); }
  static constexpr double value(double a) { return a * tail(a); }
  static constexpr double slope(double a) {
    double s = tail(a);
    return s - a * s * (1 - s) * 2 * ROOT * (1 + 3 * CUBIC * a * a);
  }
};

using Gelu = Rectified<Normal>;
using GeluTanh = Rectified<ByTanh>;

#else  // AVX2: a table would be read lane by lane

/**
 * gelu, u Phi(u). With a = |u|, Phi(-a) = e^(-a^2/2) R(a), and R is a polynomial of degree 11 on [0,6], the one of the
 * Vector API's kernels: off by 3.2e-8 of e^(-a^2/2) max(a,1) R(a). From 6 on, where Phi(-a) is below 1e-9, R stays
 * R(6).
 */
struct Gelu {
  /** Phi(u); bell becomes e^(-u^2/2). */
  static DYR_INLINE Floats phi(Floats u, Floats& bell) {
    bell = exp(mul(mul(u, broadcast(-0.5f)), u));
    Floats a = min(abs(u), broadcast(6.0f));
    Floats r = broadcast(-2.4419762e-7f);
    r = fma(r, a, broadcast(6.2871250e-6f));
    r = fma(r, a, broadcast(-7.2764087e-5f));
    r = fma(r, a, broadcast(5.0744368e-4f));
    r = fma(r, a, broadcast(-2.4299533e-3f));
    r = fma(r, a, broadcast(8.7168749e-3f));
    r = fma(r, a, broadcast(-2.5148761e-2f));
    r = fma(r, a, broadcast(6.1702415e-2f));
    r = fma(r, a, broadcast(-0.13271931f));
    r = fma(r, a, broadcast(0.24995568f));
    r = fma(r, a, broadcast(-0.39893934f));
    r = fma(r, a, broadcast(0.49999997f));
    Floats tail = mul(r, bell);
    return select(sub(broadcast(1.0f), tail), tail, less(u, zero()));
  }
  template <class T = float> static DYR_INLINE Floats value(Floats u) {
    Floats bell;
    return mul(u, phi(u, bell));
  }
  /** Phi(u) + u phi(u). */
  template <class T = float> static DYR_INLINE Floats slope(Floats u) {
    Floats bell, p = phi(u, bell);
    return fma(mul(u, bell), broadcast(0.398942280f), p);
  }
};

/**
 * gelu by tanh: u/2 (1 + tanh v), v = sqrt(2/pi) (u + 0.044715 u^3). (1 + tanh v) / 2 = s = 1 / (1 + e), e = e^(-2v).
 * Beyond 10, s is 1 in fp32, and 0 below -10.
 */
struct GeluTanh {
  static constexpr float ROOT = 0.797884561f, CUBIC = 0.044715f, FLAT = 10;

  static DYR_INLINE Floats power(Floats u) {
    // min and max give their second operand where one is a NaN.
    Floats c = max(broadcast(-FLAT), min(broadcast(FLAT), u));
    return exp(mul(fma(mul(c, c), broadcast(-2 * ROOT * CUBIC), broadcast(-2 * ROOT)), c));
  }
  template <class T = float> static DYR_INLINE Floats value(Floats u) {
    Floats s = div(broadcast(1.0f), add(power(u), broadcast(1.0f)));
    return mul(u, select(s, zero(), less(u, broadcast(-FLAT))));
  }
  /** s + u s (e s) 2v', v' = sqrt(2/pi) (1 + 3 * 0.044715 u^2). e s is 1 - s without cancellation. */
  template <class T = float> static DYR_INLINE Floats slope(Floats u) {
    Floats e = power(u), s = div(broadcast(1.0f), add(e, broadcast(1.0f)));
    Floats inner = mul(mul(fma(mul(u, u), broadcast(6 * ROOT * CUBIC), broadcast(2 * ROOT)), u), s);
    Floats d = fma(inner, mul(e, s), s);
    d = select(d, zero(), less(u, broadcast(-FLAT)));
    return select(d, broadcast(1.0f), less(broadcast(FLAT), u));
  }
};

#endif

}  // namespace DYR_ISA
}  // namespace dyr
