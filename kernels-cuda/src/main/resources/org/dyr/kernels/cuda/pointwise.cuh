// What stands in front of every generated kernel: storage types, packs, Philox, activations. It is compiled at run
// time, where there may be no headers: the conversions of cuda_bf16.h and cuda_fp16.h are instructions.

struct bf16 { unsigned short bits; };
struct fp16 { unsigned short bits; };

__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ float widen(bf16 x) { return __uint_as_float(static_cast<unsigned>(x.bits) << 16); }
__device__ __forceinline__ void narrow(float x, float& y) { y = x; }

#ifdef __CUDACC__
__device__ __forceinline__ float widen(fp16 x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
__device__ __forceinline__ void narrow(float x, bf16& y) { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x)); }
__device__ __forceinline__ void narrow(float x, fp16& y) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x)); }
#else
inline float widen(fp16 x) { return __half2float(emulatorBits<__half>(x)); }
inline void narrow(float x, bf16& y) { y = emulatorBits<bf16>(__float2bfloat16(x)); }
inline void narrow(float x, fp16& y) { y = emulatorBits<fp16>(__float2half(x)); }
#endif

/** x as storage of type T has it. */
template <class T>
__device__ __forceinline__ float rounded(float x) {
  T y;
  narrow(x, y);
  return widen(y);
}

/** Neighbours that are loaded and stored at once: 16 bytes of them, two packs where they are 32. */
template <class T, int V>
struct alignas(sizeof(T) * V < 16 ? sizeof(T) * V : 16) Pack {
  T at[V];
};

template <class T, int V>
__device__ __forceinline__ void load(const T* from, float (&to)[V]) {
  Pack<T, V> pack = *reinterpret_cast<const Pack<T, V>*>(from);
#pragma unroll
  for (int v = 0; v < V; v++) to[v] = widen(pack.at[v]);
}

template <class T, int V>
__device__ __forceinline__ void store(T* to, const float (&from)[V]) {
  Pack<T, V> pack;
#pragma unroll
  for (int v = 0; v < V; v++) narrow(from[v], pack.at[v]);
  *reinterpret_cast<Pack<T, V>*>(to) = pack;
}

/**
 * Which elements dropout keeps, as org.dyr.op.Philox has it: bit k V + v is that of column c + 16 k + v, k < 4, v < V,
 * of a row, where c mod 64 is at most 16 - V: a counter's four words are of four pairs of columns, 16 apart.
 *
 * @param place that of the row in its sequence
 * @param random the seed, low and high, and the step
 */
template <int V>
__device__ __forceinline__ unsigned kept(unsigned place, unsigned sequence, unsigned c, unsigned columns,
                                         const int* random, unsigned site, unsigned threshold) {
  unsigned first = place * ((columns + 63) / 64 * 8) + c / 64 * 8 + c % 16 / 2, bits = 0;
#pragma unroll
  for (unsigned v = 0; v < V; v += 2) {
    unsigned w0 = first + v / 2, w1 = sequence, w2 = site << 10, w3 = random[2], k0 = random[0], k1 = random[1];
#pragma unroll
    for (int round = 0; round < 7; round++) {
      unsigned long long p = 0xD2511F53ull * w0, q = 0xCD9E8D57ull * w2;
      w0 = static_cast<unsigned>(q >> 32) ^ w1 ^ k0;
      w1 = static_cast<unsigned>(q);
      w2 = static_cast<unsigned>(p >> 32) ^ w3 ^ k1;
      w3 = static_cast<unsigned>(p);
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    unsigned w[4] = {w0, w1, w2, w3};
#pragma unroll
    for (unsigned k = 0; k < 4; k++) {
      unsigned low = w[k] & 0xFFFF, high = w[k] >> 16;
      if (V == 1) {
        bits |= ((c % 2 ? high : low) >= threshold ? 1u : 0) << k;
      } else {
        bits |= (low >= threshold ? 1u : 0) << (k * V + v) | (high >= threshold ? 1u : 0) << (k * V + v + 1);
      }
    }
  }
  return bits;
}

/** u Phi(u), and its derivative Phi(u) + u phi(u). */
__device__ __forceinline__ float applyGelu(float u) { return 0.5f * u * (1 + erff(u * 0.70710678f)); }
__device__ __forceinline__ float gradGelu(float u) {
  return 0.5f * (1 + erff(u * 0.70710678f)) + u * 0.39894228f * expf(-0.5f * u * u);
}

/**
 * u/2 (1 + t), t = tanh(sqrt(2/pi) (u + 0.044715 u^3)), and its derivative
 * (1 + t)/2 + u/2 (1 - t^2) sqrt(2/pi) (1 + 3 0.044715 u^2). From 12 on t is 1: for the derivative u is held there, or
 * the square of a large u is infinite and 0 times it a NaN; one that u is stays.
 */
__device__ __forceinline__ float applyGeluTanh(float u) {
  return 0.5f * u * (1 + tanhf(0.79788456f * (u + 0.044715f * u * u * u)));
}
__device__ __forceinline__ float gradGeluTanh(float u) {
  u = u > 12 ? 12 : u < -12 ? -12 : u;
  float t = tanhf(0.79788456f * (u + 0.044715f * u * u * u));
  return 0.5f * (1 + t) + 0.5f * u * (1 - t * t) * 0.79788456f * (1 + 3 * 0.044715f * u * u);
}

/** max(u, 0), a NaN staying one, and 1 above 0. */
__device__ __forceinline__ float applyRelu(float u) { return u < 0 ? 0 : u; }
__device__ __forceinline__ float gradRelu(float u) { return u > 0 ? 1 : 0; }

__device__ __forceinline__ float applyTanh(float u) { return tanhf(u); }
__device__ __forceinline__ float gradTanh(float u) {
  float t = tanhf(u);
  return 1 - t * t;
}

