// The gradient of attention of bf16 and fp16 on tensor cores: org.dyr.op.Attention.Grad for heads of 32, 64 and 128
// columns. Three kernels: what both others need of a query (delta = do . o, and which keys stay); dq, a block 64
// queries; dk and dv, a block 64 keys. Both make s and dp = do v^T once more, p = 2^(s - lse), ds = p (dp - delta).
//
// Seven products of L terms or D terms, 14 L C operations a token, of which two a second time: no block waits for
// another or adds to its sums, and results are the same from run to run. The gradient of keys has keys as rows: p and
// ds, transposed, are the left operands of dv += p^T do and dk += ds^T q as they stand in registers. A warp has 16
// rows: more would not fit in registers. On sm_90a the block's warps multiply together; dp is under way while the powers
// of s are taken. Bytes: q, k, v, do, o once, and the other side once for each block, mostly from the second cache; L/8
// bytes a token and head of masks, which are drawn once and read twice.
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
__global__ __launch_bounds__(BLOCK, D > 64 ? 2 : DYR_WARPGROUP ? 4 : 3) void queriesGradient(Gradient<T> x) {
  constexpr int STEP = DYR_WARPGROUP ? 64 : 32;  // keys that a warp's queries meet at once
  constexpr bool HELD = !DYR_WARPGROUP && D <= 64;  // whether there are registers for the left operands
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
  Left<T, D, HELD> q{queries}, d{douts};
  int lane = threadIdx.x % LANES, first = q.first();
  bool works = DYR_WARPGROUP || share.from + first < share.length;
  float scale = rsqrtf(static_cast<float>(D)), by = LOG2_E * scale;
  queries.copy(x.q + here, columns, share.length - share.from);
  douts.copy(x.dout + here, columns, share.length - share.from);
  keys(0).copy(x.k + at, columns, share.length);
  values(0).copy(x.v + at, columns, share.length);

  float log[2], delta[2], dq[D / 8][4] = {};
  int64_t token[2];
#pragma unroll
  for (int half = 0; half < 2; half++) {
    token[half] = share.start + min(share.from + first + lane / 4 + 8 * half, share.length - 1);
    log[half] = x.lse[static_cast<int64_t>(share.head) * x.l.tokens + token[half]] * LOG2_E;
    delta[half] = x.delta[static_cast<int64_t>(share.head) * x.l.tokens + token[half]];
  }
  const uint2* masks = reinterpret_cast<const uint2*>(x.kept)
      + static_cast<int64_t>(share.head) * ((x.l.longest + DRAWN - 1) / DRAWN) * x.l.tokens;

  for (int tile = 0; tile * TILE < share.length; tile++) {
    int next = (tile + 1) * TILE;
    Tile<T, D> k = keys(tile), v = values(tile);
    uint2 kept[2];
    if constexpr (DROP) {
#pragma unroll
      for (int half = 0; half < 2; half++) kept[half] = masks[static_cast<int64_t>(tile) * x.l.tokens + token[half]];
    }
    awaitCopies();
    showToProducts();
    __syncthreads();  // this tile is there, and all are done with the one before
    if (next < share.length) {
      keys(tile + 1).copy(x.k + at + static_cast<int64_t>(next) * columns, columns, share.length - next);
      values(tile + 1).copy(x.v + at + static_cast<int64_t>(next) * columns, columns, share.length - next);
    }
    if (!works) continue;
    if (tile == 0) {
      q.hold();
      d.hold();
    }
    int count = min(TILE, share.length - tile * TILE);
#pragma unroll 1
    for (int from = 0; from < count; from += STEP) {
      float s[STEP / 8][4], dp[STEP / 8][4];
      q.template times<STEP>(s, k, from);
      d.template times<STEP>(dp, v, from);
      awaitProducts<1>();
      settle(s);
      float p[STEP / 8][4];
#pragma unroll
      for (int n = 0; n < STEP / 8; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) p[n][e] = fastExp2(fmaf(s[n][e], by, -log[e / 2]));
      }
      if (from + STEP > count) fillBeyond(p, count - from, 0);
      awaitProducts<0>();
      settle(dp);
      unsigned ds[STEP / 16][4];
#pragma unroll
      for (int half = 0; half < 2; half++) {
#pragma unroll
        for (int n = 0; n < STEP / 8; n++) {
          unsigned stays = 0;
          if constexpr (DROP) stays = ((STEP > 32 ? n > 3 : from > 0) ? kept[half].y : kept[half].x) >> lane % 4;
          float g[2];
#pragma unroll
          for (int odd = 0; odd < 2; odd++) {
            int e = 2 * half + odd;
            float dropped = !DROP || stays >> maskBit(n % 4 * 8 + odd) & 1 ? dp[n][e] : 0;
            g[odd] = p[n][e] * (DROP ? fmaf(dropped, x.d.scale, -delta[half]) : dropped - delta[half]);
          }
          ds[n / 2][n % 2 * 2 + half] = pair<T>(g[0], g[1]);
        }
      }
      beginProducts();
      addProduct(dq, ds, k, from);
      endProducts();
      awaitProducts<0>();
      settle(dq);
    }
  }
  if (!works) return;
  awaitReaders();
  queries.put(first, dq, scale, scale);
  __syncwarp();
  queries.store(first, x.dq + here + first * columns, columns, share.length - share.from - first);
}

/** What a block of keys has of a tile of queries besides their rows. */
struct QueryNumbers {
  float lse[TILE], delta[TILE];
  unsigned kept[2][TILE];  // the first 32 keys, and the others
};

/** Shared memory: keys and values, twice queries and what comes for their outputs, twice their numbers. */
template <class T, int D>
constexpr int KEYS_SHARED = 6 * TILE * D * sizeof(T) + 2 * sizeof(QueryNumbers);

template <class T, int D, bool DROP>
__global__ __launch_bounds__(BLOCK, D > 64 ? 2 : 3) void keysGradient(Gradient<T> x) {
  constexpr int STEP = DYR_WARPGROUP ? 64 : D < 64 ? 32 : 16;  // queries that a warp's keys meet at once
  constexpr bool HELD = !DYR_WARPGROUP && D <= 64;
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
  const unsigned* kept = reinterpret_cast<const unsigned*>(x.kept
      + (static_cast<int64_t>(share.head) * ((x.l.longest + DRAWN - 1) / DRAWN) + share.from / DRAWN) * x.l.tokens
      + share.start);
  Left<T, D, HELD> k{keys}, v{values};
  int lane = threadIdx.x % LANES, first = k.first();
  bool works = DYR_WARPGROUP || share.from + first < share.length;
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
      copyLater<4>(to.kept[0] + i, kept + 2 * place, is);
      copyLater<4>(to.kept[1] + i, kept + 2 * place + 1, is);
    }
  };
  keys.copy(x.k + here, columns, share.length - share.from);
  values.copy(x.v + here, columns, share.length - share.from);
  copyQueries(0);

  unsigned firstBit = 1u << maskBit(first % 32 + lane / 4);
  float dk[D / 8][4] = {}, dv[D / 8][4] = {};
  for (int tile = 0; tile * TILE < share.length; tile++) {
    awaitCopies();
    showToProducts();
    __syncthreads();  // this tile is there, and all are done with the one before
    if ((tile + 1) * TILE < share.length) copyQueries(tile + 1);
    if (!works) continue;
    if (tile == 0) {
      k.hold();
      v.hold();
    }
    Tile<T, D> q = queries(tile), d = douts(tile);
    const QueryNumbers& of = numbers[tile % 2];
    int count = min(TILE, share.length - tile * TILE);
#pragma unroll 1
    for (int from = 0; from < count; from += STEP) {
      float s[STEP / 8][4], dp[STEP / 8][4];  // rows are keys, columns queries
      k.template times<STEP>(s, q, from);
      v.template times<STEP>(dp, d, from);
      awaitProducts<1>();
      settle(s);
      float p[STEP / 8][4];
#pragma unroll
      for (int n = 0; n < STEP / 8; n++) {
        float2 log = *reinterpret_cast<const float2*>(of.lse + from + n * 8 + lane % 4 * 2);
#pragma unroll
        for (int e = 0; e < 4; e++) p[n][e] = fastExp2(fmaf(s[n][e], by, -(e % 2 ? log.y : log.x) * LOG2_E));
      }
      if (from + STEP > count) fillBeyond(p, count - from, 0);
      awaitProducts<0>();
      settle(dp);
      unsigned left[STEP / 16][4], ds[STEP / 16][4];
#pragma unroll
      for (int n = 0; n < STEP / 8; n++) {
        int query = from + n * 8 + lane % 4 * 2;
        float2 delta = *reinterpret_cast<const float2*>(of.delta + query);
        uint2 kept{};
        if constexpr (DROP) kept = *reinterpret_cast<const uint2*>(of.kept[first / 32] + query);
#pragma unroll
        for (int half = 0; half < 2; half++) {
          float even = dp[n][2 * half], odd = dp[n][2 * half + 1], pEven = p[n][2 * half], pOdd = p[n][2 * half + 1];
          if constexpr (DROP) {
            bool evenStays = kept.x & firstBit << maskBit(8 * half), oddStays = kept.y & firstBit << maskBit(8 * half);
            left[n / 2][n % 2 * 2 + half] = pair<T>(evenStays ? pEven : 0, oddStays ? pOdd : 0);
            even = fmaf(evenStays ? even : 0, x.d.scale, -delta.x);
            odd = fmaf(oddStays ? odd : 0, x.d.scale, -delta.y);
          } else {
            left[n / 2][n % 2 * 2 + half] = pair<T>(pEven, pOdd);
            even -= delta.x;
            odd -= delta.y;
          }
          ds[n / 2][n % 2 * 2 + half] = pair<T>(pEven * even, pOdd * odd);
        }
      }
      beginProducts();
      addProduct(dv, left, d, from);
      addProduct(dk, ds, q, from);
      endProducts();
      awaitProducts<0>();
      settle(dk);
      settle(dv);
    }
  }
  if (!works) return;
  awaitReaders();
  keys.put(first, dk, scale, scale);
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
