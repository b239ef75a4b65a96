// The optimizers of org.dyr.op.Update over runs of elements [from, from + n) of the slabs p, m, v, g. Bound by memory:
// Lamb's second pass finds in the cache what the first has left there.
#pragma once

#include "elementwise.h"

namespace dyr {
namespace DYR_ISA {

/** m = b1 m + (1 - b1) g', v = b2 v + (1 - b2) g'^2. */
struct Moments {
  Floats b1, c1, b2, c2;

  DYR_INLINE Moments(double beta1, double beta2)
      : b1(broadcast(static_cast<float>(beta1))), c1(broadcast(static_cast<float>(1 - beta1))),
        b2(broadcast(static_cast<float>(beta2))), c2(broadcast(static_cast<float>(1 - beta2))) {}

  template <class M> DYR_INLINE Floats first(float* m, Floats d, M lanes) const {
    Floats a = add(mul(load(m, lanes), b1), mul(d, c1));
    store(m, a, lanes);
    return a;
  }
  template <class M> DYR_INLINE Floats second(float* v, Floats d, M lanes) const {
    Floats b = add(mul(load(v, lanes), b2), mul(mul(d, d), c2));
    store(v, b, lanes);
    return b;
  }
};

/** m and v, and norms (3): the sums of p^2, |g'| and u^2, in float by lane, the lanes in double and in order. */
inline void lambMoments(const float* p, float* m, float* v, const float* g, double* norms, int64_t from, int64_t n,
    float factor, double beta1, double beta2, float eps, float decay, float correct1, float correct2) {
  Moments moments(beta1, beta2);
  Floats p2 = zero(), g1 = zero(), u2 = zero();
  vectors(from, from + n, [&](int64_t i, auto lanes) DYR_BODY {
    Floats d = mul(load(g + i, lanes), broadcast(factor)), x = load(p + i, lanes);
    Floats a = moments.first(m + i, d, lanes), b = moments.second(v + i, d, lanes);
    Floats root = inverseRoot(add(mul(b, broadcast(correct2)), broadcast(eps)));
    Floats u = add(mul(mul(a, broadcast(correct1)), root), mul(x, broadcast(decay)));
    p2 = fma(x, x, p2);
    g1 = add(g1, abs(d));
    u2 = fma(u, u, u2);
  });
  norms[0] = sum(add(lower(p2), upper(p2)));
  norms[1] = sum(add(lower(g1), upper(g1)));
  norms[2] = sum(add(lower(u2), upper(u2)));
}

/** p -= step (m' / (sqrt(v') + eps) + wd p). */
inline void lambStep(float* p, const float* m, const float* v, int64_t from, int64_t n, float step, float eps,
    float decay, float correct1, float correct2) {
  vectors(from, from + n, [=](int64_t i, auto lanes) DYR_BODY {
    Floats x = load(p + i, lanes);
    // 0 has no inverse root: the least that is taken for v' is far below eps^2.
    Floats second = max(mul(load(v + i, lanes), broadcast(correct2)), broadcast(1e-37f));
    Floats root = add(mul(second, inverseRoot(second)), broadcast(eps));
    Floats u = add(mul(mul(load(m + i, lanes), broadcast(correct1)), inverse(root)), mul(x, broadcast(decay)));
    store(p + i, sub(x, mul(u, broadcast(step))), lanes);
  });
}

inline void adamWeightDecay(float* p, float* m, float* v, const float* g, int64_t from, int64_t n, float factor,
    double beta1, double beta2, float eps, float decay, float rate) {
  Moments moments(beta1, beta2);
  vectors(from, from + n, [=](int64_t i, auto lanes) DYR_BODY {
    Floats d = mul(load(g + i, lanes), broadcast(factor)), x = load(p + i, lanes);
    Floats a = moments.first(m + i, d, lanes), b = moments.second(v + i, d, lanes);
    Floats u = add(div(a, add(sqrt(b), broadcast(eps))), mul(x, broadcast(decay)));
    store(p + i, sub(x, mul(u, broadcast(rate))), lanes);
  });
}

/** v = mu v + g'; p -= lr v. */
inline void momentum(float* p, float* v, const float* g, int64_t from, int64_t n, float factor, float mu, float rate) {
  vectors(from, from + n, [=](int64_t i, auto lanes) DYR_BODY {
    Floats a = add(mul(load(v + i, lanes), broadcast(mu)), mul(load(g + i, lanes), broadcast(factor)));
    store(v + i, a, lanes);
    store(p + i, sub(load(p + i, lanes), mul(a, broadcast(rate))), lanes);
  });
}

}  // namespace DYR_ISA
}  // namespace dyr
