// Attention over packed sequences, forward and gradient: org.dyr.op.Attention has the formulas, DropoutRows the masks.
//
// A worker takes a head of a sequence, packs keys and values once as right operands of products, and goes through the
// queries in blocks of up to QUERIES. Forward: scores against KEYS keys, softmax, product with the values. A block of
// scores stays in the second cache. Where a sequence is longer than KEYS, rows begun are rescaled to the maximum of
// each block of keys. Gradient: STRIP queries meet BLOCK keys, and their scores and dp stay in the first cache while
// they become p and ds.
//
// Products are of floats, to which bf16 is widened as it is packed, or of pairs of bf16; then probabilities and ds are
// rounded before they are multiplied. Scores, exponentials and sums are fp32, outputs are rounded once.
// T tokens, H heads, D columns of a head, C = H D, L tokens of a sequence.
#pragma once

#include "distances.h"
#include "philox.h"

namespace dyr {
namespace DYR_ISA {
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
  int32_t threshold;        // of halves that are dropped
  float dropScale;          // of what stays
  const Type* table;        // (R,D), embeddings of distances
  int32_t distances;        // R, 0 where positions are not relative
};

/** What the gradient has besides; dout, dq, dk, dv (T,C). */
template <typename Type>
struct AttentionGradients {
  const Type* dout;
  Type* dq;
  Type* dk;
  Type* dv;
  float* parts;  // of the table's gradient: each run of units has two (R, padded D) sums, of keys and of values
  int32_t run;   // units of a part
};

constexpr int QUERIES = 96;  // at most, in a block: rows of scores that exist at a time
constexpr int KEYS = 512;    // columns of them
constexpr int SCORES_ROW = KEYS + LANES;  // a line more than a power of two, lest columns share sets of the cache
constexpr int BLOCK = DROP_COLUMNS;  // keys that are packed together, and meet queries together in the gradient
constexpr float LOG2_E = 1.44269504f, LN_2 = 0.693147181f;

/** How the queries of a sequence are cut into blocks of nearly one length. */
struct Blocks {
  int length, count;
  DYR_INLINE explicit Blocks(int length) : length(length), count((length + QUERIES - 1) / QUERIES) {}
  DYR_INLINE int begin(int block) const { return static_cast<int>(static_cast<int64_t>(length) * block / count); }
};

using gemm::least;

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

/** Packs the transpose of x (rows, D), a head's columns, in right operands of BLOCK rows, one behind the other. */
template <class Unit, class Type>
void packBlocks(const Type* x, long stride, int rows, int size, float* to) {
  for (int from = 0; from < rows; from += BLOCK) {
    packTransposed<Unit>(x + from * stride, stride, least(rows - from, BLOCK), size,
        to + static_cast<long>(from) * unitsOf<Unit>(size));
  }
}

/** `rows` queries times n keys of one block that packBlocks made; `out` gives what takes the sums of a panel. */
template <class Unit, class Out>
DYR_INLINE void meet(int rows, int n, const float* queries, int units, const float* block, Out out) {
  Panels panels(n);
  for (int p = 0; p < panels.count; p++) {
    int begin = panels.begin(p), width = panels.width(p);
    panel<Unit, false>(width, rows, queries, padded(units), units, block + static_cast<long>(begin) * LANES * units,
        out(begin * LANES, width));
  }
}

template <class Unit>
struct ForwardScratch {
  Scratch s;
  Distances distances;
  float *keys, *values, *queries, *scores, *largest, *sums, *o;
  long floats;

  ForwardScratch(float* base, int longest, int size, int count)
      : s(base), distances(s, least(longest, QUERIES), size, count) {
    long block = least(longest, QUERIES);
    keys = s.take(padded(longest) * unitsOf<Unit>(size));
    values = s.take(unitsOf<Unit>(longest) * padded(size));
    queries = s.take(block * padded(unitsOf<Unit>(size)));
    scores = s.take(block * SCORES_ROW);
    largest = s.take(block * LANES);
    sums = s.take(3 * block);
    o = s.take(block * padded(size));
    floats = s.floats();
  }
};

/** 2^(by x + offset). */
struct Exponential {
  Floats by, offset;
  DYR_INLINE Floats of(const float* x) const { return exp2(fma(load(x), by, offset)); }
};

/**
 * s = 2^(..) as units, in place, of up to N blocks of columns from vector v on; what is dropped is set to zero. The sum
 * of all of them, dropped ones too, is added to `sums`.
 */
template <class Unit, bool DROP, int N>
DYR_INLINE void softmaxBlocks(float* s, int v, int vectors, const Exponential& e, const DropoutRows& drop,
                              int32_t counter, Floats& sums) {
  constexpr int DEPTH = Unit::DEPTH, VECTORS = DROP_VECTORS;
  Mask kept[N][VECTORS];
  if constexpr (DROP) {
    int32_t counters[N];
    for (int i = 0; i < N; i++) counters[i] = counter + (v / VECTORS + i) * DROP_COUNTERS;
    drop.blocks(counters, kept);
  }
  auto step = [&](int i) __attribute__((always_inline)) {
    Floats p[DEPTH];
#pragma GCC unroll 2
    for (int j = 0; j < DEPTH; j++) {
      p[j] = e.of(s + (v + i + j) * LANES);
      sums = add(sums, p[j]);
      if constexpr (DROP) p[j] = keep(p[j], kept[(i + j) / VECTORS][(i + j) % VECTORS]);
    }
    store(s + (v + i) / DEPTH * LANES, Layout<Unit>::along(p));
  };
  if (vectors - v >= N * VECTORS) {
#pragma GCC unroll 16
    for (int i = 0; i < N * VECTORS; i += DEPTH) step(i);
  } else {
    for (int i = 0; i < vectors - v; i += DEPTH) step(i);
  }
}

/** The softmax of a row, not yet over its sum, which it returns. */
template <class Unit, bool DROP>
float softmaxRow(float* s, int vectors, float by, float shift, const DropoutRows& drop, int32_t counter) {
  constexpr int VECTORS = DROP_VECTORS;
  Exponential e{broadcast(by), broadcast(-shift)};
  Floats sums = zero();
  if (vectors % Unit::DEPTH != 0) store(s + vectors++ * LANES, broadcast(-INFINITY));
  int v = 0;
  for (; vectors - v > VECTORS; v += 2 * VECTORS) {
    softmaxBlocks<Unit, DROP, 2>(s, v, vectors, e, drop, counter, sums);
  }
  if (v < vectors) softmaxBlocks<Unit, DROP, 1>(s, v, vectors, e, drop, counter, sums);
  return sum(sums);
}

/** Counters that a row of attention probabilities may use: Philox.ATTENTION_STRIDE. */
constexpr int32_t DROPOUT_STRIDE = 1 << 13;

/** One head of one sequence, a block of queries at a time. Keys and values are packed. */
template <class Type, class Unit>
class Forward {
 public:
  Forward(const AttentionOperands<Type>& x, float* scratch)
      : x(x), own(scratch, x.longest, x.size, x.distances), distances(own.distances),
        stride(static_cast<long>(x.heads) * x.size), row(padded(x.size)), units(unitsOf<Unit>(x.size)),
        by(LOG2_E / std::sqrt(static_cast<float>(x.size))) {
    distances.begin(x.table);
  }

  /** Begins with a head of sequence s. */
  void begin(int s, int head) {
    start = x.offsets[s];
    length = x.offsets[s + 1] - start;
    at = start * stride + static_cast<long>(head) * x.size;
    next = at + toNext(x, head, length);
    logs = x.lse + static_cast<long>(head) * x.tokens + start;
    packBlocks<Unit>(x.k + at, stride, length, x.size, own.keys);
    pack<Unit>(x.v + at, stride, length, x.size, own.values);
    if (x.random) drop = DropoutRows(x.random, x.sequence[s], x.site << 10 | head, x.threshold);
  }

  /** The queries [from, from + rows). */
  void block(int from, int rows) {
    float *shift = own.sums, *total = own.sums + rows, *most = own.sums + 2 * rows;
    copyRows<Unit>(x.q + at + from * stride, stride, rows, x.size, own.queries, padded(units));
    if (distances.any()) {
      distances.meet(distances.keys, rows, own.queries);
      distances.clear(distances.values, rows);
    }
    for (int key = 0; key < length; key += KEYS) {
      int keys = least(length - key, KEYS);
      scores(rows, key, keys);
      for (int r = 0; r < rows; r++) {
        float* s = own.scores + r * static_cast<long>(SCORES_ROW);
        float before = key > 0 ? most[r] : -INFINITY;
        float m = distances.any() ? distances.add(distances.keys, r, from + r, key, s, vectorsOf(keys))
                                  : largest(load(own.largest + r * LANES));
        if (m < before) m = before;
        most[r] = m;
        // Where all scores so far are -infinity, nothing is taken so far: their powers and the factor are 0.
        shift[r] = m > -INFINITY ? m * by : 0;
        if (key == 0) prefetchNext(from + r);
        int32_t counter = (from + r) * DROPOUT_STRIDE + key / DROP_COLUMNS * DROP_COUNTERS;
        float sum = x.random ? softmaxRow<Unit, true>(s, vectorsOf(keys), by, shift[r], drop, counter)
                             : softmaxRow<Unit, false>(s, vectorsOf(keys), by, shift[r], drop, counter);
        if (key > 0) {
          float factor = before > -INFINITY ? std::exp2((before - m) * by) : 0;
          sum += total[r] * factor;
          float* o = own.o + r * row;
          for (int c = 0; c < row; c += LANES) store(o + c, mul(load(o + c), broadcast(factor)));
          if (distances.any()) distances.scale(distances.values, r, factor);
        }
        if (distances.any()) distances.fold(distances.values, r, from + r, key, s, keys);
        total[r] = sum;
      }
      product<Unit, false>(rows, x.size, unitsOf<Unit>(keys), own.scores, SCORES_ROW, own.values,
          unitsOf<Unit>(length), key / Unit::DEPTH, own.o, row, key > 0);
    }
    if (distances.any()) {
      distances.collapse(distances.values, rows);
      distances.addEmbeddings(distances.values, rows, own.o);
    }
    for (int r = 0; r < rows; r++) {
      narrow(own.o + r * row, row, 1, x.size, x.dropScale / total[r], x.o + at + (from + r) * stride, stride);
      logs[from + r] = shift[r] * LN_2 + std::log(total[r]);
    }
  }

 private:
  /** One row of the operands of the head that follows, while this one computes. */
  void prefetchNext(int i) const {
    long to = next + i * stride;
    prefetch(x.q + to, x.size);
    prefetch(x.k + to, x.size);
    prefetch(x.v + to, x.size);
  }

  void scores(int rows, int key, int keys) {
    for (int i = 0; i < rows; i++) store(own.largest + i * LANES, broadcast(-INFINITY));
    for (int c = 0; c < keys; c += BLOCK) {
      int n = least(keys - c, BLOCK);
      const float* block = own.keys + static_cast<long>(key + c) * units;
      meet<Unit>(rows, n, own.queries, units, block, [&](int begin, int width) {
        return Scores{own.scores + c + begin, own.largest, atMost(n - begin - (width - 1) * LANES)};
      });
    }
  }

  const AttentionOperands<Type>& x;
  ForwardScratch<Unit> own;
  Distances& distances;
  long stride, row;
  int units;  // of a head's columns
  float by;
  int start = 0, length = 0;
  long at = 0, next = 0;
  float* logs = nullptr;
  DropoutRows drop;
};

constexpr int STRIP = 12;  // queries that meet a block of keys together, in the first cache

template <class Unit>
struct GradientScratch {
  static constexpr bool PAIRS = Unit::DEPTH > 1;
  static constexpr long DS_ROW = KEYS / Unit::DEPTH + LANES;
  Scratch s;
  Distances distances;
  float *keysTransposed, *valuesTransposed, *keys;        // of the head
  float *queries, *douts, *queryPanels, *doutPanels;      // of the block of queries
  float *shift, *delta;
  float *scores, *dp;                                     // (STRIP, BLOCK)
  float *p, *dsAcross;                                    // (units of queries, BLOCK), as left operands transposed
  float *ds;                                              // (queries, DS_ROW)
  float *dq, *dk, *dv;
  long floats;

  GradientScratch(float* base, int longest, int size, int count)
      : s(base), distances(s, least(longest, QUERIES), size, count) {
    int units = unitsOf<Unit>(size), across = unitsOf<Unit>(least(longest, QUERIES));
    long block = across * Unit::DEPTH, row = padded(size);
    keysTransposed = s.take(padded(longest) * units);
    valuesTransposed = s.take(padded(longest) * units);
    keys = s.take(unitsOf<Unit>(longest) * row);
    queries = s.take(block * padded(units));
    douts = s.take(block * padded(units));
    queryPanels = s.take(across * row);
    doutPanels = s.take(across * row);
    shift = s.take(block);
    delta = s.take(block);
    scores = s.take(STRIP * BLOCK);
    dp = s.take(STRIP * BLOCK);
    p = s.take(across * BLOCK);
    ds = s.take(block * DS_ROW);
    dsAcross = PAIRS ? s.take(across * BLOCK) : ds;  // floats are the same either way
    dq = s.take(block * row);
    dk = s.take(longest * row);
    dv = s.take(longest * row);
    floats = s.floats();
  }
};

/**
 * The gradient of one head of one sequence, all its queries, a block at a time. What is called ds and delta is either
 * over dropScale: the outputs make up for it.
 */
template <class Type, class Unit>
class Backward {
 public:
  Backward(const AttentionOperands<Type>& x, const AttentionGradients<Type>& d, float* scratch)
      : x(x), d(d), own(scratch, x.longest, x.size, x.distances), distances(own.distances),
        stride(static_cast<long>(x.heads) * x.size), row(padded(x.size)), units(unitsOf<Unit>(x.size)),
        scale(1 / std::sqrt(static_cast<float>(x.size))) {
    distances.begin(x.table);
  }

  void unit(int s, int head, float* tablePart) {
    part = tablePart;
    int start = x.offsets[s];
    length = x.offsets[s + 1] - start;
    at = start * stride + static_cast<long>(head) * x.size;
    next = at + toNext(x, head, length);
    logs = x.lse + static_cast<long>(head) * x.tokens + start;
    packBlocks<Unit>(x.k + at, stride, length, x.size, own.keysTransposed);
    packBlocks<Unit>(x.v + at, stride, length, x.size, own.valuesTransposed);
    pack<Unit>(x.k + at, stride, length, x.size, own.keys);
    if (x.random) drop = DropoutRows(x.random, x.sequence[s], x.site << 10 | head, x.threshold);
    Blocks blocks(length);
    for (int b = 0; b < blocks.count; b++) block(blocks.begin(b), blocks.begin(b + 1) - blocks.begin(b));
    narrow(own.dk, row, length, x.size, scale * x.dropScale, d.dk + at, stride);
    narrow(own.dv, row, length, x.size, x.dropScale, d.dv + at, stride);
  }

 private:
  static constexpr int DEPTH = Unit::DEPTH, VECTORS = DROP_VECTORS;
  static constexpr long DS_ROW = GradientScratch<Unit>::DS_ROW;

  /** The queries [from, from + rows). */
  void block(int from, int rows) {
    long first = at + from * stride;
    copyRows<Unit>(x.q + first, stride, rows, x.size, own.queries, padded(units));
    copyRows<Unit>(d.dout + first, stride, rows, x.size, own.douts, padded(units));
    pack<Unit>(x.q + first, stride, rows, x.size, own.queryPanels);
    pack<Unit>(d.dout + first, stride, rows, x.size, own.doutPanels);
    for (int r = 0; r < rows; r++) {
      own.shift[r] = logs[from + r] * LOG2_E;
      own.delta[r] = dot(d.dout + first + r * stride, x.o + first + r * stride) / x.dropScale;
    }
    int across = unitsOf<Unit>(rows);
    if (rows % DEPTH != 0) {  // the row that is missing of a pair has probabilities of zero
      own.shift[rows] = INFINITY;
      own.delta[rows] = 0;
    }
    if (distances.any()) {
      distances.meet(distances.keys, rows, own.queries);
      distances.meet(distances.values, rows, own.douts);
    }
    for (int key = 0; key < length; key += BLOCK) {
      int n = least(length - key, BLOCK), begun = key / KEYS * KEYS;
      float* ds = own.ds + (key - begun) / DEPTH;
      float* dsAcross = DEPTH > 1 ? own.dsAcross : ds;
      long acrossRow = DEPTH > 1 ? BLOCK : DS_ROW;
      for (int strip = 0; strip < rows; strip += STRIP) {
        int some = least(rows - strip, STRIP);
        products(strip, some, key, n);
        for (int r = strip; r < strip + some; r += DEPTH) {
          if (key == 0) prefetchNext(from + r);
          if (distances.any()) {
            distances.add(distances.keys, r, from + r, key, own.scores + (r - strip) * BLOCK, vectorsOf(n));
            distances.add(distances.values, r, from + r, key, own.dp + (r - strip) * BLOCK, vectorsOf(n));
          }
          int32_t counter = (from + r) * DROPOUT_STRIDE + key / DROP_COLUMNS * DROP_COUNTERS;
          if (x.random) gradientRows<true>(r, r - strip, vectorsOf(n), counter, ds, dsAcross, acrossRow);
          else gradientRows<false>(r, r - strip, vectorsOf(n), counter, ds, dsAcross, acrossRow);
          if (distances.any()) {
            distances.fold(distances.keys, r, from + r, key, ds + r * DS_ROW, n);
            distances.fold(distances.values, r, from + r, key, own.p + r * BLOCK, n);
          }
        }
      }
      if (n % DEPTH != 0) {  // a key that is missing of a pair
        for (int r = 0; r < rows; r++) reinterpret_cast<bf16*>(ds + r * DS_ROW)[n] = bf16{0};
      }
      product<Unit, true>(n, x.size, across, dsAcross, acrossRow, own.queryPanels, across, 0, own.dk + key * row, row,
          from > 0);
      product<Unit, true>(n, x.size, across, own.p, BLOCK, own.doutPanels, across, 0, own.dv + key * row, row,
          from > 0);
      int keys = key + n - begun;
      if (keys == KEYS || key + n == length) {
        product<Unit, false>(rows, x.size, unitsOf<Unit>(keys), own.ds, DS_ROW, own.keys, unitsOf<Unit>(length),
            begun / DEPTH, own.dq, row, begun > 0);
      }
    }
    if (distances.any()) {
      distances.collapse(distances.keys, rows);
      distances.collapse(distances.values, rows);
      distances.addEmbeddings(distances.keys, rows, own.dq);
      distances.addGradient(distances.keys, rows, own.queryPanels, part);
      distances.addGradient(distances.values, rows, own.doutPanels, part + x.distances * row);
    }
    narrow(own.dq, row, rows, x.size, scale * x.dropScale, d.dq + first, stride);
  }

  /** One row of the operands of the head that follows, while this one computes. */
  void prefetchNext(int i) const {
    long to = next + i * stride;
    for (int j = 0; j < DEPTH; j++, to += stride) {
      prefetch(x.q + to, x.size);
      prefetch(x.k + to, x.size);
      prefetch(x.v + to, x.size);
      prefetch(x.o + to, x.size);
      prefetch(d.dout + to, x.size);
    }
  }

  /** scores = q k^T and dp = do v^T of a strip of queries and the n keys of a block. */
  void products(int strip, int rows, int key, int n) {
    long left = strip * padded(units), right = static_cast<long>(key) * units;
    meet<Unit>(rows, n, own.queries + left, units, own.keysTransposed + right,
        [&](int begin, int) { return Sums{own.scores + begin, BLOCK, false}; });
    meet<Unit>(rows, n, own.douts + left, units, own.valuesTransposed + right,
        [&](int begin, int) { return Sums{own.dp + begin, BLOCK, false}; });
    if (rows % DEPTH != 0) {
      std::memset(own.scores + rows * BLOCK, 0, BLOCK * sizeof(float));
      std::memset(own.dp + rows * BLOCK, 0, BLOCK * sizeof(float));
    }
  }

  /**
   * Of the rows that make units from r on, the strip's `at`: p = 2^(by scores - shift), ds = p (dropped(dp) - delta),
   * and of p what is dropped set to zero.
   */
  template <bool DROP>
  void gradientRows(int r, int at, int vectors, int32_t counter, float* ds, float* dsAcross, long acrossRow) {
    const float *s = own.scores + at * BLOCK, *dp = own.dp + at * BLOCK;
    float* p = own.p + r / DEPTH * BLOCK;
    ds += r * DS_ROW;
    dsAcross += r / DEPTH * acrossRow;
    Exponential e[DEPTH];
    Floats less[DEPTH];
    int32_t counters[DEPTH];
    for (int j = 0; j < DEPTH; j++) {
      e[j] = {broadcast(scale * LOG2_E), broadcast(-own.shift[r + j])};
      less[j] = broadcast(-own.delta[r + j]);
      counters[j] = counter + j * DROPOUT_STRIDE;
    }
    Mask kept[DEPTH][VECTORS];
    if constexpr (DROP) drop.blocks(counters, kept);
    auto step = [&](int v) __attribute__((always_inline)) {
      Floats rowP[DEPTH][DEPTH], rowDs[DEPTH][DEPTH];  // by vector and row
#pragma GCC unroll 2
      for (int i = 0; i < DEPTH; i++) {
#pragma GCC unroll 2
        for (int j = 0; j < DEPTH; j++) {
          int c = j * BLOCK + (v + i) * LANES;
          Floats x = e[j].of(s + c);
          if constexpr (DROP) {
            rowDs[i][j] = mul(x, addWhere(less[j], load(dp + c), kept[j][v + i]));
            rowP[i][j] = keep(x, kept[j][v + i]);
          } else {
            rowDs[i][j] = mul(x, add(less[j], load(dp + c)));
            rowP[i][j] = x;
          }
        }
        store(p + (v + i) * LANES, Layout<Unit>::across(rowP[i]));
        store(dsAcross + (v + i) * LANES, Layout<Unit>::across(rowDs[i]));
      }
      if constexpr (DEPTH > 1) {
        for (int j = 0; j < DEPTH; j++) {
          Floats x[DEPTH] = {rowDs[0][j], rowDs[1][j]};
          store(ds + j * DS_ROW + v / DEPTH * LANES, Layout<Unit>::along(x));
        }
      }
    };
    if (vectors == VECTORS) {
#pragma GCC unroll 8
      for (int v = 0; v < VECTORS; v += DEPTH) step(v);
    } else {
      for (int v = 0; v < vectors; v += DEPTH) step(v);
    }
  }

  float dot(const Type* a, const Type* b) const {
    int whole = x.size / LANES * LANES;
    Mask rest = DYR_ISA::first(x.size - whole);
    Floats sums = zero();
    for (int c = 0; c < whole; c += LANES) sums = fma(load(a + c), load(b + c), sums);
    if (x.size > whole) sums = fma(load(a + whole, rest), load(b + whole, rest), sums);
    return sum(sums);
  }

  const AttentionOperands<Type>& x;
  const AttentionGradients<Type>& d;
  GradientScratch<Unit> own;
  Distances& distances;
  long stride, row;
  int units;  // of a head's columns
  float scale;
  int length = 0;
  float* part = nullptr;  // of the table's gradient
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
template <class Unit, class Type>
void attention(const AttentionOperands<Type>& x, float* scratch, int worker, int workers) {
  int64_t total = workOf(x) * x.heads, at = 0;
  int64_t from = shareBegin(total, worker, workers), to = shareBegin(total, worker + 1, workers);
  Forward<Type, Unit> forward(x, scratch);
  for (int s = 0; s < x.sequences && at < to; s++) {
    int64_t length = x.offsets[s + 1] - x.offsets[s];
    Blocks blocks(static_cast<int>(length));
    for (int h = 0; h < x.heads; h++, at += length * length) {
      if (at + length * length <= from || at >= to) continue;
      bool begun = false;
      for (int b = 0; b < blocks.count; b++) {
        int64_t q = blocks.begin(b);
        if (at + q * length < from || at + q * length >= to) continue;
        if (!begun) forward.begin(s, h);
        begun = true;
        forward.block(static_cast<int>(q), static_cast<int>(blocks.begin(b + 1) - q));
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

/**
 * A worker's share of the gradient: whole heads of sequences, dealt out in order by the squares of their lengths. With
 * distances, a run of units goes to one worker, which clears its part first, so that the sums do not depend on the
 * number of workers.
 */
template <class Unit, class Type>
void attentionGradient(const AttentionOperands<Type>& x, const AttentionGradients<Type>& d, float* scratch, int worker,
                       int workers) {
  int64_t total = workOf(x) * x.heads, at = 0, number = 0;
  int64_t from = shareBegin(total, worker, workers), to = shareBegin(total, worker + 1, workers);
  long sums = 2 * x.distances * padded(x.size);
  bool mine = false;
  Backward<Type, Unit> backward(x, d, scratch);
  for (int s = 0; s < x.sequences; s++) {
    int64_t length = x.offsets[s + 1] - x.offsets[s];
    for (int h = 0; h < x.heads; h++, number++, at += length * length) {
      float* part = d.parts + number / d.run * sums;
      if (number % d.run == 0) {
        mine = at >= from && (at < to || worker == workers - 1);
        if (mine && sums > 0) std::memset(part, 0, sums * sizeof(float));
      }
      if (mine && length > 0) backward.unit(s, h, part);
    }
  }
  clearRest(x, d.dq, worker, workers);
  clearRest(x, d.dk, worker, workers);
  clearRest(x, d.dv, worker, workers);
}

}  // namespace flash

/**
 * Floats of scratch: what a worker needs in the forward pass, what it needs in the gradient, and one part of the
 * table's gradient. `distances` is 0 where positions are not relative.
 */
inline void attentionScratch(int64_t* floats, int32_t longest, int32_t size, int32_t distances) {
  using gemm::Single;
  using Unit = gemm::UnitOf<bf16>::type;
  int64_t single = flash::ForwardScratch<Single>(nullptr, longest, size, distances).floats;
  int64_t other = flash::ForwardScratch<Unit>(nullptr, longest, size, distances).floats;
  floats[0] = single > other ? single : other;
  single = flash::GradientScratch<Single>(nullptr, longest, size, distances).floats;
  other = flash::GradientScratch<Unit>(nullptr, longest, size, distances).floats;
  floats[1] = single > other ? single : other;
  floats[2] = 2 * distances * flash::padded(size);
}

/**
 * A worker's share of org.dyr.op.Attention or RelativeAttention; shapes and meanings as in
 * flash::AttentionOperands.
 */
template <class T>
void attention(const T* q, const T* k, const T* v, const int32_t* offsets, const int32_t* random,
               const int32_t* sequence, const T* table, T* o, float* lse, int32_t tokens, int32_t sequences,
               int32_t heads, int32_t size, int32_t longest, int32_t site, int32_t threshold, float dropScale,
               int32_t distances, float* scratch, int32_t worker, int32_t workers) {
  flash::AttentionOperands<T> x{q, k, v, o, lse, offsets, random, sequence, tokens, sequences, heads, size, longest,
      site, threshold, dropScale, table, distances};
  // Relative positions take all products in floats.
  if (distances > 0) flash::attention<gemm::Single>(x, scratch, worker, workers);
  else flash::attention<typename gemm::UnitOf<T>::type>(x, scratch, worker, workers);
}

/** A worker's share of the gradient, all but the table's, of which it leaves the parts. */
template <class T>
void attentionGradient(const T* dout, const T* q, const T* k, const T* v, const T* o, const float* lse,
                       const int32_t* offsets, const int32_t* random, const int32_t* sequence, const T* table, T* dq,
                       T* dk, T* dv, int32_t tokens, int32_t sequences, int32_t heads, int32_t size, int32_t longest,
                       int32_t site, int32_t threshold, float dropScale, int32_t distances, float* parts, int32_t run,
                       float* scratch, int32_t worker, int32_t workers) {
  flash::AttentionOperands<T> x{q, k, v, const_cast<T*>(o), const_cast<float*>(lse), offsets, random, sequence, tokens,
      sequences, heads, size, longest, site, threshold, dropScale, table, distances};
  flash::AttentionGradients<T> d{dout, dq, dk, dv, parts, run};
  if (distances > 0) flash::attentionGradient<gemm::Single>(x, d, scratch, worker, workers);
  else flash::attentionGradient<typename gemm::UnitOf<T>::type>(x, d, scratch, worker, workers);
}

/** The gradient of the rows [from, to) of the table (R,D): the parts added in order, those of keys over sqrt(D). */
template <class T>
void distancesGradient(float* parts, int32_t count, T* da, int64_t from, int64_t to, int32_t distances, int32_t size,
                       float dropScale) {
  long row = flash::padded(size), half = distances * row;
  Floats keys = broadcast(dropScale / std::sqrt(static_cast<float>(size))), values = broadcast(dropScale);
  for (int64_t r = from; r < to; r++) {
    for (int c = 0; c < size; c += LANES) {
      Floats x = zero(), y = zero();
      for (int p = 0; p < count; p++) {
        const float* part = parts + 2 * half * p + r * row + c;
        x = add(x, load(part));
        y = add(y, load(part + half));
      }
      store(da + r * size + c, fma(keys, x, mul(values, y)), atMost(size - c));
    }
  }
}

}  // namespace DYR_ISA
}  // namespace dyr
