// Attention of bf16 and fp16 on tensor cores, forward: org.dyr.op.Attention for heads of 32, 64 and 128 columns.
//
// A block takes 64 or 128 queries of a head of a sequence, a warp a quarter of them, and meets 64 keys at a time: s = q
// k^T stays in registers, becomes p = 2^(s - m) there with m the row's largest so far, and as the left operand of p v
// it is only rounded. What was summed before is scaled to a new m. While 64 keys are met, the next 64 and their values
// arrive in the other half of shared memory.
//
// 4 L C operations a token, on tensor cores: for D = 64 two products of 64 terms a score, beside one power of two and,
// where something is dropped, an eighth of a Philox counter (seven rounds of two products). Bytes: q and o once, k and
// v once for each block of queries, mostly from the second cache. Shared memory is read once a warp: with 32 queries a
// warp the tensor cores wait for it no longer, so 128 queries a block wherever sequences are longer than 64, but for
// heads of 32 columns only where nothing is dropped.
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

/** Rows (16) of scores that a warp has of a tile of keys, as fragments; 2 rows a lane. */
typedef float Scores[TILE / 8][4];

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
template <class T, int D, int M>
constexpr int FORWARD_SHARED = (M * TILE + 4 * TILE) * D * sizeof(T);

/** M: rows of 16 queries that a warp has. */
template <class T, int D, int M, bool DROP>
__global__ __launch_bounds__(BLOCK, M > 1 || D > 64 ? 2 : D > 32 ? 3 : 4) void forward(Forward<T> x) {
  constexpr int K = D / 16, N = D / 8;
  constexpr bool HELD = !DROP || M * D < 128;  // whether there are registers for the queries
  Share share(x.l, M * TILE);
  if (share.isRest(x.l)) {
    clearRest(x.l, x.o);
    clearRestOfLse(x.l, x.lse);
    return;
  }
  if (share.isEmpty()) return;
  DYR_DYNAMIC_SHARED(T, shared);
  Tile<T, D, M * TILE> queries{shared};
  auto keys = [=](int tile) { return Tile<T, D>{shared + (M + tile % 2 * 2) * TILE * D}; };
  auto values = [=](int tile) { return Tile<T, D>{shared + (M + tile % 2 * 2 + 1) * TILE * D}; };
  int columns = static_cast<int>(x.l.columns());
  int64_t at = static_cast<int64_t>(share.start) * columns + share.head * D;
  int lane = threadIdx.x % LANES, first = threadIdx.x / LANES * 16 * M;  // of the warp's rows in the block
  bool works = share.from + first < share.length;
  float by = LOG2_E * rsqrtf(static_cast<float>(D));
  queries.copy(x.q + at + static_cast<int64_t>(share.from) * columns, columns, share.length - share.from);
  keys(0).copy(x.k + at, columns, share.length);
  values(0).copy(x.v + at, columns, share.length);

  Draws draws = DROP ? Draws(x.d, share.sequence, share.head) : Draws{};
  unsigned a[M][HELD ? K : 1][4];
  float o[M][N][4] = {}, most[M][2], sum[M][2] = {};
#pragma unroll
  for (int m = 0; m < M; m++) most[m][0] = most[m][1] = -INFINITY;

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
      for (int m = 0; m < M; m++) {
#pragma unroll
        for (int i = 0; i < K; i++) queries.left(a[m][i], first + m * 16, i);
      }
    }
    unsigned words[M][4][4];
    if constexpr (DROP) {
#pragma unroll
      for (int m = 0; m < M; m++) draw(words[m], draws, share.from + first + m * 16 + lane / 4, tile);
    }
    Scores s[M] = {};
#pragma unroll
    for (int i = 0; i < K; i++) {
      if constexpr (!HELD) {
#pragma unroll
        for (int m = 0; m < M; m++) queries.left(a[m][0], first + m * 16, i);
      }
#pragma unroll
      for (int n = 0; n < TILE / 16; n++) {
        unsigned b[4];
        k.rightTransposed(b, n * 16, i);
#pragma unroll
        for (int m = 0; m < M; m++) multiplyTwo<T>(s[m][2 * n], s[m][2 * n + 1], a[m][HELD ? i : 0], b);
      }
    }
    if (next > share.length) {
      int keysHere = share.length - tile * TILE;
#pragma unroll
      for (int n = 0; n < TILE / 8; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          if (n * 8 + lane % 4 * 2 + e % 2 >= keysHere) {
#pragma unroll
            for (int m = 0; m < M; m++) s[m][n][e] = -INFINITY;
          }
        }
      }
    }
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        float largest = most[m][half];
#pragma unroll
        for (int n = 0; n < TILE / 8; n++) largest = fmaxf(largest, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
        largest = rowMax(largest);
        // Where all scores so far are -infinity, nothing is taken so far: their powers and the factor are 0.
        float shift = largest > -INFINITY ? largest * by : 0;
        float factor = fastExp2(most[m][half] * by - shift);
        most[m][half] = largest;
        sum[m][half] *= factor;
#pragma unroll
        for (int n = 0; n < TILE / 8; n++) {
#pragma unroll
          for (int e = 2 * half; e < 2 * half + 2; e++) {
            s[m][n][e] = fastExp2(fmaf(s[m][n][e], by, -shift));
            sum[m][half] += s[m][n][e];
          }
        }
#pragma unroll
        for (int n = 0; n < N; n++) {
          o[m][n][2 * half] *= factor;
          o[m][n][2 * half + 1] *= factor;
        }
      }
    }
#pragma unroll
    for (int i = 0; i < TILE / 16; i++) {
      unsigned p[M][4];
#pragma unroll
      for (int m = 0; m < M; m++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          const float(&d)[4] = s[m][2 * i + e / 2];
          p[m][e] = pair<T>(d[e % 2 * 2], d[e % 2 * 2 + 1]);
          if constexpr (DROP) p[m][e] &= spread(draws.stay(words[m][e][i]));
        }
      }
#pragma unroll
      for (int n = 0; n < D / 16; n++) {
        unsigned b[4];
        v.right(b, i * 16, n);
#pragma unroll
        for (int m = 0; m < M; m++) multiplyTwo<T>(o[m][2 * n], o[m][2 * n + 1], p[m], b);
      }
    }
  }
  if (!works) return;
  __syncwarp();  // all lanes have what they read of the queries, which o is written over
#pragma unroll
  for (int m = 0; m < M; m++) {
    int row = first + m * 16, i = share.from + row;
#pragma unroll
    for (int half = 0; half < 2; half++) {
      sum[m][half] = rowSum(sum[m][half]);
      int place = i + lane / 4 + half * 8;
      if (lane % 4 == 0 && place < share.length) {
        float shift = most[m][half] > -INFINITY ? most[m][half] * by : 0;
        x.lse[static_cast<int64_t>(share.head) * x.l.tokens + share.start + place] = shift * LN_2 + logf(sum[m][half]);
      }
    }
    queries.put(row, o[m], x.d.scale / sum[m][0], x.d.scale / sum[m][1]);  // where none but this warp reads
    __syncwarp();
    queries.store(row, x.o + at + static_cast<int64_t>(i) * columns, columns, share.length - i);
  }
}

template <class T, int D, int M, bool DROP>
int launch(const Forward<T>& x, void* stream) {
  constexpr int SHARED = FORWARD_SHARED<T, D, M>;
  DYR_ALLOW_SHARED((forward<T, D, M, DROP>), SHARED);
  DYR_LAUNCH((forward<T, D, M, DROP>), blocks(x.l, M * TILE), BLOCK, SHARED, stream, x);
  return DYR_LAUNCHED;
}

template <class T, int D>
int launch(const Forward<T>& x, void* stream) {
  // As many as there are registers for; where Philox is most of the work, more blocks are worth more.
  constexpr int M = D > 64 ? 1 : 2, DROPPED_M = D == 64 ? 2 : 1;
  if (x.l.longest <= TILE) return x.d.random ? launch<T, D, 1, true>(x, stream) : launch<T, D, 1, false>(x, stream);
  return x.d.random ? launch<T, D, DROPPED_M, true>(x, stream) : launch<T, D, M, false>(x, stream);
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
