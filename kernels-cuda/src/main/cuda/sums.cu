// Sums whose result does not depend on who computes what: chunks of a fixed size, one a block, added in their order.
// Bound by the bytes that they read.
#include "fold.cuh"

namespace dyr {
namespace {

constexpr int CHUNK = 16384, CHUNK_ROWS = 128;

/** The sum of x. */
struct Total {
  typedef float Sum;
  static __device__ __forceinline__ void add(float x, Sum& sum) { sum += x; }
  static __device__ __forceinline__ double result(double sum) { return sum; }
};

/** The sum of x^2, in double. */
struct Squares {
  typedef double Sum;
  static __device__ __forceinline__ void add(float x, Sum& sum) { sum += static_cast<double>(x) * x; }
  static __device__ __forceinline__ double result(double sum) { return sum; }
};

/** 1 where all x are finite, else 0: 0 x is then NaN. */
struct Finite {
  typedef float Sum;
  static __device__ __forceinline__ void add(float x, Sum& sum) { sum += 0.0f * x; }
  static __device__ __forceinline__ double result(double sum) { return sum == 0 ? 1 : 0; }
};

/** partial (chunks): the sum of each chunk of x (N). */
template <class F, class T>
__global__ void __launch_bounds__(THREADS) sumChunks(const T* x, double* partial, int64_t n) {
  constexpr int V = WIDE<T>;
  const T* from = x + static_cast<int64_t>(blockIdx.x) * CHUNK;
  int size = static_cast<int>(min(static_cast<int64_t>(CHUNK), n - static_cast<int64_t>(blockIdx.x) * CHUNK));
  typename F::Sum sum = 0;
  int i = threadIdx.x * V;
#pragma unroll 4
  for (; i + V <= size; i += THREADS * V) {
    float v[V];
    load<V>(from + i, v);
    for (int k = 0; k < V; k++) F::add(v[k], sum);
  }
  for (; i < size; i++) F::add(widen(from[i]), sum);  // one thread has the rest
  double total = blockSum(static_cast<double>(sum));
  if (threadIdx.x == 0) partial[blockIdx.x] = total;
}

/** y (1) = what the sum of the partial sums says; one block. */
template <class F, class T>
__global__ void __launch_bounds__(THREADS) foldChunks(const double* partial, T* y, int chunks) {
  double sum = 0;
#pragma unroll 4
  for (int i = threadIdx.x; i < chunks; i += THREADS) sum += partial[i];
  sum = blockSum(sum);
  if (threadIdx.x == 0) *y = narrow<T>(static_cast<float>(F::result(sum)));
}

template <class F>
int sumAll(int type, Address x, Address y, Address partial, int64_t n, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    const T* from = x;
    T* to = y;
    double* sums = partial;
    int chunks = static_cast<int>((n + CHUNK - 1) / CHUNK);
    if (chunks > 0) DYR_LAUNCH((sumChunks<F, T>), chunks, THREADS, 0, stream, from, sums, n);
    int status = DYR_LAUNCHED;
    if (status != 0) return status;
    DYR_LAUNCH((foldChunks<F, T>), 1, THREADS, 0, stream, sums, to, chunks);
    return DYR_LAUNCHED;
  });
}

/** y (C) = rows (2,C), the first when x (1) is finite, else the second. */
template <class T>
__global__ void __launch_bounds__(THREADS) chooseRow(const T* rows, const T* x, T* y, int columns) {
  const T* from = rows + (isfinite(widen(*x)) ? 0 : columns);
  for (int i = threadIdx.x; i < columns; i += THREADS) y[i] = from[i];
}

/** norm = sqrt(n2) / s; factor = min(1, maxNorm / norm) / s, NaN for a norm that is not finite; (1) each. */
template <class T>
__global__ void clip(const T* n2, const T* s, T* factor, T* norm, double maxNorm) {
  double scale = widen(*s), length = sqrt(static_cast<double>(widen(*n2))) / scale;
  double f = isfinite(length) ? (maxNorm > 0 && length > maxNorm ? maxNorm / length : 1) / scale : NAN;
  *factor = narrow<T>(static_cast<float>(f));
  *norm = narrow<T>(static_cast<float>(length));
}

/**
 * partial (chunks,C) = the column sums of x (R,C) over chunks of rows; of neighbouring blocks each has its part of a
 * chunk's columns. Lanes have V columns each, warps every eighth row of the chunk; then the warps are added in order. V
 * divides C. Chunks are not the grid's y, which ends at 65,535.
 */
template <class T, int V>
__global__ void __launch_bounds__(THREADS) sumRowChunks(const T* x, float* partial, int64_t rows, int columns,
    int packs) {
  constexpr int WARPS = THREADS / LANES;
  __shared__ float sums[WARPS][V][LANES];
  int chunk = blockIdx.x / packs, first = blockIdx.x % packs * (LANES * V);
  int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES, c = first + lane * V;
  int64_t from = static_cast<int64_t>(chunk) * CHUNK_ROWS, to = min(from + CHUNK_ROWS, rows);
  float sum[V] = {};
  if (c < columns) {
#pragma unroll 4
    for (int64_t r = from + warp; r < to; r += WARPS) {
      float v[V];
      load<V>(x + r * columns + c, v);
      for (int i = 0; i < V; i++) sum[i] += v[i];
    }
  }
  for (int i = 0; i < V; i++) sums[warp][i][lane] = sum[i];
  __syncthreads();
  for (int k = threadIdx.x; k < V * LANES && first + k < columns; k += THREADS) {
    float total = 0;
    for (int w = 0; w < WARPS; w++) total += sums[w][k % V][k / V];
    partial[static_cast<int64_t>(chunk) * columns + first + k] = total;
  }
}

}  // namespace

int64_t sumScratch(int64_t n) { return (n + CHUNK - 1) / CHUNK * sizeof(double); }

int64_t sumRowsScratch(int64_t rows, int columns) {
  return (rows + CHUNK_ROWS - 1) / CHUNK_ROWS * columns * static_cast<int64_t>(sizeof(float));
}

int sum(int type, Address x, Address y, Address partial, int64_t n, Address stream) {
  return sumAll<Total>(type, x, y, partial, n, stream);
}

int sumSquares(int type, Address x, Address y, Address partial, int64_t n, Address stream) {
  return sumAll<Squares>(type, x, y, partial, n, stream);
}

int allFinite(int type, Address x, Address y, Address partial, int64_t n, Address stream) {
  return sumAll<Finite>(type, x, y, partial, n, stream);
}

int ifFinite(int type, Address rows, Address x, Address y, int columns, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    const T *number = x, *both = rows;
    T* to = y;
    DYR_LAUNCH(chooseRow<T>, 1, THREADS, 0, stream, both, number, to, columns);
    return DYR_LAUNCHED;
  });
}

int clipFactor(int type, Address n2, Address s, Address factor, Address norm, double maxNorm, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    const T *squares = n2, *scale = s;
    T *f = factor, *length = norm;
    DYR_LAUNCH(clip<T>, 1, 1, 0, stream, squares, scale, f, length, maxNorm);
    return DYR_LAUNCHED;
  });
}

int sumRows(int type, Address x, Address y, Address partial, int64_t rows, int columns, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    constexpr int V = WIDE<T>;
    const T* from = x;
    float* sums = partial;
    int chunks = static_cast<int>((rows + CHUNK_ROWS - 1) / CHUNK_ROWS), wide = columns % V == 0 ? V : 1;
    int packs = (columns + wide * LANES - 1) / (wide * LANES), blocks = chunks * packs;
    if (blocks > 0 && wide == V) {
      DYR_LAUNCH((sumRowChunks<T, V>), blocks, THREADS, 0, stream, from, sums, rows, columns, packs);
    } else if (blocks > 0) {
      DYR_LAUNCH((sumRowChunks<T, 1>), blocks, THREADS, 0, stream, from, sums, rows, columns, packs);
    }
    int status = DYR_LAUNCHED;
    return status != 0 ? status : fold(sums, chunks, columns, {y}, 1, stream);
  });
}

}  // namespace dyr
