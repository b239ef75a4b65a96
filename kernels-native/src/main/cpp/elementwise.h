// Passes over elements, and what all kernels use for them. Bound by memory.
#pragma once

#include "simd.h"

namespace dyr {
namespace DYR_ISA {

/** Stands where a mask would: all lanes. */
struct Whole {};
template <class T> DYR_INLINE Floats load(const T* p, Whole) { return load(p); }
template <class T> DYR_INLINE void store(T* p, Floats x, Whole) { store(p, x); }

/** After a lambda's parameters: its body goes into the loop. */
#define DYR_BODY __attribute__((always_inline))

/** Calls f(i, lanes) for the vectors of [from, to), the last one with a mask where it is not whole. */
template <class F> DYR_INLINE void vectors(int64_t from, int64_t to, F f) {
  int64_t i = from;
  for (; i + LANES <= to; i += LANES) f(i, Whole{});
  if (i < to) f(i, first(static_cast<int>(to - i)));
}

/** One element. */
DYR_INLINE float get(const float* p) { return *p; }
DYR_INLINE float get(const bf16* p) {
  uint32_t bits = static_cast<uint32_t>(p->bits) << 16;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
template <class T> DYR_INLINE void set(T* p, float x) { store(p, broadcast(x), first(1)); }

/** c = a + b; c may be a. */
template <class T> void add(const T* a, const T* b, T* c, int64_t from, int64_t to) {
  vectors(from, to, [=](int64_t i, auto m) DYR_BODY { store(c + i, add(load(a + i, m), load(b + i, m)), m); });
}

/** y = x + b over rows. x, y (R,C), b (C). */
template <class T> void addBias(const T* x, const float* b, T* y, int64_t from, int64_t to, int32_t columns) {
  for (int64_t row = from; row < to; row++) {
    const T* xs = x + row * columns;
    T* ys = y + row * columns;
    vectors(0, columns, [=](int64_t i, auto m) DYR_BODY { store(ys + i, add(load(xs + i, m), load(b + i, m)), m); });
  }
}

/** y = s x, s (1). */
template <class T> void scale(const T* x, const T* s, T* y, int64_t from, int64_t to) {
  Floats factor = broadcast(get(s));
  vectors(from, to, [=](int64_t i, auto m) DYR_BODY { store(y + i, mul(load(x + i, m), factor), m); });
}

/** y = x everywhere, x (1). */
template <class T> void fill(const T* x, T* y, int64_t from, int64_t to) {
  Floats value = broadcast(get(x));
  vectors(from, to, [=](int64_t i, auto m) DYR_BODY { store(y + i, value, m); });
}

/** y = x in the other type, fp32 to bf16 and back. */
inline void narrow(const float* x, bf16* y, int64_t from, int64_t to) {
  vectors(from, to, [=](int64_t i, auto m) DYR_BODY { store(y + i, load(x + i, m), m); });
}
inline void widen(const bf16* x, float* y, int64_t from, int64_t to) {
  vectors(from, to, [=](int64_t i, auto m) DYR_BODY { store(y + i, load(x + i, m), m); });
}

}  // namespace DYR_ISA
}  // namespace dyr
