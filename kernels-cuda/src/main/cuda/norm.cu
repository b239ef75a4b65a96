// Dropout and layer norm of rows, forward. A warp has a row, which stays in registers up to 1,024 columns, in shared
// memory beyond and where lanes have no whole neighbours. Bound by the bytes of the rows, 2 to 4 (R,C): all loads of a
// row are under way before the first is used, and 16 to 32 warps a multiprocessor wait for theirs at a time.
#include "rows.cuh"

namespace dyr {
namespace {

/** Rows in registers have 4 warps a block, rows in shared memory one. */
template <int PACKS>
constexpr int WARPS = PACKS > 0 ? 4 : 1;

/** Blocks that a multiprocessor is to have at once: what so much of a row in registers leaves of them. */
template <class T, int PACKS>
constexpr int RESIDENT = PACKS > 6 ? 4 : PACKS > 4 || PACKS * WIDE<T> > 24 ? 5 : 8;

/** Packs of a row in registers, 0 for one in shared memory. */
template <int N>
struct Packs {
  static constexpr int count = N;
};

#define DYR_PACKS(packs) decltype(packs)::count

/** f(Packs<N>()) for rows of so many columns, V neighbours a lane. */
template <int V, class F>
int withPacks(int columns, const F& f) {
  if (columns % V != 0 || columns > 1024) return f(Packs<0>());
  int packs = (columns + V * LANES - 1) / (V * LANES);
  if constexpr (V == 4) {
    if (packs > 6) return f(Packs<8>());
    if (packs > 4) return f(Packs<6>());
  }
  switch (packs) {
    case 1: return f(Packs<1>());
    case 2: return f(Packs<2>());
    case 3: return f(Packs<3>());
    default: return f(Packs<4>());
  }
}

/** y = dropout(x). A warp has a pack of a row; V is 1 wherever rows have no whole packs of 16 bytes. */
template <class T, bool WHOLE>
__global__ void __launch_bounds__(THREADS) dropoutRows(const T* x, T* y, Drop drop, int64_t rows, int columns) {
  constexpr int V = WIDE<T>;
  int packs = (columns + V * LANES - 1) / (V * LANES);
  int64_t step = static_cast<int64_t>(gridDim.x) * (THREADS / LANES);
  Mask<V> mask(drop, true);
  for (int64_t n = blockIdx.x * (THREADS / LANES) + threadIdx.x / LANES; n < rows * packs; n += step) {
    int64_t r = n / packs;
    int k = static_cast<int>(n - r * packs), c = (k * LANES + threadIdx.x % LANES) * V;
    Place place(drop, r);
    float v[V] = {};
    if constexpr (WHOLE) {
      if (c < columns) load<V>(x + r * columns + c, v);
    } else {
      for (int i = 0; i < V; i++) v[i] = c + i < columns ? widen(x[r * columns + c + i]) : 0;
    }
    mask.apply(place, k, v);
    if constexpr (WHOLE) {
      if (c < columns) store<V>(y + r * columns + c, v);
    } else {
      for (int i = 0; i < V; i++) {
        if (c + i < columns) y[r * columns + c + i] = narrow<T>(v[i]);
      }
    }
  }
}

/** What a layer norm does to a row: w, b (C) come from the first cache, y is this row's. */
struct Norm {
  const float *w, *b;
  float *mean, *rstd;  // (R), null where they are not kept
  int columns;
  float eps;

  /** y = (h - mean) rstd w + b, rstd = 1 / sqrt(var + eps), the variance from squared deviations. */
  template <int V, int PACKS, class T>
  __device__ __forceinline__ void apply(Row<V, PACKS>& h, int64_t r, T* y) const {
    typedef Columns<V, PACKS> In;
    float sum = 0, squares = 0;
    In::packs(columns, [&](int k, int c) {
      for (int i = 0; i < V; i++) sum += In::has(k, c, i, columns) ? h.at(k, i) : 0;
    });
    float average = warpSum(sum) / columns;
    In::packs(columns, [&](int k, int c) {
      for (int i = 0; i < V; i++) {
        float off = In::has(k, c, i, columns) ? h.at(k, i) - average : 0;
        squares += off * off;
      }
    });
    float scale = rsqrtf(warpSum(squares) / columns + eps);
    In::packs(columns, [&](int k, int c) {
      float v[V], ws[V], bs[V];
      In::weights(w, k, c, columns, ws);
      In::weights(b, k, c, columns, bs);
      for (int i = 0; i < V; i++) v[i] = (h.at(k, i) - average) * scale * ws[i] + bs[i];
      In::store(y, k, c, columns, v);
    });
    if (mean != nullptr && threadIdx.x % LANES == 0) {
      mean[r] = average;
      rstd[r] = scale;
    }
  }
};

/** What becomes of x before its norm: nothing; (x + bias) + residual; dropout(x + bias) + residual. */
enum class Before { NOTHING, ADD, DROP_ADD };

/**
 * h = dropout(x + bias) + residual, y = layer norm of h, before h is rounded. Bias is null where there is none; h is
 * written where it is asked for.
 */
template <class T, int PACKS, Before BEFORE>
__global__ void __launch_bounds__(WARPS<PACKS> * LANES, RESIDENT<T, PACKS>) normRows(const T* x,
    const float* bias, const T* residual, Norm norm, Drop drop, T* y, T* h, int64_t rows) {
  constexpr int V = WIDE<T>;
  constexpr bool ADD = BEFORE != Before::NOTHING, DROP = BEFORE == Before::DROP_ADD;
  typedef Columns<V, PACKS> In;
  int columns = norm.columns;
  DYR_DYNAMIC_SHARED(float, shared);
  Mask<V> mask(drop, DROP);
  int64_t step = static_cast<int64_t>(gridDim.x) * WARPS<PACKS>;
  for (int64_t r = blockIdx.x * WARPS<PACKS> + threadIdx.x / LANES; r < rows; r += step) {
    int64_t at = r * columns;
    Stored<T, PACKS> xs(x + at, columns), others((ADD ? residual : x) + at, columns);
    Place place = DROP ? Place(drop, r) : Place();
    Row<V, PACKS> row(shared);
    In::packs(columns, [&](int k, int c) {
      float v[V];
      xs.get(k, c, v);
      for (int i = 0; i < V; i++) row.at(k, i) = v[i];
    });
    if (ADD && bias != nullptr) {
      In::packs(columns, [&](int k, int c) {
        float bs[V];
        In::weights(bias, k, c, columns, bs);
        for (int i = 0; i < V; i++) row.at(k, i) += bs[i];
      });
    }
    if (ADD) {
      In::packs(columns, [&](int k, int c) {
        float v[V], other[V];
        for (int i = 0; i < V; i++) v[i] = row.at(k, i);
        if (DROP) mask.apply(place, k, v);
        others.get(k, c, other);
        for (int i = 0; i < V; i++) row.at(k, i) = v[i] += other[i];
        if (h != nullptr) In::store(h + at, k, c, columns, v);
      });
    }
    norm.apply(row, r, y + at);
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
__global__ void __launch_bounds__(WARPS<PACKS> * LANES, RESIDENT<float, PACKS>) embeddingRows(Tables tables, Norm norm,
    T* y, float* h, int64_t rows) {
  constexpr int V = WIDE<float>;
  typedef Columns<V, PACKS> In;
  int columns = norm.columns;
  DYR_DYNAMIC_SHARED(float, shared);
  int64_t step = static_cast<int64_t>(gridDim.x) * WARPS<PACKS>;
  for (int64_t r = blockIdx.x * WARPS<PACKS> + threadIdx.x / LANES; r < rows; r += step) {
    Stored<float, PACKS> first(tables.row(0, r, columns), columns);
    const float *second = tables.row(1, r, columns), *third = tables.row(2, r, columns);
    Row<V, PACKS> row(shared);
    In::packs(columns, [&](int k, int c) {
      float v[V], other[V];
      first.get(k, c, v);
      In::weights(second, k, c, columns, other);
      for (int i = 0; i < V; i++) v[i] += other[i];
      if (third != nullptr) {
        In::weights(third, k, c, columns, other);
        for (int i = 0; i < V; i++) v[i] += other[i];
      }
      if (h != nullptr) In::store(h + r * columns, k, c, columns, v);
      for (int i = 0; i < V; i++) row.at(k, i) = v[i];
    });
    norm.apply(row, r, y + r * columns);
  }
}

/** Bytes of shared memory for a row that is not in registers. */
template <int V, int PACKS>
size_t sharedBytes(int columns) { return PACKS > 0 ? 0 : sizeof(float) * sharedRow<V>(columns); }

}  // namespace

int dropout(int type, Address x, Address y, Address random, Address sequence, Address position, int site, int threshold,
    float keep, int64_t rows, int columns, Address stream) {
  if (rows == 0) return 0;
  Drop drop(random, sequence, position, site, threshold, keep, columns);
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    const T* from = x;
    T* to = y;
    int blocks = blocksFor(rows * ((columns + WIDE<T> * LANES - 1) / (WIDE<T> * LANES)) * LANES);
    if (columns % WIDE<T> == 0) {
      DYR_LAUNCH((dropoutRows<T, true>), blocks, THREADS, 0, stream, from, to, drop, rows, columns);
    } else {
      DYR_LAUNCH((dropoutRows<T, false>), blocks, THREADS, 0, stream, from, to, drop, rows, columns);
    }
    return DYR_LAUNCHED;
  });
}

int dropoutAddLayerNorm(int type, Address x, Address bias, Address residual, Address w, Address b, Address random,
    Address sequence, Address position, int site, int threshold, float keep, Address y, Address h, Address mean,
    Address rstd, int64_t rows, int columns, float eps, Address stream) {
  if (rows == 0) return 0;
  Norm norm = {w, b, mean, rstd, columns, eps};
  Drop drop(random, sequence, position, site, threshold, keep, columns);
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    return withPacks<WIDE<T>>(columns, [=](auto p) {
      constexpr int PACKS = DYR_PACKS(p), THREADS = WARPS<PACKS> * LANES;
      const T *xs = x, *others = residual;
      const float* biases = bias;
      T *ys = y, *hs = h;
      int blocks = blocksFor(rows * LANES, THREADS);
      size_t shared = sharedBytes<WIDE<T>, PACKS>(columns);
      if (others == nullptr) {
        DYR_LAUNCH((normRows<T, PACKS, Before::NOTHING>), blocks, THREADS, shared, stream, xs, biases, others, norm,
            drop, ys, hs, rows);
      } else if (drop.random == nullptr) {
        DYR_LAUNCH((normRows<T, PACKS, Before::ADD>), blocks, THREADS, shared, stream, xs, biases, others, norm, drop,
            ys, hs, rows);
      } else {
        DYR_LAUNCH((normRows<T, PACKS, Before::DROP_ADD>), blocks, THREADS, shared, stream, xs, biases, others, norm,
            drop, ys, hs, rows);
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
    return withPacks<WIDE<float>>(columns, [=](auto p) {
      constexpr int PACKS = DYR_PACKS(p), THREADS = WARPS<PACKS> * LANES;
      T* ys = y;
      float* hs = h;
      DYR_LAUNCH((embeddingRows<T, PACKS>), blocksFor(rows * LANES, THREADS), THREADS,
          (sharedBytes<WIDE<float>, PACKS>(columns)), stream, tables, norm, ys, hs, rows);
      return DYR_LAUNCHED;
    });
  });
}

}  // namespace dyr
