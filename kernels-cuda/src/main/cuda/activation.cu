// y = f(u) and dx = dy f'(u), u = x or x + b: one pass. Bound by the bytes in fp32; in 16 bits, where an element leaves
// time for some 25 instructions forward and 40 backward, by forms of f as short as their rounding allows.
#include "simt.cuh"

namespace dyr {
namespace {

/** e^x: to the last bit but one for fp32; for 16-bit storage one instruction and a product. */
template <class T> __device__ __forceinline__ float exponential(float x) { return __expf(x); }
template <> __device__ __forceinline__ float exponential<float>(float x) { return expf(x); }

/** 1 / x. */
template <class T> __device__ __forceinline__ float inverse(float x) { return __fdividef(1, x); }
template <> __device__ __forceinline__ float inverse<float>(float x) { return 1 / x; }

/** Phi(x), and phi(x) sqrt(2 pi) where it costs nothing more: Abramowitz and Stegun 7.1.26, off by 7e-8. */
template <class T> __device__ __forceinline__ float normalCdf(float x, float& density) {
  density = exponential<T>(-0.5f * x * x);
  float t = inverse<T>(1 + 0.23164189f * fabsf(x));
  float tail = 0.5f * density * t
      * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
  return x < 0 ? tail : 1 - tail;
}
template <> __device__ __forceinline__ float normalCdf<float>(float x, float& density) {
  density = expf(-0.5f * x * x);
  return 0.5f * erfcf(-0.70710678f * x);
}

/** x Phi(x); Phi(x) + x phi(x). */
struct Gelu {
  template <class T> static __device__ __forceinline__ float value(float x) {
    float density;
    return x * normalCdf<T>(x, density);
  }
  template <class T> static __device__ __forceinline__ float slope(float x) {
    float density, cdf = normalCdf<T>(x, density);
    return cdf + 0.39894228f * x * density;
  }
};

/** x s, s = (1 + tanh a) / 2 = 1 / (1 + e^(-2a)), a = sqrt(2/pi) (x + 0.044715 x^3); s + x s (1 - s) 2 a'. */
struct GeluTanh {
  static constexpr float TWICE = 1.59576912f, CUBIC = 0.044715f;
  static constexpr float FLAT = 12;  // from here on s is 1, and at its negative 0

  template <class T> static __device__ __forceinline__ float share(float x) {
    return inverse<T>(1 + exponential<T>(-TWICE * x * (1 + CUBIC * x * x)));
  }
  template <class T> static __device__ __forceinline__ float value(float x) { return x * share<T>(x); }
  /** Held within FLAT, or the square of a large x is infinite and 0 times it a NaN; one that x is stays. */
  template <class T> static __device__ __forceinline__ float slope(float x) {
    x = x > FLAT ? FLAT : x < -FLAT ? -FLAT : x;
    float s = share<T>(x);
    return s + x * s * (1 - s) * TWICE * (1 + 3 * CUBIC * x * x);
  }
};

/** max(x, 0), a NaN stays one; the slope at 0 is 0. */
struct Relu {
  template <class T> static __device__ __forceinline__ float value(float x) { return x < 0 ? 0 : x; }
  template <class T> static __device__ __forceinline__ float slope(float x) { return x > 0 ? 1 : 0; }
};

struct Tanh {
  template <class T> static __device__ __forceinline__ float value(float x) { return tanhf(x); }
  template <class T> static __device__ __forceinline__ float slope(float x) {
    float t = tanhf(x);
    return 1 - t * t;
  }
};

/** N neighbours of y = f(x + bias), or with dy of y = dy f'(x + bias). */
template <class F, int N, class T>
__device__ __forceinline__ void activate(const T* dy, const T* x, const float* bias, T* y) {
  float u[N], d[N];
  load<N>(x, u);
  if (dy != nullptr) load<N>(dy, d);
#pragma unroll
  for (int i = 0; i < N; i++) {
    float at = u[i] + bias[i];
    u[i] = dy != nullptr ? d[i] * F::template slope<T>(at) : F::template value<T>(at);
  }
  store<N>(y, u);
}

/**
 * x, y, dy (n), b (C) or null; dy null for y = f(u). V divides C where there is a bias. Then the threads of the grid
 * are a multiple of a row's packs, so that a thread stays in its columns and reads their bias once.
 */
template <class F, int V, bool GRAD, class T>
__global__ void __launch_bounds__(THREADS) activateAll(const T* dy, const T* x, const float* b, T* y, int64_t n,
    int columns) {
  int64_t step = static_cast<int64_t>(gridDim.x) * THREADS * V;
  int64_t i = (static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x) * V;
  float bias[V] = {};
  if (b != nullptr) load<V>(b + i % columns, bias);
  for (; i + V <= n; i += step) activate<F, V>(GRAD ? dy + i : nullptr, x + i, bias, y + i);
  if (b == nullptr) {
    for (; i < n; i++) activate<F, 1>(GRAD ? dy + i : nullptr, x + i, bias, y + i);  // one thread has the rest
  }
}

/** As many blocks as fill the card, their threads a multiple of so many packs. */
int blocksOfRows(int64_t n, int packs) {
  int unit = packs;
  for (int t = THREADS; t % 2 == 0 && unit % 2 == 0; t /= 2) unit /= 2;  // THREADS is a power of two
  int blocks = blocksFor(n) / unit * unit;
  return blocks > 0 ? blocks : unit;
}

template <class F, bool GRAD, class T>
int launch(const T* dy, const T* x, const float* b, T* y, int64_t n, int columns, void* stream) {
  constexpr int V = WIDE<T>;
  if (b == nullptr) {
    DYR_LAUNCH((activateAll<F, V, GRAD, T>), blocksFor((n + V - 1) / V), THREADS, 0, stream, dy, x, b, y, n, columns);
  } else if (columns % V == 0) {
    int blocks = blocksOfRows(n / V, columns / V);
    DYR_LAUNCH((activateAll<F, V, GRAD, T>), blocks, THREADS, 0, stream, dy, x, b, y, n, columns);
  } else {
    DYR_LAUNCH((activateAll<F, 1, GRAD, T>), blocksOfRows(n, columns), THREADS, 0, stream, dy, x, b, y, n, columns);
  }
  return DYR_LAUNCHED;
}

/** By the ordinal of org.dyr.op.Activation.Kind. */
template <bool GRAD>
int activate(int type, int kind, Address dy, Address x, Address b, Address y, int64_t n, int columns, Address stream) {
  if (n == 0) return 0;
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    const T *d = dy, *from = x;
    T* to = y;
    switch (kind) {
      case 0: return launch<Gelu, GRAD>(d, from, b, to, n, columns, stream);
      case 1: return launch<GeluTanh, GRAD>(d, from, b, to, n, columns, stream);
      case 2: return launch<Relu, GRAD>(d, from, b, to, n, columns, stream);
      default: return launch<Tanh, GRAD>(d, from, b, to, n, columns, stream);
    }
  });
}

}  // namespace

int activation(int type, int kind, Address x, Address b, Address y, int64_t n, int columns, Address stream) {
  return activate<false>(type, kind, 0, x, b, y, n, columns, stream);
}

int activationGrad(int type, int kind, Address dy, Address x, Address b, Address dx, int64_t n, int columns,
    Address stream) {
  return activate<true>(type, kind, dy, x, b, dx, n, columns, stream);
}

}  // namespace dyr
