// y = f(u) and dx = dy f'(u), u = x or x + b: one pass. Bound by the bytes in fp32; in 16 bits, where an element leaves
// time for some 25 instructions forward and 40 backward, by forms of f as short as their rounding allows. The sum of the
// rows of dx, a bias's gradient, is taken while they are in registers.
#include "fold.cuh"

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

/** N neighbours of y = f(x + bias), or with dy of y = dy f'(x + bias), which a sum takes too where there is one. */
template <class F, int N, class T>
__device__ __forceinline__ void activate(const T* dy, const T* x, const float* bias, T* y, float* sum = nullptr) {
  float u[N], d[N];
  load<N>(x, u);
  if (dy != nullptr) load<N>(dy, d);
#pragma unroll
  for (int i = 0; i < N; i++) {
    float at = u[i] + bias[i];
    u[i] = dy != nullptr ? d[i] * F::template slope<T>(at) : F::template value<T>(at);
    if (sum != nullptr) sum[i] += u[i];
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

/** Blocks of dx with sums that a multiprocessor has at once, and all of them. */
constexpr int RESIDENT = 5, SUM_BLOCKS = MULTIPROCESSORS * RESIDENT;

/**
 * dx = dy f'(x + b) of x (n), b (C); partial (P,C), P the grid's threads over a row's packs: the sums of what a thread
 * has seen, which stays in its columns. V divides C.
 */
template <class F, int V, class T>
__global__ void __launch_bounds__(THREADS, RESIDENT) slopeAndSums(const T* dy, const T* x, const float* b, T* dx,
    float* partial, int64_t n, int columns) {
  int64_t step = static_cast<int64_t>(gridDim.x) * THREADS * V;
  int64_t first = (static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x) * V;
  float bias[V], sum[V] = {};
  load<V>(b + first % columns, bias);
  for (int64_t i = first; i < n; i += step) activate<F, V>(dy + i, x + i, bias, dx + i, sum);
  store<V>(partial + first, sum);
}

/** At most so many blocks, as n items want, their threads a multiple of so many packs. */
int blocksOfRows(int64_t n, int packs, int most = MOST_BLOCKS) {
  int unit = packs;
  for (int t = THREADS; t % 2 == 0 && unit % 2 == 0; t /= 2) unit /= 2;  // THREADS is a power of two
  int wanted = blocksFor(n), blocks = (wanted < most ? wanted : most) / unit * unit;
  return blocks > 0 ? blocks : unit;
}

/** Neighbours that a thread takes of rows with a bias. */
template <class T>
int packOf(int columns) { return columns % WIDE<T> == 0 ? WIDE<T> : 1; }

/** Blocks of dx with sums. */
template <class T>
int sumBlocks(int64_t rows, int columns) {
  int pack = packOf<T>(columns);
  return blocksOfRows(rows * columns / pack, columns / pack, SUM_BLOCKS);
}

template <class F, bool GRAD, class T>
int launch(const T* dy, const T* x, const float* b, T* y, int64_t n, int columns, void* stream) {
  constexpr int V = WIDE<T>;
  if (b == nullptr) {
    DYR_LAUNCH((activateAll<F, V, GRAD, T>), blocksFor((n + V - 1) / V), THREADS, 0, stream, dy, x, b, y, n, columns);
  } else if (packOf<T>(columns) == V) {
    int blocks = blocksOfRows(n / V, columns / V);
    DYR_LAUNCH((activateAll<F, V, GRAD, T>), blocks, THREADS, 0, stream, dy, x, b, y, n, columns);
  } else {
    DYR_LAUNCH((activateAll<F, 1, GRAD, T>), blocksOfRows(n, columns), THREADS, 0, stream, dy, x, b, y, n, columns);
  }
  return DYR_LAUNCHED;
}

/** f(F()) for the activation of this ordinal of org.dyr.op.Activation.Kind. */
template <class F>
int withKind(int kind, const F& f) {
  switch (kind) {
    case 0: return f(Gelu());
    case 1: return f(GeluTanh());
    case 2: return f(Relu());
    default: return f(Tanh());
  }
}

template <bool GRAD>
int activate(int type, int kind, Address dy, Address x, Address b, Address y, int64_t n, int columns, Address stream) {
  if (n == 0) return 0;
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    const T *d = dy, *from = x;
    T* to = y;
    return withKind(kind, [=](auto f) { return launch<decltype(f), GRAD>(d, from, b, to, n, columns, stream); });
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

int64_t activationSumsScratch(int type, int64_t rows, int columns) {
  int64_t bytes = 0;
  typed(type, [&](auto t) {
    typedef DYR_STORAGE(t) T;
    int64_t threads = static_cast<int64_t>(sumBlocks<T>(rows, columns)) * THREADS;
    bytes = threads * packOf<T>(columns) * static_cast<int64_t>(sizeof(float));
    return 0;
  });
  return bytes;
}

int activationGradSumRows(int type, int kind, Address dy, Address x, Address b, Address dx, Address db, Address partial,
    int64_t rows, int columns, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    constexpr int V = WIDE<T>;
    const T *d = dy, *from = x;
    const float* bias = b;
    T* to = dx;
    float* sums = partial;
    int64_t n = rows * columns;
    int blocks = sumBlocks<T>(rows, columns), pack = packOf<T>(columns);
    int status = withKind(kind, [=](auto f) {
      typedef decltype(f) F;
      if (pack == V) {
        DYR_LAUNCH((slopeAndSums<F, V, T>), blocks, THREADS, 0, stream, d, from, bias, to, sums, n, columns);
      } else {
        DYR_LAUNCH((slopeAndSums<F, 1, T>), blocks, THREADS, 0, stream, d, from, bias, to, sums, n, columns);
      }
      return DYR_LAUNCHED;
    });
    if (status != 0) return status;
    return fold(sums, static_cast<int>(static_cast<int64_t>(blocks) * THREADS * pack / columns), columns, {db}, 1, stream);
  });
}

}  // namespace dyr
