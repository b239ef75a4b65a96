// Dropout and layer norm of rows. Bound by memory, where something is dropped by the drawing as well: some 90
// instructions for a vector of counters, which serve eight vectors.
#pragma once

#include "philox.h"
#include "sums.h"

namespace dyr {
namespace DYR_ISA {

/** What says which elements of a row are dropped: org.dyr.op.Philox. random: seed low and high, step, unused. */
struct Drop {
  const int32_t* random;    // (4)
  const int32_t* sequence;  // (R)
  const int32_t* position;  // (R)
  int32_t site, threshold;
  float scale;

  /** Calls f(i, factor, lanes) for the vectors of the row's columns, factor 0 where dropped and else `scale`. */
  template <class F> DYR_INLINE void row(int64_t row, int32_t columns, F f) const {
    int32_t counter = position[row] * ((columns + DROP_COLUMNS - 1) / DROP_COLUMNS * DROP_COUNTERS);
    DropoutRows drop(random, sequence[row], site, threshold);
    Floats factor = broadcast(scale);
    for (int32_t block = 0; block < columns; block += DROP_BLOCKS * DROP_COLUMNS) {
      int32_t counters[DROP_BLOCKS];
      Mask kept[DROP_BLOCKS][DROP_VECTORS];
      for (int32_t& c : counters) {
        c = counter;
        counter += DROP_COUNTERS;
      }
      drop.blocks(counters, kept);
      for (int v = 0; v < DROP_BLOCKS * DROP_VECTORS; v++) {
        int32_t i = block + v * LANES;
        Floats some = select(zero(), factor, kept[v / DROP_VECTORS][v % DROP_VECTORS]);
        if (i + LANES <= columns) f(i, some, Whole{});
        else if (i < columns) f(i, some, first(columns - i));
      }
    }
  }
};

/** y = dropout(x) over rows. */
template <class T>
void dropout(const T* x, T* y, const int32_t* random, const int32_t* sequence, const int32_t* position, int32_t site,
    int32_t threshold, float scale, int64_t from, int64_t to, int32_t columns) {
  Drop drop{random, sequence, position, site, threshold, scale};
  Output<T> out(y, from, to, columns);
  for (int64_t row = from; row < to; row++) {
    int64_t at = row * columns;
    drop.row(row, columns, [=](int64_t i, Floats factor, auto m) DYR_BODY {
      out.put(at + i, mul(factor, load(x + at + i, m)), m);
    });
  }
  out.finish();
}

/** Of a row. */
struct Statistics {
  float mean, rstd;

  /** Written to the row's places, where there are any. */
  DYR_INLINE void keep(float* means, float* rstds, int64_t row) const {
    if (means == nullptr) return;
    means[row] = mean;
    rstds[row] = rstd;
  }
};

/**
 * The row of y that begins at element `at`; mean and rstd of x. The variance is the mean of squared deviations, not of
 * squares: no cancellation.
 */
template <class X, class T>
DYR_INLINE Statistics normalizeRow(const X* x, const float* w, const float* b, const Output<T>& y, int64_t at,
    int32_t columns, double eps) {
  float average = total(x, columns) / columns;
  Floats center = broadcast(average);
  Floats s[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 4 * LANES <= columns; i += 4 * LANES) {
    for (int k = 0; k < 4; k++) {
      Floats d = sub(load(x + i + k * LANES), center);
      s[k] = fma(d, d, s[k]);
    }
  }
  for (; i + LANES <= columns; i += LANES) {
    Floats d = sub(load(x + i), center);
    s[0] = fma(d, d, s[0]);
  }
  if (i < columns) {
    Mask m = first(static_cast<int>(columns - i));
    Floats d = select(zero(), sub(load(x + i, m), center), m);
    s[0] = fma(d, d, s[0]);
  }
  double squares = sum(add(add(s[0], s[1]), add(s[2], s[3])));
  float scale = static_cast<float>(1 / std::sqrt(squares / columns + eps));
  Floats factor = broadcast(scale);
  vectors(0, columns, [=](int64_t c, auto m) DYR_BODY {
    Floats normal = mul(sub(load(x + c, m), center), factor);
    y.put(at + c, fma(normal, load(w + c, m), load(b + c, m)), m);
  });
  return {average, scale};
}

/** Layer norm over rows. x, y (R,C), w, b (C), mean, rstd (R). */
template <class T>
void layerNorm(const T* x, const float* w, const float* b, T* y, float* mean, float* rstd, int64_t from, int64_t to,
    int32_t columns, double eps) {
  Output<T> out(y, from, to, columns);
  for (int64_t row = from; row < to; row++) {
    normalizeRow(x + row * columns, w, b, out, row * columns, columns, eps).keep(mean, rstd, row);
  }
  out.finish();
}

/**
 * h = dropout(x) + residual, y = layer norm of h over rows. random is null where nothing is dropped; h, mean and rstd
 * are where they are not kept. The fp32 sums of a row stay in `row` (C): y is the norm of what was not rounded.
 */
template <class T>
void dropoutAddLayerNorm(const T* x, const T* residual, const float* w, const float* b, const int32_t* random,
    const int32_t* sequence, const int32_t* position, int32_t site, int32_t threshold, float scale, T* y, T* h,
    float* mean, float* rstd, float* row, int64_t from, int64_t to, int32_t columns, double eps) {
  Drop drop{random, sequence, position, site, threshold, scale};
  Output<T> sums(h, from, to, columns), out(y, from, to, columns);
  for (int64_t r = from; r < to; r++) {
    int64_t at = r * columns;
    auto put = [=](int64_t i, Floats s, auto m) DYR_BODY {
      store(row + i, s, m);
      if (h != nullptr) sums.put(at + i, s, m);
    };
    if (random == nullptr) {
      vectors(0, columns, [=](int64_t i, auto m) DYR_BODY {
        put(i, add(load(x + at + i, m), load(residual + at + i, m)), m);
      });
    } else {
      drop.row(r, columns, [=](int64_t i, Floats factor, auto m) DYR_BODY {
        put(i, fma(factor, load(x + at + i, m), load(residual + at + i, m)), m);
      });
    }
    normalizeRow(row, w, b, out, at, columns, eps).keep(mean, rstd, r);
  }
  sums.finish();
  out.finish();
}

/**
 * h = words[word] + types[kind] + positions[position], y = layer norm of h over rows. All fp32 but for y, which is
 * rounded once. positions is null where there are none; h, mean and rstd are where they are not kept. Tables (V,C),
 * indices (R); the sums of a row stay in `row` (C). Words lie anywhere, so the next one's row is asked for meanwhile.
 */
template <class T>
void embeddingLayerNorm(const float* words, const int32_t* word, const float* types, const int32_t* kind,
    const float* positions, const int32_t* position, const float* w, const float* b, T* y, float* h, float* mean,
    float* rstd, float* row, int64_t from, int64_t to, int32_t columns, double eps) {
  Output<float> sums(h, from, to, columns);
  Output<T> out(y, from, to, columns);
  for (int64_t r = from; r < to; r++) {
    int64_t at = r * columns;
    const float* p = words + static_cast<int64_t>(word[r]) * columns;
    const float* next = words + static_cast<int64_t>(word[r + 1 < to ? r + 1 : r]) * columns;
    for (int32_t i = 0; i < columns; i += 16) __builtin_prefetch(next + i);
    const float* q = types + static_cast<int64_t>(kind[r]) * columns;
    const float* s = positions == nullptr ? nullptr : positions + static_cast<int64_t>(position[r]) * columns;
    vectors(0, columns, [=](int64_t i, auto m) DYR_BODY {
      Floats x = add(load(p + i, m), load(q + i, m));
      if (s != nullptr) x = add(x, load(s + i, m));
      store(row + i, x, m);
      if (h != nullptr) sums.put(at + i, x, m);
    });
    normalizeRow(row, w, b, out, at, columns, eps).keep(mean, rstd, r);
  }
  sums.finish();
  out.finish();
}

/**
 * The gradient of a row's layer norm, dx = rstd (dn - avg(dn) - n avg(dn n)), n = (x - mean) rstd, dn = dy w. Adds to
 * the sums of dw and db.
 */
template <class T> struct NormGrad {
  const T* dy;
  const T* x;
  const float* w;
  Floats center, rstd;
  Floats average;  // avg(dn)
  Floats slope;    // -rstd avg(dn n), that of x - mean

  DYR_INLINE NormGrad(const T* dy, const T* x, const float* w, float mean, float scale, float* dw, float* db,
      int32_t columns)
      : dy(dy), x(x), w(w), center(broadcast(mean)), rstd(broadcast(scale)) {
    Floats sum0 = zero(), sum1 = zero();  // of dn, and of dn (x - mean)
    vectors(0, columns, [&](int64_t i, auto m) DYR_BODY {
      Floats d = load(dy + i, m), dn = mul(d, load(w + i, m)), off = sub(load(x + i, m), center);
      sum0 = add(sum0, dn);
      sum1 = fma(dn, off, sum1);
      store(dw + i, fma(mul(off, rstd), d, load(dw + i, m)), m);
      store(db + i, add(load(db + i, m), d), m);
    });
    average = broadcast(sum(sum0) / columns);
    slope = broadcast(-sum(sum1) / columns * scale * scale);
  }

  /** dx of a vector. Where a row has no variance rstd is large, and what it multiplies must cancel first. */
  template <class M> DYR_INLINE Floats at(int64_t i, M m) const {
    Floats dn = mul(load(dy + i, m), load(w + i, m)), off = sub(load(x + i, m), center);
    return mul(fma(off, slope, sub(dn, average)), rstd);
  }
};

/** dx over the rows of the chunks [from, to); partial (chunks, 2, width) = the sums of dw and db over them. */
template <class T>
void layerNormGrad(const T* dy, const T* x, const float* w, const float* mean, const float* rstd, T* dx,
    float* partial, int64_t from, int64_t to, int64_t rows, int32_t columns) {
  int64_t width = partialWidth(columns);
  Output<T> out(dx, from * CHUNK_ROWS, to * CHUNK_ROWS, columns);
  rowChunks<2>(partial, from, to, rows, columns, [=](int64_t row, float* sums) DYR_BODY {
    int64_t at = row * columns;
    NormGrad<T> g(dy + at, x + at, w, mean[row], rstd[row], sums, sums + width, columns);
    vectors(0, columns, [&](int64_t i, auto m) DYR_BODY { out.put(at + i, g.at(i, m), m); });
  });
  out.finish();
}

/** As layerNormGrad, dresidual its dx, and dx = dropout(dresidual); random is null where nothing is dropped. */
template <class T>
void dropoutAddLayerNormGrad(const T* dy, const T* h, const float* w, const float* mean, const float* rstd,
    const int32_t* random, const int32_t* sequence, const int32_t* position, int32_t site, int32_t threshold,
    float scale, T* dx, T* dresidual, float* partial, int64_t from, int64_t to, int64_t rows, int32_t columns) {
  Drop drop{random, sequence, position, site, threshold, scale};
  int64_t width = partialWidth(columns);
  Output<T> out(dx, from * CHUNK_ROWS, to * CHUNK_ROWS, columns);
  Output<T> through(dresidual, from * CHUNK_ROWS, to * CHUNK_ROWS, columns);
  rowChunks<2>(partial, from, to, rows, columns, [=](int64_t row, float* sums) DYR_BODY {
    int64_t at = row * columns;
    NormGrad<T> g(dy + at, h + at, w, mean[row], rstd[row], sums, sums + width, columns);
    if (random == nullptr) {
      vectors(0, columns, [&](int64_t i, auto m) DYR_BODY {
        Floats d = g.at(i, m);
        through.put(at + i, d, m);
        out.put(at + i, d, m);
      });
    } else {
      drop.row(row, columns, [&](int64_t i, Floats factor, auto m) DYR_BODY {
        Floats d = g.at(i, m);
        through.put(at + i, d, m);
        out.put(at + i, mul(factor, d), m);
      });
    }
  });
  through.finish();
  out.finish();
}

}  // namespace DYR_ISA
}  // namespace dyr
