// What relative positions add to attention: org.dyr.op.RelativeScores has the formulas. A query meets a table of
// R = 2m+1 distances, not L keys, so that the products are R wide. Such a row stands between two vectors that repeat
// its ends: key j of the query at place i then has its element at LANES + j - i + m, and where that lies beyond an end,
// in the vector there. Likewise a row over the keys is folded: what lies beyond an end gathers in the vector there.
#pragma once

#include "products.h"

namespace dyr {
namespace DYR_ISA {
namespace flash {

/** What one side, keys or values, has in the scratch. */
struct DistanceSide {
  float* met;         // each query's products with the table, (queries, row)
  float* folded;      // each query's sums over the keys of each distance, (queries, row)
};

class Distances {
 public:
  DistanceSide keys{}, values{};

  Distances(Scratch& s, int queries, int size, int count) : count(count), size(size), row(padded(count) + 2 * LANES) {
    if (count == 0) return;
    table = s.take(count * padded(size));
    transposed = s.take(size * padded(count));
    keys = side(s, queries);
    values = side(s, queries);
  }

  /** Packs the table (R,D). */
  template <typename Type> void begin(const Type* a) {
    if (count == 0) return;
    pack<gemm::Single>(a, size, count, size, table);
    packTransposed<gemm::Single>(a, size, count, size, transposed);
  }

  /** met = x a^T of `rows` queries, x (rows, padded D). */
  void meet(const DistanceSide& side, int rows, const float* x) const {
    product<gemm::Single, false>(rows, count, size, x, padded(size), transposed, size, 0, side.met + LANES, row, false);
    for (int r = 0; r < rows; r++) {
      float* m = side.met + r * row;
      store(m, broadcast(m[LANES]));
      store(m + LANES + count, broadcast(m[LANES + count - 1]));
    }
    clear(side, rows);
  }

  /** Sets the sums of `rows` queries to zero. */
  void clear(const DistanceSide& side, int rows) const { std::memset(side.folded, 0, rows * row * sizeof(float)); }

  /**
   * Adds to s the products of query r, at `place` of its sequence, for the keys from `key` on; returns the largest
   * sum.
   */
  float add(const DistanceSide& side, int r, int place, int key, float* s, int vectors) const {
    const float* m = side.met + r * row;
    Floats most = broadcast(-INFINITY);
    for (int v = 0; v < vectors; v++) {
      Floats x = DYR_ISA::add(load(s + v * LANES), load(m + at(key + v * LANES - place)));
      most = max(most, x);
      store(s + v * LANES, x);
    }
    return largest(most);
  }

  /** Adds p, `n` keys from `key` on, to the sums of query r. */
  void fold(const DistanceSide& side, int r, int place, int key, const float* p, int n) const {
    float* f = side.folded + r * row;
    Floats before = zero(), behind = zero();
    for (int c = 0; c < n; c += LANES) {
      Floats x = keep(load(p + c), atMost(n - c));
      int to = at(key + c - place);
      if (to == 0) before = DYR_ISA::add(before, x);
      else if (to == LANES + count) behind = DYR_ISA::add(behind, x);
      else store(f + to, DYR_ISA::add(load(f + to), x));
    }
    store(f, DYR_ISA::add(load(f), before));
    store(f + LANES + count, DYR_ISA::add(load(f + LANES + count), behind));
  }

  /** Multiplies the sums of query r. */
  void scale(const DistanceSide& side, int r, float by) const {
    float* f = side.folded + r * row;
    for (int c = 0; c < row; c += LANES) store(f + c, mul(load(f + c), broadcast(by)));
  }

  /** Brings to the first and the last distance what lies beyond; the sums are whole then. */
  void collapse(const DistanceSide& side, int rows) const {
    for (int r = 0; r < rows; r++) {
      float* f = side.folded + r * row;
      float before = sum(load(f)), behind = sum(load(f + LANES + count));
      f[LANES] += before;
      f[LANES + count - 1] += behind;
    }
  }

  /** to (rows, padded D) += folded a. */
  void addEmbeddings(const DistanceSide& side, int rows, float* to) const {
    product<gemm::Single, false>(rows, size, count, side.folded + LANES, row, table, count, 0, to, padded(size),
        true);
  }

  /** sums (R, padded D) += folded^T x, x (rows, D) packed. */
  void addGradient(const DistanceSide& side, int rows, const float* x, float* sums) const {
    product<gemm::Single, true>(count, size, rows, side.folded + LANES, row, x, rows, 0, sums, padded(size), true);
  }

  bool any() const { return count > 0; }

 private:
  DistanceSide side(Scratch& s, int queries) const {
    float* met = s.take(queries * row);
    return {met, s.take(queries * row)};
  }

  /** Where in a row the vector of keys begins whose first is `distance` from the query. */
  DYR_INLINE int at(int distance) const {
    int i = distance + count / 2;
    return LANES + (i < -LANES ? -LANES : i > count ? count : i);
  }

  int count, size;  // R, D
  long row;
  float* table = nullptr;       // (R,D) as a right operand
  float* transposed = nullptr;  // (D,R) likewise
};

}  // namespace flash
}  // namespace DYR_ISA
}  // namespace dyr
