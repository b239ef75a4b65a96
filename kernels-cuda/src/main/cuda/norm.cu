// Dropout and layer norm of rows. A warp has a row, its lanes 4 neighbours of every 128 columns; the row stays in
// registers up to 1,024 columns, in shared memory beyond and where 4 does not divide it. Bound by the bytes of the
// rows: 2 or 4 (R,C) forward and 3 or 4 backward; what is drawn takes half of that time for 16-bit storage.
#include <algorithm>
#include <type_traits>

#include "fold.cuh"
#include "philox.cuh"

namespace dyr {
namespace {

/** A lane's neighbours, and a warp's: two blocks of 64 columns, which 32 counters draw. */
constexpr int V = 4, PACK = V * LANES;

/** Of an H100: so many blocks, times those that each has at once, are all under way together. */
constexpr int MULTIPROCESSORS = 132;

/** Rows in registers have 4 warps a block, rows in shared memory one. */
template <int PACKS>
constexpr int WARPS = PACKS > 0 ? 4 : 1;

/** Packs of a row in registers, 0 for one in shared memory. */
template <int N>
struct Packs {
  static constexpr int count = N;
};

template <class F>
int withPacks(int columns, const F& f) {
  if (columns % V != 0 || columns > 8 * PACK) return f(Packs<0>());
  if (columns <= 3 * PACK) return f(Packs<3>());
  if (columns <= 6 * PACK) return f(Packs<6>());
  return f(Packs<8>());
}

#define DYR_PACKS(packs) decltype(packs)::count

/** Bytes of shared memory for so many rows of sums, where they are not in registers. */
template <int PACKS>
size_t sharedRows(int rows, int columns) {
  return PACKS > 0 ? 0 : static_cast<size_t>(rows) * ((columns + PACK - 1) / PACK) * PACK * sizeof(float);
}

/** f(k, c) for the packs of a row, c the first of this lane's columns. */
template <int PACKS, class F>
__device__ __forceinline__ void packs(int columns, const F& f) {
  int c = threadIdx.x % LANES * V;
  if (PACKS > 0) {
#pragma unroll
    for (int k = 0; k < PACKS; k++) {
      if (k * PACK < columns) f(k, c + k * PACK);
    }
  } else {
    for (int k = 0; k * PACK < columns; k++) f(k, c + k * PACK);
  }
}

template <bool ALIGNED, class T>
__device__ __forceinline__ void loadColumns(const T* row, int c, int columns, float (&to)[V]) {
  if (ALIGNED) {
    if (c < columns) return load<V>(row + c, to);
    for (int i = 0; i < V; i++) to[i] = 0;
  } else {
    for (int i = 0; i < V; i++) to[i] = c + i < columns ? widen(row[c + i]) : 0;
  }
}

template <bool ALIGNED, class T>
__device__ __forceinline__ void storeColumns(T* row, int c, int columns, const float (&from)[V]) {
  if (ALIGNED) {
    if (c < columns) store<V>(row + c, from);
  } else {
    for (int i = 0; i < V; i++) {
      if (c + i < columns) row[c + i] = narrow<T>(from[i]);
    }
  }
}

/** A lane's part of a row as it is stored, zeros past its end: all loads go out at once. */
template <class T, int PACKS>
struct Stored {
  Pack<T, V> at[PACKS];

  __device__ __forceinline__ Stored(const T* row, int columns) {
    packs<PACKS>(columns, [&](int k, int c) {
      if (c < columns) at[k] = *reinterpret_cast<const Pack<T, V>*>(row + c);
      else for (int i = 0; i < V; i++) at[k].at[i] = narrow<T>(0);
    });
  }
  __device__ __forceinline__ void get(int k, int, float (&to)[V]) const {
    for (int i = 0; i < V; i++) to[i] = widen(at[k].at[i]);
  }
};

/** A row that does not fit registers is read from the cache whenever it is asked for. */
template <class T>
struct Stored<T, 0> {
  const T* row;
  int columns;

  __device__ __forceinline__ Stored(const T* row, int columns) : row(row), columns(columns) {}
  __device__ __forceinline__ void get(int, int c, float (&to)[V]) const { loadColumns<false>(row, c, columns, to); }
};

/** A lane's part of a row of floats that is written and read again. */
template <int PACKS>
struct Row {
  float x[PACKS][V];

  __device__ __forceinline__ Row(float*) {}
  __device__ __forceinline__ float& at(int k, int i) { return x[k][i]; }
};

template <>
struct Row<0> {
  float* x;  // shared memory, where lanes are neighbours

  __device__ __forceinline__ Row(float* shared) : x(shared + threadIdx.x % LANES) {}
  __device__ __forceinline__ float& at(int k, int i) { return x[(k * V + i) * LANES]; }
};

/** f of two flags, as types. */
template <class F>
int withFlags(bool first, bool second, const F& f) {
  if (first) return second ? f(std::true_type(), std::true_type()) : f(std::true_type(), std::false_type());
  return second ? f(std::false_type(), std::true_type()) : f(std::false_type(), std::false_type());
}

/** What says which elements of rows are dropped: org.dyr.op.Philox. */
struct Drop {
  const int *random, *sequence, *position;  // (4) seed, step, unused; (R); (R)
  unsigned site, threshold;
  float keep;  // 1 / (1 - p)
};

/** Which elements of one row stay. */
struct Mask {
  uint4 counter;  // this lane's in pack 0
  uint2 key;
  unsigned threshold;
  float keep;

  Mask() = default;  // where nothing is dropped

  __device__ __forceinline__ Mask(const Drop& d, int64_t row, int columns)
      : counter{d.position[row] * philoxStride(columns) + threadIdx.x % LANES, static_cast<unsigned>(d.sequence[row]),
            d.site, static_cast<unsigned>(d.random[2])},
        key{static_cast<unsigned>(d.random[0]), static_cast<unsigned>(d.random[1])}, threshold(d.threshold),
        keep(d.keep) {}

  /**
   * Multiplies this lane's columns of pack k by `keep` or by 0. A lane draws one counter, whose words are of columns 16
   * apart; four votes give all lanes what all have drawn, and a lane takes the four bits of its own columns.
   */
  __device__ __forceinline__ void apply(int k, float (&x)[V]) const {
    uint4 words = philox(uint4{counter.x + k * LANES, counter.y, counter.z, counter.w}, key);
    unsigned stay[4] = {__ballot_sync(ALL_LANES, words.x >= threshold), __ballot_sync(ALL_LANES, words.y >= threshold),
        __ballot_sync(ALL_LANES, words.z >= threshold), __ballot_sync(ALL_LANES, words.w >= threshold)};
    unsigned lane = threadIdx.x % LANES;
    unsigned bits = lane & 8 ? (lane & 4 ? stay[3] : stay[2]) : (lane & 4 ? stay[1] : stay[0]);
    bits >>= (lane & 16) + (lane & 3) * V;
    for (int i = 0; i < V; i++) x[i] *= bits >> i & 1 ? keep : 0;
  }
};

/** y = dropout(x). */
template <class T, int PACKS>
__global__ void __launch_bounds__(WARPS<PACKS> * LANES) dropoutRows(const T* x, T* y, Drop drop, int64_t rows,
    int columns) {
  int64_t step = static_cast<int64_t>(gridDim.x) * WARPS<PACKS>;
  for (int64_t r = blockIdx.x * WARPS<PACKS> + threadIdx.x / LANES; r < rows; r += step) {
    Stored<T, PACKS> xs(x + r * columns, columns);
    Mask mask(drop, r, columns);
    packs<PACKS>(columns, [&](int k, int c) {
      float v[V];
      xs.get(k, c, v);
      mask.apply(k, v);
      storeColumns<(PACKS > 0)>(y + r * columns, c, columns, v);
    });
  }
}

/** What a layer norm does to a row, whose sum is known: w, b (C) come from the first cache, y is this row's. */
struct Norm {
  const float *w, *b;
  float *mean, *rstd;  // (R), null where they are not kept
  int columns;
  float eps;

  /** y = (h - mean) rstd w + b, rstd = 1 / sqrt(var + eps), the variance from squared deviations. */
  template <int PACKS, class T>
  __device__ __forceinline__ void apply(Row<PACKS>& h, float sum, int64_t r, T* y) const {
    constexpr bool ALIGNED = PACKS > 0;
    float average = warpSum(sum) / columns, squares = 0;
    packs<PACKS>(columns, [&](int k, int c) {
      for (int i = 0; i < V; i++) {
        float off = c + i < columns ? h.at(k, i) - average : 0;
        squares += off * off;
      }
    });
    float scale = rsqrtf(warpSum(squares) / columns + eps);
    packs<PACKS>(columns, [&](int k, int c) {
      float v[V], ws[V], bs[V];
      loadColumns<ALIGNED>(w, c, columns, ws);
      loadColumns<ALIGNED>(b, c, columns, bs);
      for (int i = 0; i < V; i++) v[i] = (h.at(k, i) - average) * scale * ws[i] + bs[i];
      storeColumns<ALIGNED>(y, c, columns, v);
    });
    if (mean != nullptr && threadIdx.x % LANES == 0) {
      mean[r] = average;
      rstd[r] = scale;
    }
  }
};

/**
 * h = dropout(x + bias) + residual, y = layer norm of h, before h is rounded. Bias and residual are null where there
 * are none; without residual h is x. h is written where it is asked for.
 */
template <class T, int PACKS, bool DROP>
__global__ void __launch_bounds__(WARPS<PACKS> * LANES, 4) normRows(const T* x, const float* bias, const T* residual,
    Norm norm, Drop drop, T* y, T* h, int64_t rows) {
  int columns = norm.columns;
  constexpr bool ALIGNED = PACKS > 0;
  DYR_DYNAMIC_SHARED(float, shared);
  int64_t step = static_cast<int64_t>(gridDim.x) * WARPS<PACKS>;
  for (int64_t r = blockIdx.x * WARPS<PACKS> + threadIdx.x / LANES; r < rows; r += step) {
    int64_t at = r * columns;
    Stored<T, PACKS> xs(x + at, columns), others(residual + at, residual == nullptr ? 0 : columns);
    Row<PACKS> row(shared);
    float sum = 0;
    Mask mask = DROP ? Mask(drop, r, columns) : Mask();
    packs<PACKS>(columns, [&](int k, int c) {
      float v[V];
      xs.get(k, c, v);
      if (bias != nullptr) {
        float bs[V];
        loadColumns<ALIGNED>(bias, c, columns, bs);
        for (int i = 0; i < V; i++) v[i] += bs[i];
      }
      if (DROP) mask.apply(k, v);
      if (residual != nullptr) {
        float other[V];
        others.get(k, c, other);
        for (int i = 0; i < V; i++) v[i] += other[i];
        if (h != nullptr) storeColumns<ALIGNED>(h + at, c, columns, v);
      }
      for (int i = 0; i < V; i++) {
        sum += v[i];
        row.at(k, i) = v[i];
      }
    });
    norm.apply(row, sum, r, y + at);
  }
}

/** Up to three tables and the row that each gives a token; the last is null where there are two. */
struct Tables {
  const float* table[3];  // (V,C), each its own V
  const int* index[3];    // (T)

  __device__ __forceinline__ const float* row(int t, int64_t r, int columns) const {
    return table[t] == nullptr ? nullptr : table[t] + static_cast<int64_t>(index[t][r]) * columns;
  }
};

/**
 * h = the rows of the tables added up in order, y = layer norm of h, in another type. Bound by the bytes of h, read
 * from the first table, the others being in the caches, and written where it is asked for, and of y.
 */
template <class T, int PACKS>
__global__ void __launch_bounds__(WARPS<PACKS> * LANES, 4) embeddingRows(Tables tables, Norm norm, T* y, float* h,
    int64_t rows) {
  constexpr bool ALIGNED = PACKS > 0;
  int columns = norm.columns;
  DYR_DYNAMIC_SHARED(float, shared);
  int64_t step = static_cast<int64_t>(gridDim.x) * WARPS<PACKS>;
  for (int64_t r = blockIdx.x * WARPS<PACKS> + threadIdx.x / LANES; r < rows; r += step) {
    Stored<float, PACKS> first(tables.row(0, r, columns), columns);
    const float *second = tables.row(1, r, columns), *third = tables.row(2, r, columns);
    Row<PACKS> row(shared);
    float sum = 0;
    packs<PACKS>(columns, [&](int k, int c) {
      float v[V], other[V];
      first.get(k, c, v);
      loadColumns<ALIGNED>(second, c, columns, other);
      for (int i = 0; i < V; i++) v[i] += other[i];
      if (third != nullptr) {
        loadColumns<ALIGNED>(third, c, columns, other);
        for (int i = 0; i < V; i++) v[i] += other[i];
      }
      if (h != nullptr) storeColumns<ALIGNED>(h + r * columns, c, columns, v);
      for (int i = 0; i < V; i++) {
        sum += v[i];
        row.at(k, i) = v[i];
      }
    });
    norm.apply(row, sum, r, y + r * columns);
  }
}

/** Blocks of normGradRows that a multiprocessor has at once: what registers allow without spills. */
template <int PACKS, bool BIAS>
constexpr int GRAD_BLOCKS = BIAS && PACKS > 6 ? 2 : 3;

/**
 * n = (x - mean) rstd; dn = dy w; d = rstd (dn - avg(dn) - n avg(dn n)); dresidual = d where it is asked for, dx =
 * dropout(d). partial (gridDim.x,S,C) = the sums over a block's rows of dy n, of dy and, with a bias, of dx: in
 * registers over all rows of a warp, then warp after warp.
 */
template <class T, int PACKS, bool DROP, bool BIAS>
__global__ void __launch_bounds__(WARPS<PACKS> * LANES, GRAD_BLOCKS<PACKS, BIAS>) normGradRows(const T* dy,
    const T* x, const float* w, const float* mean, const float* rstd, Drop drop, T* dx, T* dresidual, float* partial,
    int64_t rows, int columns) {
  constexpr bool ALIGNED = PACKS > 0;
  constexpr int SUMS = BIAS ? 3 : 2;
  DYR_DYNAMIC_SHARED(float, shared);
  int padded = (columns + PACK - 1) / PACK * PACK;
  Row<PACKS> dw(shared), db(shared + padded), dbias(shared + 2 * padded);
  packs<PACKS>(columns, [&](int k, int) {
    for (int i = 0; i < V; i++) {
      dw.at(k, i) = db.at(k, i) = 0;
      if (BIAS) dbias.at(k, i) = 0;
    }
  });
  int64_t step = static_cast<int64_t>(gridDim.x) * WARPS<PACKS>;
  for (int64_t r = blockIdx.x * WARPS<PACKS> + threadIdx.x / LANES; r < rows; r += step) {
    int64_t at = r * columns;
    Stored<T, PACKS> dys(dy + at, columns), xs(x + at, columns);
    float center = mean[r], scale = rstd[r], sum0 = 0, sum1 = 0;  // of dn, and of dn (x - mean)
    Mask mask = DROP ? Mask(drop, r, columns) : Mask();
    packs<PACKS>(columns, [&](int k, int c) {
      float d[V], off[V], ws[V];
      dys.get(k, c, d);
      xs.get(k, c, off);
      loadColumns<ALIGNED>(w, c, columns, ws);
      for (int i = 0; i < V; i++) {
        off[i] -= center;
        float dn = __fmul_rn(d[i], ws[i]);
        sum0 += dn;
        sum1 += dn * off[i];
        dw.at(k, i) += off[i] * scale * d[i];
        db.at(k, i) += d[i];
      }
    });
    float average = warpSum(sum0) / columns, slope = -warpSum(sum1) / columns * scale * scale;
    // Where a row has no variance rstd is large, and what it multiplies must cancel first: dn is rounded both times.
    packs<PACKS>(columns, [&](int k, int c) {
      float d[V], off[V], ws[V];
      dys.get(k, c, d);
      xs.get(k, c, off);
      loadColumns<ALIGNED>(w, c, columns, ws);
      for (int i = 0; i < V; i++) d[i] = ((off[i] - center) * slope + (__fmul_rn(d[i], ws[i]) - average)) * scale;
      if (dresidual != nullptr) storeColumns<ALIGNED>(dresidual + at, c, columns, d);
      if (DROP) mask.apply(k, d);
      storeColumns<ALIGNED>(dx + at, c, columns, d);
      if (BIAS) {
        for (int i = 0; i < V; i++) dbias.at(k, i) += c + i < columns ? d[i] : 0;
      }
    });
  }
  float* sums = partial + static_cast<int64_t>(blockIdx.x) * SUMS * columns;
  if constexpr (PACKS == 0) {
    packs<PACKS>(columns, [&](int k, int c) {
      for (int i = 0; i < V && c + i < columns; i++) {
        sums[c + i] = dw.at(k, i);
        sums[columns + c + i] = db.at(k, i);
        if (BIAS) sums[2 * columns + c + i] = dbias.at(k, i);
      }
    });
  } else {
    for (int turn = 0; turn < WARPS<PACKS>; turn++) {
      if (turn > 0) __syncthreads();
      if (static_cast<int>(threadIdx.x) / LANES != turn) continue;
      packs<PACKS>(columns, [&](int k, int c) {
        if (c >= columns) return;
        auto handOn = [&](Row<PACKS>& own, int at) {
          float sum[V], before[V];
          for (int i = 0; i < V; i++) sum[i] = own.at(k, i);
          if (turn > 0) {
            load<V>(shared + at, before);
            for (int i = 0; i < V; i++) sum[i] += before[i];
          }
          store<V>((turn == WARPS<PACKS> - 1 ? sums : shared) + at, sum);
        };
        handOn(dw, c);
        handOn(db, columns + c);
        if (BIAS) handOn(dbias, 2 * columns + c);
      });
    }
  }
}

}  // namespace

int dropout(int type, Address x, Address y, Address random, Address sequence, Address position, int site, int threshold,
    float keep, int64_t rows, int columns, Address stream) {
  if (rows == 0) return 0;
  Drop drop = {random, sequence, position, static_cast<unsigned>(site), static_cast<unsigned>(threshold), keep};
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    return withPacks(columns, [=](auto p) {
      constexpr int PACKS = DYR_PACKS(p), THREADS = WARPS<PACKS> * LANES;
      const T* from = x;
      T* to = y;
      int blocks = blocksFor(rows * LANES, THREADS);
      DYR_LAUNCH((dropoutRows<T, PACKS>), blocks, THREADS, 0, stream, from, to, drop, rows, columns);
      return DYR_LAUNCHED;
    });
  });
}

int dropoutAddLayerNorm(int type, Address x, Address bias, Address residual, Address w, Address b, Address random,
    Address sequence, Address position, int site, int threshold, float keep, Address y, Address h, Address mean,
    Address rstd, int64_t rows, int columns, float eps, Address stream) {
  if (rows == 0) return 0;
  Norm norm = {w, b, mean, rstd, columns, eps};
  Drop drop = {random, sequence, position, static_cast<unsigned>(site), static_cast<unsigned>(threshold), keep};
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    return withPacks(columns, [=](auto p) {
      constexpr int PACKS = DYR_PACKS(p), THREADS = WARPS<PACKS> * LANES;
      const T *xs = x, *others = residual;
      const float* biases = bias;
      T *ys = y, *hs = h;
      int blocks = blocksFor(rows * LANES, THREADS);
      size_t shared = sharedRows<PACKS>(1, columns);
      if (drop.random != nullptr) {
        DYR_LAUNCH((normRows<T, PACKS, true>), blocks, THREADS, shared, stream, xs, biases, others, norm, drop, ys, hs,
            rows);
      } else {
        DYR_LAUNCH((normRows<T, PACKS, false>), blocks, THREADS, shared, stream, xs, biases, others, norm, drop, ys, hs,
            rows);
      }
      return DYR_LAUNCHED;
    });
  });
}

int embeddingLayerNorm(int type, Address table0, Address index0, Address table1, Address index1, Address table2,
    Address index2, Address w, Address b, Address y, Address h, Address mean, Address rstd, int64_t rows, int columns,
    float eps, Address stream) {
  if (rows == 0) return 0;
  Tables tables = {{table0, table1, table2}, {index0, index1, index2}};
  Norm norm = {w, b, mean, rstd, columns, eps};
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    return withPacks(columns, [=](auto p) {
      constexpr int PACKS = DYR_PACKS(p), THREADS = WARPS<PACKS> * LANES;
      T* ys = y;
      float* hs = h;
      DYR_LAUNCH((embeddingRows<T, PACKS>), blocksFor(rows * LANES, THREADS), THREADS, sharedRows<PACKS>(1, columns),
          stream, tables, norm, ys, hs, rows);
      return DYR_LAUNCHED;
    });
  });
}

int dropoutAddLayerNormGrad(int type, Address dy, Address x, Address w, Address mean, Address rstd, Address random,
    Address sequence, Address position, int site, int threshold, float keep, Address dx, Address dresidual, Address dw,
    Address db, Address dbias, Address partial, int most, int64_t rows, int columns, Address stream) {
  Drop drop = {random, sequence, position, static_cast<unsigned>(site), static_cast<unsigned>(threshold), keep};
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    return withPacks(columns, [=](auto p) {
      constexpr int PACKS = DYR_PACKS(p), THREADS = WARPS<PACKS> * LANES;
      const T *dys = dy, *xs = x;
      const float *ws = w, *means = mean, *rstds = rstd;
      T *dxs = dx, *others = dresidual;
      float* sums = partial;
      return withFlags(drop.random != nullptr, dbias.at != 0, [=](auto d, auto e) {
        constexpr bool DROP = decltype(d)::value, BIAS = decltype(e)::value;
        constexpr int SUMS = BIAS ? 3 : 2;
        size_t shared = PACKS > 0 ? SUMS * sizeof(float) * columns : sharedRows<PACKS>(SUMS, columns);
        int blocks = std::min(most, MULTIPROCESSORS * GRAD_BLOCKS<PACKS, BIAS>);
        DYR_LAUNCH((normGradRows<T, PACKS, DROP, BIAS>), blocks, THREADS, shared, stream, dys, xs, ws, means, rstds,
            drop, dxs, others, sums, rows, columns);
        int status = DYR_LAUNCHED;
        return status != 0 ? status : fold(sums, blocks, columns, {dw, db, dbias}, SUMS, stream);
      });
    });
  });
}

}  // namespace dyr
