// The optimizers of org.dyr.op.Update: all parameters of the slabs p, m, v, g (N), fp32, in one launch. A block has a
// chunk of one parameter, whose place the launch itself carries: the table goes with the arguments and is nobody's
// memory. Bound by the bytes of the slabs: Lamb 40 an element in two passes, Adam 28, Momentum 20.
#include "simt.cuh"

namespace dyr {
namespace {

constexpr int CHUNK = 8192, V = 4;

/** Parameters of one launch: with these the table stays below the 32 KB that arguments may have. */
constexpr int MOST_SEGMENTS = 512;

/** A parameter's place in the slabs, as Java has it. */
struct Segment {
  int64_t offset;
  int length;
  float decay;
};

/** The parameters of a launch and the first chunk of each, in the end the number of chunks. */
struct Segments {
  int count;
  int chunk[MOST_SEGMENTS + 1];
  Segment at[MOST_SEGMENTS];

  Segments(const Segment* from, int n) : count(n) {
    chunk[0] = 0;
    for (int i = 0; i < n; i++) {
      at[i] = from[i];
      chunk[i + 1] = chunk[i] + (at[i].length + CHUNK - 1) / CHUNK;
    }
  }
};

/** Elements of one parameter. */
struct Chunk {
  int64_t from;
  int n, number, segment;
  float decay;
};

__device__ __forceinline__ Chunk chunkOf(const Segments& s, int number) {
  int low = 0, high = s.count;  // the last segment whose first chunk is not past this one
  while (high - low > 1) {
    int middle = (low + high) / 2;
    if (s.chunk[middle] <= number) low = middle;
    else high = middle;
  }
  int before = (number - s.chunk[low]) * CHUNK;
  return {s.at[low].offset + before, min(CHUNK, s.at[low].length - before), number, low, s.at[low].decay};
}

/**
 * f over the elements of a chunk; f.begin with the step's numbers before, f.end after them. A factor of NaN: no step.
 */
template <class F>
__global__ void __launch_bounds__(THREADS) eachChunk(const __grid_constant__ Segments segments, F f,
    const float* factor, const float* hyper) {
  float scale = *factor;
  if (isnan(scale)) return;
  Chunk c = chunkOf(segments, F::BACKWARDS ? gridDim.x - 1 - blockIdx.x : blockIdx.x);
  f.begin(c, scale, hyper);
  if (c.from % V == 0) {
    int i = threadIdx.x * V;
    for (; i + V <= c.n; i += THREADS * V) f.template at<V>(c.from + i);
    for (; i < c.n; i++) f.template at<1>(c.from + i);  // one thread has the rest
  } else {
    for (int i = threadIdx.x; i < c.n; i += THREADS) f.template at<1>(c.from + i);
  }
  f.end(c);
}

/** m = b1 m + (1 - b1) g'; v = b2 v + (1 - b2) g'^2. */
struct Moments {
  float *m, *v;
  float b1, c1, b2, c2;

  Moments(float* m, float* v, double beta1, double beta2)
      : m(m), v(v), b1(static_cast<float>(beta1)), c1(static_cast<float>(1 - beta1)), b2(static_cast<float>(beta2)),
        c2(static_cast<float>(1 - beta2)) {}

  template <int N>
  __device__ __forceinline__ void step(int64_t i, const float (&d)[N], float (&ms)[N], float (&vs)[N]) const {
    load<N>(m + i, ms);
    load<N>(v + i, vs);
    for (int k = 0; k < N; k++) {
      ms[k] = b1 * ms[k] + c1 * d[k];
      vs[k] = b2 * vs[k] + c2 * d[k] * d[k];
    }
    store<N>(m + i, ms);
    store<N>(v + i, vs);
  }
};

/**
 * Lamb's first pass: m and v; norms (chunks,3) = the sums of p^2, |g'| and u^2, u = m' / sqrt(v' + eps) + wd p, in
 * float by thread, threads in double.
 */
struct LambMoments {
  static constexpr bool BACKWARDS = false;
  Moments moments;
  const float *p, *g;
  double* norms;
  float eps;
  float factor = 0, correct1 = 0, correct2 = 0, decay = 0, p2 = 0, g1 = 0, u2 = 0;

  LambMoments(Moments moments, const float* p, const float* g, double* norms, float eps)
      : moments(moments), p(p), g(g), norms(norms), eps(eps) {}

  __device__ __forceinline__ void begin(const Chunk& c, float scale, const float* hyper) {
    factor = scale;
    correct1 = hyper[1];
    correct2 = hyper[2];
    decay = c.decay;
  }
  template <int N> __device__ __forceinline__ void at(int64_t i) {
    float x[N], d[N], ms[N], vs[N];
    load<N>(p + i, x);
    load<N>(g + i, d);
    for (int k = 0; k < N; k++) d[k] *= factor;
    moments.step<N>(i, d, ms, vs);
    for (int k = 0; k < N; k++) {
      float u = ms[k] * correct1 * rsqrtf(vs[k] * correct2 + eps) + decay * x[k];
      p2 += x[k] * x[k];
      g1 += fabsf(d[k]);
      u2 += u * u;
    }
  }
  __device__ __forceinline__ void end(const Chunk& c) {
    __shared__ double sums[3][THREADS / LANES];
    double total[3] = {warpSum<double>(p2), warpSum<double>(g1), warpSum<double>(u2)};
    if (threadIdx.x % LANES == 0) {
      for (int k = 0; k < 3; k++) sums[k][threadIdx.x / LANES] = total[k];
    }
    __syncthreads();
    if (threadIdx.x >= 3) return;
    double sum = 0;
    for (int w = 0; w < THREADS / LANES; w++) sum += sums[threadIdx.x][w];
    norms[3 * static_cast<int64_t>(c.number) + threadIdx.x] = sum;
  }
};

/** steps[s] = lr times the trust ratio of parameter s, a block each: |p| / |u|, at most 10, 1 where p or g' is zero. */
__global__ void __launch_bounds__(THREADS) lambRatios(const __grid_constant__ Segments segments, const double* norms,
    float* steps, const float* factor, const float* hyper) {
  if (isnan(*factor)) return;
  double sums[3] = {0, 0, 0};
  for (int c = segments.chunk[blockIdx.x] + threadIdx.x; c < segments.chunk[blockIdx.x + 1]; c += THREADS) {
    for (int k = 0; k < 3; k++) sums[k] += norms[3 * static_cast<int64_t>(c) + k];
  }
  double p2 = blockSum(sums[0]), g1 = blockSum(sums[1]), u2 = blockSum(sums[2]);
  if (threadIdx.x > 0) return;
  double ratio = p2 > 0 && g1 > 0 ? fmin(sqrt(p2) / sqrt(u2), 10.0) : 1;
  steps[blockIdx.x] = static_cast<float>(hyper[0] * ratio);
}

/**
 * Lamb's second pass: p -= step (m' / (sqrt(v') + eps) + wd p). Backwards: of the last chunks p, m, v are still near.
 */
struct LambStep {
  static constexpr bool BACKWARDS = true;
  float* p;
  const float *m, *v, *steps;
  float eps;
  float step = 0, correct1 = 0, correct2 = 0, decay = 0;

  LambStep(float* p, const float* m, const float* v, const float* steps, float eps)
      : p(p), m(m), v(v), steps(steps), eps(eps) {}

  __device__ __forceinline__ void begin(const Chunk& c, float, const float* hyper) {
    step = steps[c.segment];
    correct1 = hyper[1];
    correct2 = hyper[2];
    decay = c.decay;
  }
  template <int N> __device__ __forceinline__ void at(int64_t i) {
    float x[N], ms[N], vs[N];
    load<N>(p + i, x);
    load<N>(m + i, ms);
    load<N>(v + i, vs);
    for (int k = 0; k < N; k++) {
      x[k] -= step * (ms[k] * correct1 / (sqrtf(vs[k] * correct2) + eps) + decay * x[k]);
    }
    store<N>(p + i, x);
  }
  __device__ __forceinline__ void end(const Chunk&) {}
};

/** m and v; p -= lr (m / (sqrt(v) + eps) + wd p). */
struct AdamWeightDecay {
  static constexpr bool BACKWARDS = false;
  Moments moments;
  float* p;
  const float* g;
  float eps;
  float factor = 0, rate = 0, decay = 0;

  AdamWeightDecay(Moments moments, float* p, const float* g, float eps) : moments(moments), p(p), g(g), eps(eps) {}

  __device__ __forceinline__ void begin(const Chunk& c, float scale, const float* hyper) {
    factor = scale;
    rate = hyper[0];
    decay = c.decay;
  }
  template <int N> __device__ __forceinline__ void at(int64_t i) {
    float x[N], d[N], ms[N], vs[N];
    load<N>(p + i, x);
    load<N>(g + i, d);
    for (int k = 0; k < N; k++) d[k] *= factor;
    moments.step<N>(i, d, ms, vs);
    for (int k = 0; k < N; k++) x[k] -= rate * (ms[k] / (sqrtf(vs[k]) + eps) + decay * x[k]);
    store<N>(p + i, x);
  }
  __device__ __forceinline__ void end(const Chunk&) {}
};

/** v = mu v + g'; p -= lr v. */
struct Momentum {
  static constexpr bool BACKWARDS = false;
  float *p, *v;
  const float* g;
  float mu;
  float factor = 0, rate = 0;

  Momentum(float* p, float* v, const float* g, float mu) : p(p), v(v), g(g), mu(mu) {}

  __device__ __forceinline__ void begin(const Chunk&, float scale, const float* hyper) {
    factor = scale;
    rate = hyper[0];
  }
  template <int N> __device__ __forceinline__ void at(int64_t i) {
    float x[N], vs[N], d[N];
    load<N>(p + i, x);
    load<N>(v + i, vs);
    load<N>(g + i, d);
    for (int k = 0; k < N; k++) {
      vs[k] = mu * vs[k] + factor * d[k];
      x[k] -= rate * vs[k];
    }
    store<N>(v + i, vs);
    store<N>(p + i, x);
  }
  __device__ __forceinline__ void end(const Chunk&) {}
};

/** f over all chunks of these parameters. */
template <class F>
int launch(const Segments& segments, const F& f, const float* factor, const float* hyper, void* stream) {
  DYR_LAUNCH(eachChunk<F>, segments.chunk[segments.count], THREADS, 0, stream, segments, f, factor, hyper);
  return DYR_LAUNCHED;
}

/** Calls update(segments) for as many parameters at a time as one launch has room for. */
template <class F>
int groups(const Segment* all, int count, const F& update) {
  for (int first = 0; first < count; first += MOST_SEGMENTS) {
    Segments segments(all + first, std::min(MOST_SEGMENTS, count - first));
    if (segments.chunk[segments.count] == 0) continue;
    int status = update(segments);
    if (status != 0) return status;
  }
  return 0;
}

}  // namespace

int64_t lambScratch(Address segments, int count) {
  const Segment* all = segments;
  int64_t chunks = 0;
  for (int i = 0; i < count; i++) chunks += (all[i].length + CHUNK - 1) / CHUNK;
  return 3 * chunks * sizeof(double) + MOST_SEGMENTS * sizeof(float);
}

int lamb(Address p, Address m, Address v, Address g, Address factor, Address hyper, Address segments, int count,
    double beta1, double beta2, float eps, Address scratch, Address stream) {
  float* steps = scratch;
  double* norms = Address(scratch.at + MOST_SEGMENTS * sizeof(float));
  return groups(segments, count, [=](const Segments& s) {
    const float *scale = factor, *numbers = hyper;
    int status = launch(s, LambMoments(Moments(m, v, beta1, beta2), p, g, norms, eps), scale, numbers, stream);
    if (status != 0) return status;
    DYR_LAUNCH(lambRatios, s.count, THREADS, 0, stream, s, norms, steps, scale, numbers);
    status = DYR_LAUNCHED;
    if (status != 0) return status;
    return launch(s, LambStep(p, m, v, steps, eps), scale, numbers, stream);
  });
}

int adamWeightDecay(Address p, Address m, Address v, Address g, Address factor, Address hyper, Address segments,
    int count, double beta1, double beta2, float eps, Address stream) {
  return groups(segments, count, [=](const Segments& s) {
    return launch(s, AdamWeightDecay(Moments(m, v, beta1, beta2), p, g, eps), factor, hyper, stream);
  });
}

int momentum(Address p, Address v, Address g, Address factor, Address hyper, Address segments, int count, float mu,
    Address stream) {
  return groups(segments, count, [=](const Segments& s) {
    return launch(s, Momentum(p, v, g, mu), factor, hyper, stream);
  });
}

}  // namespace dyr
