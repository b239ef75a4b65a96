// c (M,N) = op(a) op(b) [+ bias (N)] [+ residual (M,N)]: matrix products in fp32, and in bf16 with sums in fp32; and
// what follows a product element by element, an activation or its gradient, done tile by tile while the tile is in the
// cache.
//
// b is packed into panels of COLUMNS columns (a weight of a model that only scores lies so from the beginning). Of a,
// blocks of rows stay in the second-level cache while every panel goes by; they are packed where its rows cannot be read
// in place. A tile of up to ROWS x COLUMNS sums stays in registers over the whole depth of a call, so c is written once a
// call, by the epilogue, and the order of an element's additions depends on the depth alone: neither on the tile that it
// falls into nor on who computes it.
//
// What is multiplied is a 32-bit unit: one float, or a pair of bf16 that are neighbours in depth, which one instruction
// of AVX-512 BF16 multiplies and adds. Where that is missing, bf16 is widened as it is packed, and multiplied as floats.
// A weight that is trained lies in floats and is rounded as it is packed.
#pragma once

#include <type_traits>

#include "activation.h"
#include "lanes.h"

namespace dyr {
namespace DYR_ISA {
namespace gemm {

DYR_INLINE int least(int a, int b) { return a < b ? a : b; }
DYR_INLINE int greatest(int a, int b) { return a > b ? a : b; }

// Sums in registers: 28 of 32 with AVX-512, 12 of 16 with AVX2.
#if defined(__AVX512F__)
constexpr int ROWS = 14;
#else
constexpr int ROWS = 6;
#endif
constexpr int VECTORS = 2;
constexpr int COLUMNS = VECTORS * LANES;

/** Units of a block of a, 1 MB: half a second-level cache of 2 MB; in one of 1 MB less gains 1.5% at most. */
constexpr int BLOCK = 1 << 18;

/** How many units of depth ahead a panel is fetched into the first cache. */
constexpr int AHEAD = 8;

/** A unit in memory, whatever was stored there. */
using Word = float __attribute__((may_alias));

/** fp32: a unit is one element. */
struct Single {
  static constexpr int DEPTH = 1;
  DYR_INLINE static Floats multiplyAdd(Floats a, Floats b, Floats c) { return fma(a, b, c); }
};

#if defined(__AVX512BF16__)
/** bf16: a unit is two elements, neighbours in depth; their products are added in fp32. */
struct Pair {
  static constexpr int DEPTH = 2;
  DYR_INLINE static Floats multiplyAdd(Floats a, Floats b, Floats c) {
    return _mm512_dpbf16_ps(c, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
};
#endif

/** A float that is multiplied as bf16: rounded as it is packed. */
struct Rounded {
  float x;
};

/** What elements of a type are multiplied as. */
template <class T> struct UnitOf { using type = Single; };
#if defined(__AVX512BF16__)
template <> struct UnitOf<bf16> { using type = Pair; };
#endif
template <> struct UnitOf<Rounded> : UnitOf<bf16> {};

template <class T> DYR_INLINE int units(int depth) {
  constexpr int d = UnitOf<T>::type::DEPTH;
  return (depth + d - 1) / d;
}

/** Rows of a that meet every panel together, for so many units of depth. */
DYR_INLINE int blockRows(int units) { return least(greatest(BLOCK / greatest(units, 1) / ROWS, 1), 24) * ROWS; }

/** From row to row of a packed block: an odd number of cache lines, which keeps rows out of each other's sets. */
DYR_INLINE int blockStride(int units) { return ((units + 15) / 16 | 1) * 16; }

/** Floats of scratch for a packed block of a. */
inline int64_t blockSize(int32_t units) { return static_cast<int64_t>(blockRows(units)) * blockStride(units); }

// ---- packing -------------------------------------------------------------------------------------------------------

/** n elements as floats, n at most LANES, zeros behind them. */
template <class T> DYR_INLINE Floats elements(const T* p, int n) { return n == LANES ? load(p) : load(p, first(n)); }

/** LANES units from unit k on of a row that has them all. */
DYR_INLINE Floats wholeUnits(const float* row, int k) { return load(row + k); }

DYR_INLINE Floats wholeUnits(const bf16* row, int k) {
  if constexpr (UnitOf<bf16>::type::DEPTH == 1) return load(row + k);
  else return load(reinterpret_cast<const float*>(row) + k);
}

DYR_INLINE Floats wholeUnits(const Rounded* row, int k) {
#if defined(__AVX512BF16__)
  return neighbours(load(&row[2 * k].x), load(&row[2 * k + LANES].x));
#else
  return rounded(load(&row[k].x));
#endif
}

/** Up to LANES units of a row whose depth ends after `depth` elements. */
DYR_INLINE Floats lastUnits(const float* row, int depth) { return elements(row, least(depth, LANES)); }

DYR_INLINE Floats lastUnits(const bf16* row, int depth) {
  if constexpr (UnitOf<bf16>::type::DEPTH == 1) return elements(row, least(depth, LANES));
  alignas(64) bf16 copy[2 * LANES] = {};
  std::memcpy(copy, row, sizeof(bf16) * least(depth, 2 * LANES));
  return wholeUnits(copy, 0);
}

DYR_INLINE Floats lastUnits(const Rounded* row, int depth) {
  alignas(64) Rounded copy[2 * LANES] = {};
  std::memcpy(copy, row, sizeof(Rounded) * least(depth, UnitOf<bf16>::type::DEPTH * LANES));
  return wholeUnits(copy, 0);
}

/** LANES units from unit k on of a row of depth elements, zeros past its end. */
template <class T> DYR_INLINE Floats unitsOfRow(const T* row, int k, int depth) {
  constexpr int d = UnitOf<T>::type::DEPTH;
  return k + LANES <= depth / d ? wholeUnits(row, k) : lastUnits(row + k * d, depth - k * d);
}

/** n columns (at most LANES) of unit k of a matrix (depth, columns) with neighbouring columns side by side. */
DYR_INLINE Floats columns(const float* x, int64_t stride, int k, int, int n) { return elements(x + k * stride, n); }

DYR_INLINE Floats columns(const bf16* x, int64_t stride, int k, int depth, int n) {
  if constexpr (UnitOf<bf16>::type::DEPTH == 1) {
    return elements(x + k * stride, n);
  } else {
    // The lower half of a unit is the earlier element; widening put it in the upper.
    Ints even = shiftRight<16>(bits(elements(x + 2 * k * stride, n)));
    if (2 * k + 1 == depth) return floats(even);
    return floats(add(even, bits(elements(x + (2 * k + 1) * stride, n))));
  }
}

DYR_INLINE Floats columns(const Rounded* x, int64_t stride, int k, int depth, int n) {
#if defined(__AVX512BF16__)
  const Rounded *even = x + 2 * k * stride, *odd = even + stride;
  return interleaved(elements(&even->x, n), 2 * k + 1 == depth ? zero() : elements(&odd->x, n));
#else
  return rounded(elements(&x[k * stride].x, n));
#endif
}

/** Rows of depth that are packed together: what is read of them stays in the first caches until all its columns are. */
constexpr int PACK = 32;

/** Asks for n elements that are packed soon: into the second cache, since the first has no room for them to wait in. */
template <class T> DYR_INLINE void expect(const T* x, int n) {
  for (int i = 0; i < n; i += 64 / sizeof(T)) __builtin_prefetch(x + i, 0, 2);
}

/** Panels [from,to) of b (depth, N), its rows `stride` apart. Panel j holds columns from j COLUMNS on: (units, COLUMNS). */
template <class T>
void packStraight(const T* b, int64_t stride, int depth, int n, int from, int to, float* panels) {
  constexpr int d = UnitOf<T>::type::DEPTH;
  const int deep = units<T>(depth);
  for (int top = 0; top < deep; top += PACK) {
    const int bottom = least(top + PACK, deep);
    for (int j = from; j < to; j++) {
      float* p = panels + (static_cast<int64_t>(j) * deep + top) * COLUMNS;
      const int column = j * COLUMNS;
      for (int k = top; k < bottom; k++, p += COLUMNS) {
        for (int i = 0; i < d; i++) expect(b + ((k + PACK) * d + i) * stride + column, COLUMNS);
        for (int v = 0; v < VECTORS; v++) {
          int width = least(LANES, n - column - v * LANES);
          store(p + v * LANES, width <= 0 ? zero() : columns(b + column + v * LANES, stride, k, depth, width));
        }
      }
    }
  }
}

/** The same of b^T: b is (N, depth). */
template <class T>
void packTransposed(const T* b, int64_t stride, int depth, int n, int from, int to, float* panels) {
  constexpr int d = UnitOf<T>::type::DEPTH;
  const int deep = units<T>(depth);
  for (int j = from; j < to; j++) {
    float* panel = panels + static_cast<int64_t>(j) * deep * COLUMNS;
    for (int k = 0; k < deep; k += LANES) {
      const int steps = least(LANES, deep - k);
      for (int v = 0; v < VECTORS; v++) {
        const int column = j * COLUMNS + v * LANES;
        for (int i = column; i < column + LANES; i++) expect(b + i * stride + (k + 2 * LANES) * d, LANES * d);
        Floats x[LANES];
        for (int i = 0; i < LANES; i++) x[i] = column + i < n ? unitsOfRow(b + (column + i) * stride, k, depth) : zero();
        transpose(x);
        for (int i = 0; i < steps; i++) store(panel + (k + i) * COLUMNS + v * LANES, x[i]);
      }
    }
  }
}

/** Rows [row, row+rows) of a (M, depth) into a block: (rows, blockStride). */
template <class T>
void packRows(const T* a, int64_t stride, int depth, int row, int rows, float* block) {
  const int deep = units<T>(depth), apart = blockStride(deep);
  for (int r = 0; r < rows; r++) {
    const T* from = a + (row + r) * stride;
    float* to = block + static_cast<int64_t>(r) * apart;
    for (int k = 0; k < deep; k += LANES) store(to + k, unitsOfRow(from, k, depth));
  }
}

/** The same of a^T: a is (depth, M). Transposed in registers as it is read. */
template <class T>
void packRowsTransposed(const T* a, int64_t stride, int depth, int row, int rows, float* block) {
  constexpr int d = UnitOf<T>::type::DEPTH;
  const int deep = units<T>(depth), apart = blockStride(deep);
  for (int k = 0; k < deep; k += LANES) {
    for (int r = 0; r < rows; r += LANES) {
      Floats x[LANES];
      int width = least(LANES, rows - r);
      if (r * sizeof(T) % 64 == 0) {
        for (int i = 0; i < LANES * d; i++) expect(a + ((k + LANES) * d + i) * stride + row + r, 1);
      }
      for (int i = 0; i < LANES; i++) {
        x[i] = k + i < deep ? columns(a + row + r, stride, k + i, depth, width) : zero();
      }
      transpose(x);
      for (int i = 0; i < width; i++) store(block + static_cast<int64_t>(r + i) * apart + k, x[i]);
    }
  }
}

/** The sum of the elements in the units [0,n) of a row. */
template <class T> DYR_INLINE float sumOfUnits(const Word* row, int n) {
  Floats total = zero();
  for (int i = 0; i < n; i += LANES) {
    Floats x = elements(reinterpret_cast<const float*>(row + i), least(LANES, n - i));
    if constexpr (UnitOf<T>::type::DEPTH == 1) {
      total = add(total, x);
    } else {
      total = add(total, floats(shiftLeft<16>(bits(x))));
      total = add(total, floats(shiftLeft<16>(shiftRight<16>(bits(x)))));
    }
  }
  return sum(total);
}

// ---- the tile ------------------------------------------------------------------------------------------------------

/** What becomes of a tile of sums: c = sums [+ bias] [+ residual]. c and residual have rows of N elements. */
template <class C> struct Epilogue {
  C* c;
  const C* residual;  // null, or c itself to add to it
  const float* bias;  // null or (N)
  int n;

  DYR_INLINE void store(Floats sums, int64_t row, int column, int width) const {
    int64_t at = row * n + column;
    if (width >= LANES) {
      if (bias) sums = add(sums, load(bias + column));
      if (residual) sums = add(sums, load(residual + at));
      DYR_ISA::store(c + at, sums);
    } else {
      Mask m = first(width);
      if (bias) sums = add(sums, load(bias + column, m));
      if (residual) sums = add(sums, load(residual + at, m));
      DYR_ISA::store(c + at, sums, m);
    }
  }
};

/** Rows of a as units, `stride` of them from row to row: a itself, or a packed block of it. */
struct Rows {
  const Word* units;
  int64_t stride;

  DYR_INLINE Rows from(int row) const { return {units + row * stride, stride}; }
};

/** What is read after a tile: fetched into the second cache meanwhile, `hop` words with each unit of depth. */
struct Coming {
  const Word* words;
  int hop;
};

/** R rows times a panel: R x COLUMNS sums in registers over the whole depth. */
template <class Unit, int R, class C>
void tile(Rows a, const float* panel, int deep, Coming coming, const Epilogue<C>& end, int64_t row, int column) {
  Floats sums[R][VECTORS];
  for (int r = 0; r < R; r++) {
    for (int v = 0; v < VECTORS; v++) sums[r][v] = zero();
    const C* to = end.c + (row + r) * end.n + column;
    for (int line = 0; line < COLUMNS; line += 64 / sizeof(C)) __builtin_prefetch(to + line, 1);
  }
  // The next unit of every third row: an address in the loop has room for the two rows behind it.
  constexpr int THIRDS = (R + 2) / 3;
  const Word* next[THIRDS];
  for (int i = 0; i < THIRDS; i++) next[i] = a.from(3 * i).units;
  for (int k = 0; k < deep; k++) {
    Floats b[VECTORS];
    for (int v = 0; v < VECTORS; v++) {
      b[v] = load(panel + v * LANES);
      __builtin_prefetch(panel + AHEAD * COLUMNS + v * LANES);
    }
    panel += COLUMNS;
    __builtin_prefetch(coming.words, 0, 2);
    coming.words += coming.hop;
#pragma GCC unroll 14
    for (int r = 0; r < R; r++) {
      Floats x = broadcast(next[r / 3][r % 3 * a.stride]);
      for (int v = 0; v < VECTORS; v++) sums[r][v] = Unit::multiplyAdd(x, b[v], sums[r][v]);
    }
#pragma GCC unroll 5
    for (int i = 0; i < THIRDS; i++) next[i]++;
  }
  for (int r = 0; r < R; r++) {
    for (int v = 0; v < VECTORS; v++) {
      int width = end.n - column - v * LANES;
      if (width > 0) end.store(sums[r][v], row + r, column + v * LANES, width);
    }
  }
}

/** The tile for a number of rows known at run time. */
template <class Unit, class C, int R = ROWS>
DYR_INLINE void tileOf(int rows, Rows a, const float* panel, int deep, Coming coming, const Epilogue<C>& end, int64_t row,
    int column) {
  if constexpr (R > 1) {
    if (rows < R) return tileOf<Unit, C, R - 1>(rows, a, panel, deep, coming, end, row, column);
  }
  tile<Unit, R>(a, panel, deep, coming, end, row, column);
}

/** What follows a tile of sums: they are stored, in fp32, where the first cache keeps them, and read again. */
enum class Then : int32_t {
  NOTHING,
  ACTIVATE,  // u = sums, c = f(sums + bias)
  SLOPE      // c = sums f'(u + bias)
};

/** The activation that follows a product, or its gradient. */
template <class C> struct Follow {
  Then then;
  int32_t kind;       // of org.dyr.op.Activation
  C* u;               // (M,N); null where an activation's argument is not kept
  C* c;               // (M,N)
  const C* residual;  // null, or what belongs to the sums
  const float* bias;  // (N)
  int n;

  /** Asks for what `tile` writes, before the sums are computed. */
  DYR_INLINE void prefetch(int64_t row, int rows, int column) const {
    for (int r = 0; r < rows; r++) {
      for (int line = 0; line < COLUMNS; line += 64 / sizeof(C)) {
        const int64_t at = (row + r) * n + column + line;
        __builtin_prefetch(c + at, 1);
        if (u) __builtin_prefetch(u + at);
      }
    }
  }

  /** Rows [row, row+rows) of a panel's columns from `column` on; sums (rows, COLUMNS). */
  void tile(const float* sums, int64_t row, int rows, int column) const {
    const int columns = least(COLUMNS, n - column);
    withFunction(kind, [=](auto f) DYR_BODY {
      vectors(0, columns, [=](int64_t i, auto m) DYR_BODY {
        const Floats b = load(bias + column + i, m);
        for (int r = 0; r < rows; r++) {
          const int64_t at = (row + r) * n + column + i;
          Floats x = load(sums + r * COLUMNS + i, m);
          if (residual) x = add(x, load(residual + at, m));
          if (then == Then::ACTIVATE) {
            if (u) store(u + at, x, m);
            store(c + at, f.template value<C>(add(x, b)), m);
          } else {
            store(c + at, mul(x, f.template slope<C>(add(load(u + at, m), b))), m);
          }
        }
      });
    });
  }
};

/**
 * Whether rows of a, `stride` elements apart, are whole units in memory, and lie so that those of a tile do not fall into
 * one set of the first cache, whose ways they would fill.
 */
template <class T> DYR_INLINE bool readInPlace(int64_t stride, int depth) {
  constexpr int d = UnitOf<T>::type::DEPTH;
  return d * sizeof(T) == sizeof(Word) && depth % d == 0 && stride % d == 0 && stride * sizeof(T) % 4096 != 0;
}

/**
 * Rows [rowBegin,rowEnd) of c over panels [panelBegin,panelEnd).
 *
 * @param a (M, depth), or (depth, M) when transposed; rows `stride` apart
 * @param panels b packed for this depth
 * @param block scratch of blockSize(units) floats, the caller's own
 * @param sums null, or (M): takes the sums of op(a)'s rows over the depth, added to what is there when `more`
 */
template <class T, class C>
void product(const T* a, int64_t stride, bool transposed, int depth, const float* panels, int rowBegin, int rowEnd,
    int panelBegin, int panelEnd, const Epilogue<C>& end, const Follow<C>& follow, float* block, float* sums, bool more) {
  using Unit = typename UnitOf<T>::type;
  const int deep = units<T>(depth);
  const int64_t all = rowEnd - rowBegin;
  const bool inPlace = !transposed && readInPlace<T>(stride, depth);
  // Blocks of nearly equal height, and tiles likewise: a low one would wait for what it reads.
  const int64_t blocks = (all + blockRows(deep) - 1) / blockRows(deep);
  for (int64_t i = 0; i < blocks; i++) {
    const int top = static_cast<int>(rowBegin + all * i / blocks);
    const int rows = static_cast<int>(rowBegin + all * (i + 1) / blocks) - top;
    if (transposed) packRowsTransposed(a, stride, depth, top, rows, block);
    else if (!inPlace) packRows(a, stride, depth, top, rows, block);
    const Rows left = inPlace ? Rows{reinterpret_cast<const Word*>(a + top * stride), stride / Unit::DEPTH}
                              : Rows{block, blockStride(deep)};
    for (int r = 0; sums && r < rows; r++) {
      sums[top + r] = (more ? sums[top + r] : 0) + sumOfUnits<T>(left.from(r).units, deep);
    }
    const int64_t size = static_cast<int64_t>(deep) * COLUMNS;
    const int tiles = (rows + ROWS - 1) / ROWS, hop = (COLUMNS + tiles - 1) / tiles;
    for (int j = panelBegin; j < panelEnd; j++) {
      const float *panel = panels + j * size, *after = panels + (j + 1 < panelEnd ? j + 1 : panelBegin) * size;
      for (int t = 0; t < tiles; t++) {
        const int r = rows * t / tiles, high = rows * (t + 1) / tiles - r;
        // Each tile asks for its share of the next panel; with the first panel, for rows that nobody has read yet.
        const bool unread = inPlace && j == panelBegin && left.stride == deep;
        const Coming coming = unread ? Coming{left.from(r + high).units, ROWS} : Coming{after + t * deep * hop, hop};
        if (follow.then == Then::NOTHING) {
          tileOf<Unit>(high, left.from(r), panel, deep, coming, end, top + r, j * COLUMNS);
        } else {
          alignas(64) float kept[ROWS * COLUMNS];
          follow.prefetch(top + r, high, j * COLUMNS);
          const Epilogue<float> keep{kept, nullptr, nullptr, COLUMNS};
          tileOf<Unit>(high, left.from(r), panel, deep, coming, keep, 0, 0);
          follow.tile(kept, top + r, high, j * COLUMNS);
        }
      }
    }
  }
}

}  // namespace gemm

/** Panels [from,to) of b (depth, N), or of b^T where b is (N, depth): 32-bit units, COLUMNS side by side, zeros past N. */
template <class T>
void packPanels(const T* b, int64_t stride, bool transposed, int32_t depth, int32_t n, int32_t from, int32_t to,
    float* panels) {
  if (transposed) gemm::packTransposed(b, stride, depth, n, from, to, panels);
  else gemm::packStraight(b, stride, depth, n, from, to, panels);
}

/** The same of a weight in floats that is multiplied in bf16. */
inline void packRounded(const float* b, int64_t stride, bool transposed, int32_t depth, int32_t n, int32_t from,
    int32_t to, float* panels) {
  packPanels(reinterpret_cast<const gemm::Rounded*>(b), stride, transposed, depth, n, from, to, panels);
}

/**
 * gemm::product with c in the type of a or, when wide, in fp32.
 *
 * @param bias null, or (N): added to the sums, or to what is activated where an activation follows
 * @param then a gemm::Then
 * @param u (M,N): takes the sums that are activated, or null when nobody reads them; before a gradient, what was activated
 */
template <class T>
void multiply(const T* a, int64_t stride, bool transposed, int32_t depth, const float* panels, int32_t rowBegin,
    int32_t rowEnd, int32_t panelBegin, int32_t panelEnd, void* c, const void* residual, const float* bias, int32_t n,
    bool wide, int32_t then, int32_t kind, void* u, float* block, float* sums, bool more) {
  auto run = [&](auto* typed) {
    using C = std::remove_pointer_t<decltype(typed)>;
    const C* before = static_cast<const C*>(residual);
    gemm::Epilogue<C> end{typed, before, bias, n};
    gemm::Follow<C> follow{static_cast<gemm::Then>(then), kind, static_cast<C*>(u), typed, before, bias, n};
    gemm::product(a, stride, transposed, depth, panels, rowBegin, rowEnd, panelBegin, panelEnd, end, follow, block, sums,
        more);
  };
  if (wide) run(static_cast<float*>(c));
  else run(static_cast<T*>(c));
}
}  // namespace DYR_ISA
}  // namespace dyr
