// The gradient of layer norm and of the dropout before it. Bound by the bytes of the rows, 3 or 4 (R,C), and close to
// it by the registers of three sums over rows: so a row lies across the warps of a team, a thread keeps 16 bytes of
// columns for all rows that come by, their sums and their weight, and the next rows are loaded before these are summed.
#include <algorithm>
#include <type_traits>

#include "fold.cuh"
#include "rows.cuh"

namespace dyr {
namespace {

/** Warps of a block: what 1,024 columns take and, in 16 bits, more. */
template <class T>
constexpr int MOST_WARPS = sizeof(T) == 4 ? 8 : 6;

/** Blocks of a multiprocessor: as many as have room for their sums in registers. */
template <class T, bool BIAS>
constexpr int RESIDENT = sizeof(T) == 4 ? 2 : BIAS ? 3 : 4;

/** f of two flags, as types. */
template <class F>
int withFlags(bool first, bool second, const F& f) {
  if (first) return second ? f(std::true_type(), std::true_type()) : f(std::true_type(), std::false_type());
  return second ? f(std::false_type(), std::true_type()) : f(std::false_type(), std::false_type());
}

/** What a thread reads of a row. */
template <class T>
struct Taken {
  Raw dy, x;
  float mean, rstd;
};

/** Addresses of a layer norm's gradient. */
template <class T>
struct NormGrad {
  const T *dy, *x;                // (R,C)
  const float *w, *mean, *rstd;   // (C); (R); (R)
  T *dx, *dresidual;              // (R,C), dresidual null where it is not asked for
  float* partial;                 // (gridDim.x,S,C)
  int64_t rows;
  int columns;

  __device__ __forceinline__ Taken<T> take(int64_t r, int c) const {
    return {loadRaw(dy + r * columns + c), loadRaw(x + r * columns + c), mean[r], rstd[r]};
  }
};

/**
 * n = (x - mean) rstd; dn = dy w; d = rstd (dn - avg(dn) - n avg(dn n)); dresidual = d where it is asked for, dx =
 * dropout(d). partial (gridDim.x,S,C) = the sums over a block's rows of dy n, of dy and, with a bias, of dx: in
 * registers over all rows of a team, then team after team. blockDim: the threads of a row in whole warps, teams.
 */
template <class T, bool DROP, bool BIAS>
__global__ void __launch_bounds__(MOST_WARPS<T> * LANES, RESIDENT<T, BIAS>)
    normGradTeams(NormGrad<T> of, Drop drop) {
  constexpr int V = WIDE<T>, SUMS = BIAS ? 3 : 2;
  __shared__ float2 sums[2][MOST_WARPS<T>];
  DYR_DYNAMIC_SHARED(float, shared);
  int columns = of.columns, warps = blockDim.x / LANES, k = threadIdx.x / LANES, teams = blockDim.y, team = threadIdx.y;
  int c = threadIdx.x * V;
  bool has = c < columns;
  float ws[V] = {}, dw[V] = {}, db[V] = {}, dbias[V] = {};
  if (has) loadWeights<V>(of.w + c, ws);  // a weight of 0 keeps the others out of the sums over a row
  else c = 0;
  Mask<V> mask(drop, DROP);
  int64_t step = static_cast<int64_t>(gridDim.x) * teams, r = static_cast<int64_t>(blockIdx.x) * teams + team;
  Taken<T> next = {};
  if (r < of.rows) next = of.take(r, c);
  // All teams of a block make as many turns: what they add up of a row of zeros behind the last is 0.
  for (int turn = 0; r - team < of.rows; r += step, turn ^= 1) {
    Taken<T> row = next;
    next = {};
    if (r + step < of.rows) next = of.take(r + step, c);
    Place place = DROP && r < of.rows ? Place(drop, r) : Place();
    float d[V], off[V];
    float2 sum = {0, 0};  // of dn, and of dn (x - mean)
    widen<T>(row.dy, d);
    widen<T>(row.x, off);
    for (int i = 0; i < V; i++) {
      off[i] -= row.mean;
      float dn = __fmul_rn(d[i], ws[i]);
      sum.x += dn;
      sum.y += dn * off[i];
      dw[i] += off[i] * row.rstd * d[i];
      db[i] += d[i];
    }
    sum = float2{warpSum(sum.x), warpSum(sum.y)};
    if (warps > 1) {
      if (threadIdx.x % LANES == 0) sums[turn][team * warps + k] = sum;
      __syncthreads();  // the only one: in the next turn others are written
      sum = float2{0, 0};
      for (int w = 0; w < warps; w++) {
        float2 part = sums[turn][team * warps + w];
        sum.x += part.x;
        sum.y += part.y;
      }
    }
    if (r >= of.rows) continue;
    // Where a row has no variance rstd is large, and what it multiplies must cancel first: dn is rounded both times.
    float average = sum.x / columns, slope = -sum.y / columns * row.rstd * row.rstd;
    widen<T>(row.dy, d);
    widen<T>(row.x, off);
    for (int i = 0; i < V; i++) {
      d[i] = ((off[i] - row.mean) * slope + (__fmul_rn(d[i], ws[i]) - average)) * row.rstd;
    }
    int64_t at = r * columns + c;
    if (has && of.dresidual != nullptr) store<V>(of.dresidual + at, d);
    if (DROP) mask.apply(place, k, d);
    if (has) store<V>(of.dx + at, d);
    if (BIAS) {
      for (int i = 0; i < V; i++) dbias[i] += d[i];
    }
  }
  float* partial = of.partial + static_cast<int64_t>(blockIdx.x) * SUMS * columns;
  for (int turn = 0; turn < teams; turn++) {
    if (turn > 0) __syncthreads();
    if (team != turn || !has) continue;
    auto handOn = [&](float (&sum)[V], int at) {
      float before[V];
      if (turn > 0) {
        load<V>(shared + at, before);
        for (int i = 0; i < V; i++) sum[i] += before[i];
      }
      store<V>((turn == teams - 1 ? partial : shared) + at, sum);
    };
    handOn(dw, c);
    handOn(db, columns + c);
    if (BIAS) handOn(dbias, 2 * columns + c);
  }
}

/** The same for rows that are longer, or no whole packs of 16 bytes: a block is a warp, the sums in shared memory. */
template <class T, bool DROP, bool BIAS>
__global__ void __launch_bounds__(LANES) normGradRows(NormGrad<T> of, Drop drop) {
  constexpr int V = WIDE<T>, SUMS = BIAS ? 3 : 2;
  typedef Columns<V, 0> In;
  DYR_DYNAMIC_SHARED(float, shared);
  int columns = of.columns, padded = sharedRow<V>(columns);
  Row<V, 0> dw(shared), db(shared + padded), dbias(shared + 2 * padded);
  In::packs(columns, [&](int k, int) {
    for (int i = 0; i < V; i++) {
      dw.at(k, i) = db.at(k, i) = 0;
      if (BIAS) dbias.at(k, i) = 0;
    }
  });
  Mask<V> mask(drop, DROP);
  for (int64_t r = blockIdx.x; r < of.rows; r += gridDim.x) {
    int64_t at = r * columns;
    Stored<T, 0> dys(of.dy + at, columns), xs(of.x + at, columns);
    Place place = DROP ? Place(drop, r) : Place();
    float mean = of.mean[r], rstd = of.rstd[r], sum0 = 0, sum1 = 0;  // of dn, and of dn (x - mean)
    In::packs(columns, [&](int k, int c) {
      float d[V], off[V], ws[V];
      dys.get(k, c, d);
      xs.get(k, c, off);
      In::weights(of.w, k, c, columns, ws);
      for (int i = 0; i < V; i++) {
        off[i] -= mean;
        float dn = __fmul_rn(d[i], ws[i]);
        sum0 += dn;
        sum1 += dn * off[i];
        dw.at(k, i) += off[i] * rstd * d[i];
        db.at(k, i) += d[i];
      }
    });
    float average = warpSum(sum0) / columns, slope = -warpSum(sum1) / columns * rstd * rstd;
    In::packs(columns, [&](int k, int c) {
      float d[V], off[V], ws[V];
      dys.get(k, c, d);
      xs.get(k, c, off);
      In::weights(of.w, k, c, columns, ws);
      for (int i = 0; i < V; i++) d[i] = ((off[i] - mean) * slope + (__fmul_rn(d[i], ws[i]) - average)) * rstd;
      if (of.dresidual != nullptr) In::store(of.dresidual + at, k, c, columns, d);
      if (DROP) mask.apply(place, k, d);
      In::store(of.dx + at, k, c, columns, d);
      if (BIAS) {
        for (int i = 0; i < V; i++) dbias.at(k, i) += d[i];
      }
    });
  }
  float* partial = of.partial + static_cast<int64_t>(blockIdx.x) * SUMS * columns;
  In::packs(columns, [&](int k, int c) {
    for (int i = 0; i < V && c + i < columns; i++) {
      partial[c + i] = dw.at(k, i);
      partial[columns + c + i] = db.at(k, i);
      if (BIAS) partial[2 * columns + c + i] = dbias.at(k, i);
    }
  });
}

}  // namespace

int dropoutAddLayerNormGrad(int type, Address dy, Address x, Address w, Address mean, Address rstd, Address random,
    Address sequence, Address position, int site, int threshold, float keep, Address dx, Address dresidual, Address dw,
    Address db, Address dbias, Address partial, int most, int64_t rows, int columns, Address stream) {
  Drop drop(random, sequence, position, site, threshold, keep, columns);
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    constexpr int V = WIDE<T>;
    NormGrad<T> of = {dy, x, w, mean, rstd, dx, dresidual, partial, rows, columns};
    return withFlags(drop.random != nullptr, dbias.at != 0, [=](auto d, auto e) {
      constexpr bool DROP = decltype(d)::value, BIAS = decltype(e)::value;
      constexpr int SUMS = BIAS ? 3 : 2;
      int warps = (columns + V * LANES - 1) / (V * LANES), blocks = most;
      if (columns % V == 0 && warps <= MOST_WARPS<T>) {
        dim3 block(warps * LANES, MOST_WARPS<T> / warps);
        int resident = MOST_WARPS<T> * RESIDENT<T, BIAS> / (warps * static_cast<int>(block.y));
        blocks = std::min(most, MULTIPROCESSORS * resident);
        size_t shared = block.y > 1 ? sizeof(float) * SUMS * columns : 0;
        DYR_LAUNCH((normGradTeams<T, DROP, BIAS>), blocks, block, shared, stream, of, drop);
      } else {
        size_t shared = sizeof(float) * SUMS * sharedRow<V>(columns);
        DYR_LAUNCH((normGradRows<T, DROP, BIAS>), blocks, LANES, shared, stream, of, drop);
      }
      int status = DYR_LAUNCHED;
      return status != 0 ? status : fold(of.partial, blocks, columns, {dw, db, dbias}, SUMS, stream);
    });
  });
}

}  // namespace dyr
