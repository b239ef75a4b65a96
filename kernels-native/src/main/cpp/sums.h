// Sums whose result does not depend on who computes what: chunks of a fixed size, added in their order.
#pragma once

#include "elementwise.h"

namespace dyr {
namespace DYR_ISA {

constexpr int64_t CHUNK_ROWS = 32;
constexpr int64_t CHUNK = 8192;

/** Columns of one partial sum: whole cache lines. */
DYR_INLINE int64_t partialWidth(int64_t columns) { return (columns + 15) / 16 * 16; }

/**
 * Calls f(row, sums) for the rows of the chunks [from, to), sums the chunk's place in partial (chunks, SUMS, width),
 * which starts at zero: f adds its row to it. It stays in L1 meanwhile.
 */
template <int SUMS, class F>
DYR_INLINE void rowChunks(float* partial, int64_t from, int64_t to, int64_t rows, int64_t columns, F f) {
  int64_t width = partialWidth(columns);
  for (int64_t chunk = from; chunk < to; chunk++) {
    float* sums = partial + chunk * SUMS * width;
    std::memset(sums, 0, SUMS * width * sizeof(float));
    int64_t last = (chunk + 1) * CHUNK_ROWS < rows ? (chunk + 1) * CHUNK_ROWS : rows;
    for (int64_t row = chunk * CHUNK_ROWS; row < last; row++) f(row, sums);
  }
}

/** y = the sum over chunks, for the columns [from, to) of sum number `which` of `sums`. */
inline void foldChunks(const float* partial, float* y, int64_t from, int64_t to, int64_t columns, int64_t chunks,
    int32_t sums, int32_t which) {
  int64_t width = partialWidth(columns), stride = sums * width;
  vectors(from, to, [=](int64_t i, auto m) DYR_BODY {
    Floats total = zero();
    const float* p = partial + which * width + i;
    for (int64_t chunk = 0; chunk < chunks; chunk++) total = add(total, load(p + chunk * stride, m));
    store(y + i, total, m);
  });
}

/** partial (chunks, width) = the column sums of x (R,C) for the chunks [from, to). */
template <class T> void sumRows(const T* x, float* partial, int64_t from, int64_t to, int64_t rows, int32_t columns) {
  rowChunks<1>(partial, from, to, rows, columns, [=](int64_t row, float* sums) DYR_BODY {
    const T* xs = x + row * columns;
    vectors(0, columns, [=](int64_t i, auto m) DYR_BODY {
      store(sums + i, add(load(sums + i, m), load(xs + i, m)), m);
    });
  });
}

/** The sum of n elements. */
template <class T> DYR_INLINE float total(const T* x, int64_t n) {
  Floats s[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES) {
    for (int k = 0; k < 4; k++) s[k] = add(s[k], load(x + i + k * LANES));
  }
  vectors(i, n, [&](int64_t j, auto m) DYR_BODY { s[0] = add(s[0], load(x + j, m)); });
  return sum(add(add(s[0], s[1]), add(s[2], s[3])));
}

DYR_INLINE int64_t chunkEnd(int64_t chunk, int64_t n) { return (chunk + 1) * CHUNK < n ? CHUNK : n - chunk * CHUNK; }

/** partial (chunks), double: the sums of the chunks [from, to) of x (N). */
template <class T> void sumChunks(const T* x, double* partial, int64_t from, int64_t to, int64_t n) {
  for (int64_t chunk = from; chunk < to; chunk++) partial[chunk] = total(x + chunk * CHUNK, chunkEnd(chunk, n));
}

/** partial (chunks), double: the sums of squares, added in double. */
template <class T> void squareChunks(const T* x, double* partial, int64_t from, int64_t to, int64_t n) {
  for (int64_t chunk = from; chunk < to; chunk++) {
    const T* xs = x + chunk * CHUNK;
    Doubles s0 = zeroDoubles(), s1 = s0;
    vectors(0, chunkEnd(chunk, n), [&](int64_t i, auto m) DYR_BODY {
      Floats v = load(xs + i, m);
      s0 = fma(lower(v), lower(v), s0);
      s1 = fma(upper(v), upper(v), s1);
    });
    partial[chunk] = sum(add(s0, s1));
  }
}

/** partial (chunks), double: 0 where all elements of the chunk are finite, else NaN, as 0 x is. */
template <class T> void finiteChunks(const T* x, double* partial, int64_t from, int64_t to, int64_t n) {
  for (int64_t chunk = from; chunk < to; chunk++) {
    const T* xs = x + chunk * CHUNK;
    Floats s0 = zero(), s1 = zero();
    int64_t size = chunkEnd(chunk, n), i = 0;
    for (; i + 2 * LANES <= size; i += 2 * LANES) {
      s0 = fma(load(xs + i), zero(), s0);
      s1 = fma(load(xs + i + LANES), zero(), s1);
    }
    vectors(i, size, [&](int64_t j, auto m) DYR_BODY { s0 = fma(load(xs + j, m), zero(), s0); });
    partial[chunk] = sum(add(s0, s1));
  }
}

/** y (1) = the sum of the partial sums, in order. */
template <class T> void foldSum(const double* partial, T* y, int64_t chunks) {
  double s = 0;
  for (int64_t i = 0; i < chunks; i++) s += partial[i];
  set(y, static_cast<float>(s));
}

/** y (1) = 1 when the partial sums are 0, else 0. */
template <class T> void foldFinite(const double* partial, T* y, int64_t chunks) {
  double s = 0;
  for (int64_t i = 0; i < chunks; i++) s += partial[i];
  set(y, s == 0 ? 1.0f : 0.0f);
}

/** norm = sqrt(n2) / s; factor = min(1, maxNorm / norm) / s, NaN for a norm that is not finite. */
template <class T> void clipFactor(const T* n2, const T* s, T* factor, T* norm, double maxNorm) {
  double scale = get(s), length = std::sqrt(static_cast<double>(get(n2))) / scale;
  double f = std::isfinite(length) ? (maxNorm > 0 && length > maxNorm ? maxNorm / length : 1) / scale : NAN;
  set(factor, static_cast<float>(f));
  set(norm, static_cast<float>(length));
}

}  // namespace DYR_ISA
}  // namespace dyr
