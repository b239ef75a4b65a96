// What all kernels are written with: storage types, packs of neighbours, reductions over a warp and a block, launches.
// One source for nvcc and, through the emulator's header, for any C++ compiler.
#pragma once

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#define DYR_LAUNCH(kernel, grid, block, shared, stream, ...) \
  kernel<<<grid, block, shared, static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)
// The status of the launches since the last call, as the driver counts them.
#define DYR_LAUNCHED static_cast<int>(cudaGetLastError())
#define DYR_DYNAMIC_SHARED(T, name)                 \
  extern __shared__ __align__(1024) char dyrShared[]; \
  T* name = reinterpret_cast<T*>(dyrShared)
// Above 48 KiB a kernel asks for its dynamic shared memory first.
#define DYR_ALLOW_SHARED(kernel, bytes) \
  cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes))
#else
#include "emulator.h"
#endif

#include "dyr_cuda.h"

namespace dyr {

constexpr int LANES = 32;
constexpr unsigned ALL_LANES = ~0u;

/** Threads of a block where nothing speaks for another number. */
constexpr int THREADS = 256;

/** Of an H100 and an H200: so many blocks, times those that each has at once, are all under way together. */
constexpr int MULTIPROCESSORS = 132;

/** Blocks of a grid whose threads walk on: enough to fill the largest card several times. */
#ifdef __CUDACC__
constexpr int MOST_BLOCKS = 2112;
#else
constexpr int MOST_BLOCKS = 3;
#endif

typedef __nv_bfloat16 bf16;
typedef __half fp16;

__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ float widen(bf16 x) { return __bfloat162float(x); }
__device__ __forceinline__ float widen(fp16 x) { return __half2float(x); }

/** x in the storage type T, rounded to nearest, ties to even. */
template <class T> __device__ __forceinline__ T narrow(float x);
template <> __device__ __forceinline__ float narrow<float>(float x) { return x; }
template <> __device__ __forceinline__ bf16 narrow<bf16>(float x) { return __float2bfloat16(x); }
template <> __device__ __forceinline__ fp16 narrow<fp16>(float x) { return __float2half(x); }

/** N neighbours in storage; loaded and stored at once where they are 16 bytes. */
template <class T, int N>
struct __align__(sizeof(T) * N) Pack {
  T at[N];
};

/** Neighbours that make 16 bytes. */
template <class T>
constexpr int WIDE = 16 / sizeof(T);

/** N neighbours from `from` on as floats; the address is a multiple of their size. */
template <int N, class T>
__device__ __forceinline__ void load(const T* from, float (&to)[N]) {
  Pack<T, N> pack = *reinterpret_cast<const Pack<T, N>*>(from);
#pragma unroll
  for (int i = 0; i < N; i++) to[i] = widen(pack.at[i]);
}

template <int N, class T>
__device__ __forceinline__ void store(T* to, const float (&from)[N]) {
  Pack<T, N> pack;
#pragma unroll
  for (int i = 0; i < N; i++) pack.at[i] = narrow<T>(from[i]);
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

/** The sum over a warp, in every lane. */
template <class S>
__device__ __forceinline__ S warpSum(S x) {
#pragma unroll
  for (int with = LANES / 2; with > 0; with /= 2) x += __shfl_xor_sync(ALL_LANES, x, with);
  return x;
}

__device__ __forceinline__ float warpMax(float x) {
#pragma unroll
  for (int with = LANES / 2; with > 0; with /= 2) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, with));
  return x;
}

/** The sum over a block of whole warps, in every thread; all threads must come. */
template <class S>
__device__ __forceinline__ S blockSum(S x) {
  __shared__ S sums[LANES];
  x = warpSum(x);
  __syncthreads();  // who reads the sums of an earlier call has done so
  if (threadIdx.x % LANES == 0) sums[threadIdx.x / LANES] = x;
  __syncthreads();
  int warps = (blockDim.x + LANES - 1) / LANES;
  S sum = 0;
  for (int w = 0; w < warps; w++) sum += sums[w];
  return sum;
}

/** Blocks for n items, a thread each, or as many as fill the card. */
inline int blocksFor(int64_t n, int threads = THREADS) {
  int64_t blocks = (n + threads - 1) / threads;
  return static_cast<int>(blocks < 1 ? 1 : blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS);
}

/** Calls f.template at<V>(i) for packs of V of the elements 0..n-1; i counts elements. */
template <int V, class F>
__global__ void eachPack(F f, int64_t n) {
  int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x * V;
  int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * V;
  for (; i + V <= n; i += step) f.template at<V>(i);
  if (i < n) {
    for (; i < n; i++) f.template at<1>(i);  // one thread has the rest
  }
}

/** Launches f over n elements of storage type T, V at a time, whose addresses are multiples of V elements. */
template <int V, class F>
int elements(const F& f, int64_t n, void* stream) {
  if (n == 0) return 0;
  DYR_LAUNCH((eachPack<V, F>), blocksFor((n + V - 1) / V), THREADS, 0, stream, f, n);
  return DYR_LAUNCHED;
}

/** Names a storage type. */
template <class T>
struct Type {
  typedef T Storage;
};

/** f(Type<T>()) for the storage type of this number: 0 fp32, 1 bf16, 2 fp16. */
template <class F>
int typed(int type, const F& f) {
  switch (type) {
    case 0: return f(Type<float>());
    case 1: return f(Type<bf16>());
    case 2: return f(Type<fp16>());
    default: return 1;  // an invalid value
  }
}

#define DYR_STORAGE(type) typename decltype(type)::Storage

}  // namespace dyr
