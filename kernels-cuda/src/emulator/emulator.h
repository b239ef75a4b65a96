// CUDA C++ for a compiler that knows none: what our kernels use of the language, executed on the processor. A thread
// of a block is a fiber, a block runs after another. Covered: shared memory, barriers, warp shuffles and votes, bf16,
// fp16, atomics; tensor-core instructions behind the wrappers of mma.cuh. Not covered: see README.md beside this file.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

#define __global__ static
#define __device__
#define __host__
#define __constant__ static
#define __grid_constant__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__
#define __align__(n) alignas(n)
#define __shared__ static  // blocks run one after another: what is static is the block's

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };

namespace emulator {

/** What a fiber waits for. */
enum Wait : int { NOTHING, BLOCK, WARP, DONE };

/** Who runs now: the engine keeps it, kernels read it. */
struct State {
  dim3 grid, block, at;      // at: the block's index
  int thread;                // its number in the block
  dim3 index[1024];          // threadIdx of each
  unsigned char* shared;     // dynamic shared memory
};
extern State state;

/** Puts work on a stream: it runs when the stream is waited for, or is recorded where the stream captures. */
void submit(void* stream, std::function<void()> work);

/** Runs a grid now. A fault of the kernel becomes the error of its stream. */
void run(dim3 grid, dim3 block, size_t shared, const std::function<void()>& thread);

/** Hands over to the next fiber until the wait is over. */
void wait(Wait what);

/** Waits for the named lanes, each of which offers this many words: then `published` has them. */
void meet(unsigned mask, const void* offer, size_t bytes);

/** What a lane offered to the last meeting of this thread's warp. */
const void* published(int lane);

inline int lane() { return state.thread & 31; }

template <class T>
T exchange(unsigned mask, T value, int from) {
  meet(mask, &value, sizeof(T));
  T got;
  std::memcpy(&got, published(from & 31), sizeof(T));
  return got;
}

struct ThreadIndex {
  struct X { operator unsigned() const { return state.index[state.thread].x; } } x;
  struct Y { operator unsigned() const { return state.index[state.thread].y; } } y;
  struct Z { operator unsigned() const { return state.index[state.thread].z; } } z;
};

}  // namespace emulator

static const emulator::ThreadIndex threadIdx;
#define blockIdx (emulator::state.at)
#define blockDim (emulator::state.block)
#define gridDim (emulator::state.grid)

#define DYR_LAUNCH(kernel, grid, block, shared, stream, ...)                                                        \
  emulator::submit(stream, [=] {                                                                                     \
    emulator::run(grid, block, shared, [=] { kernel(__VA_ARGS__); });                                                 \
  })
#define DYR_LAUNCHED 0
#define DYR_DYNAMIC_SHARED(T, name) T* name = reinterpret_cast<T*>(emulator::state.shared)
#define DYR_ALLOW_SHARED(kernel, bytes) ((void) (bytes))

inline void __syncthreads() { emulator::wait(emulator::BLOCK); }
inline void __syncwarp(unsigned mask = ~0u) { emulator::meet(mask, nullptr, 0); }
template <class T> T __shfl_sync(unsigned mask, T value, int from, int width = 32) {
  return emulator::exchange(mask, value, (emulator::lane() & ~(width - 1)) | (from & (width - 1)));
}
template <class T> T __shfl_xor_sync(unsigned mask, T value, int with, int = 32) {
  return emulator::exchange(mask, value, emulator::lane() ^ with);
}
template <class T> T __shfl_down_sync(unsigned mask, T value, int by, int width = 32) {
  int lane = emulator::lane();
  return emulator::exchange(mask, value, (lane & (width - 1)) + by < width ? lane + by : lane);
}
template <class T> T __shfl_up_sync(unsigned mask, T value, int by, int width = 32) {
  int lane = emulator::lane();
  return emulator::exchange(mask, value, (lane & (width - 1)) >= by ? lane - by : lane);
}
template <class T> unsigned __match_any_sync(unsigned mask, T value) {
  emulator::meet(mask, &value, sizeof(T));
  unsigned same = 0;
  for (int i = 0; i < 32; i++) {
    if (mask >> i & 1 && std::memcmp(emulator::published(i), &value, sizeof(T)) == 0) same |= 1u << i;
  }
  return same;
}
inline unsigned __ballot_sync(unsigned mask, int vote) {
  emulator::meet(mask, &vote, sizeof(vote));
  unsigned votes = 0;
  for (int i = 0; i < 32; i++) {
    int cast;
    if (mask >> i & 1) std::memcpy(&cast, emulator::published(i), sizeof(cast)), votes |= unsigned(cast != 0) << i;
  }
  return votes;
}
inline int __any_sync(unsigned mask, int vote) { return __ballot_sync(mask, vote) != 0; }
inline int __all_sync(unsigned mask, int vote) { return __ballot_sync(mask, !vote) == 0; }

template <class T> T atomicAdd(T* at, T by) {
  T before = *at;
  *at = before + by;
  return before;
}
inline int atomicAnd(int* at, int with) {
  int before = *at;
  *at &= with;
  return before;
}

/** Bits as they lie, both ways. */
template <class To, class From> To emulatorBits(From from) {
  static_assert(sizeof(To) == sizeof(From), "sizes differ");
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline float __uint_as_float(unsigned x) { return emulatorBits<float>(x); }
inline unsigned __float_as_uint(float x) { return emulatorBits<unsigned>(x); }
inline float __int_as_float(int x) { return emulatorBits<float>(x); }
inline int __float_as_int(float x) { return emulatorBits<int>(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(uint64_t(a) * b >> 32); }

struct __nv_bfloat16 { uint16_t bits; };
inline float __bfloat162float(__nv_bfloat16 x) { return __uint_as_float(unsigned(x.bits) << 16); }
inline __nv_bfloat16 __float2bfloat16(float x) {
  unsigned u = __float_as_uint(x);
  if (x != x) return {0x7fff};
  return {static_cast<uint16_t>((u + 0x7fff + (u >> 16 & 1)) >> 16)};  // to nearest, ties to even
}
struct __half { _Float16 value; };
inline float __half2float(__half x) { return static_cast<float>(x.value); }
inline __half __float2half(float x) { return {static_cast<_Float16>(x)}; }

inline float __fmul_rn(float a, float b) { return a * b; }
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float a, float b) { return a / b; }
template <class T> T __ldg(const T* at) { return *at; }
using std::isfinite;
using std::isnan;
using std::max;
using std::min;
