// One element at a time: bound by the bytes that they read and write.
#include "simt.cuh"

namespace dyr {
namespace {

/** c = a + b. */
template <class T>
struct Add {
  const T *a, *b;
  T* c;
  template <int V> __device__ void at(int64_t i) const {
    float x[V], y[V];
    load<V>(a + i, x);
    load<V>(b + i, y);
    for (int v = 0; v < V; v++) x[v] += y[v];
    store<V>(c + i, x);
  }
};

/** y = s x; s (1). */
template <class T>
struct Scale {
  const T *x, *s;
  T* y;
  template <int V> __device__ void at(int64_t i) const {
    float z[V], by = widen(*s);
    load<V>(x + i, z);
    for (int v = 0; v < V; v++) z[v] *= by;
    store<V>(y + i, z);
  }
};

/** y = x everywhere; x (1). */
template <class T>
struct Broadcast {
  const T* x;
  T* y;
  template <int V> __device__ void at(int64_t i) const {
    float z[V];
    for (int v = 0; v < V; v++) z[v] = widen(*x);
    store<V>(y + i, z);
  }
};

/** y = x in another type. */
template <class T, class U>
struct Cast {
  const T* x;
  U* y;
  template <int V> __device__ void at(int64_t i) const {
    float z[V];
    load<V>(x + i, z);
    store<V>(y + i, z);
  }
};

/** y = x + b; x (R,C), b (C) in fp32. V divides C, unless it is 1. */
template <class T, int V>
__global__ void biasRows(const T* x, const float* b, T* y, int64_t n, int columns) {
  int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x * V;
  for (int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * V; i < n; i += step) {
    float z[V], bias[V];
    load<V>(x + i, z);
    load<V>(b + i % columns, bias);
    for (int v = 0; v < V; v++) z[v] += bias[v];
    store<V>(y + i, z);
  }
}

}  // namespace

int add(int type, Address a, Address b, Address c, int64_t n, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    return elements<WIDE<T>>(Add<T>{a, b, c}, n, stream);
  });
}

int addBias(int type, Address x, Address b, Address y, int64_t rows, int columns, Address stream) {
  int64_t n = rows * columns;
  if (n == 0) return 0;
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    constexpr int V = WIDE<T>;
    const T* from = x;
    T* to = y;
    const float* bias = b;
    if (columns % V == 0) DYR_LAUNCH((biasRows<T, V>), blocksFor(n / V), THREADS, 0, stream, from, bias, to, n, columns);
    else DYR_LAUNCH((biasRows<T, 1>), blocksFor(n), THREADS, 0, stream, from, bias, to, n, columns);
    return DYR_LAUNCHED;
  });
}

int scale(int type, Address x, Address s, Address y, int64_t n, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    return elements<WIDE<T>>(Scale<T>{x, s, y}, n, stream);
  });
}

int broadcast(int type, Address x, Address y, int64_t n, Address stream) {
  return typed(type, [=](auto t) {
    typedef DYR_STORAGE(t) T;
    return elements<WIDE<T>>(Broadcast<T>{x, y}, n, stream);
  });
}

int cast(int from, int to, Address x, Address y, int64_t n, Address stream) {
  return typed(from, [=](auto f) {
    return typed(to, [=](auto t) {
      typedef DYR_STORAGE(f) T;
      typedef DYR_STORAGE(t) U;
      return elements<4>(Cast<T, U>{x, y}, n, stream);
    });
  });
}

}  // namespace dyr
