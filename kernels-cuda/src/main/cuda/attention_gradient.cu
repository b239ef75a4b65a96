// The gradient of attention of bf16 and fp16 on tensor cores: org.dyr.op.Attention.Grad for heads of 32, 64 and 128
// columns. Three kernels: what both others need of a query (delta = do . o, and which keys stay); dq, a block 64
// queries; dk and dv, a block 64 keys. Both make s and dp = do v^T once more, p = 2^(s - lse), ds = p (dp - delta).
//
// Seven products of L terms or D terms, 14 L C operations a token, of which two a second time: no block waits for
// another or adds to its sums, and results are the same from run to run. The gradient of keys has keys as rows: p and
// ds, transposed, are the left operands of dv += p^T do and dk += ds^T q as they stand in registers. A warp has 16
// rows: more would not fit in registers. Bytes: q, k, v, do, o once, and the other side once for each block, mostly
// from the second cache; L/8 bytes a token and head of masks, which are drawn once and read twice.
#include "attention_tiles.cuh"

namespace dyr {
namespace attention {
namespace {

template <class T>
struct Gradient {
  Layout l;
  Drop d;
  const T *dout, *q, *k, *v;  // (T,C)
  const float* lse;           // (H,T)
  const float* delta;         // (H,T)
  const uint64_t* kept;       // (H,K,T), K blocks of 64 keys
  T *dq, *dk, *dv;
};

constexpr int SETUP_LANES = 8;

/** delta[h,t] = do[t,h,:] . o[t,h,:], and the masks of 64 queries: V of a head's columns at once. */
template <class T, int V>
__global__ __launch_bounds__(BLOCK) void setup(Layout l, Drop d, const T* dout, const T* o, float* delta,
                                               uint64_t* kept) {
  Share share(l, TILE);
  if (share.isRest(l) || share.isEmpty()) return;
  int count = min(TILE, share.length - share.from), first = share.start + share.from;
  int64_t columns = l.columns(), row = static_cast<int64_t>(share.head) * l.tokens + first;
  for (int r = threadIdx.x / SETUP_LANES; r < TILE; r += BLOCK / SETUP_LANES) {
    float sum = 0;
    int64_t at = (first + r) * columns + share.head * l.size;
    for (int c = threadIdx.x % SETUP_LANES * V; r < count && c < l.size; c += SETUP_LANES * V) {
      float x[V], y[V];
      load<V>(dout + at + c, x);
      load<V>(o + at + c, y);
#pragma unroll
      for (int i = 0; i < V; i++) sum += x[i] * y[i];
    }
#pragma unroll
    for (int with = 1; with < SETUP_LANES; with *= 2) sum += __shfl_xor_sync(ALL_LANES, sum, with);
    if (r < count && threadIdx.x % SETUP_LANES == 0) delta[row + r] = sum;
  }
  int i = threadIdx.x % TILE;
  if (!d.random || i >= count) return;
  Draws draws(d, share.sequence, share.head);
  int64_t blocks = (l.longest + DRAWN - 1) / DRAWN;
  for (int block = threadIdx.x / TILE; block * DRAWN < share.length; block += BLOCK / TILE) {
    kept[(share.head * blocks + block) * l.tokens + first + i] = draws.kept(share.from + i, block);
  }
}

/** Shared memory: queries and what comes for their outputs, then twice keys and values. */
template <class T, int D>
constexpr int QUERIES_SHARED = 6 * TILE * D * sizeof(T);

template <class T, int D, bool DROP>
__global__ __launch_bounds__(BLOCK, D <= 64 ? 3 : 2) void queriesGradient(Gradient<T> x) {
  constexpr int K = D / 16, N = D / 8;
  constexpr bool HELD = D <= 64;  // whether there are registers for the left operands
  constexpr int STEP = 32;        // keys that a warp's queries meet at once: a word of the masks
  Share share(x.l, TILE);
  if (share.isRest(x.l)) {
    clearRest(x.l, x.dq);
    return;
  }
  if (share.isEmpty()) return;
  DYR_DYNAMIC_SHARED(T, shared);
  Tile<T, D> queries{shared}, douts{shared + TILE * D};
  auto keys = [=](int tile) { return Tile<T, D>{shared + (2 + tile % 2 * 2) * TILE * D}; };
  auto values = [=](int tile) { return Tile<T, D>{shared + (3 + tile % 2 * 2) * TILE * D}; };
  int columns = static_cast<int>(x.l.columns());
  int64_t at = static_cast<int64_t>(share.start) * columns + share.head * D;
  int64_t here = at + static_cast<int64_t>(share.from) * columns;
  int lane = threadIdx.x % LANES, first = threadIdx.x / LANES * 16;
  bool works = share.from + first < share.length;
  float scale = rsqrtf(static_cast<float>(D)), by = LOG2_E * scale;
  queries.copy(x.q + here, columns, share.length - share.from);
  douts.copy(x.dout + here, columns, share.length - share.from);
  keys(0).copy(x.k + at, columns, share.length);
  values(0).copy(x.v + at, columns, share.length);

  float log[2], delta[2], dq[N][4] = {};
  int64_t token[2];
#pragma unroll
  for (int half = 0; half < 2; half++) {
    token[half] = share.start + min(share.from + first + lane / 4 + 8 * half, share.length - 1);
    log[half] = x.lse[static_cast<int64_t>(share.head) * x.l.tokens + token[half]] * LOG2_E;
    delta[half] = x.delta[static_cast<int64_t>(share.head) * x.l.tokens + token[half]];
  }
  const uint2* masks = reinterpret_cast<const uint2*>(x.kept)
      + static_cast<int64_t>(share.head) * ((x.l.longest + DRAWN - 1) / DRAWN) * x.l.tokens;
  unsigned q[HELD ? K : 1][4], d[HELD ? K : 1][4];

  for (int tile = 0; tile * TILE < share.length; tile++) {
    int next = (tile + 1) * TILE;
    Tile<T, D> k = keys(tile), v = values(tile);
    awaitCopies();
    __syncthreads();  // this tile is there, and all are done with the one before
    if (next < share.length) {
      keys(tile + 1).copy(x.k + at + static_cast<int64_t>(next) * columns, columns, share.length - next);
      values(tile + 1).copy(x.v + at + static_cast<int64_t>(next) * columns, columns, share.length - next);
    }
    if (!works) continue;
    if (HELD && tile == 0) {
#pragma unroll
      for (int i = 0; i < K; i++) {
        queries.left(q[i], first, i);
        douts.left(d[i], first, i);
      }
    }
    uint2 kept[2];
    if constexpr (DROP) {
#pragma unroll
      for (int half = 0; half < 2; half++) kept[half] = masks[static_cast<int64_t>(tile) * x.l.tokens + token[half]];
    }
    int count = min(TILE, share.length - tile * TILE);
#pragma unroll 1
    for (int from = 0; from < count; from += STEP) {
      float s[STEP / 8][4] = {}, dp[STEP / 8][4] = {};
#pragma unroll
      for (int i = 0; i < K; i++) {
        if constexpr (!HELD) {
          queries.left(q[0], first, i);
          douts.left(d[0], first, i);
        }
#pragma unroll
        for (int n = 0; n < STEP / 16; n++) {
          unsigned b[4];
          k.rightTransposed(b, from + n * 16, i);
          multiplyTwo<T>(s[2 * n], s[2 * n + 1], q[HELD ? i : 0], b);
          v.rightTransposed(b, from + n * 16, i);
          multiplyTwo<T>(dp[2 * n], dp[2 * n + 1], d[HELD ? i : 0], b);
        }
      }
#pragma unroll
      for (int half = 0; half < 2; half++) {
        unsigned stays = 0;
        if constexpr (DROP) stays = (from ? kept[half].y : kept[half].x) >> lane % 4;
#pragma unroll
        for (int n = 0; n < STEP / 8; n++) {
#pragma unroll
          for (int odd = 0; odd < 2; odd++) {
            int e = 2 * half + odd;
            float p = fastExp2(fmaf(s[n][e], by, -log[half])), g = dp[n][e];
            if (DROP) g = stays >> maskBit(n * 8 + odd) & 1 ? g * x.d.scale : 0;
            s[n][e] = from + n * 8 + lane % 4 * 2 + odd < count ? p * (g - delta[half]) : 0;
          }
        }
      }
#pragma unroll
      for (int i = 0; i < STEP / 16; i++) {
        unsigned ds[4];
#pragma unroll
        for (int e = 0; e < 4; e++) ds[e] = pair<T>(s[2 * i + e / 2][e % 2 * 2], s[2 * i + e / 2][e % 2 * 2 + 1]);
#pragma unroll
        for (int n = 0; n < K; n++) {
          unsigned b[4];
          k.right(b, from + i * 16, n);
          multiplyTwo<T>(dq[2 * n], dq[2 * n + 1], ds, b);
        }
      }
    }
  }
  if (!works) return;
  __syncwarp();  // all lanes have what they read of the rows that are written over
  queries.put(first, dq, scale, scale);  // where none but this warp reads
  __syncwarp();
  queries.store(first, x.dq + here + first * columns, columns, share.length - share.from - first);
}

/** What a block of keys has of a tile of queries besides their rows. */
struct QueryNumbers {
  float lse[TILE], delta[TILE];
  uint2 kept[TILE];
};

/** Shared memory: keys and values, twice queries and what comes for their outputs, twice their numbers. */
template <class T, int D>
constexpr int KEYS_SHARED = 6 * TILE * D * sizeof(T) + 2 * sizeof(QueryNumbers);

template <class T, int D, bool DROP>
__global__ __launch_bounds__(BLOCK, D <= 64 ? 3 : 2) void keysGradient(Gradient<T> x) {
  constexpr int K = D / 16, N = D / 8;
  constexpr bool HELD = D <= 64;
  constexpr int STEP = D < 64 ? 32 : 16;  // queries that a warp's keys meet at once
  Share share(x.l, TILE);
  if (share.isRest(x.l)) {
    clearRest(x.l, x.dk);
    clearRest(x.l, x.dv);
    return;
  }
  if (share.isEmpty()) return;
  DYR_DYNAMIC_SHARED(T, shared);
  Tile<T, D> keys{shared}, values{shared + TILE * D};
  auto queries = [=](int tile) { return Tile<T, D>{shared + (2 + tile % 2 * 2) * TILE * D}; };
  auto douts = [=](int tile) { return Tile<T, D>{shared + (3 + tile % 2 * 2) * TILE * D}; };
  QueryNumbers* numbers = reinterpret_cast<QueryNumbers*>(shared + 6 * TILE * D);
  int columns = static_cast<int>(x.l.columns());
  int64_t at = static_cast<int64_t>(share.start) * columns + share.head * D;
  int64_t here = at + static_cast<int64_t>(share.from) * columns;
  int64_t row = static_cast<int64_t>(share.head) * x.l.tokens + share.start;
  const uint64_t* kept = x.kept + (static_cast<int64_t>(share.head) * ((x.l.longest + DRAWN - 1) / DRAWN)
      + share.from / DRAWN) * x.l.tokens + share.start;
  int lane = threadIdx.x % LANES, first = threadIdx.x / LANES * 16;
  bool works = share.from + first < share.length;
  float scale = rsqrtf(static_cast<float>(D)), by = LOG2_E * scale;
  auto copyQueries = [=](int tile) {
    int from = tile * TILE, i = threadIdx.x % TILE;
    queries(tile).copy(x.q + at + static_cast<int64_t>(from) * columns, columns, share.length - from);
    douts(tile).copy(x.dout + at + static_cast<int64_t>(from) * columns, columns, share.length - from);
    QueryNumbers& to = numbers[tile % 2];
    bool is = from + i < share.length;
    int place = is ? from + i : 0;
    if (threadIdx.x < TILE) {
      copyLater<4>(to.lse + i, x.lse + row + place, is);
      copyLater<4>(to.delta + i, x.delta + row + place, is);
    } else if (DROP) {
      copyLater<8>(to.kept + i, kept + place, is);
    }
  };
  keys.copy(x.k + here, columns, share.length - share.from);
  values.copy(x.v + here, columns, share.length - share.from);
  copyQueries(0);

  int firstBit = maskBit(first % 32 + lane / 4);
  float dk[N][4] = {}, dv[N][4] = {};
  unsigned k[HELD ? K : 1][4], v[HELD ? K : 1][4];
  for (int tile = 0; tile * TILE < share.length; tile++) {
    awaitCopies();
    __syncthreads();  // this tile is there, and all are done with the one before
    if ((tile + 1) * TILE < share.length) copyQueries(tile + 1);
    if (!works) continue;
    if (HELD && tile == 0) {
#pragma unroll
      for (int i = 0; i < K; i++) {
        keys.left(k[i], first, i);
        values.left(v[i], first, i);
      }
    }
    Tile<T, D> q = queries(tile), d = douts(tile);
    const QueryNumbers& of = numbers[tile % 2];
    int count = min(TILE, share.length - tile * TILE);
#pragma unroll 1
    for (int from = 0; from < count; from += STEP) {
      float s[STEP / 8][4] = {}, dp[STEP / 8][4] = {};  // rows are keys, columns queries
#pragma unroll
      for (int i = 0; i < K; i++) {
        if constexpr (!HELD) {
          keys.left(k[0], first, i);
          values.left(v[0], first, i);
        }
#pragma unroll
        for (int n = 0; n < STEP / 16; n++) {
          unsigned b[4];
          q.rightTransposed(b, from + n * 16, i);
          multiplyTwo<T>(s[2 * n], s[2 * n + 1], k[HELD ? i : 0], b);
          d.rightTransposed(b, from + n * 16, i);
          multiplyTwo<T>(dp[2 * n], dp[2 * n + 1], v[HELD ? i : 0], b);
        }
      }
#pragma unroll
      for (int n = 0; n < STEP / 8; n++) {
#pragma unroll
        for (int odd = 0; odd < 2; odd++) {
          int query = from + n * 8 + lane % 4 * 2 + odd;
          float log = of.lse[query] * LOG2_E, delta = of.delta[query];
          unsigned stays = 0;
          if constexpr (DROP) stays = (first < 32 ? of.kept[query].x : of.kept[query].y) >> firstBit;
#pragma unroll
          for (int half = 0; half < 2; half++) {
            int e = 2 * half + odd;
            float p = query < count ? fastExp2(fmaf(s[n][e], by, -log)) : 0, g = dp[n][e];
            bool stay = !DROP || (stays >> maskBit(8 * half) & 1);
            if (DROP) g = stay ? g * x.d.scale : 0;
            s[n][e] = stay ? p : 0;
            dp[n][e] = p * (g - delta);
          }
        }
      }
#pragma unroll
      for (int i = 0; i < STEP / 16; i++) {
        unsigned p[4], ds[4];
#pragma unroll
        for (int e = 0; e < 4; e++) {
          p[e] = pair<T>(s[2 * i + e / 2][e % 2 * 2], s[2 * i + e / 2][e % 2 * 2 + 1]);
          ds[e] = pair<T>(dp[2 * i + e / 2][e % 2 * 2], dp[2 * i + e / 2][e % 2 * 2 + 1]);
        }
#pragma unroll
        for (int n = 0; n < K; n++) {
          unsigned b[4];
          d.right(b, from + i * 16, n);
          multiplyTwo<T>(dv[2 * n], dv[2 * n + 1], p, b);
          q.right(b, from + i * 16, n);
          multiplyTwo<T>(dk[2 * n], dk[2 * n + 1], ds, b);
        }
      }
    }
  }
  if (!works) return;
  __syncwarp();  // all lanes have what they read of the rows that are written over
  keys.put(first, dk, scale, scale);  // where none but this warp reads
  values.put(first, dv, x.d.scale, x.d.scale);
  __syncwarp();
  int count = share.length - share.from - first;
  keys.store(first, x.dk + here + first * columns, columns, count);
  values.store(first, x.dv + here + first * columns, columns, count);
}

template <class T, int D, bool DROP>
int launch(const Gradient<T>& x, void* stream) {
  constexpr int QUERIES = QUERIES_SHARED<T, D>, KEYS = KEYS_SHARED<T, D>;
  DYR_ALLOW_SHARED((queriesGradient<T, D, DROP>), QUERIES);
  DYR_ALLOW_SHARED((keysGradient<T, D, DROP>), KEYS);
  DYR_LAUNCH((queriesGradient<T, D, DROP>), blocks(x.l, TILE), BLOCK, QUERIES, stream, x);
  DYR_LAUNCH((keysGradient<T, D, DROP>), blocks(x.l, TILE), BLOCK, KEYS, stream, x);
  return DYR_LAUNCHED;
}

template <class T, int D>
int launch(const Gradient<T>& x, void* stream) {
  return x.d.random ? launch<T, D, true>(x, stream) : launch<T, D, false>(x, stream);
}

template <class T>
int launch(const Gradient<T>& x, void* stream) {
  switch (x.l.size) {
    case 32: return launch<T, 32>(x, stream);
    case 64: return launch<T, 64>(x, stream);
    case 128: return launch<T, 128>(x, stream);
    default: return 1;  // an invalid value
  }
}

}  // namespace
}  // namespace attention

int attentionGradientSetup(int type, Address dout, Address o, Address offsets, Address random, Address sequence,
                           Address delta, Address kept, int tokens, int sequences, int heads, int size, int longest,
                           int site, int threshold, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    using namespace attention;
    constexpr int V = WIDE<T>;
    Layout l{offsets, tokens, sequences, heads, size, longest};
    Drop d{random, sequence, site, static_cast<unsigned>(threshold), 1};
    const T *from = dout, *outs = o;
    float* deltas = delta;
    uint64_t* bits = kept;
    if (size % V == 0) DYR_LAUNCH((setup<T, V>), blocks(l, TILE), BLOCK, 0, stream, l, d, from, outs, deltas, bits);
    else DYR_LAUNCH((setup<T, 1>), blocks(l, TILE), BLOCK, 0, stream, l, d, from, outs, deltas, bits);
    return DYR_LAUNCHED;
  });
}

int attentionGradient(int type, Address dout, Address q, Address k, Address v, Address lse, Address delta, Address kept,
                      Address offsets, Address random, Address dq, Address dk, Address dv, int tokens, int sequences,
                      int heads, int size, int longest, float scale, Address stream) {
  attention::Layout l{offsets, tokens, sequences, heads, size, longest};
  attention::Drop d{random, nullptr, 0, 0, scale};
  using attention::Gradient;
  return type == 1 ? attention::launch(Gradient<bf16>{l, d, dout, q, k, v, lse, delta, kept, dq, dk, dv}, stream)
                   : attention::launch(Gradient<fp16>{l, d, dout, q, k, v, lse, delta, kept, dq, dk, dv}, stream);
}

}  // namespace dyr
