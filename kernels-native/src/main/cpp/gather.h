// Rows of a table by index, and the sums that are its gradient. Bound by memory.
#pragma once

#include "elementwise.h"

namespace dyr {
namespace DYR_ISA {

/** y[r,:] = table[index[r],:] for the rows [from, to). table (V,C), index (R), y (R,C). */
template <class T> void gather(const T* table, const int32_t* index, T* y, int64_t from, int64_t to, int32_t columns) {
  Output<T> out(y, from, to, columns);
  for (int64_t r = from; r < to; r++) {
    const T* row = table + static_cast<int64_t>(index[r]) * columns;
    vectors(0, columns, [&](int64_t i, auto m) DYR_BODY { out.put(r * columns + i, load(row + i, m), m); });
  }
  out.finish();
}

/** The elements [from, to) become zero. */
template <class T> void clear(T* y, int64_t from, int64_t to) { std::memset(y + from, 0, (to - from) * sizeof(T)); }

/** dtable[index[r],:] += dy[r,:] in the order of r, for the columns [from, to), over zeros. */
inline void gatherGrad(const float* dy, const int32_t* index, float* dtable, int64_t from, int64_t to, int64_t rows,
    int32_t columns) {
  for (int64_t r = 0; r < rows; r++) {
    const float* d = dy + r * columns;
    float* sum = dtable + static_cast<int64_t>(index[r]) * columns;
    vectors(from, to, [=](int64_t i, auto m) DYR_BODY { store(sum + i, add(load(sum + i, m), load(d + i, m)), m); });
  }
}

/**
 * The same in bf16, where a sum is rounded once: the first row of an index adds all others of that index. The search
 * compares the square of R indices; what a model gathers in bf16 is one row a sequence.
 */
inline void gatherGrad(const bf16* dy, const int32_t* index, bf16* dtable, int64_t from, int64_t to, int64_t rows,
    int32_t columns) {
  for (int64_t r = 0; r < rows; r++) {
    bool first = true;
    for (int64_t s = 0; s < r && first; s++) first = index[s] != index[r];
    if (!first) continue;
    int64_t same = r + 1;
    while (same < rows && index[same] != index[r]) same++;
    bf16* sum = dtable + static_cast<int64_t>(index[r]) * columns;
    vectors(from, to, [=](int64_t i, auto m) DYR_BODY {
      Floats total = load(dy + r * columns + i, m);
      for (int64_t s = same; s < rows; s++) {
        if (index[s] == index[r]) total = add(total, load(dy + s * columns + i, m));
      }
      store(sum + i, total, m);
    });
  }
}

template <class T>
void gatherAdd(const T* dy, const int32_t* index, T* dtable, int64_t from, int64_t to, int64_t rows, int32_t columns) {
  gatherGrad(dy, index, dtable, from, to, rows, columns);
}

}  // namespace DYR_ISA
}  // namespace dyr
