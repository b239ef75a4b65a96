// Attention in fp32 FMAs, for fp32 and for heads of any size, with or without embeddings of distances, forward:
// org.dyr.op.Attention, org.dyr.op.RelativeAttention. Heads of 32, 64 and 128 columns in 16 bits that have no such
// embeddings are attention.cu's. 2 L C FMAs a token, which bound it together with as many loads of 16 bytes from shared
// memory for every 4 of them; with embeddings as many sums and twice the loads. Bytes are as in attention.cu.
#include "attention_plain.cuh"

namespace dyr {
namespace attention {
namespace {

/** The softmax of 8 keys at a time, scaled on to the largest so far. */
template <class T, int E, bool RELATIVE>
__global__ __launch_bounds__(PLAIN_BLOCK, 3) void plainForward(Plain<T> x, int group) {
  Lane<E> lane(group);
  Share share(x.l, Lane<E>::rows(group));
  if (share.isRest(x.l)) {
    clearRest(x.l, x.o);
    clearRestOfLse(x.l, x.lse);
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
  float by = x.by(), most = -INFINITY, total = 0, q[E], o[E] = {};
  lane.load(q, x.q + at + (is ? i : 0) * columns, size);
  for (int key = 0; key < share.length; key += ROWS) {
    int n = min(ROWS, share.length - key);
    __syncthreads();  // all are done with the tile before
    copyRows(keys, width, width, x.k + at + key * columns, columns, size, n);
    copyRows(values, width, width, x.v + at + key * columns, columns, size, n);
    __syncthreads();
    if (!works) continue;
    uint64_t kept = x.d.random ? lane.kept(Draws(x.d, share.sequence, share.head), i, key / DRAWN) : ~uint64_t(0);
    for (int chunk = 0; chunk < n; chunk += CHUNK) {
      float s[CHUNK], largest = most;
#pragma unroll
      for (int j = 0; j < CHUNK; j++) {
        s[j] = -INFINITY;
        if (chunk + j < n) {
          const float* a = table.rows + table.at(key + chunk + j, i) * table.stride;
          s[j] = lane.sum(lane.template dot<RELATIVE>(q, keys + (chunk + j) * width, a)) * by;
        }
        largest = fmaxf(largest, s[j]);
      }
      // Where all scores so far are -infinity, nothing is taken so far: their powers and the factor are 0.
      float shift = largest > -INFINITY ? largest : 0, factor = exp2f(most - shift);
      most = largest;
      total *= factor;
#pragma unroll
      for (int e = 0; e < E; e++) o[e] *= factor;
#pragma unroll
      for (int j = 0; j < CHUNK; j++) {
        if (chunk + j < n) {
          float p = exp2f(s[j] - shift);
          total += p;
          const float* a = table.rows + table.at(key + chunk + j, i) * table.stride;
          if (isKept(kept, chunk + j)) lane.template add<RELATIVE>(o, p, values + (chunk + j) * width, a);
        }
      }
    }
  }
  if (!is) return;
  lane.store(x.o + at + i * columns, o, x.d.scale / total, size);
  if (lane.part == 0) {
    float shift = most > -INFINITY ? most : 0;
    x.lse[static_cast<int64_t>(share.head) * x.l.tokens + share.start + i] = shift * LN_2 + logf(total);
  }
}

template <class T, int E, bool RELATIVE>
int launchForward(const Plain<T>& x, void* stream) {
  int group = groupFor(x.l.size, E), shared = sharedBytes<E>(group, x.distances);
  DYR_ALLOW_SHARED((plainForward<T, E, RELATIVE>), shared);
  DYR_LAUNCH((plainForward<T, E, RELATIVE>), blocks(x.l, PLAIN_BLOCK / group), PLAIN_BLOCK, shared, stream, x, group);
  return DYR_LAUNCHED;
}

}  // namespace
}  // namespace attention

int attentionPlainForward(int type, Address q, Address k, Address v, Address offsets, Address random, Address sequence,
                          Address table, Address o, Address lse, int tokens, int sequences, int heads, int size,
                          int longest, int site, int threshold, float scale, int distances, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    using namespace attention;
    Plain<T> x{{offsets, tokens, sequences, heads, size, longest}, {random, sequence, site,
        static_cast<unsigned>(threshold), scale}, q, k, v, o, lse, table, distances};
    if (distances > 0) return size <= 8 ? launchForward<T, 8, true>(x, stream) : launchForward<T, 32, true>(x, stream);
    return size <= 8 ? launchForward<T, 8, false>(x, stream) : launchForward<T, 32, false>(x, stream);
  });
}

}  // namespace dyr
