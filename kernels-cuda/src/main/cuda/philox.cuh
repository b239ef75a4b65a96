// Philox4x32-7 (Salmon et al. 2011), the generator of dropout. Which element takes which half of which word is in
// org.dyr.op.Philox: column c takes half c mod 2 of word (c mod 64) / 16 of counter 8 (c / 64) + (c mod 16) / 2 of its
// row.
#pragma once

#include "simt.cuh"

namespace dyr {

constexpr unsigned PHILOX_ROUNDS = 7;

/** The four words of a counter under a key. Seven rounds of two products and four exclusive ors. */
__device__ __forceinline__ uint4 philox(uint4 counter, uint2 key) {
#pragma unroll
  for (unsigned round = 0; round < PHILOX_ROUNDS; round++) {
    uint64_t p0 = static_cast<uint64_t>(0xD2511F53u) * counter.x, p1 = static_cast<uint64_t>(0xCD9E8D57u) * counter.z;
    counter = uint4{static_cast<unsigned>(p1 >> 32) ^ counter.y ^ (key.x + round * 0x9E3779B9u),
        static_cast<unsigned>(p1),
        static_cast<unsigned>(p0 >> 32) ^ counter.w ^ (key.y + round * 0xBB67AE85u), static_cast<unsigned>(p0)};
  }
  return counter;
}

/** Counters that a row of so many columns takes: 8 a block of 64. */
__host__ __device__ constexpr unsigned philoxStride(int columns) { return (columns + 63) / 64 * 8; }

}  // namespace dyr
