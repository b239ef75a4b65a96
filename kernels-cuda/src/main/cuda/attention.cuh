// What the kernels of attention share: operands, the share of a block, masks of dropout. org.dyr.op.Attention has the
// formulas. T tokens, H heads, D columns of a head, C = H D, L tokens of the longest sequence.
#pragma once

#include "philox.cuh"

namespace dyr {
namespace attention {

constexpr float LOG2_E = 1.44269504f, LN_2 = 0.693147181f;

/** Keys that dropout draws for together: so many counters of four words of two halves. */
constexpr int DRAWN = 64, COUNTERS = 8;

/** Counters that a row of probabilities may use: Philox.ATTENTION_STRIDE. */
constexpr unsigned STRIDE = 1 << 13;

/** Blocks behind those that compute: they set to zero what is of no sequence. */
#ifdef __CUDACC__
constexpr int REST_BLOCKS = 32;
#else
constexpr int REST_BLOCKS = 1;
#endif

/** What is packed, and how. */
struct Layout {
  const int32_t* offsets;  // (S+1)
  int tokens, sequences, heads, size, longest;

  __host__ __device__ int64_t columns() const { return static_cast<int64_t>(heads) * size; }
};

/** What is dropped. */
struct Drop {
  const int32_t* random;    // (4): the seed, the step
  const int32_t* sequence;  // (S): numbers in the global batch
  int site;
  unsigned threshold;       // halves below it are dropped
  float scale;              // of what stays, 1 where nothing is dropped
};

/** The bit that masks of 64 keys have for one: in each 32, those in even columns come first. */
__host__ __device__ constexpr int maskBit(int column) { return (column & 32) | (column & 1) << 4 | (column & 31) >> 1; }

/** Whether the key in this column stays. */
__device__ __forceinline__ bool isKept(uint64_t kept, int column) { return kept >> maskBit(column) & 1; }

/** What a head of a sequence draws. */
struct Draws {
  static constexpr unsigned TOPS = 0x80008000;  // the highest bit of each half

  uint2 key;
  unsigned sequence, site, step;
  unsigned rest, below;  // of the threshold, for both halves: all bits but the highest; whether that is 0, in every bit

  Draws() = default;

  __device__ __forceinline__ Draws(const Drop& d, int s, int head)
      : key{static_cast<unsigned>(d.random[0]), static_cast<unsigned>(d.random[1])},
        sequence(d.sequence[s]), site(d.site << 10 | head), step(d.random[2]),
        rest((d.threshold & 0x7FFF) * 0x10001), below(d.threshold < 0x8000 ? ~0u : 0) {}

  /**
   * For the query at place i and the keys j, j + 16, j + 32, j + 48 with j = 64 block + 2 counter, counter < 8, a word
   * each: the lower half is the key's, the upper its neighbour's.
   */
  __device__ __forceinline__ uint4 at(int i, int block, int counter) const {
    return philox(uint4{i * STRIDE + block * COUNTERS + counter, sequence, site, step}, key);
  }

  /**
   * Whether the two that share a word stay, in the highest bit of each half; other bits mean nothing. The highest bit
   * of the difference compares all bits but that one, and no half borrows from the other.
   */
  __device__ __forceinline__ unsigned stay(unsigned word) const {
    unsigned difference = (word | TOPS) - rest;
    return (word & difference) | (below & (word | difference));
  }

  /** Which of the 64 keys of the block stay, a maskBit each; of the counters from, from + step, ... only. */
  __device__ __forceinline__ uint64_t kept(int i, int block, int from = 0, int step = 1) const {
    unsigned low = 0, high = 0;
#pragma unroll 1
    for (int counter = from; counter < COUNTERS; counter += step) {
      uint4 w = at(i, block, counter);
      low |= ((stay(w.x) & TOPS) >> 8 | (stay(w.y) & TOPS)) >> (7 - counter);
      high |= ((stay(w.z) & TOPS) >> 8 | (stay(w.w) & TOPS)) >> (7 - counter);
    }
    return static_cast<uint64_t>(high) << 32 | low;
  }
};

/**
 * What a block computes: `rows` tokens of a sequence, from one on, and a head. Blocks are numbered by sequence, head
 * and place, and beyond them are REST_BLOCKS; those past a sequence's end have nothing to do.
 */
struct Share {
  int sequence, head, start, length, from;

  __device__ __forceinline__ Share(const Layout& x, int rows) {
    int places = (x.longest + rows - 1) / rows, unit = blockIdx.x / places;
    from = blockIdx.x % places * rows;
    head = unit % x.heads;
    sequence = unit / x.heads;
    start = length = 0;
    if (isRest(x)) return;
    start = x.offsets[sequence];
    length = x.offsets[sequence + 1] - start;
  }

  __device__ __forceinline__ bool isRest(const Layout& x) const { return sequence >= x.sequences; }

  __device__ __forceinline__ bool isEmpty() const { return from >= length; }
};

/** Blocks of a grid whose blocks take Shares. */
inline unsigned blocks(const Layout& x, int rows) {
  unsigned places = (x.longest + rows - 1) / rows;
  return places * x.heads * x.sequences + REST_BLOCKS;
}

/** Which of the blocks for the rest this is. */
__device__ __forceinline__ int restBlock() { return blockIdx.x - (gridDim.x - REST_BLOCKS); }

/** Sets to zero what x (T,C) has for tokens of no sequence. */
template <class T>
__device__ void clearRest(const Layout& l, T* x) {
  int64_t to = l.tokens * l.columns();
  int64_t i = l.offsets[l.sequences] * l.columns() + restBlock() * blockDim.x + threadIdx.x;
  for (; i < to; i += REST_BLOCKS * blockDim.x) x[i] = narrow<T>(0);
}

/** The same of lse (H,T). */
__device__ inline void clearRestOfLse(const Layout& l, float* lse) {
  for (int h = 0; h < l.heads; h++) {
    int t = l.offsets[l.sequences] + restBlock() * blockDim.x + threadIdx.x;
    for (; t < l.tokens; t += REST_BLOCKS * blockDim.x) lse[static_cast<int64_t>(h) * l.tokens + t] = 0;
  }
}

}  // namespace attention
}  // namespace dyr
