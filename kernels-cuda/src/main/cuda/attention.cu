// Attention of bf16 and fp16 on tensor cores, forward: org.dyr.op.Attention for heads of 32, 64 and 128 columns.
//
// A block takes 64 queries of a head of a sequence, a warp a quarter of them, and meets 64 keys at a time: s = q k^T
// stays in registers, becomes p = 2^(s - m) there with m the row's largest so far, and as the left operand of p v it is
// only rounded. What was summed before is scaled to a new m. While 64 keys are met, the next 64 and their values arrive
// in the other half of shared memory.
//
// 4 L C operations a token, on tensor cores: for D = 64 two products of 64 terms a score, beside one power of two and,
// where something is dropped, an eighth of a Philox counter (seven rounds of two products). Bytes: q and o once, k and
// v once for each block of queries, mostly from the second cache. On sm_90a the warps multiply together and four blocks
// share a multiprocessor: while one waits for its products another has its powers and its draws.
#include "attention_tiles.cuh"

namespace dyr {
namespace attention {
namespace {

template <class T>
struct Forward {
  Layout l;
  Drop d;
  const T *q, *k, *v;  // (T,C)
  T* o;
  float* lse;          // (H,T)
};

/**
 * What a lane draws for its scores of rows i and i + 8 and a tile of keys: word n / 2 of words[2 (n % 2) + half] for
 * the pair s[n][2 half], s[n][2 half + 1]. That is the order of p as fragments: word k of words[e] for p[e] of 16 keys.
 */
__device__ __forceinline__ void draw(unsigned (&words)[4][4], const Draws& draws, int i, int block) {
#pragma unroll
  for (int e = 0; e < 4; e++) {
    uint4 w = draws.at(i + 8 * (e % 2), block, threadIdx.x % 4 + 4 * (e / 2));
    words[e][0] = w.x;
    words[e][1] = w.y;
    words[e][2] = w.z;
    words[e][3] = w.w;
  }
}

/** Shared memory: queries, then twice keys and values. */
template <class T, int D>
constexpr int FORWARD_SHARED = 5 * TILE * D * sizeof(T);

template <class T, int D, bool DROP>
__global__ __launch_bounds__(BLOCK, D > 64 ? 2 : DYR_WARPGROUP || D < 64 ? 4 : 3) void forward(Forward<T> x) {
  constexpr bool HELD = !DYR_WARPGROUP && (!DROP || D <= 64);  // whether there are registers for the queries
  Share share(x.l, TILE);
  if (share.isRest(x.l)) {
    clearRest(x.l, x.o);
    clearRestOfLse(x.l, x.lse);
    return;
  }
  if (share.isEmpty()) return;
  DYR_DYNAMIC_SHARED(T, shared);
  Tile<T, D> queries{shared};
  auto keys = [=](int tile) { return Tile<T, D>{shared + (1 + tile % 2 * 2) * TILE * D}; };
  auto values = [=](int tile) { return Tile<T, D>{shared + (2 + tile % 2 * 2) * TILE * D}; };
  int columns = static_cast<int>(x.l.columns());
  int64_t at = static_cast<int64_t>(share.start) * columns + share.head * D;
  Left<T, D, HELD> q{queries};
  int lane = threadIdx.x % LANES, first = q.first();
  bool works = DYR_WARPGROUP || share.from + first < share.length;
  float by = LOG2_E * rsqrtf(static_cast<float>(D));
  queries.copy(x.q + at + static_cast<int64_t>(share.from) * columns, columns, share.length - share.from);
  keys(0).copy(x.k + at, columns, share.length);
  values(0).copy(x.v + at, columns, share.length);

  Draws draws = DROP ? Draws(x.d, share.sequence, share.head) : Draws{};
  float o[D / 8][4] = {}, most[2] = {-INFINITY, -INFINITY}, sum[2] = {};
  for (int tile = 0; tile * TILE < share.length; tile++) {
    int next = (tile + 1) * TILE;
    Tile<T, D> k = keys(tile), v = values(tile);
    awaitCopies();
    showToProducts();
    __syncthreads();  // this tile is there, and all are done with the one before
    if (next < share.length) {
      keys(tile + 1).copy(x.k + at + static_cast<int64_t>(next) * columns, columns, share.length - next);
      values(tile + 1).copy(x.v + at + static_cast<int64_t>(next) * columns, columns, share.length - next);
    }
    if (!works) continue;
    if (tile == 0) q.hold();
    float s[TILE / 8][4];  // 2 rows a lane
    q.template times<TILE>(s, k, 0);
    unsigned words[4][4];
    if constexpr (DROP) draw(words, draws, share.from + first + lane / 4, tile);
    awaitProducts<0>();
    settle(s);
    if (next > share.length) fillBeyond(s, share.length - tile * TILE, -INFINITY);
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float largest = most[half];
#pragma unroll
      for (int n = 0; n < TILE / 8; n++) largest = fmaxf(largest, fmaxf(s[n][2 * half], s[n][2 * half + 1]));
      largest = rowMax(largest);
      // Where all scores so far are -infinity, nothing is taken so far: their powers and the factor are 0.
      float shift = largest > -INFINITY ? largest * by : 0;
      float factor = fastExp2(most[half] * by - shift);
      most[half] = largest;
      sum[half] *= factor;
#pragma unroll
      for (int n = 0; n < TILE / 8; n++) {
#pragma unroll
        for (int e = 2 * half; e < 2 * half + 2; e++) {
          s[n][e] = fastExp2(fmaf(s[n][e], by, -shift));
          sum[half] += s[n][e];
        }
      }
#pragma unroll
      for (int n = 0; n < D / 8; n++) {
        o[n][2 * half] *= factor;
        o[n][2 * half + 1] *= factor;
      }
    }
    unsigned p[TILE / 16][4];
#pragma unroll
    for (int i = 0; i < TILE / 16; i++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const float(&d)[4] = s[2 * i + e / 2];
        p[i][e] = pair<T>(d[e % 2 * 2], d[e % 2 * 2 + 1]);
        if constexpr (DROP) p[i][e] &= spread(draws.stay(words[e][i]));
      }
    }
    beginProducts();
    addProduct(o, p, v, 0);
    endProducts();
    awaitProducts<0>();
    settle(o);
  }
  if (!works) return;
  awaitReaders();
#pragma unroll
  for (int half = 0; half < 2; half++) {
    sum[half] = rowSum(sum[half]);
    int place = share.from + first + lane / 4 + half * 8;
    if (lane % 4 == 0 && place < share.length) {
      float shift = most[half] > -INFINITY ? most[half] * by : 0;
      x.lse[static_cast<int64_t>(share.head) * x.l.tokens + share.start + place] = shift * LN_2 + logf(sum[half]);
    }
  }
  queries.put(first, o, x.d.scale / sum[0], x.d.scale / sum[1]);
  __syncwarp();
  int i = share.from + first;
  queries.store(first, x.o + at + static_cast<int64_t>(i) * columns, columns, share.length - i);
}

template <class T, int D, bool DROP>
int launch(const Forward<T>& x, void* stream) {
  constexpr int SHARED = FORWARD_SHARED<T, D>;
  DYR_ALLOW_SHARED((forward<T, D, DROP>), SHARED);
  DYR_LAUNCH((forward<T, D, DROP>), blocks(x.l, TILE), BLOCK, SHARED, stream, x);
  return DYR_LAUNCHED;
}

template <class T, int D>
int launch(const Forward<T>& x, void* stream) {
  return x.d.random ? launch<T, D, true>(x, stream) : launch<T, D, false>(x, stream);
}

template <class T>
int launch(const Forward<T>& x, void* stream) {
  switch (x.l.size) {
    case 32: return launch<T, 32>(x, stream);
    case 64: return launch<T, 64>(x, stream);
    case 128: return launch<T, 128>(x, stream);
    default: return 1;  // an invalid value
  }
}

}  // namespace
}  // namespace attention

int attentionForward(int type, Address q, Address k, Address v, Address offsets, Address random, Address sequence,
                     Address o, Address lse, int tokens, int sequences, int heads, int size, int longest, int site,
                     int threshold, float scale, Address stream) {
  attention::Layout l{offsets, tokens, sequences, heads, size, longest};
  attention::Drop d{random, sequence, site, static_cast<unsigned>(threshold), scale};
  return type == 1 ? attention::launch(attention::Forward<bf16>{l, d, q, k, v, o, lse}, stream)
                   : attention::launch(attention::Forward<fp16>{l, d, q, k, v, o, lse}, stream);
}

}  // namespace dyr
