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

/**
 * How a kernel writes what it does not read again. From 4 MiB a call on, more than a core's own caches keep, it goes
 * past them: a plain store reads the line first, a third more traffic. Measured with the reading that follows, this
 * saves a fifth at 24 MiB, and costs as much at 1 MiB.
 */
template <class T> struct Output {
  T* y;
  bool past;

  /** For the rows [from, to). */
  DYR_INLINE Output(T* y, int64_t from, int64_t to, int64_t columns)
      : y(y), past((to - from) * columns * static_cast<int64_t>(sizeof(T)) >= 4 << 20
            && reinterpret_cast<uintptr_t>(y) % 64 == 0 && columns * sizeof(T) % 64 == 0) {}

  /** For the elements [from, to), from at a multiple of 64. */
  DYR_INLINE Output(T* y, int64_t from, int64_t to) : Output(y, from / 64, to / 64, 64) {}

  DYR_INLINE void put(int64_t i, Floats x, Whole) const {
    if (past) stream(y + i, x);
    else store(y + i, x);
  }
  DYR_INLINE void put(int64_t i, Floats x, Mask m) const { store(y + i, x, m); }

  DYR_INLINE void finish() const {
    if (past) fence();
  }
};

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
  Output<T> out(c, from, c == a ? from : to);
  vectors(from, to, [=](int64_t i, auto m) DYR_BODY { out.put(i, add(load(a + i, m), load(b + i, m)), m); });
  out.finish();
}

/** y = x + b over rows. x, y (R,C), b (C). */
template <class T> void addBias(const T* x, const float* b, T* y, int64_t from, int64_t to, int32_t columns) {
  Output<T> out(y, from, to, columns);
  for (int64_t row = from; row < to; row++) {
    int64_t at = row * columns;
    vectors(0, columns, [=](int64_t i, auto m) DYR_BODY {
      out.put(at + i, add(load(x + at + i, m), load(b + i, m)), m);
    });
  }
  out.finish();
}

/** y = s x, s (1). */
template <class T> void scale(const T* x, const T* s, T* y, int64_t from, int64_t to) {
  Floats factor = broadcast(get(s));
  Output<T> out(y, from, to);
  vectors(from, to, [=](int64_t i, auto m) DYR_BODY { out.put(i, mul(load(x + i, m), factor), m); });
  out.finish();
}

/** y = x everywhere, x (1). */
template <class T> void fill(const T* x, T* y, int64_t from, int64_t to) {
  Floats value = broadcast(get(x));
  Output<T> out(y, from, to);
  vectors(from, to, [=](int64_t i, auto m) DYR_BODY { out.put(i, value, m); });
  out.finish();
}

template <class X, class Y> DYR_INLINE void convert(const X* x, Y* y, int64_t from, int64_t to) {
  Output<Y> out(y, from, to);
  vectors(from, to, [=](int64_t i, auto m) DYR_BODY { out.put(i, load(x + i, m), m); });
  out.finish();
}

/** y = x in the other type, fp32 to bf16 and back. */
inline void narrow(const float* x, bf16* y, int64_t from, int64_t to) { convert(x, y, from, to); }
inline void widen(const bf16* x, float* y, int64_t from, int64_t to) { convert(x, y, from, to); }

}  // namespace DYR_ISA
}  // namespace dyr
