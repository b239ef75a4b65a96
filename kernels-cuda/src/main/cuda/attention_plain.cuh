// What attention in fp32 FMAs is made of: attention_plain.cu, attention_plain_gradient.cu.
//
// A query, or in the gradient of keys and values a key, belongs to G lanes, each of which has E of its columns in
// registers: 4 of every 4 G. The other side comes in tiles of 64 rows through shared memory, as floats, and all lanes
// of a warp read the same row: 4 FMAs a 16-byte load. An embedding of the distance is added where a row is read: R rows
// of D columns stand in shared memory, each 16 bytes further along the banks than the one before.
#pragma once

#include "attention.cuh"

namespace dyr {
namespace attention {
constexpr int PLAIN_BLOCK = 128, ROWS = 64, CHUNK = 8;

/** What all the plain kernels take. */
template <class T>
struct Plain {
  Layout l;
  Drop d;
  const T *q, *k, *v;  // (T,C)
  T* o;
  float* lse;          // (H,T)
  const T* table;      // (R,D), null without embeddings
  int distances;       // R = 2m+1

  __device__ __forceinline__ float by() const { return LOG2_E / sqrtf(static_cast<float>(l.size)); }
};

/** The embeddings in shared memory, rows of G E floats and 4 more. */
struct Table {
  const float* rows;
  int stride, most;

  /** Of the key at place j for the query at place i. */
  __device__ __forceinline__ int at(int j, int i) const { return min(max(j - i, -most), most) + most; }
};

/** Which columns a lane has of a row of `group` lanes: chunks of 4, dealt round. */
template <int E>
struct Lane {
  int group, part;

  __device__ __forceinline__ explicit Lane(int group) : group(group), part(threadIdx.x % group) {}

  /** Rows that a block has. */
  __device__ __forceinline__ static int rows(int group) { return PLAIN_BLOCK / group; }

  __device__ __forceinline__ int width() const { return group * E; }

  template <class T>
  __device__ __forceinline__ void load(float (&x)[E], const T* from, int size) const {
#pragma unroll
    for (int e = 0; e < E; e++) {
      int c = (e / 4 * group + part) * 4 + e % 4;
      x[e] = c < size ? widen(from[c]) : 0;
    }
  }

  template <class T>
  __device__ __forceinline__ void store(T* to, const float (&x)[E], float by, int size) const {
#pragma unroll
    for (int e = 0; e < E; e++) {
      int c = (e / 4 * group + part) * 4 + e % 4;
      if (c < size) to[c] = narrow<T>(x[e] * by);
    }
  }

  /** The chunk `e` / 4 of a row in shared memory, with the embedding's where there is one. */
  template <bool RELATIVE>
  __device__ __forceinline__ float4 chunk(const float* row, const float* embedding, int e) const {
    int c = e * group + part * 4;
    float4 x = *reinterpret_cast<const float4*>(row + c);
    if constexpr (RELATIVE) {
      float4 a = *reinterpret_cast<const float4*>(embedding + c);
      x = float4{x.x + a.x, x.y + a.y, x.z + a.z, x.w + a.w};
    }
    return x;
  }

  /** This lane's part of x . row. */
  template <bool RELATIVE>
  __device__ __forceinline__ float dot(const float (&x)[E], const float* row, const float* embedding) const {
    float sum = 0;
#pragma unroll
    for (int e = 0; e < E; e += 4) {
      float4 y = chunk<RELATIVE>(row, embedding, e);
      sum += x[e] * y.x + x[e + 1] * y.y + x[e + 2] * y.z + x[e + 3] * y.w;
    }
    return sum;
  }

  /** x += by row. */
  template <bool RELATIVE>
  __device__ __forceinline__ void add(float (&x)[E], float by, const float* row, const float* embedding) const {
#pragma unroll
    for (int e = 0; e < E; e += 4) {
      float4 y = chunk<RELATIVE>(row, embedding, e);
      x[e] += by * y.x;
      x[e + 1] += by * y.y;
      x[e + 2] += by * y.z;
      x[e + 3] += by * y.w;
    }
  }

  __device__ __forceinline__ float sum(float x) const {
    for (int with = 1; with < group; with *= 2) x += __shfl_xor_sync(ALL_LANES, x, with);
    return x;
  }

  /** What stays of 64 keys for a query. */
  __device__ __forceinline__ uint64_t kept(const Draws& draws, int i, int block) const {
    uint64_t bits = draws.kept(i, block, part, group);
    unsigned low = static_cast<unsigned>(bits), high = static_cast<unsigned>(bits >> 32);
    for (int with = 1; with < group; with *= 2) {
      low |= __shfl_xor_sync(ALL_LANES, low, with);
      high |= __shfl_xor_sync(ALL_LANES, high, with);
    }
    return static_cast<uint64_t>(high) << 32 | low;
  }
};

/** `count` rows of a head as floats, zeros beyond its columns. */
template <class T>
__device__ void copyRows(float* to, int stride, int width, const T* from, int64_t columns, int size, int count) {
  for (int i = threadIdx.x; i < count * width; i += PLAIN_BLOCK) {
    int row = i / width, c = i % width;
    to[row * stride + c] = c < size ? widen(from[row * columns + c]) : 0;
  }
}

/** The table behind `floats` of shared memory; a barrier must follow. */
template <bool RELATIVE, class T>
__device__ Table copyTable(const Plain<T>& x, float* shared, int width) {
  Table t{shared, width + 4, x.distances / 2};
  if constexpr (RELATIVE) copyRows(shared, t.stride, width, x.table, x.l.size, x.l.size, x.distances);
  return t;
}

/** Shared memory: two tiles, two numbers a row, and the table. */
template <int E>
int sharedBytes(int group, int distances) {
  return (2 * ROWS * (group * E + 1) + distances * (group * E + 4)) * static_cast<int>(sizeof(float));
}

/** Lanes that share a row of D columns, E each. */
inline int groupFor(int size, int columns) {
  int group = 1;
  while (group * columns < size) group *= 2;
  return group;
}

}  // namespace attention
}  // namespace dyr
