// Softmax cross-entropy of groups (org.dyr.op.GroupCrossEntropy): a few thousand numbers, a block a group, in double.
// Bound by its launch.
#include "simt.cuh"

namespace dyr {
namespace {

constexpr int GROUP_THREADS = 128;

/** The samples [from, to) of a group, its positive first. */
template <class T>
struct Group {
  const T* z;
  int from, to, kept;

  /** Whether a sample is the positive, or fewer than `kept` negatives come before it by z, then by place. */
  __device__ bool counts(int i) const {
    if (i == from || to - from - 1 <= kept) return true;
    float x = widen(z[i]);
    int before = 0;
    for (int j = from + 1; j < to; j++) {
      float other = widen(z[j]);
      before += other > x || (other == x && j < i);
    }
    return before < kept;
  }

  /** The log of the sum of exp z over the samples that count, the largest of all among them. All threads must come. */
  __device__ double logSumExp() const {
    __shared__ float highest[GROUP_THREADS / LANES];
    float most = -INFINITY;
    for (int i = from + threadIdx.x; i < to; i += GROUP_THREADS) most = fmaxf(most, widen(z[i]));
    most = warpMax(most);
    if (threadIdx.x % LANES == 0) highest[threadIdx.x / LANES] = most;
    __syncthreads();
    for (int w = 0; w < GROUP_THREADS / LANES; w++) most = fmaxf(most, highest[w]);
    double sum = 0;
    for (int i = from + threadIdx.x; i < to; i += GROUP_THREADS) {
      if (counts(i)) sum += exp(static_cast<double>(widen(z[i])) - most);
    }
    return most + log(blockSum(sum));
  }
};

/** loss (G), a block each. */
template <class T>
__global__ void __launch_bounds__(GROUP_THREADS, 8) groupLoss(const T* z, const int* groups, T* loss, int kept) {
  Group<T> g = {z, groups[blockIdx.x], groups[blockIdx.x + 1], kept};
  double x = g.from == g.to ? 0 : g.logSumExp() - widen(z[g.from]);
  if (threadIdx.x == 0) loss[blockIdx.x] = narrow<T>(static_cast<float>(x));
}

/** dz (S), a block a group; the first also has the samples of no group, before and behind all: they get 0. */
template <class T>
__global__ void __launch_bounds__(GROUP_THREADS) groupLossGrad(const T* dloss, const T* z, const int* groups, T* dz,
    int count, int samples, int kept) {
  if (blockIdx.x == 0) {
    for (int i = threadIdx.x; i < groups[0]; i += GROUP_THREADS) dz[i] = narrow<T>(0);
    for (int i = groups[count] + threadIdx.x; i < samples; i += GROUP_THREADS) dz[i] = narrow<T>(0);
  }
  if (static_cast<int>(blockIdx.x) == count) return;  // there is no group at all
  Group<T> g = {z, groups[blockIdx.x], groups[blockIdx.x + 1], kept};
  if (g.from == g.to) return;
  double sum = g.logSumExp(), by = widen(dloss[blockIdx.x]);
  for (int i = g.from + threadIdx.x; i < g.to; i += GROUP_THREADS) {
    double d = g.counts(i) ? by * (exp(widen(z[i]) - sum) - (i == g.from ? 1 : 0)) : 0;
    dz[i] = narrow<T>(static_cast<float>(d));
  }
}

}  // namespace

int groupCrossEntropy(int type, Address z, Address groups, Address loss, int count, int kept, Address stream) {
  if (count == 0) return 0;
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    const T* from = z;
    const int* bounds = groups;
    T* to = loss;
    DYR_LAUNCH(groupLoss<T>, count, GROUP_THREADS, 0, stream, from, bounds, to, kept);
    return DYR_LAUNCHED;
  });
}

int groupCrossEntropyGrad(int type, Address dloss, Address z, Address groups, Address dz, int count, int samples,
    int kept, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    const T *by = dloss, *from = z;
    const int* bounds = groups;
    T* to = dz;
    DYR_LAUNCH(groupLossGrad<T>, count > 0 ? count : 1, GROUP_THREADS, 0, stream, by, from, bounds, to, count, samples,
        kept);
    return DYR_LAUNCHED;
  });
}

}  // namespace dyr
