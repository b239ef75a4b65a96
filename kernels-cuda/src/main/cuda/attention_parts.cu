// The ops that attention is made of, one element or one row at a time: org.dyr.op.AttentionScores, AttentionSoftmax,
// AttentionDropout, AttentionContext, RelativeScores, RelativeContext and their gradients. They run where fusions are
// switched off, and keep scores in full, (H,Q,L): bound by what they read of rows again and again from the caches.
#include "attention.cuh"

namespace dyr {
namespace attention {
namespace {

/** Queries of packed sequences: Q = T, or the first token of each, Q = S. L is `longest`. */
struct Packed {
  Layout l;
  bool first;

  __host__ __device__ int queries() const { return first ? l.sequences : l.tokens; }
};

/** The sequence that a token or a query is of, and its place there; length 0 where there is none. */
struct Place {
  int sequence = 0, start = 0, length = 0, at = 0;

  __device__ __forceinline__ void ofSequence(const Layout& l, int s) {
    sequence = s;
    start = l.offsets[s];
    length = l.offsets[s + 1] - start;
  }

  __device__ __forceinline__ static Place ofToken(const Layout& l, int token) {
    Place p;
    if (token >= l.offsets[l.sequences]) return p;
    int from = 0, to = l.sequences;  // the last that begins at the token or before it is in [from, to)
    while (to - from > 1) {
      int middle = (from + to) / 2;
      if (l.offsets[middle] <= token) from = middle;
      else to = middle;
    }
    p.ofSequence(l, from);
    p.at = token - p.start;
    return p;
  }

  __device__ __forceinline__ static Place ofQuery(const Packed& x, int query) {
    if (!x.first) return ofToken(x.l, query);
    Place p;
    p.ofSequence(x.l, query);
    return p;
  }
};

/** The embeddings a (R,D) of distances; none where R is 0. */
template <class T>
struct Distances {
  const T* a;
  int rows, size;

  /** The row for the key at place j and the query at place i. */
  __device__ __forceinline__ int row(int j, int i) const { return min(max(j - i, -(rows / 2)), rows / 2) + rows / 2; }

  __device__ __forceinline__ float at(int j, int i, int column) const {
    return rows == 0 ? 0 : widen(a[row(j, i) * size + column]);
  }
};

/** z[h,r,j] = by x[r,h,:] . (y[start+j,h,:] + a[distance,:]), 0 past the end. x (Q,C), y (T,C), z (H,Q,L). */
template <class T>
__global__ void products(Packed p, const T* x, const T* y, Distances<T> a, T* z, float by) {
  int64_t columns = p.l.columns(), n = static_cast<int64_t>(p.l.heads) * p.queries() * p.l.longest;
  int64_t e = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; e < n; e += static_cast<int64_t>(gridDim.x) * blockDim.x) {
    int j = e % p.l.longest, query = e / p.l.longest % p.queries(), head = e / p.l.longest / p.queries();
    Place at = Place::ofQuery(p, query);
    float sum = 0;
    if (j < at.length) {
      const T *left = x + query * columns + head * p.l.size, *right = y + (at.start + j) * columns + head * p.l.size;
      for (int c = 0; c < p.l.size; c++) sum += widen(left[c]) * (widen(right[c]) + a.at(j, at.at, c));
    }
    z[e] = narrow<T>(sum * by);
  }
}

/** z[r,h,:] = by sum_j w[h,r,j] (y[start+j,h,:] + a[distance,:]). w (H,Q,L), y (T,C), z (Q,C). */
template <class T>
__global__ void sumOverKeys(Packed p, const T* w, const T* y, Distances<T> a, T* z, float by) {
  int64_t columns = p.l.columns(), n = p.queries() * columns;
  int64_t e = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; e < n; e += static_cast<int64_t>(gridDim.x) * blockDim.x) {
    int c = e % columns, query = e / columns, head = c / p.l.size;
    Place at = Place::ofQuery(p, query);
    const T* row = w + (static_cast<int64_t>(head) * p.queries() + query) * p.l.longest;
    float sum = 0;
    for (int j = 0; j < at.length; j++) {
      sum += widen(row[j]) * (widen(y[(at.start + j) * columns + c]) + a.at(j, at.at, c % p.l.size));
    }
    z[e] = narrow<T>(sum * by);
  }
}

/**
 * z[start+j,h,:] = by sum_r w[h,r,j] x[r,h,:] over the queries of the token's sequence. w (H,Q,L), x (Q,C), z (T,C).
 */
template <class T>
__global__ void sumOverQueries(Packed p, const T* w, const T* x, T* z, float by) {
  int64_t columns = p.l.columns(), n = p.l.tokens * columns;
  int64_t e = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; e < n; e += static_cast<int64_t>(gridDim.x) * blockDim.x) {
    int c = e % columns, head = c / p.l.size;
    Place at = Place::ofToken(p.l, e / columns);
    int from = p.first ? at.sequence : at.start, count = p.first ? min(at.length, 1) : at.length;
    float sum = 0;
    for (int r = from; r < from + count; r++) {
      float weight = widen(w[(static_cast<int64_t>(head) * p.queries() + r) * p.l.longest + at.at]);
      sum += weight * widen(x[r * columns + c]);
    }
    z[e] = narrow<T>(sum * by);
  }
}

/** folded[h,t,c] = by sum of w[h,t,j] over the keys j of the c-th distance. w (H,T,L), folded (H,T,R). */
template <class T>
__global__ void fold(Packed p, const T* w, Distances<T> a, float* folded, float by) {
  int64_t n = static_cast<int64_t>(p.l.heads) * p.l.tokens * a.rows;
  int64_t e = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; e < n; e += static_cast<int64_t>(gridDim.x) * blockDim.x) {
    int c = e % a.rows, most = a.rows / 2;
    int64_t row = e / a.rows;
    Place at = Place::ofToken(p.l, row % p.l.tokens);
    int from = c == 0 ? 0 : at.at + c - most, to = c == 2 * most ? at.length : at.at + c - most + 1;
    float sum = 0;
    for (int j = max(from, 0); j < min(to, at.length); j++) sum += widen(w[row * p.l.longest + j]);
    folded[e] = sum * by;
  }
}

/** Calls f(row, length) for the rows (H,Q) of scores, a warp each. */
template <class F>
__device__ __forceinline__ void eachRow(const Packed& p, const F& f) {
  int64_t rows = static_cast<int64_t>(p.l.heads) * p.queries(),
      step = static_cast<int64_t>(gridDim.x) * blockDim.x / LANES;
  int64_t row = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / LANES;
  for (; row < rows; row += step) f(row, Place::ofQuery(p, row % p.queries()).length);
}

/** p = exp(s - lse), 0 past the end; lse = log sum_j exp(s). s, p (H,Q,L), lse (H,Q). */
template <class T>
__global__ void softmax(Packed x, const T* s, T* p, float* lse) {
  int lane = threadIdx.x % LANES, longest = x.l.longest;
  eachRow(x, [=](int64_t row, int length) {
    const T* from = s + row * longest;
    float most = -INFINITY, sum = 0;
    for (int j = lane; j < length; j += LANES) most = fmaxf(most, widen(from[j]));
    most = warpMax(most);
    for (int j = lane; j < length; j += LANES) sum += expf(widen(from[j]) - most);
    float log = most + logf(warpSum(sum));
    for (int j = lane; j < longest; j += LANES) {
      p[row * longest + j] = narrow<T>(j < length ? expf(widen(from[j]) - log) : 0);
    }
    if (lane == 0) lse[row] = length > 0 ? log : 0;
  });
}

/** ds = p (dp - sum_j p dp), 0 past the end. All (H,Q,L). */
template <class T>
__global__ void softmaxGradient(Packed x, const T* dp, const T* p, T* ds) {
  int lane = threadIdx.x % LANES, longest = x.l.longest;
  eachRow(x, [=](int64_t row, int length) {
    const T *a = dp + row * longest, *b = p + row * longest;
    float sum = 0;
    for (int j = lane; j < length; j += LANES) sum += widen(a[j]) * widen(b[j]);
    sum = warpSum(sum);
    for (int j = lane; j < longest; j += LANES) {
      ds[row * longest + j] = narrow<T>(j < length ? widen(b[j]) * (widen(a[j]) - sum) : 0);
    }
  });
}

/** y = scale x where the element stays, 0 where it is dropped or past the end. x, y (H,Q,L). */
template <class T>
__global__ void dropout(Packed p, Drop d, const T* x, T* y) {
  int64_t n = static_cast<int64_t>(p.l.heads) * p.queries() * p.l.longest;
  int64_t e = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; e < n; e += static_cast<int64_t>(gridDim.x) * blockDim.x) {
    int j = e % p.l.longest, query = e / p.l.longest % p.queries(), head = e / p.l.longest / p.queries();
    Place at = Place::ofQuery(p, query);
    bool stays = j < at.length;
    if (stays) {
      Draws draws(d, at.sequence, head);
      uint4 w = draws.at(at.at, j / DRAWN, j % 16 / 2);
      int word = j / 16 % 4;
      stays = draws.stay(word == 0 ? w.x : word == 1 ? w.y : word == 2 ? w.z : w.w) >> (j % 2 ? 31 : 15) & 1;
    }
    y[e] = narrow<T>(stays ? widen(x[e]) * d.scale : 0);
  }
}

Packed packed(Address offsets, int tokens, int sequences, int heads, int size, int longest, int first) {
  return {{offsets, tokens, sequences, heads, size, longest}, first != 0};
}

/** Blocks for the scores, an element a thread. */
int scoreBlocks(const Packed& p) { return blocksFor(static_cast<int64_t>(p.l.heads) * p.queries() * p.l.longest); }

}  // namespace
}  // namespace attention

int attentionProducts(int type, Address x, Address y, Address table, Address offsets, Address z, int tokens,
                      int sequences, int heads, int size, int longest, int first, int distances, float by,
                      Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    using namespace attention;
    Packed p = packed(offsets, tokens, sequences, heads, size, longest, first);
    const T *left = x, *right = y;
    T* to = z;
    Distances<T> a{table, distances, size};
    DYR_LAUNCH((products<T>), scoreBlocks(p), THREADS, 0, stream, p, left, right, a, to, by);
    return DYR_LAUNCHED;
  });
}

int attentionSumOverKeys(int type, Address w, Address y, Address table, Address offsets, Address z, int tokens,
                         int sequences, int heads, int size, int longest, int first, int distances, float by,
                         Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    using namespace attention;
    Packed p = packed(offsets, tokens, sequences, heads, size, longest, first);
    const T *weights = w, *right = y;
    T* to = z;
    Distances<T> a{table, distances, size};
    DYR_LAUNCH((sumOverKeys<T>), blocksFor(p.queries() * p.l.columns()), THREADS, 0, stream, p, weights, right, a, to,
        by);
    return DYR_LAUNCHED;
  });
}

int attentionSumOverQueries(int type, Address w, Address x, Address offsets, Address z, int tokens, int sequences,
                            int heads, int size, int longest, int first, float by, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    using namespace attention;
    Packed p = packed(offsets, tokens, sequences, heads, size, longest, first);
    const T *weights = w, *left = x;
    T* to = z;
    DYR_LAUNCH((sumOverQueries<T>), blocksFor(tokens * p.l.columns()), THREADS, 0, stream, p, weights, left, to, by);
    return DYR_LAUNCHED;
  });
}

int attentionFold(int type, Address w, Address offsets, Address folded, int tokens, int sequences, int heads, int size,
                  int longest, int distances, float by, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    using namespace attention;
    Packed p = packed(offsets, tokens, sequences, heads, size, longest, 0);
    const T* weights = w;
    float* to = folded;
    Distances<T> a{nullptr, distances, size};
    int blocks = blocksFor(static_cast<int64_t>(heads) * tokens * distances);
    DYR_LAUNCH((fold<T>), blocks, THREADS, 0, stream, p, weights, a, to, by);
    return DYR_LAUNCHED;
  });
}

int attentionSoftmax(int type, Address s, Address offsets, Address p, Address lse, int tokens, int sequences, int heads,
                     int longest, int first, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    using namespace attention;
    Packed x = packed(offsets, tokens, sequences, heads, 1, longest, first);
    const T* from = s;
    T* to = p;
    float* logs = lse;
    DYR_LAUNCH((softmax<T>), blocksFor(static_cast<int64_t>(heads) * x.queries() * LANES), THREADS, 0, stream, x,
        from, to, logs);
    return DYR_LAUNCHED;
  });
}

int attentionSoftmaxGradient(int type, Address dp, Address p, Address offsets, Address ds, int tokens, int sequences,
                             int heads, int longest, int first, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    using namespace attention;
    Packed x = packed(offsets, tokens, sequences, heads, 1, longest, first);
    const T *from = dp, *shares = p;
    T* to = ds;
    DYR_LAUNCH((softmaxGradient<T>), blocksFor(static_cast<int64_t>(heads) * x.queries() * LANES), THREADS, 0, stream,
        x, from, shares, to);
    return DYR_LAUNCHED;
  });
}

int attentionDropout(int type, Address x, Address random, Address offsets, Address sequence, Address y, int tokens,
                     int sequences, int heads, int longest, int first, int site, int threshold, float scale,
                     Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    using namespace attention;
    Packed p = packed(offsets, tokens, sequences, heads, 1, longest, first);
    Drop d{random, sequence, site, static_cast<unsigned>(threshold), scale};
    const T* from = x;
    T* to = y;
    DYR_LAUNCH((dropout<T>), scoreBlocks(p), THREADS, 0, stream, p, d, from, to);
    return DYR_LAUNCHED;
  });
}

}  // namespace dyr
