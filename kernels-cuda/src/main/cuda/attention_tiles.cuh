// Tiles of a head's rows in shared memory, and what warps read of them as fragments of products: see mma.cuh.
#pragma once

#include "attention.cuh"
#include "mma.cuh"

namespace dyr {
namespace attention {

constexpr int WARPS = 4, BLOCK = WARPS * LANES;

/** Rows of a tile: four warps' of 16, or the keys of a step. */
constexpr int TILE = 64;

/**
 * 64 rows of D elements of 16 bits, 16 bytes a chunk, in panels of at most 64 columns. Chunks are permuted within a row
 * of a panel such that eight neighbouring rows have one chunk in eight different groups of four banks: ldmatrix reads
 * without conflicts, and it is what wgmma knows as its swizzles of 128 and 64 bytes.
 */
template <class T, int D>
struct Tile {
  static constexpr int CHUNKS = D / 8, PANEL = CHUNKS < 8 ? CHUNKS : 8, ELEMENTS = TILE * D;
  T* at;

  /** The first element that a row has in a panel. */
  __device__ __forceinline__ T* start(int row, int panel) const { return at + (panel * TILE + row) * PANEL * 8; }

  __device__ __forceinline__ T* chunk(int row, int c) const {
    int permuted = PANEL == 8 ? c % 8 ^ row % 8 : c ^ row / 2 % PANEL;
    return start(row, c / PANEL) + permuted * 8;
  }

#if DYR_WARPGROUP
  /** For tensor cores: what begins at a row, a multiple of 8, and a chunk, the distance of eight rows, the swizzle. */
  __device__ __forceinline__ uint64_t describe(int row, int c) const {
    constexpr unsigned EIGHT_ROWS = PANEL * 8, SWIZZLE = PANEL == 8 ? 1 : 2;
    unsigned begin = static_cast<unsigned>(__cvta_generic_to_shared(at)) >> 4 | EIGHT_ROWS << 16;
    begin += (c / PANEL * TILE + row) * PANEL + c % PANEL;
    return static_cast<uint64_t>(EIGHT_ROWS | SWIZZLE << 30) << 32 | begin;
  }
#endif

  /** Asks for rows of a head; zeros beyond the `count` that there are. */
  __device__ __forceinline__ void copy(const T* from, int columns, int count) const {
    constexpr int ROWS = BLOCK / CHUNKS;  // at once: a multiple of 8, which leaves the permutation as it is
    int first = threadIdx.x / CHUNKS, c = threadIdx.x % CHUNKS;
    const T* source = from + first * columns + c * 8;
    T* to = chunk(first, c);
#pragma unroll
    for (int r = 0; r < TILE; r += ROWS) {
      copyLater<16>(to + r * PANEL * 8, source + static_cast<int64_t>(r) * columns, first + r < count);
    }
  }

  /** Fragment a of rows [row, row + 16) and columns [16 k, 16 k + 16). */
  __device__ __forceinline__ void left(unsigned (&a)[4], int row, int k) const {
    int lane = threadIdx.x % LANES;
    loadMatrices(a, chunk(row + lane % 16, 2 * k + lane / 16));
  }

  /** Fragments b of the transpose: of rows [row, row + 16), two n, and columns [16 k, 16 k + 16), one k. */
  __device__ __forceinline__ void rightTransposed(unsigned (&b)[4], int row, int k) const {
    int lane = threadIdx.x % LANES;
    loadMatrices(b, chunk(row + lane / 16 * 8 + lane % 8, 2 * k + lane / 8 % 2));
  }

  /** Fragments b of rows [row, row + 16), one k, and columns [16 n, 16 n + 16), two n. */
  __device__ __forceinline__ void right(unsigned (&b)[4], int row, int n) const {
    int lane = threadIdx.x % LANES;
    loadTransposed(b, chunk(row + lane % 16, 2 * n + lane / 16));
  }

  /** Writes what a warp summed, (16,D) as fragments d, times by[0] in the rows of its first half and by[1], rounded. */
  __device__ __forceinline__ void put(int row, const float (&d)[D / 8][4], float first, float second) const {
    int g = threadIdx.x % LANES / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
      *reinterpret_cast<unsigned*>(chunk(row + g, n) + 2 * t) = pair<T>(d[n][0] * first, d[n][1] * first);
      *reinterpret_cast<unsigned*>(chunk(row + g + 8, n) + 2 * t) = pair<T>(d[n][2] * second, d[n][3] * second);
    }
  }

  /** A warp takes 16 rows from `row` on to the head's rows in memory, of which there are `count` from that one on. */
  __device__ __forceinline__ void store(int row, T* to, int columns, int count) const {
#pragma unroll
    for (int i = threadIdx.x % LANES; i < 16 * CHUNKS; i += LANES) {
      int r = i / CHUNKS, c = i % CHUNKS;
      uint4 x = *reinterpret_cast<const uint4*>(chunk(row + r, c));
      if (r < count) *reinterpret_cast<uint4*>(to + r * columns + c * 8) = x;
    }
  }
};

/** d[n] += a b of two neighbours in n. */
template <class T>
__device__ __forceinline__ void multiplyTwo(float (&first)[4], float (&second)[4], const unsigned (&a)[4],
                                            const unsigned (&b)[4]) {
  multiply(first, a, b[0], b[1], T());
  multiply(second, a, b[2], b[3], T());
}

/** Rows of a tile as left operands of products over the head's columns: 16 for each of the block's warps. */
template <class T, int D, bool HELD>
struct Left {
  static constexpr int K = D / 16;
  Tile<T, D> tile;
  unsigned a[HELD ? K : 1][4];

  /** The warp's first row. */
  static __device__ __forceinline__ int first() { return threadIdx.x / LANES * 16; }

  /** Takes them into registers, if there are registers for them. */
  __device__ __forceinline__ void hold() {
    if constexpr (HELD) {
#pragma unroll
      for (int k = 0; k < K; k++) tile.left(a[k], first(), k);
    }
  }

  /** d (16,N) = the warp's rows times rows [row, row + N) of b, transposed; a group of products. */
  template <int N>
  __device__ __forceinline__ void times(float (&d)[N / 8][4], const Tile<T, D>& b, int row) {
    beginProducts();
#pragma unroll
    for (int k = 0; k < K; k++) {
#if DYR_WARPGROUP
      multiplyGroup(d, tile.describe(0, 2 * k), b.describe(row, 2 * k), k > 0, T());
#else
      if constexpr (!HELD) tile.left(a[0], first(), k);
#pragma unroll
      for (int n = 0; n < N / 8; n += 2) {
        if (k == 0) {
#pragma unroll
          for (int e = 0; e < 4; e++) d[n][e] = d[n + 1][e] = 0;
        }
        unsigned right[4];
        b.rightTransposed(right, row + n * 8, k);
        multiplyTwo<T>(d[n], d[n + 1], a[HELD ? k : 0], right);
      }
#endif
    }
    endProducts();
  }
};

/** d (16,D) += a (16,16 N) times rows [row, row + 16 N) of b. */
template <class T, int D, int N>
__device__ __forceinline__ void addProduct(float (&d)[D / 8][4], const unsigned (&a)[N][4], const Tile<T, D>& b,
                                           int row) {
#pragma unroll
  for (int k = 0; k < N; k++) {
#if DYR_WARPGROUP
    constexpr int PANEL = Tile<T, D>::PANEL;
#pragma unroll
    for (int n = 0; n < D / 8; n += PANEL) {
      float(&panel)[PANEL][4] = reinterpret_cast<float(&)[PANEL][4]>(d[n]);
      multiplyGroup(panel, a[k], b.describe(row + k * 16, n), T());
    }
#else
#pragma unroll
    for (int n = 0; n < D / 16; n++) {
      unsigned right[4];
      b.right(right, row + k * 16, n);
      multiplyTwo<T>(d[2 * n], d[2 * n + 1], a[k], right);
    }
#endif
  }
}

/** The warps that multiply together have what they read of tiles that are written over. */
__device__ __forceinline__ void awaitReaders() {
  if (DYR_WARPGROUP) __syncthreads();
  else __syncwarp();
}

/** Sets columns from `count` on, of a warp's rows as fragments. */
template <int N>
__device__ __forceinline__ void fillBeyond(float (&d)[N][4], int count, float with) {
#pragma unroll
  for (int n = 0; n < N; n++) {
#pragma unroll
    for (int e = 0; e < 4; e++) {
      if (n * 8 + static_cast<int>(threadIdx.x) % 4 * 2 + e % 2 >= count) d[n][e] = with;
    }
  }
}

/** The sum and the largest of what the four lanes of a row have. */
__device__ __forceinline__ float rowSum(float x) {
  x += __shfl_xor_sync(ALL_LANES, x, 1);
  return x + __shfl_xor_sync(ALL_LANES, x, 2);
}

__device__ __forceinline__ float rowMax(float x) {
  x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 1));
  return fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 2));
}

}  // namespace attention
}  // namespace dyr
