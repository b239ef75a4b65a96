// y = f(u), u = x or x + b, and dx = dy f'(u) with the sums of dx over rows. Bound by memory once operands come from
// there; from L2, gelu's some 35 instructions a vector bind.
#pragma once

#include "sums.h"

namespace dyr {
namespace DYR_ISA {

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
  static DYR_INLINE Floats value(Floats u) {
    Floats bell;
    return mul(u, phi(u, bell));
  }
  /** Phi(u) + u phi(u). */
  static DYR_INLINE Floats slope(Floats u) {
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
  static DYR_INLINE Floats value(Floats u) {
    Floats s = div(broadcast(1.0f), add(power(u), broadcast(1.0f)));
    return mul(u, select(s, zero(), less(u, broadcast(-FLAT))));
  }
  /** s + u s (e s) 2v', v' = sqrt(2/pi) (1 + 3 * 0.044715 u^2). e s is 1 - s without cancellation. */
  static DYR_INLINE Floats slope(Floats u) {
    Floats e = power(u), s = div(broadcast(1.0f), add(e, broadcast(1.0f)));
    Floats inner = mul(mul(fma(mul(u, u), broadcast(6 * ROOT * CUBIC), broadcast(2 * ROOT)), u), s);
    Floats d = fma(inner, mul(e, s), s);
    d = select(d, zero(), less(u, broadcast(-FLAT)));
    return select(d, broadcast(1.0f), less(broadcast(FLAT), u));
  }
};

/** max(u, 0); a NaN stays one. The slope at 0 is 0. */
struct Relu {
  static DYR_INLINE Floats value(Floats u) { return select(u, zero(), less(u, zero())); }
  static DYR_INLINE Floats slope(Floats u) { return select(zero(), broadcast(1.0f), less(zero(), u)); }
};

struct Tanh {
  static DYR_INLINE Floats value(Floats u) { return tanh(u); }
  static DYR_INLINE Floats slope(Floats u) {
    Floats t = tanh(u);
    return sub(broadcast(1.0f), mul(t, t));
  }
};

/** Calls f(function), by the ordinal of org.dyr.op.Activation.Kind. */
template <class F> DYR_INLINE void withFunction(int32_t kind, F f) {
  switch (kind) {
    case 0: return f(Gelu{});
    case 1: return f(GeluTanh{});
    case 2: return f(Relu{});
    default: return f(Tanh{});
  }
}

/** y = f(x). */
template <class T> void activation(const T* x, T* y, int64_t from, int64_t to, int32_t kind) {
  Output<T> out(y, from, to);
  withFunction(kind, [=](auto f) {
    vectors(from, to, [=](int64_t i, auto m) DYR_BODY { out.put(i, f.value(load(x + i, m)), m); });
  });
  out.finish();
}

/** dx = dy f'(x). */
template <class T> void activationGrad(const T* dy, const T* x, T* dx, int64_t from, int64_t to, int32_t kind) {
  Output<T> out(dx, from, to);
  withFunction(kind, [=](auto f) {
    vectors(from, to, [=](int64_t i, auto m) DYR_BODY {
      out.put(i, mul(load(dy + i, m), f.slope(load(x + i, m))), m);
    });
  });
  out.finish();
}

/** y = f(x + b) over rows. x, y (R,C), b (C). */
template <class T>
void biasActivation(const T* x, const float* b, T* y, int64_t from, int64_t to, int32_t columns, int32_t kind) {
  Output<T> out(y, from, to, columns);
  withFunction(kind, [=](auto f) {
    for (int64_t row = from; row < to; row++) {
      int64_t at = row * columns;
      vectors(0, columns, [=](int64_t i, auto m) DYR_BODY {
        out.put(at + i, f.value(add(load(x + at + i, m), load(b + i, m))), m);
      });
    }
  });
  out.finish();
}

/** dx = dy f'(x + b) over the rows of the chunks [from, to); partial (chunks, width) = the sums of dx over them. */
template <class T>
void biasActivationGrad(const T* dy, const T* x, const float* b, T* dx, float* partial, int64_t from, int64_t to,
    int64_t rows, int32_t columns, int32_t kind) {
  Output<T> out(dx, from * CHUNK_ROWS, to * CHUNK_ROWS, columns);
  withFunction(kind, [=](auto f) {
    rowChunks<1>(partial, from, to, rows, columns, [=](int64_t row, float* sums) DYR_BODY {
      int64_t at = row * columns;
      vectors(0, columns, [=](int64_t i, auto m) DYR_BODY {
        Floats d = mul(load(dy + at + i, m), f.slope(add(load(x + at + i, m), load(b + i, m))));
        out.put(at + i, d, m);
        store(sums + i, add(load(sums + i, m), d), m);
      });
    });
  });
  out.finish();
}

}  // namespace DYR_ISA
}  // namespace dyr
