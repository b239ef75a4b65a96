// Attention where only the first token of each sequence asks, and its gradient: org.dyr.op.Attention with
// Queries.FIRST. A block has a head of a sequence, all of whose keys and values are read once: bound by those bytes,
// 2 D elements a token and head, and in the gradient as many that are written.
//
// A key belongs to G lanes that have V of its columns each, and others behind them where G V do not suffice; a group of
// lanes takes four keys at a time, 16 apart, for which dropout has the four words of a counter. Each group has a softmax
// of its own of the keys that it met; at the end the block brings them together in order.
#include "attention.cuh"

namespace dyr {
namespace attention {
namespace {

constexpr int FIRST_BLOCK = 128, KEYS = 4;

template <class T>
struct First {
  Layout l;
  Drop d;
  const T *q, *k, *v;  // q (S,C), k, v (T,C)
  T* o;                // (S,C)
  float* lse;          // (H,S)
};

template <class T>
struct FirstGradient {
  First<T> of;
  const T* dout;  // (S,C)
  T *dq, *dk, *dv;
};

/** Which columns a lane has: R packs of V, G apart; and which keys its group. */
template <int V, int R>
struct Group {
  int size, lanes, part, number, count;

  __device__ __forceinline__ Group(int size, int lanes)
      : size(size), lanes(lanes), part(threadIdx.x % lanes), number(threadIdx.x / lanes), count(FIRST_BLOCK / lanes) {}

  template <class T>
  __device__ __forceinline__ void load(float (&x)[R][V], const T* from, bool is) const {
#pragma unroll
    for (int r = 0; r < R; r++) {
      int c = (r * lanes + part) * V;
      if (is && c < size) {
        dyr::load<V>(from + c, x[r]);
      } else {
#pragma unroll
        for (int i = 0; i < V; i++) x[r][i] = 0;
      }
    }
  }

  /** to = by x. */
  template <class T>
  __device__ __forceinline__ void store(T* to, const float (&x)[R][V], float by) const {
#pragma unroll
    for (int r = 0; r < R; r++) {
      int c = (r * lanes + part) * V;
      float y[V];
#pragma unroll
      for (int i = 0; i < V; i++) y[i] = x[r][i] * by;
      if (c < size) dyr::store<V>(to + c, y);
    }
  }

  __device__ __forceinline__ float dot(const float (&x)[R][V], const float (&y)[R][V]) const {
    float sum = 0;
#pragma unroll
    for (int r = 0; r < R; r++) {
#pragma unroll
      for (int i = 0; i < V; i++) sum += x[r][i] * y[r][i];
    }
    for (int with = 1; with < lanes; with *= 2) sum += __shfl_xor_sync(ALL_LANES, sum, with);
    return sum;
  }

  __device__ __forceinline__ void add(float (&x)[R][V], float by, const float (&y)[R][V]) const {
#pragma unroll
    for (int r = 0; r < R; r++) {
#pragma unroll
      for (int i = 0; i < V; i++) x[r][i] += by * y[r][i];
    }
  }

  /** Rounds that a sequence takes. */
  __device__ __forceinline__ int rounds(int length) const {
    int units = (length + DRAWN - 1) / DRAWN * 16;
    return (units + count - 1) / count;
  }

  /** Puts x in its columns of the group's row of `sums` (count, lanes R V). */
  __device__ __forceinline__ void put(float* sums, const float (&x)[R][V]) const {
#pragma unroll
    for (int r = 0; r < R; r++) {
#pragma unroll
      for (int i = 0; i < V; i++) sums[(number * R * lanes + r * lanes + part) * V + i] = x[r][i];
    }
  }
};

/** What stays of a group's four keys. */
struct Stays {
  bool at[KEYS];

  __device__ __forceinline__ Stays(const Drop& d, int s, int head, int block, int column) {
    at[0] = at[1] = at[2] = at[3] = true;
    if (d.random) {
      Draws draws(d, s, head);
      uint4 w = draws.at(0, block, column / 2);
      unsigned bit = column % 2 ? 1u << 31 : 1u << 15;
      at[0] = draws.stay(w.x) & bit;
      at[1] = draws.stay(w.y) & bit;
      at[2] = draws.stay(w.z) & bit;
      at[3] = draws.stay(w.w) & bit;
    }
  }
};

template <class T, int V, int R>
__global__ __launch_bounds__(FIRST_BLOCK) void first(First<T> x, int lanes) {
  __shared__ float sums[FIRST_BLOCK * R * V], largest[FIRST_BLOCK], totals[FIRST_BLOCK], factors[FIRST_BLOCK];
  Group<V, R> group(x.l.size, lanes);
  int s = blockIdx.x / x.l.heads, head = blockIdx.x % x.l.heads, size = x.l.size;
  int start = x.l.offsets[s], length = x.l.offsets[s + 1] - start;
  int64_t columns = x.l.columns(), query = s * columns + head * size, at = start * columns + head * size;
  float* lse = x.lse + static_cast<int64_t>(head) * x.l.sequences + s;
  if (length <= 0) {
    for (int c = threadIdx.x; c < size; c += FIRST_BLOCK) x.o[query + c] = narrow<T>(0);
    if (threadIdx.x == 0) *lse = 0;
    return;
  }
  float by = LOG2_E / sqrtf(static_cast<float>(size)), most = -INFINITY, total = 0, q[R][V], o[R][V] = {};
  group.load(q, x.q + query, true);
  for (int round = 0; round < group.rounds(length); round++) {
    int unit = round * group.count + group.number, block = unit / 16, column = unit % 16, j = block * DRAWN + column;
    float k[KEYS][R][V], v[KEYS][R][V], score[KEYS], now = most;
#pragma unroll
    for (int n = 0; n < KEYS; n++) {
      int64_t row = at + (j + 16 * n) * columns;
      group.load(k[n], x.k + row, j + 16 * n < length);
      group.load(v[n], x.v + row, j + 16 * n < length);
    }
#pragma unroll
    for (int n = 0; n < KEYS; n++) {
      score[n] = group.dot(q, k[n]) * by;
      if (j + 16 * n >= length) score[n] = -INFINITY;
      now = fmaxf(now, score[n]);
    }
    Stays stays(x.d, s, head, block, column);
    float shift = now > -INFINITY ? now : 0, factor = exp2f(most - shift);
    most = now;
    total *= factor;
#pragma unroll
    for (int r = 0; r < R; r++) {
#pragma unroll
      for (int i = 0; i < V; i++) o[r][i] *= factor;
    }
#pragma unroll
    for (int n = 0; n < KEYS; n++) {
      float p = exp2f(score[n] - shift);
      total += p;
      group.add(o, stays.at[n] ? p : 0, v[n]);
    }
  }
  group.put(sums, o);
  if (group.part == 0) {
    largest[group.number] = most;
    totals[group.number] = total;
  }
  __syncthreads();
  most = -INFINITY;
  for (int g = 0; g < group.count; g++) most = fmaxf(most, largest[g]);
  float shift = most > -INFINITY ? most : 0;
  if (static_cast<int>(threadIdx.x) < group.count) factors[threadIdx.x] = exp2f(largest[threadIdx.x] - shift);
  __syncthreads();
  total = 0;
  for (int g = 0; g < group.count; g++) total += totals[g] * factors[g];
  for (int c = threadIdx.x; c < size; c += FIRST_BLOCK) {
    float sum = 0;
    for (int g = 0; g < group.count; g++) sum += sums[g * lanes * R * V + c] * factors[g];
    x.o[query + c] = narrow<T>(sum * x.d.scale / total);
  }
  if (threadIdx.x == 0) *lse = shift * LN_2 + logf(total);
}

/** dk and dv of a key are the query's and what comes for its output, times a number each; dq sums over the keys. */
template <class T, int V, int R>
__global__ __launch_bounds__(FIRST_BLOCK) void firstGradient(FirstGradient<T> g, int lanes) {
  __shared__ float sums[FIRST_BLOCK * R * V];
  const First<T>& x = g.of;
  if (blockIdx.x >= gridDim.x - REST_BLOCKS) {
    clearRest(x.l, g.dk);
    clearRest(x.l, g.dv);
    return;
  }
  Group<V, R> group(x.l.size, lanes);
  int s = blockIdx.x / x.l.heads, head = blockIdx.x % x.l.heads, size = x.l.size;
  int start = x.l.offsets[s], length = x.l.offsets[s + 1] - start;
  int64_t columns = x.l.columns(), query = s * columns + head * size, at = start * columns + head * size;
  if (length <= 0) {
    for (int c = threadIdx.x; c < size; c += FIRST_BLOCK) g.dq[query + c] = narrow<T>(0);
    return;
  }
  float scale = 1 / sqrtf(static_cast<float>(size)), by = LOG2_E * scale, q[R][V], d[R][V], o[R][V], dq[R][V] = {};
  float log = x.lse[static_cast<int64_t>(head) * x.l.sequences + s] * LOG2_E;
  group.load(q, x.q + query, true);
  group.load(d, g.dout + query, true);
  group.load(o, x.o + query, true);
  float delta = group.dot(d, o);
  for (int round = 0; round < group.rounds(length); round++) {
    int unit = round * group.count + group.number, block = unit / 16, column = unit % 16, j = block * DRAWN + column;
    float k[KEYS][R][V], v[KEYS][R][V];
#pragma unroll
    for (int n = 0; n < KEYS; n++) {
      int64_t row = at + (j + 16 * n) * columns;
      group.load(k[n], x.k + row, j + 16 * n < length);
      group.load(v[n], x.v + row, j + 16 * n < length);
    }
    Stays stays(x.d, s, head, block, column);
#pragma unroll
    for (int n = 0; n < KEYS; n++) {
      float score = group.dot(q, k[n]), dp = group.dot(d, v[n]);
      float p = exp2f(fmaf(score, by, -log)), ds = p * ((stays.at[n] ? dp * x.d.scale : 0) - delta);
      if (j + 16 * n >= length) continue;
      int64_t row = at + (j + 16 * n) * columns;
      group.add(dq, ds, k[n]);
      group.store(g.dk + row, q, ds * scale);
      group.store(g.dv + row, d, stays.at[n] ? p * x.d.scale : 0);
    }
  }
  group.put(sums, dq);
  __syncthreads();
  for (int c = threadIdx.x; c < size; c += FIRST_BLOCK) {
    float sum = 0;
    for (int n = 0; n < group.count; n++) sum += sums[n * lanes * R * V + c];
    g.dq[query + c] = narrow<T>(sum * scale);
  }
}

/** The lanes of a key: a power of two, as many as there are packs if a warp has them. */
inline int lanesFor(int size, int pack) {
  int lanes = 1;
  while (lanes < LANES && lanes * pack < size) lanes *= 2;
  return lanes;
}

/** f<T,V,R>(lanes): V columns at once where heads begin at multiples of them; heads have up to 256. */
template <class F>
int forHead(int type, int size, const F& f) {
  return typed(type, [&](auto t) {
    typedef DYR_STORAGE(t) T;
    constexpr int V = WIDE<T>, R = 256 / (LANES * V);
    if (size % V == 0) return f.template with<T, V, R>(lanesFor(size, V));
    return f.template with<T, 1, 256 / LANES>(lanesFor(size, 1));
  });
}

struct LaunchFirst {
  Address q, k, v, o, lse, stream;
  Layout l;
  Drop d;
  template <class T, int V, int R> int with(int lanes) const {
    First<T> x{l, d, q, k, v, o, lse};
    int blocks = l.sequences * l.heads;
    DYR_LAUNCH((first<T, V, R>), blocks, FIRST_BLOCK, 0, stream, x, lanes);
    return DYR_LAUNCHED;
  }
};

struct LaunchFirstGradient {
  LaunchFirst of;
  Address dout, dq, dk, dv;
  template <class T, int V, int R> int with(int lanes) const {
    FirstGradient<T> x{{of.l, of.d, of.q, of.k, of.v, of.o, of.lse}, dout, dq, dk, dv};
    int blocks = of.l.sequences * of.l.heads + REST_BLOCKS;
    DYR_LAUNCH((firstGradient<T, V, R>), blocks, FIRST_BLOCK, 0, of.stream, x, lanes);
    return DYR_LAUNCHED;
  }
};

}  // namespace
}  // namespace attention

int attentionFirst(int type, Address q, Address k, Address v, Address offsets, Address random, Address sequence,
                   Address o, Address lse, int tokens, int sequences, int heads, int size, int site, int threshold,
                   float scale, Address stream) {
  if (sequences == 0) return 0;
  using namespace attention;
  Layout l{offsets, tokens, sequences, heads, size, 0};
  Drop d{random, sequence, site, static_cast<unsigned>(threshold), scale};
  return forHead(type, size, LaunchFirst{q, k, v, o, lse, stream, l, d});
}

int attentionFirstGradient(int type, Address dout, Address q, Address k, Address v, Address o, Address lse,
                           Address offsets, Address random, Address sequence, Address dq, Address dk, Address dv,
                           int tokens, int sequences, int heads, int size, int site, int threshold, float scale,
                           Address stream) {
  using namespace attention;
  Layout l{offsets, tokens, sequences, heads, size, 0};
  Drop d{random, sequence, site, static_cast<unsigned>(threshold), scale};
  return forHead(type, size, LaunchFirstGradient{{q, k, v, o, lse, stream, l, d}, dout, dq, dk, dv});
}

}  // namespace dyr
