// What is said in PTX, each as a function: products of small matrices on tensor cores, loads of their fragments, copies
// that arrive later, a fast power of two. Any other compiler has the same from the documented layout of the fragments.
//
// m16n8k16: d (16,8) += a (16,16) b (16,8), fp32 sums. With g = lane / 4 and t = lane % 4 a lane has
//   a: a[g][2t,2t+1], a[g+8][2t,2t+1], a[g][2t+8,2t+9], a[g+8][2t+8,2t+9]   two to a register
//   b: b[2t,2t+1][g], b[2t+8,2t+9][g]                                        likewise
//   d: d[g][2t,2t+1], d[g+8][2t,2t+1]
// so that d of two neighbours in n is a of a product that sums over n: only to be rounded.
//
// Where tensor cores of sm_90a are compiled for, DYR_WARPGROUP: four warps multiply 64 rows of a by a b that the cores
// read from shared memory themselves, later than the call (wgmma). Warp w has rows 16 w of a and d, as fragments above.
#pragma once

#include "simt.cuh"

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define DYR_WARPGROUP true
#else
#define DYR_WARPGROUP false
#endif

namespace dyr {

#ifdef __CUDACC__

/** d += a b. */
__device__ __forceinline__ void multiply(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, bf16) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
__device__ __forceinline__ void multiply(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, fp16) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/**
 * Four matrices (8,8) of 16-bit elements in shared memory. Lane i names the row i % 8 of matrix i / 8, 16 bytes; a lane
 * gets m[g][2t,2t+1] of each.
 */
__device__ __forceinline__ void loadMatrices(unsigned (&m)[4], const void* row) {
  unsigned at = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
      : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3]) : "r"(at) : "memory");
}

/** Likewise, but a lane gets m[2t,2t+1][g] of each. */
__device__ __forceinline__ void loadTransposed(unsigned (&m)[4], const void* row) {
  unsigned at = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3},[%4];"
      : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3]) : "r"(at) : "memory");
}

/** Copies 4, 8 or 16 bytes to shared memory, or zeros where there is nothing to read; they are there after a wait. */
template <int BYTES>
__device__ __forceinline__ void copyLater(void* shared, const void* from, bool is) {
  unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  int bytes = is ? BYTES : 0;
  if constexpr (BYTES == 16) {
    asm volatile("cp.async.cg.shared.global [%0],[%1],16,%2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0],[%1],%2,%3;" ::"r"(to), "l"(from), "n"(BYTES), "r"(bytes) : "memory");
  }
}

/** Waits for the copies of this thread; those of others are there after a barrier. */
__device__ __forceinline__ void awaitCopies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

/** 2^x to two units in the last place; 0 where that is denormal. */
__device__ __forceinline__ float fastExp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0,%1;" : "=f"(y) : "f"(x));
  return y;
}

/** The highest bit of each half in all bits of the half. */
__device__ __forceinline__ unsigned spread(unsigned x) {
  unsigned y;
  asm("prmt.b32 %0,%1,%1,0xbb99;" : "=r"(y) : "r"(x));
  return y;
}

/** Two numbers in one register, the first in the lower half. */
template <class T> __device__ __forceinline__ unsigned pair(float low, float high);
template <> __device__ __forceinline__ unsigned pair<bf16>(float low, float high) {
  __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<unsigned*>(&both);
}
template <> __device__ __forceinline__ unsigned pair<fp16>(float low, float high) {
  __half2 both = __floats2half2_rn(low, high);
  return *reinterpret_cast<unsigned*>(&both);
}

#else

template <class T>
float half(unsigned both, int which) {
  uint16_t bits = static_cast<uint16_t>(which ? both >> 16 : both);
  return widen(emulatorBits<T>(bits));
}

template <class T>
void multiply(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, T) {
  struct Fragments {
    unsigned a[4], b[2];
  } mine{{a[0], a[1], a[2], a[3]}, {b0, b1}};
  emulator::meet(ALL_LANES, &mine, sizeof(mine));
  int g = emulator::lane() / 4, t = emulator::lane() % 4;
  auto of = [](int lane) { return static_cast<const Fragments*>(emulator::published(lane)); };
  for (int k = 0; k < 16; k++) {
    int lane = k % 8 / 2, part = k / 8;
    float left[2], right[2];
    for (int i = 0; i < 2; i++) {
      left[i] = half<T>(of(g * 4 + lane)->a[2 * part + i], k % 2);
      right[i] = half<T>(of((2 * t + i) * 4 + lane)->b[part], k % 2);
    }
    for (int i = 0; i < 4; i++) d[i] += left[i / 2] * right[i % 2];
  }
}

inline void loadMatrices(unsigned (&m)[4], const void* row) {
  emulator::meet(ALL_LANES, &row, sizeof(row));
  int g = emulator::lane() / 4, t = emulator::lane() % 4;
  for (int i = 0; i < 4; i++) {
    const char* const* at = static_cast<const char* const*>(emulator::published(i * 8 + g));
    std::memcpy(&m[i], *at + 4 * t, 4);
  }
}

inline void loadTransposed(unsigned (&m)[4], const void* row) {
  emulator::meet(ALL_LANES, &row, sizeof(row));
  int g = emulator::lane() / 4, t = emulator::lane() % 4;
  for (int i = 0; i < 4; i++) {
    uint16_t both[2];
    for (int j = 0; j < 2; j++) {
      const char* const* at = static_cast<const char* const*>(emulator::published(i * 8 + 2 * t + j));
      std::memcpy(&both[j], *at + 2 * g, 2);
    }
    std::memcpy(&m[i], both, 4);
  }
}

template <int BYTES>
void copyLater(void* shared, const void* from, bool is) {
  if (is) std::memcpy(shared, from, BYTES);
  else std::memset(shared, 0, BYTES);
}

inline void awaitCopies() {}

inline float fastExp2(float x) { return std::exp2(x); }

inline unsigned spread(unsigned x) { return (x >> 15 & 0x10001) * 0xFFFF; }

template <class T>
unsigned pair(float low, float high) {
  T both[2] = {narrow<T>(low), narrow<T>(high)};
  unsigned bits;
  std::memcpy(&bits, both, 4);
  return bits;
}

#endif

#if DYR_WARPGROUP

/** Before products whose registers others wrote or read. */
__device__ __forceinline__ void beginProducts() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

/** Ends a group of products. */
__device__ __forceinline__ void endProducts() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

/** Waits until no more than the last so many groups are under way. */
template <int GROUPS>
__device__ __forceinline__ void awaitProducts() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(GROUPS) : "memory");
}

/** After a thread's writes to shared memory, or its wait for copies, and before the barrier: products may read them. */
__device__ __forceinline__ void showToProducts() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

#define DYR_D4(d) "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
#define DYR_D16(d) DYR_D4(d[0]), DYR_D4(d[1]), DYR_D4(d[2]), DYR_D4(d[3])
#define DYR_D32(d) DYR_D16(d), DYR_D4(d[4]), DYR_D4(d[5]), DYR_D4(d[6]), DYR_D4(d[7])
#define DYR_NAMES16 "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define DYR_NAMES32 DYR_NAMES16 ",%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"

// For a storage type: d (64,64) = a b^T, d += a b^T, both operands named by descriptors of rows in shared memory; d
// (64,32) and (64,64) += a b, where a is fragments and the rows of b are k.
#define DYR_GROUP_PRODUCTS(T, NAME)                                                                                   \
  __device__ __forceinline__ void multiplyGroup(float (&d)[8][4], uint64_t a, uint64_t b, bool adds, T) {             \
    asm volatile("{.reg .pred p; setp.ne.b32 p,%34,0; wgmma.mma_async.sync.aligned.m64n64k16.f32." NAME "." NAME      \
        DYR_NAMES32 "},%32,%33,p,1,1,0,0;}" : DYR_D32(d) : "l"(a), "l"(b), "r"(static_cast<int>(adds)));              \
  }                                                                                                                   \
  __device__ __forceinline__ void multiplyGroup(float (&d)[4][4], const unsigned (&a)[4], uint64_t b, T) {            \
    asm volatile("wgmma.mma_async.sync.aligned.m64n32k16.f32." NAME "." NAME                                          \
        DYR_NAMES16 "},{%16,%17,%18,%19},%20,1,1,1,1;"                                                                \
        : DYR_D16(d) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));                                           \
  }                                                                                                                   \
  __device__ __forceinline__ void multiplyGroup(float (&d)[8][4], const unsigned (&a)[4], uint64_t b, T) {            \
    asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32." NAME "." NAME                                          \
        DYR_NAMES32 "},{%32,%33,%34,%35},%36,1,1,1,1;"                                                                \
        : DYR_D32(d) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));                                           \
  }
DYR_GROUP_PRODUCTS(bf16, "bf16")
DYR_GROUP_PRODUCTS(fp16, "f16")

/** After a wait: what reads d comes after this. */
template <int N>
__device__ __forceinline__ void settle(float (&d)[N][4]) {
#pragma unroll
  for (int n = 0; n < N; n++) asm volatile("" : DYR_D4(d[n])::"memory");
}

#else

__device__ __forceinline__ void beginProducts() {}
__device__ __forceinline__ void endProducts() {}
template <int GROUPS>
__device__ __forceinline__ void awaitProducts() {}
__device__ __forceinline__ void showToProducts() {}
template <int N>
__device__ __forceinline__ void settle(float (&)[N][4]) {}

#endif

}  // namespace dyr
