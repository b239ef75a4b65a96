// Masks of dropout, 64 columns of a row at a time: org.dyr.op.Philox has the rule. Counters stand in the lower halves
// of 64-bit lanes, even ones in one vector and odd ones in another, so that a round is two products, two moves and two
// exclusive ors; what gathers in the upper halves does no harm. At the end odd words are put beside even ones, and the
// 16-bit halves stand in the order of their columns: one comparison decides on two vectors of floats.
#pragma once

#include "simd.h"

namespace dyr {
namespace DYR_ISA {

constexpr int DROP_COLUMNS = 64;                      // of a block
constexpr int DROP_COUNTERS = DROP_COLUMNS / 8;       // likewise
constexpr int DROP_VECTORS = DROP_COLUMNS / LANES;    // likewise, of floats
constexpr int DROP_BLOCKS = LANES / DROP_COUNTERS;    // whose counters fill a vector: they are drawn together

#if defined(__AVX512F__)

/** a ^ b, and a ^ b ^ c. */
DYR_INLINE Ints exclusiveOr(Ints a, Ints b) { return _mm512_xor_si512(a, b); }
DYR_INLINE Ints exclusiveOr(Ints a, Ints b, Ints c) { return _mm512_ternarylogic_epi32(a, b, c, 0x96); }
/** The 64-bit products of the lower halves of 64-bit lanes. */
DYR_INLINE Ints multiplyLower(Ints a, Ints b) { return _mm512_mul_epu32(a, b); }
/** Upper halves of 64-bit lanes brought down, by the two ports in turn: a shift, and a shuffle. */
DYR_INLINE Ints upperShifted(Ints a) { return _mm512_srli_epi64(a, 32); }
DYR_INLINE Ints upperShuffled(Ints a) { return _mm512_shuffle_epi32(a, static_cast<_MM_PERM_ENUM>(0xF5)); }
/** The even counters of the blocks that begin with these. */
DYR_INLINE Ints evenCounters(const int32_t (&first)[DROP_BLOCKS]) {
  return add(_mm512_mask_blend_epi32(0xFF00, broadcast(first[0]), broadcast(first[1])),
      _mm512_setr_epi64(0, 2, 4, 6, 0, 2, 4, 6));
}
/** Of a word of the even counters and the odd: the masks, for each block, of halves that are not below `least`. */
DYR_INLINE void compareHalves(Ints even, Ints odd, Ints least, Mask* (&to)[DROP_BLOCKS]) {
  Ints words = _mm512_mask_shuffle_epi32(even, 0xAAAA, odd, static_cast<_MM_PERM_ENUM>(0xA0));
  __mmask32 kept = _mm512_cmpge_epu16_mask(words, least);
  *to[0]++ = static_cast<Mask>(kept);
  *to[1]++ = static_cast<Mask>(kept >> LANES);
}

#else  // AVX2 with FMA

DYR_INLINE Ints exclusiveOr(Ints a, Ints b) { return _mm256_xor_si256(a, b); }
DYR_INLINE Ints exclusiveOr(Ints a, Ints b, Ints c) { return exclusiveOr(exclusiveOr(a, b), c); }
DYR_INLINE Ints multiplyLower(Ints a, Ints b) { return _mm256_mul_epu32(a, b); }
DYR_INLINE Ints upperShifted(Ints a) { return _mm256_srli_epi64(a, 32); }
DYR_INLINE Ints upperShuffled(Ints a) { return _mm256_shuffle_epi32(a, 0xF5); }
/** The middle ones change places: unpacking, which stays within 128 bits, then gives the order of columns. */
DYR_INLINE Ints evenCounters(const int32_t (&first)[DROP_BLOCKS]) {
  return add(broadcast(first[0]), _mm256_setr_epi64x(0, 4, 2, 6));
}
DYR_INLINE void compareHalves(Ints even, Ints odd, Ints least, Mask* (&to)[DROP_BLOCKS]) {
  Ints words = _mm256_blend_epi32(even, _mm256_shuffle_epi32(odd, 0xA0), 0xAA);
  Ints kept = _mm256_cmpeq_epi16(_mm256_max_epu16(words, least), words);
  *to[0]++ = _mm256_unpacklo_epi16(kept, kept);
  *to[0]++ = _mm256_unpackhi_epi16(kept, kept);
}

#endif

/** What is dropped of the rows of a sequence, or of one head of one. */
class DropoutRows {
 public:
  DropoutRows() = default;

  /** @param random seed low and high, step; halves below the threshold are dropped */
  DropoutRows(const int32_t* random, int32_t sequence, int32_t site, int32_t threshold)
      : thresholds(static_cast<int32_t>(static_cast<uint32_t>(threshold) * 0x10001u)) {
    for (int round = 0; round < ROUNDS; round++) {
      key0[round] = random[0] + round * 0x9E3779B9u;
      key1[round] = random[1] + round * 0xBB67AE85u;
    }
    // In the first round c0 alone differs by counter, in the second c2 and c3: the rest of both is computed once.
    uint64_t p1 = static_cast<uint64_t>(MULTIPLIER_1) * static_cast<uint32_t>(site);
    uint32_t c0 = static_cast<uint32_t>(p1 >> 32) ^ sequence ^ key0[0];
    uint64_t p0 = static_cast<uint64_t>(MULTIPLIER_0) * c0;
    second2 = random[2] ^ key1[0];
    first0 = static_cast<uint32_t>(p1) ^ key0[1];
    first2 = static_cast<uint32_t>(p0 >> 32) ^ key1[1];
    fourth = static_cast<uint32_t>(p0);
  }

  /** What stays of N blocks of 64 columns, whose counters begin with these. */
  template <int N> DYR_INLINE void blocks(const int32_t (&counter)[N], Mask (&kept)[N][DROP_VECTORS]) const {
#pragma GCC unroll 4
    for (int i = 0; i < N; i += DROP_BLOCKS) {
      int32_t first[DROP_BLOCKS];
      Mask unused[DROP_VECTORS];
      Mask* to[DROP_BLOCKS];
      for (int j = 0; j < DROP_BLOCKS; j++) {
        first[j] = counter[i + j < N ? i + j : i];
        to[j] = i + j < N ? kept[i + j] : unused;
      }
      Words even, odd;
      even.c0 = evenCounters(first);
      odd.c0 = add(even.c0, broadcast(1));
      rounds(even, odd);
      Ints least = broadcast(thresholds);
      compareHalves(even.c0, odd.c0, least, to);
      compareHalves(even.c1, odd.c1, least, to);
      compareHalves(even.c2, odd.c2, least, to);
      compareHalves(even.c3, odd.c3, least, to);
    }
  }

 private:
  static constexpr int ROUNDS = 7;
  static constexpr uint32_t MULTIPLIER_0 = 0xD2511F53, MULTIPLIER_1 = 0xCD9E8D57;

  /** Words 0 to 3 of LANES/2 counters; before the first round c0 is the counter. */
  struct Words {
    Ints c0, c1, c2, c3;
  };

  DYR_INLINE void rounds(Words& even, Words& odd) const {
    const Ints multiplier0 = broadcast(static_cast<int32_t>(MULTIPLIER_0));
    const Ints multiplier1 = broadcast(static_cast<int32_t>(MULTIPLIER_1));
    Words* const both[] = {&even, &odd};
#pragma GCC unroll 2
    for (Words* x : both) {
      Ints p0 = multiplyLower(x->c0, multiplier0);
      Ints p1 = multiplyLower(exclusiveOr(upperShifted(p0), broadcast(second2)), multiplier1);
      *x = {exclusiveOr(upperShuffled(p1), broadcast(first0)), p1, exclusiveOr(p0, broadcast(first2)),
          broadcast(fourth)};
    }
#pragma GCC unroll 8
    for (int round = 2; round < ROUNDS; round++) {
#pragma GCC unroll 2
      for (Words* x : both) {
        Ints p0 = multiplyLower(x->c0, multiplier0), p1 = multiplyLower(x->c2, multiplier1);
        *x = {exclusiveOr(upperShifted(p1), x->c1, broadcast(key0[round])), p1,
            exclusiveOr(upperShuffled(p0), x->c3, broadcast(key1[round])), p0};
      }
    }
  }

  int32_t key0[ROUNDS], key1[ROUNDS];
  int32_t second2;         // what round 0 adds to counters' third word
  int32_t first0;          // what round 1 adds to the first word
  int32_t first2, fourth;  // what round 1 adds to the third word; the fourth after it
  int32_t thresholds;      // two of 16 bits
};

}  // namespace DYR_ISA
}  // namespace dyr
