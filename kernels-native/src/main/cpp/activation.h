// y = f(u), u = x or x + b, and dx = dy f'(u). Bound by memory once operands come from
// there; from L2, gelu's some 20 instructions a vector bind, 35 with AVX2.
#pragma once

#include "gelu.h"
#include "elementwise.h"

namespace dyr {
namespace DYR_ISA {

/** max(u, 0); a NaN stays one. The slope at 0 is 0. */
struct Relu {
  template <class T = float> static DYR_INLINE Floats value(Floats u) { return select(u, zero(), less(u, zero())); }
  template <class T = float> static DYR_INLINE Floats slope(Floats u) {
    return select(zero(), broadcast(1.0f), less(zero(), u));
  }
};

struct Tanh {
  template <class T = float> static DYR_INLINE Floats value(Floats u) { return tanh(u); }
  template <class T = float> static DYR_INLINE Floats slope(Floats u) {
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
    vectors(from, to, [=](int64_t i, auto m) DYR_BODY { out.put(i, f.template value<T>(load(x + i, m)), m); });
  });
  out.finish();
}

/** dx = dy f'(x). */
template <class T> void activationGrad(const T* dy, const T* x, T* dx, int64_t from, int64_t to, int32_t kind) {
  Output<T> out(dx, from, to);
  withFunction(kind, [=](auto f) {
    vectors(from, to, [=](int64_t i, auto m) DYR_BODY {
      out.put(i, mul(load(dy + i, m), f.template slope<T>(load(x + i, m))), m);
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
        out.put(at + i, f.template value<T>(add(load(x + at + i, m), load(b + i, m))), m);
      });
    }
  });
  out.finish();
}

/** dx = dy f'(x + b) over rows. */
template <class T>
void biasActivationGrad(const T* dy, const T* x, const float* b, T* dx, int64_t from, int64_t to, int32_t columns,
    int32_t kind) {
  Output<T> out(dx, from, to, columns);
  withFunction(kind, [=](auto f) {
    for (int64_t row = from; row < to; row++) {
      int64_t at = row * columns;
      vectors(0, columns, [=](int64_t i, auto m) DYR_BODY {
        out.put(at + i, mul(load(dy + at + i, m), f.template slope<T>(add(load(x + at + i, m), load(b + i, m)))), m);
      });
    }
  });
  out.finish();
}

}  // namespace DYR_ISA
}  // namespace dyr
