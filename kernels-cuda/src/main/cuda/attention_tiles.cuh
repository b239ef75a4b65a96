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
 * R rows of D elements of 16 bits, 16 bytes a chunk. Chunks are permuted within a row such that eight neighbouring rows
 * have one chunk in eight different groups of four banks: ldmatrix reads without conflicts.
 */
template <class T, int D, int R = TILE>
struct Tile {
  static constexpr int CHUNKS = D / 8, ELEMENTS = R * D;
  T* at;

  __device__ __forceinline__ T* chunk(int row, int c) const {
    int permuted = CHUNKS >= 8 ? c ^ row % 8 : c ^ row / 2 % CHUNKS;
    return at + row * D + permuted * 8;
  }

  /** Asks for rows of a head; zeros beyond the `count` that there are. */
  __device__ __forceinline__ void copy(const T* from, int columns, int count) const {
    int first = threadIdx.x / CHUNKS, c = threadIdx.x % CHUNKS;
    from += c * 8;
#pragma unroll
    for (int r = 0; r < R; r += BLOCK / CHUNKS) {
      int row = first + r;
      copyLater<16>(chunk(row, c), from + (row < count ? row : 0) * columns, row < count);
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
