// The small products of attention on one worker: rows times a right operand that is packed in panels, by tiles of sums
// in registers. What is multiplied is a 32-bit unit, as in gemm.h: a float, or a pair of bf16 that are neighbours in
// depth. Depths and strides of operands are in units, sums are fp32.
#pragma once

#include "gemm.h"

namespace dyr {
namespace DYR_ISA {

/** What attention is made of, apart from the names of other kernels. */
namespace flash {

/** Units of depth of a right operand that stay in the first cache while all left rows meet them. */
constexpr int DEPTH = 96;

/** Vectors in a panel of a right operand, and rows of the tile of sums that a panel of so many vectors allows. */
constexpr int PANEL = LANES == 16 ? 4 : 2;
constexpr int tileRows(int vectors) {
  return LANES == 16 ? (vectors == 4 ? 6 : vectors == 3 ? 8 : 12) : (vectors == 2 ? 6 : 12);
}

DYR_INLINE int vectorsOf(int columns) { return (columns + LANES - 1) / LANES; }

/** How n vectors of columns are cut into panels of nearly one width. */
struct Panels {
  int vectors, count;
  DYR_INLINE explicit Panels(int columns) : vectors(vectorsOf(columns)), count((vectors + PANEL - 1) / PANEL) {}
  /** The first vector of a panel. */
  DYR_INLINE int begin(int panel) const { return vectors * panel / count; }
  DYR_INLINE int width(int panel) const { return begin(panel + 1) - begin(panel); }
  /** The panel that a vector falls into. */
  DYR_INLINE int of(int vector) const { return ((vector + 1) * count - 1) / vectors; }
};

/** Sums that are stored, or added to what stands there. */
struct Sums {
  float* c;
  long row;
  bool onto;
  template <int R, int V> DYR_INLINE void take(int first, const Floats (&x)[R][V]) const {
    float* at = c + first * row;
    if (onto) {
#pragma GCC unroll 16
      for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) store(at + r * row + v * LANES, add(load(at + r * row + v * LANES), x[r][v]));
      }
    } else {
#pragma GCC unroll 16
      for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) store(at + r * row + v * LANES, x[r][v]);
      }
    }
  }
};

/**
 * A tile of sums a b: R rows of a, V vectors of a packed panel of b (depth, V). The left operand's rows are `stride`
 * apart, or, transposed, its columns are.
 */
template <class Unit, bool TRANSPOSED, int R, int V, class Out>
__attribute__((noinline)) void tile(const float* a, long stride, int depth, const float* b, int first, const Out& out) {
  Floats sums[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) sums[r][v] = zero();
  }
  a += TRANSPOSED ? first : first * stride;
  for (int i = 0; i < depth; i++) {
    Floats row[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) row[v] = load(b + v * LANES);
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
      Floats x = broadcast(TRANSPOSED ? a[r] : a[r * stride]);
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) sums[r][v] = Unit::multiplyAdd(x, row[v], sums[r][v]);
    }
    a += TRANSPOSED ? stride : 1;
    b += V * LANES;
  }
  out.take(first, sums);
}

/** The rows that are left, fewer than a whole tile. */
template <class Unit, bool TRANSPOSED, int R, int V, class Out>
void lastRows(int rows, const float* a, long stride, int depth, const float* b, int first, const Out& out) {
  if constexpr (R > 0) {
    if (rows == R) tile<Unit, TRANSPOSED, R, V>(a, stride, depth, b, first, out);
    else lastRows<Unit, TRANSPOSED, R - 1, V>(rows, a, stride, depth, b, first, out);
  }
}

template <class Unit, bool TRANSPOSED, int V, class Out>
void panelRows(int rows, const float* a, long stride, int depth, const float* b, const Out& out) {
  constexpr int R = tileRows(V);
  int r = 0;
  for (; r + R <= rows; r += R) tile<Unit, TRANSPOSED, R, V>(a, stride, depth, b, r, out);
  lastRows<Unit, TRANSPOSED, R - 1, V>(rows - r, a, stride, depth, b, r, out);
}

/** `rows` rows of a times one panel of b. */
template <class Unit, bool TRANSPOSED, class Out>
void panel(int vectors, int rows, const float* a, long stride, int depth, const float* b, const Out& out) {
  if (vectors == 1) panelRows<Unit, TRANSPOSED, 1>(rows, a, stride, depth, b, out);
  else if (vectors == 2) panelRows<Unit, TRANSPOSED, 2>(rows, a, stride, depth, b, out);
#if defined(__AVX512F__)
  else if (vectors == 3) panelRows<Unit, TRANSPOSED, 3>(rows, a, stride, depth, b, out);
  else panelRows<Unit, TRANSPOSED, 4>(rows, a, stride, depth, b, out);
#endif
}

/**
 * c (rows, columns) = a b or, `onto`, c += a b; the panels of b have `allRows` units, of which it begins at
 * `from`.
 */
template <class Unit, bool TRANSPOSED>
void product(int rows, int columns, int depth, const float* a, long stride, const float* b, int allRows, int from,
             float* c, long row, bool onto) {
  Panels panels(columns);
  for (int i = 0; i < depth; i += DEPTH) {
    int part = depth - i < DEPTH ? depth - i : DEPTH;
    const float* left = a + (TRANSPOSED ? i * stride : i);
    for (int p = 0; p < panels.count; p++) {
      int begin = panels.begin(p), width = panels.width(p);
      const float* right = b + (static_cast<long>(begin) * allRows + static_cast<long>(width) * (from + i)) * LANES;
      panel<Unit, TRANSPOSED>(width, rows, left, stride, part, right, Sums{c + begin * LANES, row, onto || i > 0});
    }
  }
}

/** How elements become units: along a row, the depth of a left operand, or across rows, the depth of a right one. */
template <class Unit> struct Layout;

/** A unit is a float; what is in bf16 is widened. */
template <> struct Layout<gemm::Single> {
  /** LANES units of a row that has n elements left; zeros behind them. */
  template <class T> DYR_INLINE static Floats along(const T* x, int n) {
    return n >= LANES ? load(x) : load(x, first(n));
  }
  /** A unit of up to LANES of the n columns left, of as many rows as it takes, or of those left. */
  template <class T> DYR_INLINE static Floats across(const T* x, long, int, int n) { return along(x, n); }
  /** Units along a row, of the vectors that they take. */
  DYR_INLINE static Floats along(const Floats (&x)[1]) { return x[0]; }
  DYR_INLINE static Floats across(const Floats (&x)[1]) { return x[0]; }
};

#if defined(__AVX512BF16__)
/** A unit is a pair of bf16; what is in floats is rounded. */
template <> struct Layout<gemm::Pair> {
  DYR_INLINE static Floats along(const bf16* x, int n) { return loadPairs(x, n); }
  DYR_INLINE static Floats across(const bf16* x, long stride, int rows, int n) {
    // The lower half of a unit is the earlier element; widening puts it in the upper.
    Floats even = Layout<gemm::Single>::along(x, n);
    Floats odd = rows > 1 ? Layout<gemm::Single>::along(x + stride, n) : zero();
    return floats(DYR_ISA::add(shiftRight<16>(bits(even)), bits(odd)));
  }
  DYR_INLINE static Floats along(const Floats (&x)[2]) { return neighbours(x[0], x[1]); }
  DYR_INLINE static Floats across(const Floats (&x)[2]) { return interleaved(x[0], x[1]); }
};
#endif

/** Units that so many elements of depth take. */
template <class Unit> DYR_INLINE constexpr int unitsOf(int depth) { return (depth + Unit::DEPTH - 1) / Unit::DEPTH; }

/** Rows of x (rows, columns) as a left operand, `row` units of each: whole vectors, zeros behind the columns. */
template <class Unit, class T>
void copyRows(const T* x, long stride, int rows, int columns, float* to, long row) {
  for (int r = 0; r < rows; r++, x += stride, to += row) {
    for (int c = 0; c < columns; c += LANES * Unit::DEPTH) {
      store(to + c / Unit::DEPTH, Layout<Unit>::along(x + c, columns - c));
    }
  }
}

/** Packs x (rows, columns) as a right operand (units of rows, columns). */
template <class Unit, class T>
void pack(const T* x, long stride, int rows, int columns, float* to) {
  Panels panels(columns);
  for (int p = 0; p < panels.count; p++) {
    int begin = panels.begin(p) * LANES, width = panels.width(p) * LANES;
    for (int r = 0; r < rows; r += Unit::DEPTH) {
      for (int c = begin; c < begin + width; c += LANES, to += LANES) {
        store(to, Layout<Unit>::across(x + r * stride + c, stride, rows - r, columns - c));
      }
    }
  }
}

/** Packs the transpose of x (rows, columns) as a right operand (units of columns, rows), zeros in its last vector. */
template <class Unit, class T>
void packTransposed(const T* x, long stride, int rows, int columns, float* to) {
  Panels panels(rows);
  int units = unitsOf<Unit>(columns);
  for (int p = 0; p < panels.count; p++) {
    int begin = panels.begin(p), width = panels.width(p);
    float* out = to + static_cast<long>(begin) * LANES * units;
    for (int v = 0; v < width; v++) {
      int from = (begin + v) * LANES, n = rows - from;
      for (int u = 0; u < units; u += LANES) {
        int c = u * Unit::DEPTH;
        Floats square[LANES];
        const T* at = x + from * stride + c;
        if (n >= LANES) {
#pragma GCC unroll 16
          for (int i = 0; i < LANES; i++) square[i] = Layout<Unit>::along(at + i * stride, columns - c);
        } else {
          for (int i = 0; i < LANES; i++) {
            square[i] = i < n ? Layout<Unit>::along(at + i * stride, columns - c) : zero();
          }
        }
        transpose(square);
        for (int i = 0; i < LANES && u + i < units; i++) {
          store(out + (static_cast<long>(u + i) * width + v) * LANES, square[i]);
        }
      }
    }
  }
}

/** Rounds rows, scaled, to where they belong. */
template <typename Type>
void narrow(const float* x, long row, int rows, int columns, float scale, Type* to, long stride) {
  int whole = columns / LANES * LANES;
  Mask rest = first(columns - whole);
  Floats by = broadcast(scale);
  for (int r = 0; r < rows; r++, x += row, to += stride) {
    for (int c = 0; c < whole; c += LANES) store(to + c, mul(by, load(x + c)));
    if (columns > whole) store(to + whole, mul(by, load(x + whole)), rest);
  }
}

/** Where a worker's scratch has what; in floats, each part on a line of its own. */
class Scratch {
 public:
  explicit Scratch(float* base) : base(base) {}
  float* take(long floats) {
    float* part = base + used;
    used += (floats + 15) / 16 * 16;
    return part;
  }
  long floats() const { return used; }

 private:
  float* base;
  long used = 0;
};

/** Rows of a head's columns, whole vectors. */
DYR_INLINE long padded(int columns) { return static_cast<long>(vectorsOf(columns)) * LANES; }

}  // namespace flash
}  // namespace DYR_ISA
}  // namespace dyr
