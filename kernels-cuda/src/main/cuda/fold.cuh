// The second half of a sum over rows: partial sums become one, in an order that does not depend on the machine.
#pragma once

#include "simt.cuh"

namespace dyr {

constexpr int FOLD_WARPS = 16;

/** Where up to three sums over rows go, each (C). */
struct Folded {
  float *y0, *y1 = nullptr, *y2 = nullptr;
};

/**
 * y[s][c] = the sum over p of partial[p,s,c]; partial (P,gridDim.y,C). A warp takes 32 columns of
 * every 16th p, then the warps are added in order. Reads what the caches still have: bound by latency.
 */
template <int WARPS>
__global__ void foldPartials(const float* partial, int count, int columns, Folded y) {
  __shared__ float sums[WARPS][LANES];
  int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES, c = blockIdx.x * LANES + lane;
  const float* from = partial + static_cast<int64_t>(blockIdx.y) * columns + c;
  float sum = 0;
  if (c < columns) {
#pragma unroll 8
    for (int p = warp; p < count; p += WARPS) sum += from[static_cast<int64_t>(p) * gridDim.y * columns];
  }
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp > 0 || c >= columns) return;
  sum = 0;
  for (int w = 0; w < WARPS; w++) sum += sums[w][lane];
  (blockIdx.y == 0 ? y.y0 : blockIdx.y == 1 ? y.y1 : y.y2)[c] = sum;
}

/** Launches it for so many sums. */
inline int fold(const float* partial, int count, int columns, Folded y, int sums, void* stream) {
  dim3 grid((columns + LANES - 1) / LANES, sums);
  DYR_LAUNCH(foldPartials<FOLD_WARPS>, grid, FOLD_WARPS * LANES, 0, stream, partial, count, columns, y);
  return DYR_LAUNCHED;
}

}  // namespace dyr
