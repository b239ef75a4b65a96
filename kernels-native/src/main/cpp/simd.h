// One vector of floats, for the instruction set that this translation unit is compiled for. Every kernel is written
// once, against these names; DYR_ISA is the namespace of the set: avx2, avx512 or avx512bf16. Other intrinsics are in
// lanes.h, philox.h and the matrix product's inner loop alone.
#pragma once

#include <immintrin.h>
#include <cmath>
#include <cstdint>
#include <cstring>

#ifndef DYR_ISA
#error "define DYR_ISA: avx2, avx512 or avx512bf16"
#endif

#define DYR_INLINE inline __attribute__((always_inline))

namespace dyr {

/** The upper half of a float. */
struct bf16 {
  uint16_t bits;
};

namespace DYR_ISA {

#if defined(__AVX512F__)

constexpr int LANES = 16;
using Floats = __m512;
using Ints = __m512i;
using Mask = __mmask16;

DYR_INLINE Mask first(int n) { return static_cast<Mask>((1u << n) - 1); }
DYR_INLINE Floats broadcast(float x) { return _mm512_set1_ps(x); }
DYR_INLINE Ints broadcast(int32_t x) { return _mm512_set1_epi32(x); }
DYR_INLINE Ints iota() { return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
DYR_INLINE Floats zero() { return _mm512_setzero_ps(); }
DYR_INLINE Floats load(const float* p) { return _mm512_loadu_ps(p); }
DYR_INLINE Floats load(const float* p, Mask m) { return _mm512_maskz_loadu_ps(m, p); }
DYR_INLINE Ints load(const int32_t* p) { return _mm512_loadu_si512(p); }
DYR_INLINE void store(float* p, Floats x) { _mm512_storeu_ps(p, x); }
DYR_INLINE void store(float* p, Floats x, Mask m) { _mm512_mask_storeu_ps(p, m, x); }
DYR_INLINE Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
DYR_INLINE Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
DYR_INLINE Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
DYR_INLINE Floats div(Floats a, Floats b) { return _mm512_div_ps(a, b); }
DYR_INLINE Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
DYR_INLINE Floats sqrt(Floats a) { return _mm512_sqrt_ps(a); }
/** 1/sqrt(a) and 1/a to 14 bits. */
DYR_INLINE Floats roughInverseRoot(Floats a) { return _mm512_rsqrt14_ps(a); }
DYR_INLINE Floats roughInverse(Floats a) { return _mm512_rcp14_ps(a); }
DYR_INLINE Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
DYR_INLINE Floats min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
DYR_INLINE Floats abs(Floats a) { return _mm512_abs_ps(a); }
DYR_INLINE Ints bits(Floats a) { return _mm512_castps_si512(a); }
DYR_INLINE Floats floats(Ints a) { return _mm512_castsi512_ps(a); }
DYR_INLINE Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
template <int N> DYR_INLINE Ints shiftLeft(Ints a) { return _mm512_slli_epi32(a, N); }
template <int N> DYR_INLINE Ints shiftRight(Ints a) { return _mm512_srli_epi32(a, N); }
DYR_INLINE Mask less(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
/** b where the mask is set, else a. */
DYR_INLINE Floats select(Floats a, Floats b, Mask m) { return _mm512_mask_blend_ps(m, a, b); }
/** table[i] for the lower five bits i of each lane, of a table of 32: from two registers. */
DYR_INLINE Floats lookup(const float* table, Ints index) {
  return _mm512_permutex2var_ps(load(table), index, load(table + LANES));
}

DYR_INLINE Floats load(const bf16* p) {
  return floats(shiftLeft<16>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))));
}
DYR_INLINE Floats load(const bf16* p, Mask m) {
  return floats(shiftLeft<16>(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, p))));
}
/** To nearest, ties to even; a NaN stays a quiet NaN. */
DYR_INLINE __m256i toBf16(Floats x) {
#if defined(__AVX512BF16__)
  // The instruction takes subnormal numbers for zero. Those, which are rare, go by bits: all sets round alike.
  if (__builtin_expect(_mm512_fpclass_ps_mask(x, 0x20) == 0, 1)) return (__m256i)_mm512_cvtneps_pbh(x);
#endif
  Ints b = bits(x);
  Ints rounded = add(add(b, broadcast(0x7fff)), _mm512_and_si512(shiftRight<16>(b), broadcast(1)));
  Ints quiet = _mm512_or_si512(b, broadcast(0x00400000));
  Ints r = _mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), quiet);
  return _mm512_cvtepi32_epi16(shiftRight<16>(r));
}
/** x rounded to bf16. */
DYR_INLINE Floats rounded(Floats x) { return floats(shiftLeft<16>(_mm512_cvtepu16_epi32(toBf16(x)))); }
DYR_INLINE void store(bf16* p, Floats x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), toBf16(x)); }
/** Past the caches; p at a multiple of the bytes written. */
DYR_INLINE void stream(float* p, Floats x) { _mm512_stream_ps(p, x); }
DYR_INLINE void stream(bf16* p, Floats x) { _mm256_stream_si256(reinterpret_cast<__m256i*>(p), toBf16(x)); }
DYR_INLINE void store(bf16* p, Floats x, Mask m) { _mm256_mask_storeu_epi16(p, m, toBf16(x)); }

using Doubles = __m512d;
DYR_INLINE Doubles zeroDoubles() { return _mm512_setzero_pd(); }
DYR_INLINE Doubles lower(Floats x) { return _mm512_cvtps_pd(_mm512_castps512_ps256(x)); }
DYR_INLINE Doubles upper(Floats x) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)); }
DYR_INLINE Doubles add(Doubles a, Doubles b) { return _mm512_add_pd(a, b); }
DYR_INLINE Doubles fma(Doubles a, Doubles b, Doubles c) { return _mm512_fmadd_pd(a, b, c); }
DYR_INLINE void store(double* p, Doubles x) { _mm512_storeu_pd(p, x); }

#else  // AVX2 with FMA

constexpr int LANES = 8;
using Floats = __m256;
using Ints = __m256i;
using Mask = __m256i;  // all bits of a lane, or none

DYR_INLINE Ints broadcast(int32_t x) { return _mm256_set1_epi32(x); }
DYR_INLINE Ints iota() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
DYR_INLINE Mask first(int n) { return _mm256_cmpgt_epi32(broadcast(n), iota()); }
DYR_INLINE Floats broadcast(float x) { return _mm256_set1_ps(x); }
DYR_INLINE Floats zero() { return _mm256_setzero_ps(); }
DYR_INLINE Floats load(const float* p) { return _mm256_loadu_ps(p); }
DYR_INLINE Floats load(const float* p, Mask m) { return _mm256_maskload_ps(p, m); }
DYR_INLINE Ints load(const int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
DYR_INLINE void store(float* p, Floats x) { _mm256_storeu_ps(p, x); }
DYR_INLINE void store(float* p, Floats x, Mask m) { _mm256_maskstore_ps(p, m, x); }
DYR_INLINE Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
DYR_INLINE Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
DYR_INLINE Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
DYR_INLINE Floats div(Floats a, Floats b) { return _mm256_div_ps(a, b); }
DYR_INLINE Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
DYR_INLINE Floats sqrt(Floats a) { return _mm256_sqrt_ps(a); }
/** 1/sqrt(a) and 1/a to 11 bits. */
DYR_INLINE Floats roughInverseRoot(Floats a) { return _mm256_rsqrt_ps(a); }
DYR_INLINE Floats roughInverse(Floats a) { return _mm256_rcp_ps(a); }
DYR_INLINE Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
DYR_INLINE Floats min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
DYR_INLINE Floats abs(Floats a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
DYR_INLINE Ints bits(Floats a) { return _mm256_castps_si256(a); }
DYR_INLINE Floats floats(Ints a) { return _mm256_castsi256_ps(a); }
DYR_INLINE Ints add(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
template <int N> DYR_INLINE Ints shiftLeft(Ints a) { return _mm256_slli_epi32(a, N); }
template <int N> DYR_INLINE Ints shiftRight(Ints a) { return _mm256_srli_epi32(a, N); }
DYR_INLINE Mask less(Floats a, Floats b) { return bits(_mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
/** b where the mask is set, else a. */
DYR_INLINE Floats select(Floats a, Floats b, Mask m) { return _mm256_blendv_ps(a, b, floats(m)); }

DYR_INLINE Floats load(const bf16* p) {
  return floats(shiftLeft<16>(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))));
}
DYR_INLINE Floats load(const bf16* p, Mask m) {
  alignas(16) bf16 copy[LANES] = {};
  std::memcpy(copy, p, sizeof(bf16) * __builtin_popcount(_mm256_movemask_ps(floats(m))));
  return load(copy);
}
/** To nearest, ties to even; a NaN stays a quiet NaN. */
DYR_INLINE __m128i toBf16(Floats x) {
  Ints b = bits(x);
  Ints rounded = add(add(b, broadcast(0x7fff)), _mm256_and_si256(shiftRight<16>(b), broadcast(1)));
  Ints quiet = _mm256_or_si256(b, broadcast(0x00400000));
  Ints r = shiftRight<16>(bits(select(floats(rounded), floats(quiet), bits(_mm256_cmp_ps(x, x, _CMP_UNORD_Q)))));
  return _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi32(r, r), 0x08));
}
/** x rounded to bf16. */
DYR_INLINE Floats rounded(Floats x) { return floats(shiftLeft<16>(_mm256_cvtepu16_epi32(toBf16(x)))); }
DYR_INLINE void store(bf16* p, Floats x) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), toBf16(x)); }
/** Past the caches; p at a multiple of the bytes written. */
DYR_INLINE void stream(float* p, Floats x) { _mm256_stream_ps(p, x); }
DYR_INLINE void stream(bf16* p, Floats x) { _mm_stream_si128(reinterpret_cast<__m128i*>(p), toBf16(x)); }
DYR_INLINE void store(bf16* p, Floats x, Mask m) {
  alignas(16) bf16 copy[LANES];
  store(copy, x);
  std::memcpy(p, copy, sizeof(bf16) * __builtin_popcount(_mm256_movemask_ps(floats(m))));
}

using Doubles = __m256d;
DYR_INLINE Doubles zeroDoubles() { return _mm256_setzero_pd(); }
DYR_INLINE Doubles lower(Floats x) { return _mm256_cvtps_pd(_mm256_castps256_ps128(x)); }
DYR_INLINE Doubles upper(Floats x) { return _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)); }
DYR_INLINE Doubles add(Doubles a, Doubles b) { return _mm256_add_pd(a, b); }
DYR_INLINE Doubles fma(Doubles a, Doubles b, Doubles c) { return _mm256_fmadd_pd(a, b, c); }
DYR_INLINE void store(double* p, Doubles x) { _mm256_storeu_pd(p, x); }

#endif

/** After the last `stream` of a kernel: what was written is there for everyone. */
DYR_INLINE void fence() { _mm_sfence(); }

/**
 * 1/sqrt(a) for a > 0, not subnormal (infinity counts as the largest float), by one step of Newton's iteration: relative
 * error below 4e-7.
 */
DYR_INLINE Floats inverseRoot(Floats a) {
  a = min(broadcast(3.4028235e38f), a);  // a NaN stays one
  Floats y = roughInverseRoot(a);
  Floats half = mul(mul(a, broadcast(-0.5f)), y);
  return mul(y, fma(half, y, broadcast(1.5f)));
}

/** 1/a for normal a, likewise. */
DYR_INLINE Floats inverse(Floats a) {
  Floats y = roughInverse(a);
  return mul(y, sub(broadcast(2.0f), mul(a, y)));
}

/** The mask of lanes [0, n), all of them from LANES on. */
DYR_INLINE Mask atMost(int n) { return first(n < LANES ? n : LANES); }

/** The sum of the lanes, halves added to halves: one order for every call. */
DYR_INLINE float sum(Floats x) {
#if defined(__AVX512F__)
  __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
#else
  __m256 eight = x;
#endif
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/** The sum of the lanes, in their order. */
DYR_INLINE double sum(Doubles x) {
  alignas(64) double lane[LANES / 2];
  store(lane, x);
  double s = 0;
  for (double l : lane) s += l;
  return s;
}

/** The largest lane; of a lane that is a NaN and another, either. */
DYR_INLINE float largest(Floats x) {
#if defined(__AVX512F__)
  __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
#else
  __m256 eight = x;
#endif
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

/**
 * e^x: relative error below 1.3e-7; 0 for x below -86.9, infinite above 88.72, NaN for NaN. x = k ln 2 + r with |r| at
 * most ln(2)/2, e^r = 1 + r + r^2 P(r), P of degree 4; P is doubled and k less by one, so that e^88.7 does not overflow
 * on the way. The coefficients are those of the Vector API's kernels.
 */
DYR_INLINE Floats exp(Floats x) {
  Floats round = broadcast(0x1.8p23f + 126);
  Floats rounded = fma(x, broadcast(1.44269504f), round);
  Floats k = sub(rounded, round);
  Floats r = fma(k, broadcast(-1.42860677e-6f), fma(k, broadcast(-0.693145752f), x));
  Floats p = broadcast(2 * 1.3814608e-3f);
  p = fma(p, r, broadcast(2 * 8.3687110e-3f));
  p = fma(p, r, broadcast(2 * 4.1668389e-2f));
  p = fma(p, r, broadcast(2 * 0.16666521f));
  p = fma(p, r, broadcast(2 * 0.49999994f));
  p = fma(p, r, broadcast(2.0f));
  p = fma(p, r, broadcast(2.0f));
  Floats e = mul(p, floats(shiftLeft<23>(bits(rounded))));
  e = select(e, zero(), less(x, broadcast(-86.9f)));
  return select(e, broadcast(INFINITY), less(broadcast(88.722839f), x));
}

/**
 * tanh x = x P(x^2) / Q(x^2), P and Q of degree 4, x cut off at 9: relative error below 3.5e-7. A NaN stays one.
 */
DYR_INLINE Floats tanh(Floats x) {
  // min and max give their second operand where one is a NaN.
  Floats a = max(broadcast(-9.0f), min(broadcast(9.0f), x));
  Floats s = mul(a, a);
  Floats p = fma(broadcast(1.3354351e-8f), s, broadcast(2.0608852e-5f));
  p = fma(fma(fma(p, s, broadcast(3.4955740e-3f)), s, broadcast(0.13381013f)), s, broadcast(1.0f));
  Floats q = fma(broadcast(7.7764287e-7f), s, broadcast(3.2856117e-4f));
  q = fma(fma(fma(q, s, broadcast(2.5876928e-2f)), s, broadcast(0.46714330f)), s, broadcast(1.0f));
  return div(mul(a, p), q);
}

}  // namespace DYR_ISA
}  // namespace dyr
