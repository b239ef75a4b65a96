// Rows of a table by index, and the sums that are its gradient.
#include "simt.cuh"

namespace dyr {
namespace {

/** y[r,:] = table[index[r],:] in units of up to 16 bytes, a warp a row. Bound by the bytes of y, twice. */
template <class Unit>
__global__ void __launch_bounds__(THREADS, 4) gatherRows(const Unit* table, const int* index, Unit* y, int64_t rows,
    int units) {
  constexpr int WARPS = THREADS / LANES;
  int64_t step = static_cast<int64_t>(gridDim.x) * WARPS;
  for (int64_t r = static_cast<int64_t>(blockIdx.x) * WARPS + threadIdx.x / LANES; r < rows; r += step) {
    const Unit* from = table + static_cast<int64_t>(index[r]) * units;
    for (int i = threadIdx.x % LANES; i < units; i += LANES) y[r * units + i] = from[i];
  }
}

template <class Unit>
int gatherUnits(Address table, Address index, Address y, int64_t rows, int units, void* stream) {
  const Unit* from = table;
  const int* which = index;
  Unit* to = y;
  DYR_LAUNCH(gatherRows<Unit>, blocksFor(rows * LANES), THREADS, 0, stream, from, which, to, rows, units);
  return DYR_LAUNCHED;
}

// The gradient is a sum for each row of the table over the tokens that took it, in their order, at a cost that grows
// with tokens, not with tokens times the table, and that does not care whether the table has two rows or 30,000. Tokens
// are sorted by index, stably: a radix sort, 8 bits a pass, whose places follow from counts alone. Then equal indices
// stand together, as a run; a warp adds up a fixed stretch of the sorted tokens, and runs across stretches are joined
// in order. Bound by the bytes of dy and of the table, which is cleared first.

constexpr int DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS;
static_assert(DIGITS == THREADS, "a thread has a digit");

/** Tokens that a warp counts and places, and those that it adds up. */
constexpr int SORTED = 512, STRETCH = 128, WARPS = THREADS / LANES;

/** Steps in which a warp goes through what it sorts. */
constexpr int STEPS = SORTED / LANES;

/** This lane's element of every step, 0 behind the end: all loads go out at once. */
__device__ __forceinline__ void loadSteps(const int* from, int first, int end, int (&to)[STEPS]) {
#pragma unroll
  for (int s = 0; s < STEPS; s++) to[s] = first + s * LANES < end ? from[first + s * LANES] : 0;
}

__device__ __forceinline__ int digitOf(int key, int shift) { return key >> shift & (DIGITS - 1); }

/** counts (DIGITS,warps): how often each digit stands among the keys of a warp. */
__global__ void __launch_bounds__(THREADS) countDigits(const int* keys, int* counts, int rows, int shift, int warps) {
  __shared__ int own[WARPS][DIGITS];
  int lane = threadIdx.x % LANES, here = threadIdx.x / LANES, warp = blockIdx.x * WARPS + here;
  for (int d = lane; d < DIGITS; d += LANES) own[here][d] = 0;
  __syncwarp();
  int first = warp * SORTED + lane, end = min((warp + 1) * SORTED, rows), key[STEPS];
  loadSteps(keys, first, end, key);
#pragma unroll
  for (int s = 0; s < STEPS; s++) {
    if (first + s * LANES < end) atomicAdd(&own[here][digitOf(key[s], shift)], 1);
  }
  __syncwarp();
  if (warp >= warps) return;
  for (int d = lane; d < DIGITS; d += LANES) counts[d * warps + warp] = own[here][d];
}

/** The sum over the lanes up to this one. */
__device__ __forceinline__ int sumUpTo(int x) {
  int lane = threadIdx.x % LANES;
#pragma unroll
  for (int by = 1; by < LANES; by *= 2) {
    int other = __shfl_up_sync(ALL_LANES, x, by);
    if (lane >= by) x += other;
  }
  return x;
}

/** counts become the sums of those before, digit by digit, a warp each; totals (DIGITS) the sums of all. */
__global__ void __launch_bounds__(THREADS) scanCounts(int* counts, int* totals, int warps) {
  int lane = threadIdx.x % LANES, digit = blockIdx.x * WARPS + threadIdx.x / LANES, before = 0;
  int* own = counts + static_cast<int64_t>(digit) * warps;
  for (int first = 0; first < warps; first += LANES) {
    int i = first + lane, n = i < warps ? own[i] : 0, sum = sumUpTo(n);
    if (i < warps) own[i] = before + sum - n;
    before += __shfl_sync(ALL_LANES, sum, LANES - 1);
  }
  if (lane == 0) totals[digit] = before;
}

/** Moves keys and their tokens to where the digits of this pass put them; order null is 0, 1, 2 and so on. */
__global__ void __launch_bounds__(THREADS) place(const int* keys, const int* order, const int* counts,
    const int* totals, int* toKeys, int* toOrder, int rows, int shift, int warps) {
  __shared__ int ofWarps[WARPS], next[WARPS][DIGITS];
  int lane = threadIdx.x % LANES, here = threadIdx.x / LANES, warp = blockIdx.x * WARPS + here;
  int end = min((warp + 1) * SORTED, rows), own[STEPS], tokens[STEPS];
  loadSteps(keys, warp * SORTED + lane, end, own);
  if (order != nullptr) loadSteps(order, warp * SORTED + lane, end, tokens);
  int total = totals[threadIdx.x], start = sumUpTo(total);
  if (lane == LANES - 1) ofWarps[here] = start;
  __syncthreads();
  start -= total;
  for (int w = 0; w < here; w++) start += ofWarps[w];
  for (int w = 0; w < WARPS; w++) {
    int of = blockIdx.x * WARPS + w;
    if (of < warps) next[w][threadIdx.x] = start + counts[threadIdx.x * warps + of];
  }
  __syncthreads();
#pragma unroll
  for (int s = 0; s < STEPS; s++) {
    int first = warp * SORTED + s * LANES, r = first + lane;
    if (first >= end) break;  // of the whole warp
    int digit = r < end ? digitOf(own[s], shift) : DIGITS;
    unsigned same = __match_any_sync(ALL_LANES, digit);
    int before = __popc(same & ((1u << lane) - 1));
    if (r < end) {
      int to = next[here][digit] + before;
      toKeys[to] = own[s];
      toOrder[to] = order == nullptr ? r : tokens[s];
    }
    __syncwarp();
    if (r < end && before == 0) next[here][digit] += __popc(same);
    __syncwarp();
  }
}

/**
 * The sums of the runs in a stretch of sorted tokens, a warp each, for V columns a lane. A run that begins and ends
 * here goes to its row of dtable; what began before goes to ends[stretch,0,:], what begins and goes on to
 * ends[stretch,1,:].
 */
template <class T, int V>
__global__ void __launch_bounds__(THREADS) sumRuns(const T* dy, const int* keys, const int* order, T* dtable,
    float* ends, int rows, int columns) {
  constexpr int AT_ONCE = 4;
  int stretch = blockIdx.x * WARPS + threadIdx.x / LANES, c = (blockIdx.y * LANES + threadIdx.x % LANES) * V;
  int from = stretch * STRETCH, to = min(from + STRETCH, rows);
  if (from >= rows || c >= columns) return;
  float* head = ends + static_cast<int64_t>(stretch) * 2 * columns + c;
  int key = keys[from];
  bool begun = from > 0 && keys[from - 1] == key;
  float sum[V] = {};
  for (int j = from; j < to; j += AT_ONCE) {
    float d[AT_ONCE][V];
#pragma unroll
    for (int k = 0; k < AT_ONCE; k++) {
      if (j + k < to) load<V>(dy + static_cast<int64_t>(order[j + k]) * columns + c, d[k]);
    }
#pragma unroll
    for (int k = 0; k < AT_ONCE; k++) {
      if (j + k >= to) break;
      if (keys[j + k] != key) {
        if (begun) store<V>(head, sum);
        else store<V>(dtable + static_cast<int64_t>(key) * columns + c, sum);
        key = keys[j + k];
        begun = false;
        for (int i = 0; i < V; i++) sum[i] = 0;
      }
      for (int i = 0; i < V; i++) sum[i] += d[k][i];
    }
  }
  if (begun) store<V>(head, sum);
  else if (to < rows && keys[to] == key) store<V>(head + columns, sum);
  else store<V>(dtable + static_cast<int64_t>(key) * columns + c, sum);
}

/** The rest of the runs: a block adds what begins in its stretch, and in order what of it is in those that follow. */
template <class T, int V>
__global__ void __launch_bounds__(THREADS, 4) joinRuns(const int* keys, T* dtable, const float* ends, int rows,
    int columns) {
  __shared__ float sums[WARPS][V][LANES];
  int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES, c = (blockIdx.y * LANES + lane) * V;
  int from = blockIdx.x * STRETCH, end = from + STRETCH;
  if (end >= rows) return;
  int key = keys[end - 1];
  bool begun = keys[from] == key && from > 0 && keys[from - 1] == key;
  if (keys[end] != key || begun) return;
  int low = end, high = rows;  // the first token behind the run
  while (low < high) {
    int middle = (low + high) / 2;
    if (keys[middle] == key) low = middle + 1;
    else high = middle;
  }
  int last = (low - 1) / STRETCH;
  float sum[V] = {};
  if (c < columns) {
#pragma unroll 4
    for (int s = blockIdx.x + 1 + warp; s <= last; s += WARPS) {
      float part[V];
      load<V>(ends + static_cast<int64_t>(s) * 2 * columns + c, part);
      for (int i = 0; i < V; i++) sum[i] += part[i];
    }
  }
  for (int i = 0; i < V; i++) sums[warp][i][lane] = sum[i];
  __syncthreads();
  if (warp > 0 || c >= columns) return;
  load<V>(ends + (static_cast<int64_t>(blockIdx.x) * 2 + 1) * columns + c, sum);
  for (int w = 0; w < WARPS; w++) {
    for (int i = 0; i < V; i++) sum[i] += sums[w][i][lane];
  }
  store<V>(dtable + static_cast<int64_t>(key) * columns + c, sum);
}

/** y = 0. */
template <class T>
struct Clear {
  T* y;
  template <int V> __device__ void at(int64_t i) const {
    float zeros[V] = {};
    store<V>(y + i, zeros);
  }
};

/** Where things lie in the scratch of the gradient. */
struct Places {
  int warps, stretches, passes;
  int64_t keys[2], order[2], counts, totals, ends, bytes;

  Places(int64_t rows, int tableRows, int columns) {
    warps = static_cast<int>((rows + SORTED - 1) / SORTED);
    stretches = static_cast<int>((rows + STRETCH - 1) / STRETCH);
    passes = 1;
    while (passes * DIGIT_BITS < 31 && (tableRows - 1) >> passes * DIGIT_BITS > 0) passes++;
    bytes = 0;
    for (int i = 0; i < 2; i++) {
      keys[i] = take(rows * sizeof(int));
      order[i] = take(rows * sizeof(int));
    }
    counts = take(static_cast<int64_t>(DIGITS) * warps * sizeof(int));
    totals = take(DIGITS * sizeof(int));
    ends = take(static_cast<int64_t>(stretches) * 2 * columns * sizeof(float));
  }

  int64_t take(int64_t size) {
    int64_t at = bytes;
    bytes += (size + 63) / 64 * 64;
    return at;
  }
};

/** Sorts the tokens by index; says in which of its two places the result lies. */
int sortTokens(const int* index, const Places& p, int64_t scratch, int rows, void* stream, int& status) {
  int *counts = Address(scratch + p.counts), *totals = Address(scratch + p.totals);
  int blocks = (p.warps + WARPS - 1) / WARPS;
  const int *keys = index, *order = nullptr;
  for (int pass = 0; pass < p.passes; pass++) {
    int shift = pass * DIGIT_BITS, warps = p.warps;
    int *toKeys = Address(scratch + p.keys[pass % 2]), *toOrder = Address(scratch + p.order[pass % 2]);
    DYR_LAUNCH(countDigits, blocks, THREADS, 0, stream, keys, counts, rows, shift, warps);
    DYR_LAUNCH(scanCounts, DIGITS / WARPS, THREADS, 0, stream, counts, totals, warps);
    DYR_LAUNCH(place, blocks, THREADS, 0, stream, keys, order, counts, totals, toKeys, toOrder, rows, shift, warps);
    keys = toKeys;
    order = toOrder;
  }
  status = DYR_LAUNCHED;
  return (p.passes - 1) % 2;
}

template <class T, int V>
int sumSorted(const T* dy, const int* keys, const int* order, T* dtable, float* ends, int stretches, int rows,
    int columns, void* stream) {
  int tiles = (columns + V * LANES - 1) / (V * LANES);
  dim3 grid((stretches + WARPS - 1) / WARPS, tiles);
  DYR_LAUNCH((sumRuns<T, V>), grid, THREADS, 0, stream, dy, keys, order, dtable, ends, rows, columns);
  int status = DYR_LAUNCHED;
  if (status != 0 || stretches < 2) return status;
  DYR_LAUNCH((joinRuns<T, V>), dim3(stretches, tiles), THREADS, 0, stream, keys, dtable, ends, rows, columns);
  return DYR_LAUNCHED;
}

}  // namespace

int gather(int type, Address table, Address index, Address y, int64_t rows, int columns, Address stream) {
  if (rows == 0) return 0;
  int bytes = columns * (type == 0 ? 4 : 2);
  if (bytes % 16 == 0) return gatherUnits<uint4>(table, index, y, rows, bytes / 16, stream);
  if (bytes % 4 == 0) return gatherUnits<unsigned>(table, index, y, rows, bytes / 4, stream);
  return gatherUnits<unsigned short>(table, index, y, rows, bytes / 2, stream);
}

int64_t gatherGradScratch(int64_t rows, int tableRows, int columns) { return Places(rows, tableRows, columns).bytes; }

int gatherGrad(int type, Address dy, Address index, Address dtable, Address scratch, int rows, int tableRows,
    int columns, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    constexpr int V = WIDE<T>;
    T* sums = dtable;
    int status = elements<V>(Clear<T>{sums}, static_cast<int64_t>(tableRows) * columns, stream);
    if (status != 0 || rows == 0) return status;
    Places p(rows, tableRows, columns);
    int side = sortTokens(index, p, scratch.at, rows, stream, status);
    if (status != 0) return status;
    const T* from = dy;
    const int *keys = Address(scratch.at + p.keys[side]), *order = Address(scratch.at + p.order[side]);
    float* ends = Address(scratch.at + p.ends);
    if (columns % V == 0) return sumSorted<T, V>(from, keys, order, sums, ends, p.stretches, rows, columns, stream);
    return sumSorted<T, 1>(from, keys, order, sums, ends, p.stretches, rows, columns, stream);
  });
}

}  // namespace dyr
