// What attention and matrix products ask of vectors beyond simd.h: 2^x, transposed squares, pairs of bf16.
#pragma once

#include "simd.h"

namespace dyr {
namespace DYR_ISA {

#if defined(__AVX512F__)

/** x where the mask is set, else 0. */
DYR_INLINE Floats keep(Floats x, Mask m) { return _mm512_maskz_mov_ps(m, x); }
/** a + b where the mask is set, else a. */
DYR_INLINE Floats addWhere(Floats a, Floats b, Mask m) { return _mm512_mask_add_ps(a, m, a, b); }

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

}  // namespace DYR_ISA
}  // namespace dyr
