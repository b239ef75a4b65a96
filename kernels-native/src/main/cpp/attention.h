// Attention over packed sequences, forward and gradient: org.dyr.op.Attention has the formulas, DropoutRows the masks.
//
// A worker takes a head of a sequence, packs keys and values once as right operands of products, and goes through the
// queries QUERIES at a time: scores against KEYS keys, softmax, product with the values. A block of scores stays in the
// second cache. Where a sequence is longer than KEYS, rows begun are rescaled to the maximum of each block of keys.
//
// Operands are widened to fp32 as they are packed, sums are fp32, outputs are rounded once.
// T tokens, H heads, D columns of a head, C = H D, L tokens of a sequence.
#pragma once

#include "lanes.h"

namespace dyr {
namespace DYR_ISA {

/** What attention is made of, apart from the names of other kernels. */
namespace flash {

/** The operands, by address; shapes as in org.dyr.op.Attention. */
template <typename Type>
struct AttentionOperands {
  const Type* q;            // (T,C), as k and v
  const Type* k;
  const Type* v;
  Type* o;                  // (T,C); the gradient only reads it
  float* lse;               // (H,T), likewise
  const int32_t* offsets;   // (S+1)
  const int32_t* random;    // (4); null where nothing is dropped
  const int32_t* sequence;  // (S)
  int32_t tokens, sequences, heads, size, longest;
  int32_t site;
  int32_t threshold;        // of words that are dropped
  float dropScale;          // 1/(1-p)
};

/** What the gradient has besides; all (T,C). */
template <typename Type>
struct AttentionGradients {
  const Type* dout;
  Type* dq;
  Type* dk;
  Type* dv;
};

constexpr int QUERIES = 96;   // in a block: rows of scores that exist at a time
constexpr int KEYS = 512;     // columns of them
constexpr int DEPTH = 96;     // rows of a right operand that stay in the first cache while all left rows meet them
constexpr int SCORES_ROW = KEYS + LANES;  // a line more than a power of two, lest columns share sets of the cache
constexpr float LOG2_E = 1.44269504f, LN_2 = 0.693147181f;

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

/** Scores, stored; columns past the last key are set to -infinity, and each row's largest are kept by lanes. */
struct Scores {
  float* s;
  float* largest;  // (QUERIES, LANES)
  Mask last;       // the columns of the panel's last vector that are keys
  template <int R, int V> DYR_INLINE void take(int first, const Floats (&x)[R][V]) const {
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
      float* row = s + (first + r) * static_cast<long>(SCORES_ROW);
      Floats m = load(largest + (first + r) * LANES);
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) {
        Floats y = v < V - 1 ? x[r][v] : select(broadcast(-INFINITY), x[r][v], last);
        m = max(m, y);
        store(row + v * LANES, y);
      }
      store(largest + (first + r) * LANES, m);
    }
  }
};

/**
 * A tile of sums a b: R rows of a, V vectors of a packed panel of b (depth, V). The left operand's rows are `stride`
 * apart, or, transposed, its columns are.
 */
template <bool TRANSPOSED, int R, int V, class Out>
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
      for (int v = 0; v < V; v++) sums[r][v] = fma(x, row[v], sums[r][v]);
    }
    a += TRANSPOSED ? stride : 1;
    b += V * LANES;
  }
  out.take(first, sums);
}

/** The rows that are left, fewer than a whole tile. */
template <bool TRANSPOSED, int R, int V, class Out>
void lastRows(int rows, const float* a, long stride, int depth, const float* b, int first, const Out& out) {
  if constexpr (R > 0) {
    if (rows == R) tile<TRANSPOSED, R, V>(a, stride, depth, b, first, out);
    else lastRows<TRANSPOSED, R - 1, V>(rows, a, stride, depth, b, first, out);
  }
}

template <bool TRANSPOSED, int V, class Out>
void panelRows(int rows, const float* a, long stride, int depth, const float* b, const Out& out) {
  constexpr int R = tileRows(V);
  int r = 0;
  for (; r + R <= rows; r += R) tile<TRANSPOSED, R, V>(a, stride, depth, b, r, out);
  lastRows<TRANSPOSED, R - 1, V>(rows - r, a, stride, depth, b, r, out);
}

/** `rows` rows of a times one panel of b. */
template <bool TRANSPOSED, class Out>
void panel(int vectors, int rows, const float* a, long stride, int depth, const float* b, const Out& out) {
  if (vectors == 1) panelRows<TRANSPOSED, 1>(rows, a, stride, depth, b, out);
  else if (vectors == 2) panelRows<TRANSPOSED, 2>(rows, a, stride, depth, b, out);
#if defined(__AVX512F__)
  else if (vectors == 3) panelRows<TRANSPOSED, 3>(rows, a, stride, depth, b, out);
  else panelRows<TRANSPOSED, 4>(rows, a, stride, depth, b, out);
#endif
}

/** c (rows, columns) = a b or, `onto`, c += a b; the panels of b have `allRows` rows, of which it begins at `from`. */
template <bool TRANSPOSED>
void product(int rows, int columns, int depth, const float* a, long stride, const float* b, int allRows, int from, float* c,
             long row, bool onto) {
  Panels panels(columns);
  for (int i = 0; i < depth; i += DEPTH) {
    int part = depth - i < DEPTH ? depth - i : DEPTH;
    const float* left = a + (TRANSPOSED ? i * stride : i);
    for (int p = 0; p < panels.count; p++) {
      int begin = panels.begin(p), width = panels.width(p);
      const float* right = b + (static_cast<long>(begin) * allRows + static_cast<long>(width) * (from + i)) * LANES;
      panel<TRANSPOSED>(width, rows, left, stride, part, right, Sums{c + begin * LANES, row, onto || i > 0});
    }
  }
}

/** Widens rows of `columns` elements; `row` floats are written of each, zeros behind its own. */
template <typename Type>
void widen(const Type* x, long stride, int rows, int columns, float* to, long row) {
  int whole = columns / LANES * LANES;
  Mask rest = first(columns - whole);
  for (int r = 0; r < rows; r++, x += stride, to += row) {
    for (int c = 0; c < whole; c += LANES) store(to + c, load(x + c));
    if (columns > whole) store(to + whole, load(x + whole, rest));
  }
}

/** Packs x (rows, columns) as a right operand. */
template <typename Type>
void pack(const Type* x, long stride, int rows, int columns, float* to) {
  Panels panels(columns);
  for (int p = 0; p < panels.count; p++) {
    int begin = panels.begin(p) * LANES, width = panels.width(p) * LANES;
    widen(x + begin, stride, rows, columns - begin < width ? columns - begin : width, to + static_cast<long>(begin) * rows, width);
  }
}

/** Packs the transpose of x (rows, columns), scaled, as a right operand (columns, rows), its last vector filled with zeros. */
template <typename Type>
void packTransposed(const Type* x, long stride, int rows, int columns, float scale, float* to) {
  Panels panels(rows);
  Floats by = broadcast(scale);
  for (int p = 0; p < panels.count; p++) {
    int begin = panels.begin(p), width = panels.width(p);
    float* out = to + static_cast<long>(begin) * LANES * columns;
    for (int v = 0; v < width; v++) {
      int from = (begin + v) * LANES, n = rows - from < LANES ? rows - from : LANES;
      for (int c = 0; c < columns; c += LANES) {
        int m = columns - c < LANES ? columns - c : LANES;
        Floats square[LANES];
        const Type* at = x + from * stride + c;
        if (n == LANES && m == LANES) {
#pragma GCC unroll 16
          for (int i = 0; i < LANES; i++) square[i] = mul(by, load(at + i * stride));
        } else {
          Mask some = first(m);
          for (int i = 0; i < LANES; i++) square[i] = i < n ? mul(by, load(at + i * stride, some)) : zero();
        }
        transpose(square);
        for (int i = 0; i < m; i++) store(out + (static_cast<long>(c + i) * width + v) * LANES, square[i]);
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

/** Asks for a row of a head's columns, to arrive in the second cache. */
template <typename Type>
DYR_INLINE void prefetch(const Type* x, int columns) {
  for (int c = 0; c < columns; c += 64 / sizeof(Type)) __builtin_prefetch(x + c, 0, 2);
}

/** From a head of a sequence to what comes after it, in elements: the next head, or the first of the next sequence. */
template <typename Type>
DYR_INLINE long toNext(const AttentionOperands<Type>& x, int head, int length) {
  long stride = static_cast<long>(x.heads) * x.size;
  return head + 1 < x.heads ? x.size : length * stride - static_cast<long>(head) * x.size;
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

struct ForwardScratch {
  float *keys, *values, *queries, *scores, *largest, *sums, *o;
  long floats;

  ForwardScratch(float* base, int longest, int size) {
    Scratch s(base);
    long block = longest < QUERIES ? longest : QUERIES;
    keys = s.take(padded(longest) * size);
    values = s.take(longest * padded(size));
    queries = s.take(block * padded(size));
    scores = s.take(block * SCORES_ROW);
    largest = s.take(block * LANES);
    sums = s.take(3 * block);
    o = s.take(block * padded(size));
    floats = s.floats();
  }
};

struct GradientScratch {
  float *keysTransposed, *valuesTransposed, *keys, *queries, *douts, *queryPanels, *doutPanels, *p, *ds, *dq, *dk, *dv;
  long floats;

  GradientScratch(float* base, int longest, int size) {
    Scratch s(base);
    long block = longest < QUERIES ? longest : QUERIES, row = padded(size);
    keysTransposed = s.take(padded(longest) * size);
    valuesTransposed = s.take(padded(longest) * size);
    keys = s.take(longest * row);
    queries = s.take(block * row);
    douts = s.take(block * row);
    // One panel is laid out as the rows are.
    bool one = Panels(size).count == 1;
    queryPanels = one ? queries : s.take(block * row);
    doutPanels = one ? douts : s.take(block * row);
    p = s.take(block * SCORES_ROW);
    ds = s.take(block * SCORES_ROW);
    dq = s.take(block * row);
    dk = s.take(longest * row);
    dv = s.take(longest * row);
    floats = s.floats();
  }
};

/**
 * s = 2^(by s - shift), what is dropped of it set to zero; returns the sum over all columns, dropped ones too. Pairs of
 * exponentials and masks keep both ports busy.
 */
template <bool DROP>
float softmaxRow(float* s, int vectors, float by, float shift, const DropoutRows& drop, int32_t counter) {
  Floats scale = broadcast(by), offset = broadcast(-shift), sums = zero();
  int v = 0;
  if constexpr (DROP) {
    constexpr int BLOCK = DropoutRows::VECTORS;
    for (; v < vectors; v += BLOCK, counter += 16) {
      Mask kept[BLOCK];
      drop.block(counter, kept);
      int n = vectors - v < BLOCK ? vectors - v : BLOCK;
      if (n == BLOCK) {
#pragma GCC unroll 8
        for (int i = 0; i < BLOCK; i++) {
          Floats p = exp2(fma(load(s + (v + i) * LANES), scale, offset));
          sums = add(sums, p);
          store(s + (v + i) * LANES, keep(p, kept[i]));
        }
      } else {
        for (int i = 0; i < n; i++) {
          Floats p = exp2(fma(load(s + (v + i) * LANES), scale, offset));
          sums = add(sums, p);
          store(s + (v + i) * LANES, keep(p, kept[i]));
        }
      }
    }
  } else {
#pragma GCC unroll 2
    for (; v < vectors; v++) {
      Floats p = exp2(fma(load(s + v * LANES), scale, offset));
      sums = add(sums, p);
      store(s + v * LANES, p);
    }
  }
  return sum(sums);
}

/** p = 2^(by p - shift), ds = p (dropped(ds) - delta), and of p what is dropped set to zero. */
template <bool DROP>
void gradientRow(float* p, float* ds, int vectors, float by, float shift, float delta, const DropoutRows& drop,
                 int32_t counter) {
  Floats scale = broadcast(by), offset = broadcast(-shift), less = broadcast(-delta);
  int v = 0;
  if constexpr (DROP) {
    constexpr int BLOCK = DropoutRows::VECTORS;
    for (; v < vectors; v += BLOCK, counter += 16) {
      Mask kept[BLOCK];
      drop.block(counter, kept);
      int n = vectors - v < BLOCK ? vectors - v : BLOCK;
      if (n == BLOCK) {
#pragma GCC unroll 8
        for (int i = 0; i < BLOCK; i++) {
          long at = (v + i) * LANES;
          Floats x = exp2(fma(load(p + at), scale, offset));
          store(ds + at, mul(x, addWhere(less, load(ds + at), kept[i])));
          store(p + at, keep(x, kept[i]));
        }
      } else {
        for (int i = 0; i < n; i++) {
          long at = (v + i) * LANES;
          Floats x = exp2(fma(load(p + at), scale, offset));
          store(ds + at, mul(x, addWhere(less, load(ds + at), kept[i])));
          store(p + at, keep(x, kept[i]));
        }
      }
    }
  } else {
    for (; v < vectors; v++) {
      long at = v * LANES;
      Floats x = exp2(fma(load(p + at), scale, offset));
      store(ds + at, mul(x, add(less, load(ds + at))));
      store(p + at, x);
    }
  }
}

/** Counters that a row of attention probabilities may use: Philox.ATTENTION_STRIDE. */
constexpr int32_t DROPOUT_STRIDE = 1 << 14;

/** One head of one sequence, the queries of whole blocks [fromBlock, toBlock) of it. Keys and values are packed. */
template <typename Type>
class Forward {
 public:
  Forward(const AttentionOperands<Type>& x, float* scratch)
      : x(x), own(scratch, x.longest, x.size), stride(static_cast<long>(x.heads) * x.size), row(padded(x.size)),
        by(LOG2_E / std::sqrt(static_cast<float>(x.size))) {}

  /** Begins with a head of sequence s. */
  void begin(int s, int head) {
    start = x.offsets[s];
    length = x.offsets[s + 1] - start;
    at = start * stride + static_cast<long>(head) * x.size;
    next = at + toNext(x, head, length);
    logs = x.lse + static_cast<long>(head) * x.tokens + start;
    for (int from = 0; from < length; from += KEYS) {
      packTransposed(x.k + at + from * stride, stride, keysFrom(from), x.size, 1, own.keys + static_cast<long>(from) * x.size);
    }
    pack(x.v + at, stride, length, x.size, own.values);
    if (x.random) drop = DropoutRows(x.random, x.sequence[s], x.site << 10 | head, x.threshold);
  }

  /** The queries from `from` on, a block of them. */
  void block(int from) {
    int rows = length - from < QUERIES ? length - from : QUERIES;
    float *shift = own.sums, *total = own.sums + rows, *most = own.sums + 2 * rows;
    widen(x.q + at + from * stride, stride, rows, x.size, own.queries, row);
    for (int key = 0; key < length; key += KEYS) {
      int keys = keysFrom(key);
      for (int i = 0; i < rows; i++) store(own.largest + i * LANES, broadcast(-INFINITY));
      scores(rows, keys, own.keys + static_cast<long>(key) * x.size);
      for (int r = 0; r < rows; r++) {
        float before = key > 0 ? most[r] : -INFINITY, m = largest(load(own.largest + r * LANES));
        if (m < before) m = before;
        most[r] = m;
        shift[r] = m * by;
        if (key == 0) prefetchNext(from + r);
        float* s = own.scores + r * static_cast<long>(SCORES_ROW);
        int32_t counter = (from + r) * DROPOUT_STRIDE + key / 4;
        float sum = x.random ? softmaxRow<true>(s, vectorsOf(keys), by, shift[r], drop, counter)
                             : softmaxRow<false>(s, vectorsOf(keys), by, shift[r], drop, counter);
        if (key > 0) {
          float factor = std::exp2((before - m) * by);
          sum += total[r] * factor;
          float* o = own.o + r * row;
          for (int c = 0; c < row; c += LANES) store(o + c, mul(load(o + c), broadcast(factor)));
        }
        total[r] = sum;
      }
      product<false>(rows, x.size, keys, own.scores, SCORES_ROW, own.values, length, key, own.o, row, key > 0);
    }
    for (int r = 0; r < rows; r++) {
      narrow(own.o + r * row, row, 1, x.size, x.dropScale / total[r], x.o + at + (from + r) * stride, stride);
      logs[from + r] = shift[r] * LN_2 + std::log(total[r]);
    }
  }

 private:
  int keysFrom(int from) const { return length - from < KEYS ? length - from : KEYS; }

  /** One row of the operands of the head that follows, while this one computes. */
  void prefetchNext(int i) const {
    long to = next + i * stride;
    prefetch(x.q + to, x.size);
    prefetch(x.k + to, x.size);
    prefetch(x.v + to, x.size);
  }

  void scores(int rows, int keys, const float* right) {
    Panels panels(keys);
    for (int p = 0; p < panels.count; p++) {
      int begin = panels.begin(p), width = panels.width(p);
      Scores out{own.scores + begin * LANES, own.largest, atMost(keys - (begin + width - 1) * LANES)};
      panel<false>(width, rows, own.queries, row, x.size, right + static_cast<long>(begin) * LANES * x.size, out);
    }
  }

  const AttentionOperands<Type>& x;
  ForwardScratch own;
  long stride, row;
  float by;
  int start = 0, length = 0;
  long at = 0, next = 0;
  float* logs = nullptr;
  DropoutRows drop;
};

/** The gradient of one head of one sequence, all its queries, a block at a time. */
template <typename Type>
class Backward {
 public:
  Backward(const AttentionOperands<Type>& x, const AttentionGradients<Type>& d, float* scratch)
      : x(x), d(d), own(scratch, x.longest, x.size), stride(static_cast<long>(x.heads) * x.size), row(padded(x.size)),
        scale(1 / std::sqrt(static_cast<float>(x.size))) {}

  void unit(int s, int head) {
    int start = x.offsets[s];
    length = x.offsets[s + 1] - start;
    at = start * stride + static_cast<long>(head) * x.size;
    next = at + toNext(x, head, length);
    logs = x.lse + static_cast<long>(head) * x.tokens + start;
    for (int from = 0; from < length; from += KEYS) {
      long to = static_cast<long>(from) * x.size;
      packTransposed(x.k + at + from * stride, stride, keysFrom(from), x.size, 1, own.keysTransposed + to);
      packTransposed(x.v + at + from * stride, stride, keysFrom(from), x.size, x.dropScale, own.valuesTransposed + to);
    }
    pack(x.k + at, stride, length, x.size, own.keys);
    if (x.random) drop = DropoutRows(x.random, x.sequence[s], x.site << 10 | head, x.threshold);
    for (int from = 0; from < length; from += QUERIES) block(from);
    narrow(own.dk, row, length, x.size, scale, d.dk + at, stride);
    narrow(own.dv, row, length, x.size, x.dropScale, d.dv + at, stride);
  }

 private:
  int keysFrom(int from) const { return length - from < KEYS ? length - from : KEYS; }

  void block(int from) {
    int rows = length - from < QUERIES ? length - from : QUERIES;
    long first = at + from * stride;
    widen(x.q + first, stride, rows, x.size, own.queries, row);
    widen(d.dout + first, stride, rows, x.size, own.douts, row);
    if (own.queryPanels != own.queries) {
      pack(x.q + first, stride, rows, x.size, own.queryPanels);
      pack(d.dout + first, stride, rows, x.size, own.doutPanels);
    }
    for (int key = 0; key < length; key += KEYS) {
      int keys = keysFrom(key);
      products(rows, keys, key);
      for (int r = 0; r < rows; r++) {
        float delta = dot(own.douts + r * row, x.o + first + r * stride), shift = logs[from + r] * LOG2_E;
        if (key == 0) prefetchNext(from + r);
        long s = r * static_cast<long>(SCORES_ROW);
        int32_t counter = (from + r) * DROPOUT_STRIDE + key / 4;
        if (x.random) gradientRow<true>(own.p + s, own.ds + s, vectorsOf(keys), scale * LOG2_E, shift, delta, drop, counter);
        else gradientRow<false>(own.p + s, own.ds + s, vectorsOf(keys), scale * LOG2_E, shift, delta, drop, counter);
      }
      product<false>(rows, x.size, keys, own.ds, SCORES_ROW, own.keys, length, key, own.dq, row, key > 0);
      product<true>(keys, x.size, rows, own.ds, SCORES_ROW, own.queryPanels, rows, 0, own.dk + key * row, row, from > 0);
      product<true>(keys, x.size, rows, own.p, SCORES_ROW, own.doutPanels, rows, 0, own.dv + key * row, row, from > 0);
    }
    narrow(own.dq, row, rows, x.size, scale, d.dq + first, stride);
  }

  /** One row of the operands of the head that follows, while this one computes. */
  void prefetchNext(int i) const {
    long to = next + i * stride;
    prefetch(x.q + to, x.size);
    prefetch(x.k + to, x.size);
    prefetch(x.v + to, x.size);
    prefetch(x.o + to, x.size);
    prefetch(d.dout + to, x.size);
  }

  /** p = q k^T and ds = do v^T. */
  void products(int rows, int keys, int key) {
    Panels panels(keys);
    for (int p = 0; p < panels.count; p++) {
      int begin = panels.begin(p), width = panels.width(p);
      long right = (static_cast<long>(key) + begin * LANES) * x.size;
      panel<false>(width, rows, own.queries, row, x.size, own.keysTransposed + right, Sums{own.p + begin * LANES, SCORES_ROW, false});
      panel<false>(width, rows, own.douts, row, x.size, own.valuesTransposed + right, Sums{own.ds + begin * LANES, SCORES_ROW, false});
    }
  }

  float dot(const float* a, const Type* b) const {
    int whole = x.size / LANES * LANES;
    Floats sums = zero();
    for (int c = 0; c < whole; c += LANES) sums = fma(load(a + c), load(b + c), sums);
    if (x.size > whole) sums = fma(load(a + whole), load(b + whole, DYR_ISA::first(x.size - whole)), sums);
    return sum(sums);
  }

  const AttentionOperands<Type>& x;
  const AttentionGradients<Type>& d;
  GradientScratch own;
  long stride, row;
  float scale;
  int length = 0;
  long at = 0, next = 0;
  const float* logs = nullptr;
  DropoutRows drop;
};

/** The first of `items` that a worker takes. */
DYR_INLINE int64_t shareBegin(int64_t items, int worker, int workers) { return items * worker / workers; }

/** The work on all sequences: the squares of their lengths, for one head. */
template <typename Type>
int64_t workOf(const AttentionOperands<Type>& x) {
  int64_t work = 0;
  for (int s = 0; s < x.sequences; s++) {
    int64_t length = x.offsets[s + 1] - x.offsets[s];
    work += length * length;
  }
  return work;
}

/** Sets a worker's share of the tokens past the last sequence to zero. */
template <typename Type>
void clearRest(const AttentionOperands<Type>& x, Type* y, int worker, int workers) {
  int64_t end = x.offsets[x.sequences], rest = x.tokens - end, columns = static_cast<int64_t>(x.heads) * x.size;
  int64_t from = end + shareBegin(rest, worker, workers), to = end + shareBegin(rest, worker + 1, workers);
  std::memset(static_cast<void*>(y + from * columns), 0, (to - from) * columns * sizeof(Type));
}

/**
 * A worker's share of the forward pass. Blocks of queries are dealt out in order by their work, queries times keys; no
 * block's numbers depend on another's, nor on who computes it. `scratch` has forwardScratch() floats, 64-byte aligned.
 */
template <typename Type>
void attention(const AttentionOperands<Type>& x, float* scratch, int worker, int workers) {
  int64_t total = workOf(x) * x.heads, at = 0;
  int64_t from = shareBegin(total, worker, workers), to = shareBegin(total, worker + 1, workers);
  Forward<Type> forward(x, scratch);
  for (int s = 0; s < x.sequences && at < to; s++) {
    int64_t length = x.offsets[s + 1] - x.offsets[s];
    for (int h = 0; h < x.heads; h++, at += length * length) {
      if (at + length * length <= from || at >= to) continue;
      bool begun = false;
      for (int64_t q = 0; q < length; q += QUERIES) {
        if (at + q * length < from || at + q * length >= to) continue;
        if (!begun) forward.begin(s, h);
        begun = true;
        forward.block(static_cast<int>(q));
      }
    }
  }
  clearRest(x, x.o, worker, workers);
  int64_t end = x.offsets[x.sequences], rest = x.tokens - end;
  for (int h = 0; h < x.heads; h++) {
    float* logs = x.lse + static_cast<int64_t>(h) * x.tokens + end;
    for (int64_t t = shareBegin(rest, worker, workers); t < shareBegin(rest, worker + 1, workers); t++) logs[t] = 0;
  }
}

/** A worker's share of the gradient: whole heads of sequences, dealt out in order by the squares of their lengths. */
template <typename Type>
void attentionGradient(const AttentionOperands<Type>& x, const AttentionGradients<Type>& d, float* scratch, int worker,
                       int workers) {
  int64_t total = workOf(x) * x.heads, at = 0;
  int64_t from = shareBegin(total, worker, workers), to = shareBegin(total, worker + 1, workers);
  Backward<Type> backward(x, d, scratch);
  for (int s = 0; s < x.sequences && at < to; s++) {
    int64_t length = x.offsets[s + 1] - x.offsets[s];
    for (int h = 0; h < x.heads && length > 0; h++, at += length * length) {
      if (at >= from && at < to) backward.unit(s, h);
    }
  }
  clearRest(x, d.dq, worker, workers);
  clearRest(x, d.dk, worker, workers);
  clearRest(x, d.dv, worker, workers);
}

}  // namespace flash

/** Floats of scratch that a worker needs: of the forward pass, then of the gradient. */
inline void attentionScratch(int64_t* floats, int32_t longest, int32_t size) {
  floats[0] = flash::ForwardScratch(nullptr, longest, size).floats;
  floats[1] = flash::GradientScratch(nullptr, longest, size).floats;
}

/** A worker's share of org.dyr.op.Attention; shapes and meanings as in flash::AttentionOperands. */
template <class T>
void attention(const T* q, const T* k, const T* v, const int32_t* offsets, const int32_t* random, const int32_t* sequence,
               T* o, float* lse, int32_t tokens, int32_t sequences, int32_t heads, int32_t size, int32_t longest, int32_t site,
               int32_t threshold, float dropScale, float* scratch, int32_t worker, int32_t workers) {
  flash::AttentionOperands<T> x{q, k, v, o, lse, offsets, random, sequence, tokens, sequences, heads, size, longest, site,
      threshold, dropScale};
  flash::attention(x, scratch, worker, workers);
}

/** A worker's share of org.dyr.op.Attention.Grad. */
template <class T>
void attentionGradient(const T* dout, const T* q, const T* k, const T* v, const T* o, const float* lse, const int32_t* offsets,
                       const int32_t* random, const int32_t* sequence, T* dq, T* dk, T* dv, int32_t tokens, int32_t sequences,
                       int32_t heads, int32_t size, int32_t longest, int32_t site, int32_t threshold, float dropScale,
                       float* scratch, int32_t worker, int32_t workers) {
  flash::AttentionOperands<T> x{q, k, v, const_cast<T*>(o), const_cast<float*>(lse), offsets, random, sequence, tokens,
      sequences, heads, size, longest, site, threshold, dropScale};
  flash::attentionGradient(x, flash::AttentionGradients<T>{dout, dq, dk, dv}, scratch, worker, workers);
}

}  // namespace DYR_ISA
}  // namespace dyr
