// Softmax cross-entropy of groups (org.dyr.op.GroupCrossEntropy): a few hundred numbers, scalar and in double.
#pragma once

#include "elementwise.h"

namespace dyr {
namespace DYR_ISA {

/** One group of z, samples [from, to), its positive first. */
template <class T> struct Group {
  const T* z;
  int64_t from, to;
  int32_t kept;

  /** Whether a sample is the positive, or fewer than `kept` negatives come before it by z, then by place. */
  bool counts(int64_t i) const {
    if (i == from || to - from - 1 <= kept) return true;
    float x = get(z + i);
    int64_t before = 0;
    for (int64_t j = from + 1; j < to; j++) before += get(z + j) > x || (get(z + j) == x && j < i);
    return before < kept;
  }

  double logSumExp() const {
    double most = -INFINITY, total = 0;
    for (int64_t i = from; i < to; i++) if (counts(i) && get(z + i) > most) most = get(z + i);
    for (int64_t i = from; i < to; i++) if (counts(i)) total += std::exp(get(z + i) - most);
    return most + std::log(total);
  }
};

/** loss of the groups [from, to). z (S,1), groups (G+1). */
template <class T>
void groupCrossEntropy(const T* z, const int32_t* groups, T* loss, int64_t from, int64_t to, int32_t kept) {
  for (int64_t g = from; g < to; g++) {
    Group<T> group = {z, groups[g], groups[g + 1], kept};
    set(loss + g, group.from == group.to ? 0 : static_cast<float>(group.logSumExp() - get(z + group.from)));
  }
}

/** dz of the groups [from, to); samples that do not count stay as they are. */
template <class T>
void groupCrossEntropyGrad(const T* dloss, const T* z, const int32_t* groups, T* dz, int64_t from, int64_t to,
    int32_t kept) {
  for (int64_t g = from; g < to; g++) {
    Group<T> group = {z, groups[g], groups[g + 1], kept};
    if (group.from == group.to) continue;
    double sum = group.logSumExp();
    for (int64_t i = group.from; i < group.to; i++) {
      if (!group.counts(i)) continue;
      set(dz + i, static_cast<float>(get(dloss + g) * (std::exp(get(z + i) - sum) - (i == group.from ? 1 : 0))));
    }
  }
}

}  // namespace DYR_ISA
}  // namespace dyr
