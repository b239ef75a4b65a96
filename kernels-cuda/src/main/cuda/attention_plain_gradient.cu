// The gradient of attention in fp32 FMAs: org.dyr.op.Attention.Grad and org.dyr.op.RelativeAttention.Grad, for the
// cases that attention_plain.cu takes. What stands in delta and in the masks is attention_gradient.cu's setup.
//
// dq by queries and dk, dv by keys, each of which makes p and dp once more: 7 L C FMAs a token, bound as those of the
// forward. The table's gradient is a product: what a query has for each distance, summed over the keys of that
// distance, (H T,R), is written beside dq, and da = folded^T q over all rows of it, in parts that are added in order.
#include "attention_plain.cuh"

namespace dyr {
namespace attention {
namespace {

template <class T>
struct PlainGradient {
  Plain<T> of;           // q, k, v, lse, the table; o is not read
  const T* dout;         // (T,C)
  const float* delta;    // (H,T)
  const uint64_t* kept;  // (H,K,T), K blocks of 64 keys
  T *dq, *dk, *dv;
  float* folded;         // (2,H,T,R): sums of ds / sqrt(D), and of what is left of p, over the keys of a distance

  __device__ __forceinline__ const uint64_t* masks(int head, int block) const {
    const Layout& l = of.l;
    return kept + (static_cast<int64_t>(head) * ((l.longest + DRAWN - 1) / DRAWN) + block) * l.tokens;
  }
};

template <class T, int E, bool RELATIVE>
__global__ __launch_bounds__(PLAIN_BLOCK, 2) void plainQueriesGradient(PlainGradient<T> g, int group) {
  const Plain<T>& x = g.of;
  Lane<E> lane(group);
  Share share(x.l, Lane<E>::rows(group));
  if (share.isRest(x.l)) {
    clearRest(x.l, g.dq);
    return;
  }
  if (share.isEmpty()) return;
  DYR_DYNAMIC_SHARED(float, keys);
  int width = lane.width(), size = x.l.size;
  float* values = keys + ROWS * width;
  Table table = copyTable<RELATIVE>(x, values + ROWS * width, width);
  int64_t columns = x.l.columns(), at = share.start * columns + share.head * size;
  int i = share.from + static_cast<int>(threadIdx.x) / group;
  bool is = i < share.length, works = share.from + static_cast<int>(threadIdx.x / LANES * LANES) / group < share.length;
  int64_t here = at + (is ? i : 0) * columns, token = share.start + (is ? i : 0);
  int64_t row = static_cast<int64_t>(share.head) * x.l.tokens + token;
  float by = x.by(), scale = by * LN_2, log = x.lse[row] * LOG2_E, delta = g.delta[row], q[E], d[E], dq[E] = {};
  lane.load(q, x.q + here, size);
  lane.load(d, g.dout + here, size);
  // The keys of the first and of the last distance are many, those between one each, if at all.
  float *ds = g.folded + row * x.distances, *ps = ds + static_cast<int64_t>(x.l.heads) * x.l.tokens * x.distances;
  bool folds = RELATIVE && is && lane.part == 0;
  float ends[2][2] = {};
  if (folds) for (int c = 0; c < x.distances; c++) ds[c] = ps[c] = 0;
  for (int key = 0; key < share.length; key += ROWS) {
    int n = min(ROWS, share.length - key);
    __syncthreads();  // all are done with the tile before
    copyRows(keys, width, width, x.k + at + key * columns, columns, size, n);
    copyRows(values, width, width, x.v + at + key * columns, columns, size, n);
    __syncthreads();
    if (!works) continue;
    uint64_t kept = x.d.random ? g.masks(share.head, key / DRAWN)[token] : ~uint64_t(0);
#pragma unroll 2
    for (int j = 0; j < n; j++) {
      int distance = table.at(key + j, i);
      const float* a = table.rows + distance * table.stride;
      float s = lane.sum(lane.template dot<RELATIVE>(q, keys + j * width, a));
      float dp = lane.sum(lane.template dot<RELATIVE>(d, values + j * width, a));
      bool stays = isKept(kept, j);
      float p = exp2f(fmaf(s, by, -log)), y = p * ((stays ? dp * x.d.scale : 0) - delta);
      lane.template add<RELATIVE>(dq, y, keys + j * width, a);
      if (folds) {
        float left = stays ? p * x.d.scale : 0;
        if (distance == 0) {
          ends[0][0] += y;
          ends[0][1] += left;
        } else if (distance == x.distances - 1) {
          ends[1][0] += y;
          ends[1][1] += left;
        } else {
          ds[distance] = y * scale;
          ps[distance] = left;
        }
      }
    }
  }
  if (!is) return;
  lane.store(g.dq + here, dq, scale, size);
  if (!folds) return;
  ds[0] = ends[0][0] * scale;
  ps[0] = ends[0][1];
  ds[x.distances - 1] = ends[1][0] * scale;
  ps[x.distances - 1] = ends[1][1];
}

template <class T, int E, bool RELATIVE>
__global__ __launch_bounds__(PLAIN_BLOCK, 2) void plainKeysGradient(PlainGradient<T> g, int group) {
  const Plain<T>& x = g.of;
  Lane<E> lane(group);
  Share share(x.l, Lane<E>::rows(group));
  if (share.isRest(x.l)) {
    clearRest(x.l, g.dk);
    clearRest(x.l, g.dv);
    return;
  }
  if (share.isEmpty()) return;
  DYR_DYNAMIC_SHARED(float, queries);
  int width = lane.width(), size = x.l.size;
  float *douts = queries + ROWS * width, *logs = douts + ROWS * width, *deltas = logs + ROWS;
  Table table = copyTable<RELATIVE>(x, deltas + ROWS, width);
  int64_t columns = x.l.columns(), at = share.start * columns + share.head * size;
  int64_t row = static_cast<int64_t>(share.head) * x.l.tokens + share.start;
  int j = share.from + static_cast<int>(threadIdx.x) / group;
  bool is = j < share.length, works = share.from + static_cast<int>(threadIdx.x / LANES * LANES) / group < share.length;
  int64_t here = at + (is ? j : 0) * columns;
  const uint64_t* masks = g.masks(share.head, (is ? j : 0) / DRAWN) + share.start;
  float by = x.by(), k[E], v[E], dk[E] = {}, dv[E] = {};
  lane.load(k, x.k + here, size);
  lane.load(v, x.v + here, size);
  for (int query = 0; query < share.length; query += ROWS) {
    int n = min(ROWS, share.length - query);
    __syncthreads();  // all are done with the tile before
    copyRows(queries, width, width, x.q + at + query * columns, columns, size, n);
    copyRows(douts, width, width, g.dout + at + query * columns, columns, size, n);
    for (int i = threadIdx.x; i < n; i += PLAIN_BLOCK) {
      logs[i] = x.lse[row + query + i] * LOG2_E;
      deltas[i] = g.delta[row + query + i];
    }
    __syncthreads();
    if (!works) continue;
    for (int i = 0; i < n; i++) {
      const float *q = queries + i * width, *d = douts + i * width;
      float s = 0, dp = 0;
      if constexpr (RELATIVE) {
        const float* a = table.rows + table.at(j, query + i) * table.stride;
#pragma unroll
        for (int e = 0; e < E; e += 4) {
          float4 b = lane.template chunk<false>(a, nullptr, e), u = lane.template chunk<false>(q, nullptr, e),
                 w = lane.template chunk<false>(d, nullptr, e);
          s += u.x * (k[e] + b.x) + u.y * (k[e + 1] + b.y) + u.z * (k[e + 2] + b.z) + u.w * (k[e + 3] + b.w);
          dp += w.x * (v[e] + b.x) + w.y * (v[e + 1] + b.y) + w.z * (v[e + 2] + b.z) + w.w * (v[e + 3] + b.w);
        }
      } else {
        s = lane.template dot<false>(k, q, nullptr);
        dp = lane.template dot<false>(v, d, nullptr);
      }
      s = lane.sum(s);
      dp = lane.sum(dp);
      bool stays = !x.d.random || isKept(masks[query + i], j % DRAWN);
      float p = exp2f(fmaf(s, by, -logs[i])), y = p * ((stays ? dp * x.d.scale : 0) - deltas[i]);
      lane.template add<false>(dk, y, q, nullptr);
      lane.template add<false>(dv, stays ? p : 0, d, nullptr);
    }
  }
  if (!is) return;
  lane.store(g.dk + here, dk, by * LN_2, size);
  lane.store(g.dv + here, dv, x.d.scale, size);
}

template <class T, int E, bool RELATIVE>
int launchGradient(const PlainGradient<T>& x, void* stream) {
  int group = groupFor(x.of.l.size, E), shared = sharedBytes<E>(group, x.of.distances);
  unsigned grid = blocks(x.of.l, PLAIN_BLOCK / group);
  DYR_ALLOW_SHARED((plainQueriesGradient<T, E, RELATIVE>), shared);
  DYR_ALLOW_SHARED((plainKeysGradient<T, E, RELATIVE>), shared);
  DYR_LAUNCH((plainQueriesGradient<T, E, RELATIVE>), grid, PLAIN_BLOCK, shared, stream, x, group);
  DYR_LAUNCH((plainKeysGradient<T, E, RELATIVE>), grid, PLAIN_BLOCK, shared, stream, x, group);
  return DYR_LAUNCHED;
}

/** Elements of the table that a thread sums, and rows of `folded` that a block reads at once. */
constexpr int SUMS = 16, FOLDED_ROWS = 16;

/**
 * parts[p,c,:] = sum of folded[0,h,t,c] x[t,h,:] + folded[1,h,t,c] y[t,h,:] over the p-th of the runs of rows (h,t);
 * without y, of the first alone. A block sums THREADS SUMS elements of a part.
 */
template <class T>
__global__ __launch_bounds__(THREADS) void tableParts(Layout l, const float* folded, int distances, const T* x,
                                                      const T* y, float* parts) {
  DYR_DYNAMIC_SHARED(float, shared);
  int size = l.size, end = l.offsets[l.sequences], elements = distances * size;
  int64_t rows = static_cast<int64_t>(l.heads) * end, other = static_cast<int64_t>(l.heads) * l.tokens * distances;
  int64_t from = rows * blockIdx.x / gridDim.x, to = rows * (blockIdx.x + 1) / gridDim.x;
  int sides = y ? 2 : 1, first = blockIdx.y * THREADS * SUMS + threadIdx.x;
  float *left = shared, *right = shared + 2 * FOLDED_ROWS * distances, sums[SUMS] = {};
  for (int64_t row = from; row < to; row += FOLDED_ROWS) {
    int count = static_cast<int>(min(static_cast<int64_t>(FOLDED_ROWS), to - row));
    __syncthreads();
    for (int i = threadIdx.x; i < sides * count * distances; i += THREADS) {
      int r = i / distances, side = r / count;
      int64_t h = (row + r % count) / end, t = (row + r % count) % end;
      left[i] = folded[side * other + (h * l.tokens + t) * distances + i % distances];
    }
    for (int i = threadIdx.x; i < sides * count * size; i += THREADS) {
      int r = i / size, side = r / count;
      int64_t h = (row + r % count) / end, t = (row + r % count) % end;
      right[i] = widen((side ? y : x)[t * l.columns() + h * size + i % size]);
    }
    __syncthreads();
#pragma unroll
    for (int n = 0; n < SUMS; n++) {
      int e = first + n * THREADS;
      if (e >= elements) break;
      for (int r = 0; r < sides * count; r++) sums[n] += left[r * distances + e / size] * right[r * size + e % size];
    }
  }
#pragma unroll
  for (int n = 0; n < SUMS; n++) {
    int e = first + n * THREADS;
    if (e < elements) parts[static_cast<int64_t>(blockIdx.x) * elements + e] = sums[n];
  }
}

/** da = the sum of the parts, in order. */
template <class T>
__global__ void addParts(const float* parts, int count, int elements, T* da) {
  int e = blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  float sum = 0;
  for (int p = 0; p < count; p++) sum += parts[static_cast<int64_t>(p) * elements + e];
  da[e] = narrow<T>(sum);
}

}  // namespace
}  // namespace attention

int attentionPlainGradient(int type, Address dout, Address q, Address k, Address v, Address lse, Address delta,
                           Address kept, Address offsets, Address random, Address table, Address dq, Address dk,
                           Address dv, Address folded, int tokens, int sequences, int heads, int size, int longest,
                           float scale, int distances, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    using namespace attention;
    Plain<T> of{{offsets, tokens, sequences, heads, size, longest}, {random, nullptr, 0, 0, scale}, q, k, v, nullptr,
        lse, table, distances};
    PlainGradient<T> x{of, dout, delta, kept, dq, dk, dv, folded};
    bool narrow = size <= 8;
    if (distances > 0) return narrow ? launchGradient<T, 8, true>(x, stream) : launchGradient<T, 32, true>(x, stream);
    return narrow ? launchGradient<T, 8, false>(x, stream) : launchGradient<T, 32, false>(x, stream);
  });
}

int distancesGradient(int type, Address folded, Address x, Address y, Address offsets, Address parts, Address da,
                      int tokens, int sequences, int heads, int size, int distances, int count, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    using namespace attention;
    Layout l{offsets, tokens, sequences, heads, size, 0};
    int elements = distances * size, shared = 2 * FOLDED_ROWS * (distances + size) * static_cast<int>(sizeof(float));
    const float* sums = folded;
    const T *first = x, *second = y;
    float* to = parts;
    T* out = da;
    dim3 grid(count, (elements + THREADS * SUMS - 1) / (THREADS * SUMS));
    DYR_ALLOW_SHARED((tableParts<T>), shared);
    DYR_LAUNCH((tableParts<T>), grid, THREADS, shared, stream, l, sums, distances, first, second, to);
    DYR_LAUNCH((addParts<T>), (elements + THREADS - 1) / THREADS, THREADS, 0, stream, to, count, elements, out);
    return DYR_LAUNCHED;
  });
}

}  // namespace dyr
