// What attention and matrix products ask of vectors beyond simd.h: 2^x, transposed squares, pairs of bf16, and masks
// of dropout in blocks of 64 columns.
#pragma once

#include "simd.h"

namespace dyr {
namespace DYR_ISA {

#if defined(__AVX512F__)

/** x where the mask is set, else 0. */
DYR_INLINE Floats keep(Floats x, Mask m) { return _mm512_maskz_mov_ps(m, x); }
/** a + b where the mask is set, else a. */
DYR_INLINE Floats addWhere(Floats a, Floats b, Mask m) { return _mm512_mask_add_ps(a, m, a, b); }
DYR_INLINE Mask atLeastUnsigned(Ints a, Ints b) { return _mm512_cmpge_epu32_mask(a, b); }
/** The 64-bit products of the lower halves of 64-bit lanes. */
DYR_INLINE Ints multiplyLower(Ints a, Ints b) { return _mm512_mul_epu32(a, b); }
/** Upper halves of 64-bit lanes brought down, by the two ports in turn: a shift, and a shuffle. */
DYR_INLINE Ints upperShifted(Ints a) { return _mm512_srli_epi64(a, 32); }
DYR_INLINE Ints upperShuffled(Ints a) { return _mm512_shuffle_epi32(a, static_cast<_MM_PERM_ENUM>(0xF5)); }
/** The lower halves of 64-bit lanes, those of a in even places and those of b in odd ones. */
DYR_INLINE Ints interleaveLower(Ints a, Ints b) {
  return _mm512_mask_shuffle_epi32(a, 0xAAAA, b, static_cast<_MM_PERM_ENUM>(0xA0));
}
DYR_INLINE Ints broadcastLong(int64_t x) { return _mm512_set1_epi64(x); }
/** 0, 2, 4 .. in 64-bit lanes. */
DYR_INLINE Ints evenLongs() { return _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14); }

/**
 * 2^x: relative error below 1.5e-7; 0 and infinity beyond the exponents, NaN for NaN. 2^x = 2^k P(x - k), k the integer
 * below x, P of degree 5 with the least relative error over [0, 1].
 */
DYR_INLINE Floats exp2(Floats x) {
  Floats r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  Floats p = fma(broadcast(0x1.ec320ap-10f), r, broadcast(0x1.26900ep-7f));
  p = fma(fma(p, r, broadcast(0x1.c95446p-5f)), r, broadcast(0x1.ebd5a8p-3f));
  p = fma(fma(p, r, broadcast(0x1.62e4f6p-1f)), r, broadcast(0x1.fffffep-1f));
  return _mm512_scalef_ps(p, x);
}

/** Transposes a square of LANES rows. */
DYR_INLINE void transpose(Floats (&r)[LANES]) {
  Floats t[LANES];  // t[4 g + c] has, in its quarter l, column 4 l + c of the rows 4 g .. 4 g + 3
#pragma GCC unroll 4
  for (int g = 0; g < LANES; g += 4) {
    Floats a = _mm512_unpacklo_ps(r[g], r[g + 1]), b = _mm512_unpackhi_ps(r[g], r[g + 1]);
    Floats c = _mm512_unpacklo_ps(r[g + 2], r[g + 3]), d = _mm512_unpackhi_ps(r[g + 2], r[g + 3]);
    t[g] = _mm512_shuffle_ps(a, c, 0x44);
    t[g + 1] = _mm512_shuffle_ps(a, c, 0xEE);
    t[g + 2] = _mm512_shuffle_ps(b, d, 0x44);
    t[g + 3] = _mm512_shuffle_ps(b, d, 0xEE);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; c++) {
    Floats a = _mm512_shuffle_f32x4(t[c], t[4 + c], 0x44), b = _mm512_shuffle_f32x4(t[c], t[4 + c], 0xEE);
    Floats d = _mm512_shuffle_f32x4(t[8 + c], t[12 + c], 0x44), e = _mm512_shuffle_f32x4(t[8 + c], t[12 + c], 0xEE);
    r[c] = _mm512_shuffle_f32x4(a, d, 0x88);
    r[4 + c] = _mm512_shuffle_f32x4(a, d, 0xDD);
    r[8 + c] = _mm512_shuffle_f32x4(b, e, 0x88);
    r[12 + c] = _mm512_shuffle_f32x4(b, e, 0xDD);
  }
}

/** Lane i is the sum of the lanes of r[i], all of them added in one order. */
DYR_INLINE Floats sums(const Floats (&r)[LANES]) {
  Floats t[4];  // t[g] has, in each quarter, that quarter's sums of the rows 4 g .. 4 g + 3
#pragma GCC unroll 4
  for (int g = 0; g < 4; g++) {
    const Floats* x = r + 4 * g;
    Floats a = add(_mm512_unpacklo_ps(x[0], x[1]), _mm512_unpackhi_ps(x[0], x[1]));
    Floats b = add(_mm512_unpacklo_ps(x[2], x[3]), _mm512_unpackhi_ps(x[2], x[3]));
    t[g] = add(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xEE));
  }
  Floats a = add(_mm512_shuffle_f32x4(t[0], t[1], 0x44), _mm512_shuffle_f32x4(t[0], t[1], 0xEE));
  Floats b = add(_mm512_shuffle_f32x4(t[2], t[3], 0x44), _mm512_shuffle_f32x4(t[2], t[3], 0xEE));
  return add(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD));
}

#if defined(__AVX512BF16__)

/** The n bf16 that a row has left, 32 at most, in pairs; zeros behind them. */
DYR_INLINE Floats loadPairs(const bf16* p, int n) {
  if (n >= 2 * LANES) return floats(_mm512_loadu_si512(p));
  return floats(_mm512_maskz_loadu_epi16(static_cast<__mmask32>((1u << n) - 1), p));
}
/** Pairs of bf16, rounded to nearest (numbers below the normal ones to zero): those of low, then those of high. */
DYR_INLINE Floats neighbours(Floats low, Floats high) {
  return reinterpret_cast<Floats>(_mm512_cvtne2ps_pbh(high, low));
}
/** The same of a lane of `even` and that lane of `odd`. */
DYR_INLINE Floats interleaved(Floats even, Floats odd) {
  const Ints order = _mm512_add_epi32(_mm512_mullo_epi32(iota(), broadcast(0x10001)), broadcast(0x100000));
  return floats(_mm512_permutexvar_epi16(order, bits(neighbours(even, odd))));
}

#endif

#else  // AVX2 with FMA

DYR_INLINE Floats keep(Floats x, Mask m) { return _mm256_and_ps(x, floats(m)); }
DYR_INLINE Floats addWhere(Floats a, Floats b, Mask m) { return add(a, keep(b, m)); }
DYR_INLINE Mask atLeastUnsigned(Ints a, Ints b) { return _mm256_cmpeq_epi32(_mm256_max_epu32(a, b), a); }
DYR_INLINE Ints multiplyLower(Ints a, Ints b) { return _mm256_mul_epu32(a, b); }
DYR_INLINE Ints upperShifted(Ints a) { return _mm256_srli_epi64(a, 32); }
DYR_INLINE Ints upperShuffled(Ints a) { return _mm256_shuffle_epi32(a, 0xF5); }
DYR_INLINE Ints interleaveLower(Ints a, Ints b) { return _mm256_blend_epi32(a, _mm256_shuffle_epi32(b, 0xA0), 0xAA); }
DYR_INLINE Ints broadcastLong(int64_t x) { return _mm256_set1_epi64x(x); }
DYR_INLINE Ints evenLongs() { return _mm256_setr_epi64x(0, 2, 4, 6); }

/** As above, k the integer nearest to x and P over [-1/2, 1/2]; 0 below -126.5. */
DYR_INLINE Floats exp2(Floats x) {
  // min and max give their second operand where one is a NaN.
  x = max(broadcast(-127.0f), min(broadcast(128.0f), x));
  Floats round = broadcast(0x1.8p23f + 127);
  Floats rounded = add(x, round);
  Floats r = sub(x, sub(rounded, round));
  Floats p = fma(broadcast(0x1.5c08e6p-10f), r, broadcast(0x1.3d0c54p-7f));
  p = fma(fma(p, r, broadcast(0x1.c6b6e4p-5f)), r, broadcast(0x1.ebf918p-3f));
  p = fma(fma(p, r, broadcast(0x1.62e428p-1f)), r, broadcast(0x1.000002p0f));
  return mul(p, floats(shiftLeft<23>(bits(rounded))));
}

DYR_INLINE void transpose(Floats (&r)[LANES]) {
  Floats t[LANES];
#pragma GCC unroll 2
  for (int g = 0; g < LANES; g += 4) {
    Floats a = _mm256_unpacklo_ps(r[g], r[g + 1]), b = _mm256_unpackhi_ps(r[g], r[g + 1]);
    Floats c = _mm256_unpacklo_ps(r[g + 2], r[g + 3]), d = _mm256_unpackhi_ps(r[g + 2], r[g + 3]);
    t[g] = _mm256_shuffle_ps(a, c, 0x44);
    t[g + 1] = _mm256_shuffle_ps(a, c, 0xEE);
    t[g + 2] = _mm256_shuffle_ps(b, d, 0x44);
    t[g + 3] = _mm256_shuffle_ps(b, d, 0xEE);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; c++) {
    r[c] = _mm256_permute2f128_ps(t[c], t[4 + c], 0x20);
    r[4 + c] = _mm256_permute2f128_ps(t[c], t[4 + c], 0x31);
  }
}

DYR_INLINE Floats sums(const Floats (&r)[LANES]) {
  Floats t[2];
#pragma GCC unroll 2
  for (int g = 0; g < 2; g++) {
    const Floats* x = r + 4 * g;
    Floats a = add(_mm256_unpacklo_ps(x[0], x[1]), _mm256_unpackhi_ps(x[0], x[1]));
    Floats b = add(_mm256_unpacklo_ps(x[2], x[3]), _mm256_unpackhi_ps(x[2], x[3]));
    t[g] = add(_mm256_shuffle_ps(a, b, 0x44), _mm256_shuffle_ps(a, b, 0xEE));
  }
  return add(_mm256_permute2f128_ps(t[0], t[1], 0x20), _mm256_permute2f128_ps(t[0], t[1], 0x31));
}

#endif

/**
 * Dropout's masks of the rows of one head of one sequence, 64 columns at a time; org.dyr.op.Philox has the rule.
 * Counters stand in the lower halves of 64-bit lanes, even ones in one vector and odd ones in another, so that a round
 * is two products, two moves and two exclusive ors; what gathers in the upper halves does no harm. Of the first two
 * rounds, half is the same for every counter and computed once.
 */
struct DropoutRows {
  static constexpr int BLOCK = 64;               // columns drawn together
  static constexpr int VECTORS = BLOCK / LANES;  // of a block
  static constexpr int COUNTERS = BLOCK / 4;     // likewise
  static constexpr uint32_t MULTIPLIER_0 = 0xD2511F53, MULTIPLIER_1 = 0xCD9E8D57;

  int32_t key0[10], key1[10];
  int32_t second2;           // what round 0 adds to counters' third word
  int32_t first0;            // what round 1 adds to the first word
  int32_t first2, fourth;    // what round 1 adds to the third word; the fourth after it
  int32_t threshold;         // words below it, unsigned, are dropped

  DropoutRows() = default;

  DropoutRows(const int32_t* random, int32_t sequence, int32_t site, int32_t threshold) : threshold(threshold) {
    uint32_t k0 = random[0], k1 = random[1];
    for (int round = 0; round < 10; round++) {
      key0[round] = k0;
      key1[round] = k1;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    uint64_t p1 = static_cast<uint64_t>(MULTIPLIER_1) * static_cast<uint32_t>(site);
    uint32_t c0 = static_cast<uint32_t>(p1 >> 32) ^ sequence ^ key0[0];
    uint64_t p0 = static_cast<uint64_t>(MULTIPLIER_0) * c0;
    second2 = random[2] ^ key1[0];
    first0 = static_cast<uint32_t>(p1) ^ key0[1];
    first2 = static_cast<uint32_t>(p0 >> 32) ^ key1[1];
    fourth = static_cast<uint32_t>(p0);
  }

  /** What stays of N blocks of 64 columns, whose counters begin with these. */
  template <int N> DYR_INLINE void blocks(const int32_t (&counter)[N], Mask (&kept)[N][VECTORS]) const {
    constexpr int HALVES = COUNTERS / LANES;     // vectors of a block's counters
    constexpr int AT_ONCE = HALVES == 1 ? N : 1;  // as many as registers take: one waits while the others go on
    const Ints least = broadcast(threshold);
#pragma GCC unroll 4
    for (int i = 0; i < N * HALVES; i += AT_ONCE) {
      Words w[2 * AT_ONCE];
#pragma GCC unroll 4
      for (int j = 0; j < AT_ONCE; j++) {
        int first = counter[(i + j) / HALVES] + (i + j) % HALVES * LANES;
        w[2 * j].c0 = add(evenLongs(), broadcast(first));
        w[2 * j + 1].c0 = add(evenLongs(), broadcast(first + 1));
      }
      rounds(w);
#pragma GCC unroll 4
      for (int j = 0; j < AT_ONCE; j++) {
        const Words &even = w[2 * j], &odd = w[2 * j + 1];
        Mask* to = kept[(i + j) / HALVES] + (i + j) % HALVES;
        to[0] = atLeastUnsigned(interleaveLower(even.c0, odd.c0), least);
        to[HALVES] = atLeastUnsigned(interleaveLower(even.c1, odd.c1), least);
        to[2 * HALVES] = atLeastUnsigned(interleaveLower(even.c2, odd.c2), least);
        to[3 * HALVES] = atLeastUnsigned(interleaveLower(even.c3, odd.c3), least);
      }
    }
  }

 private:
  /** Words 0 to 3 of LANES/2 counters; before the first round c0 is the counter. */
  struct Words {
    Ints c0, c1, c2, c3;
  };

  template <int N> DYR_INLINE void rounds(Words (&w)[N]) const {
    const Ints multiplier0 = broadcastLong(MULTIPLIER_0), multiplier1 = broadcastLong(MULTIPLIER_1);
#pragma GCC unroll 4
    for (Words& x : w) {
      Ints p0 = multiplyLower(x.c0, multiplier0);
      Ints p1 = multiplyLower(exclusiveOr(upperShifted(p0), broadcast(second2)), multiplier1);
      x.c0 = exclusiveOr(upperShuffled(p1), broadcast(first0));
      x.c1 = p1;
      x.c2 = exclusiveOr(p0, broadcast(first2));
      x.c3 = broadcast(fourth);
    }
#pragma GCC unroll 8
    for (int round = 2; round < 10; round++) {
#pragma GCC unroll 4
      for (Words& x : w) {
        Ints p0 = multiplyLower(x.c0, multiplier0), p1 = multiplyLower(x.c2, multiplier1);
        x.c0 = parity(upperShifted(p1), x.c1, broadcast(key0[round]));
        x.c2 = parity(upperShuffled(p0), x.c3, broadcast(key1[round]));
        x.c1 = p1;
        x.c3 = p0;
      }
    }
  }
};

}  // namespace DYR_ISA
}  // namespace dyr
