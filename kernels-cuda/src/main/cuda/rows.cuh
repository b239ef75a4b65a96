// Rows of columns and their dropout: what norm.cu and norm_gradient.cu share.
#pragma once

#include <cstring>

#include "philox.cuh"

namespace dyr {

/** Sixteen bytes of a row, as they are loaded: no instruction waits for them before they are widened. */
typedef uint4 Raw;

template <class T>
__device__ __forceinline__ Raw loadRaw(const T* from) { return *reinterpret_cast<const Raw*>(from); }

/** The neighbours in them. */
template <class T>
__device__ __forceinline__ void widen(const Raw& raw, float (&to)[WIDE<T>]) {
  unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
  for (int i = 0; i < WIDE<T>; i++) {
    if constexpr (sizeof(T) == 4) {
      to[i] = __uint_as_float(words[i]);
    } else {
      unsigned short half = static_cast<unsigned short>(words[i / 2] >> i % 2 * 16);
      T neighbour;
      memcpy(&neighbour, &half, sizeof(half));
      to[i] = widen(neighbour);
    }
  }
}

/** V weights from a multiple of 4 on, which no kernel writes: their loads may move before stores. */
template <int V>
__device__ __forceinline__ void loadWeights(const float* from, float (&to)[V]) {
#pragma unroll
  for (int i = 0; i < V; i += 4) {
    float4 four = __ldg(reinterpret_cast<const float4*>(from + i));
    to[i] = four.x;
    to[i + 1] = four.y;
    to[i + 2] = four.z;
    to[i + 3] = four.w;
  }
}

/** What says which elements of rows are dropped: org.dyr.op.Philox. */
struct Drop {
  const int *random, *sequence, *position;  // (4) seed, step, unused; (R); (R)
  unsigned site, stride, threshold;         // the threshold in the upper half
  float keep;                               // what an element that stays is multiplied by

  Drop(Address random, Address sequence, Address position, int site, int threshold, float keep, int columns)
      : random(random), sequence(sequence), position(position), site(site), stride(philoxStride(columns)),
        threshold(static_cast<unsigned>(threshold) << 16), keep(keep) {}
};

/** Where the counters of a row begin. */
struct Place {
  int sequence, position;

  Place() = default;
  __device__ __forceinline__ Place(const Drop& d, int64_t row) : sequence(d.sequence[row]), position(d.position[row]) {}
};

/** Which elements of rows stay: a lane has V neighbours, a warp a pack of 32 V columns. */
template <int V>
struct Mask {
  const Drop& drop;
  uint2 key = {};
  unsigned step = 0;

  /** @param draws whether anything is dropped */
  __device__ __forceinline__ Mask(const Drop& drop, bool draws) : drop(drop) {
    if (!draws) return;
    key = uint2{static_cast<unsigned>(drop.random[0]), static_cast<unsigned>(drop.random[1])};
    step = static_cast<unsigned>(drop.random[2]);
  }

  /**
   * Multiplies this lane's columns of pack k by `keep` or by 0. The lanes draw the counters of 256 columns, one each;
   * eight votes, of the halves of four words, give all lanes what all have drawn, and a lane takes from two of them
   * the bits of its columns, the even and the odd.
   */
  __device__ __forceinline__ void apply(const Place& at, int k, float (&x)[V]) const {
    unsigned lane = threadIdx.x % LANES;
    uint4 words = philox(uint4{at.position * drop.stride + k * V / 8 * LANES + lane, static_cast<unsigned>(at.sequence),
        drop.site, step}, key);
    unsigned drawn[4] = {words.x, words.y, words.z, words.w}, even[4], odd[4];
#pragma unroll
    for (int w = 0; w < 4; w++) {
      even[w] = __ballot_sync(ALL_LANES, drawn[w] << 16 >= drop.threshold);
      odd[w] = __ballot_sync(ALL_LANES, drawn[w] >= drop.threshold);
    }
    // Eight neighbours, of which V = 4 has one half or the other.
    unsigned eight = V == 8 ? lane : k % 2 * 16 + lane / 2;
    unsigned first = (eight & 24) + (eight & 1) * 4 + (V == 8 ? 0 : (lane & 1) * 2);
    unsigned evens = (eight & 4 ? (eight & 2 ? even[3] : even[2]) : (eight & 2 ? even[1] : even[0])) >> first;
    unsigned odds = (eight & 4 ? (eight & 2 ? odd[3] : odd[2]) : (eight & 2 ? odd[1] : odd[0])) >> first;
#pragma unroll
    for (int i = 0; i < V; i++) x[i] *= (i % 2 ? odds : evens) >> i / 2 & 1 ? drop.keep : 0;
  }
};

/**
 * How a warp has a row of columns: V neighbours a lane of each of PACKS packs; PACKS is 0 for a row of any length,
 * which is in shared memory and loaded one by one.
 */
template <int V, int PACKS>
struct Columns {
  static constexpr int PACK = V * LANES;

  /** f(k, c) for the packs, c the first of this lane's columns. */
  template <class F>
  static __device__ __forceinline__ void packs(int columns, const F& f) {
    int c = threadIdx.x % LANES * V;
    if constexpr (PACKS > 0) {
#pragma unroll
      for (int k = 0; k < PACKS; k++) f(k, c + k * PACK);
    } else {
      for (int k = 0; k * PACK < columns; k++) f(k, c + k * PACK);
    }
  }

  /** Whether the row has column c + i; what all rows of so many packs have is not asked for. */
  static __device__ __forceinline__ bool has(int k, int c, int i, int columns) {
    if constexpr (PACKS == 0) return c + i < columns;
    return k < (PACKS > 4 ? PACKS - 2 : PACKS - 1) || c < columns;
  }

  /** Where a lane without columns in pack k loads instead of them: no load waits for a branch. */
  static __device__ __forceinline__ int within(int k, int c, int columns) { return has(k, c, 0, columns) ? c : 0; }

  static __device__ __forceinline__ void weights(const float* w, int k, int c, int columns, float (&to)[V]) {
    if constexpr (PACKS > 0) {
      loadWeights<V>(w + within(k, c, columns), to);
    } else {
      for (int i = 0; i < V; i++) to[i] = c + i < columns ? __ldg(w + c + i) : 0;
    }
  }

  template <class T>
  static __device__ __forceinline__ void store(T* row, int k, int c, int columns, const float (&from)[V]) {
    if constexpr (PACKS > 0) {
      if (has(k, c, 0, columns)) dyr::store<V>(row + c, from);
    } else {
      for (int i = 0; i < V; i++) {
        if (c + i < columns) row[c + i] = narrow<T>(from[i]);
      }
    }
  }
};

/** A lane's part of a row of T as it is stored, all loads under way at once; where it has no columns, anything. */
template <class T, int PACKS>
struct Stored {
  typedef Columns<WIDE<T>, PACKS> In;
  Raw at[PACKS];

  __device__ __forceinline__ Stored(const T* row, int columns) {
    In::packs(columns, [&](int k, int c) { at[k] = loadRaw(row + In::within(k, c, columns)); });
  }
  __device__ __forceinline__ void get(int k, int, float (&to)[WIDE<T>]) const { widen<T>(at[k], to); }
};

/** A row that does not fit registers is read from the cache whenever it is asked for. */
template <class T>
struct Stored<T, 0> {
  const T* row;
  int columns;

  __device__ __forceinline__ Stored(const T* row, int columns) : row(row), columns(columns) {}
  __device__ __forceinline__ void get(int, int c, float (&to)[WIDE<T>]) const {
    for (int i = 0; i < WIDE<T>; i++) to[i] = c + i < columns ? widen(row[c + i]) : 0;
  }
};

/** A lane's part of a row of floats that is written and read again. */
template <int V, int PACKS>
struct Row {
  float x[PACKS][V];

  __device__ __forceinline__ Row(float*) {}
  __device__ __forceinline__ float& at(int k, int i) { return x[k][i]; }
};

template <int V>
struct Row<V, 0> {
  float* x;  // shared memory, where lanes are neighbours

  __device__ __forceinline__ Row(float* shared) : x(shared + threadIdx.x % LANES) {}
  __device__ __forceinline__ float& at(int k, int i) { return x[(k * V + i) * LANES]; }
};

/** Floats of shared memory for such a row. */
template <int V>
__host__ __device__ int sharedRow(int columns) { return (columns + V * LANES - 1) / (V * LANES) * V * LANES; }

}  // namespace dyr
