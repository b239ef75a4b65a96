// Attention over packed sequences, forward and gradient: org.dyr.op.Attention has the formulas, DropoutRows the masks.
//
// A worker takes a head of a sequence, packs keys and values once as right operands of products, and goes through the
// queries QUERIES at a time: scores against KEYS keys, softmax, product with the values. A block of scores stays in the
// second cache. Where a sequence is longer than KEYS, rows begun are rescaled to the maximum of each block of keys.
//
// Operands are widened to fp32 as they are packed, sums are fp32, outputs are rounded once.
// T tokens, H heads, D columns of a head, C = H D, L tokens of a sequence.
#pragma once

#include "distances.h"

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
  int32_t threshold;        // of words that are dropped
  float dropScale;          // 1/(1-p)
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

constexpr int QUERIES = 96;  // in a block: rows of scores that exist at a time
constexpr int KEYS = 512;    // columns of them
constexpr int SCORES_ROW = KEYS + LANES;  // a line more than a power of two, lest columns share sets of the cache
constexpr float LOG2_E = 1.44269504f, LN_2 = 0.693147181f;

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

struct ForwardScratch {
  Scratch s;
  long block;
  Distances distances;
  float *keys, *values, *queries, *scores, *largest, *sums, *o;
  long floats;

  ForwardScratch(float* base, int longest, int size, int count)
      : s(base), block(longest < QUERIES ? longest : QUERIES), distances(s, block, size, count) {
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
  Scratch s;
  long block;
  Distances distances;
  float *keysTransposed, *valuesTransposed, *keys, *queries, *douts, *queryPanels, *doutPanels, *p, *ds, *dq, *dk, *dv;
  long floats;

  GradientScratch(float* base, int longest, int size, int count)
      : s(base), block(longest < QUERIES ? longest : QUERIES), distances(s, block, size, count) {
    long row = padded(size);
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
      : x(x), own(scratch, x.longest, x.size, x.distances), distances(own.distances),
        stride(static_cast<long>(x.heads) * x.size), row(padded(x.size)),
        by(LOG2_E / std::sqrt(static_cast<float>(x.size))) {
    distances.begin(x.table, 1);
  }

  /** Begins with a head of sequence s. */
  void begin(int s, int head) {
    start = x.offsets[s];
    length = x.offsets[s + 1] - start;
    at = start * stride + static_cast<long>(head) * x.size;
    next = at + toNext(x, head, length);
    logs = x.lse + static_cast<long>(head) * x.tokens + start;
    for (int from = 0; from < length; from += KEYS) {
      packTransposed(x.k + at + from * stride, stride, keysFrom(from), x.size, 1,
          own.keys + static_cast<long>(from) * x.size);
    }
    pack(x.v + at, stride, length, x.size, own.values);
    if (x.random) drop = DropoutRows(x.random, x.sequence[s], x.site << 10 | head, x.threshold);
  }

  /** The queries from `from` on, a block of them. */
  void block(int from) {
    int rows = length - from < QUERIES ? length - from : QUERIES;
    float *shift = own.sums, *total = own.sums + rows, *most = own.sums + 2 * rows;
    widen(x.q + at + from * stride, stride, rows, x.size, own.queries, row);
    if (distances.any()) distances.meet(distances.keys, rows, own.queries);
    if (distances.any()) distances.clear(distances.values, rows);
    for (int key = 0; key < length; key += KEYS) {
      int keys = keysFrom(key);
      for (int i = 0; i < rows; i++) store(own.largest + i * LANES, broadcast(-INFINITY));
      scores(rows, keys, own.keys + static_cast<long>(key) * x.size);
      for (int r = 0; r < rows; r++) {
        float* s = own.scores + r * static_cast<long>(SCORES_ROW);
        float before = key > 0 ? most[r] : -INFINITY;
        float m = distances.any() ? distances.add(distances.keys, r, from + r, key, s, vectorsOf(keys))
                                  : largest(load(own.largest + r * LANES));
        if (m < before) m = before;
        most[r] = m;
        shift[r] = m * by;
        if (key == 0) prefetchNext(from + r);
        int32_t counter = (from + r) * DROPOUT_STRIDE + key / 4;
        float sum = x.random ? softmaxRow<true>(s, vectorsOf(keys), by, shift[r], drop, counter)
                             : softmaxRow<false>(s, vectorsOf(keys), by, shift[r], drop, counter);
        if (key > 0) {
          float factor = std::exp2((before - m) * by);
          sum += total[r] * factor;
          float* o = own.o + r * row;
          for (int c = 0; c < row; c += LANES) store(o + c, mul(load(o + c), broadcast(factor)));
          if (distances.any()) distances.scale(distances.values, r, factor);
        }
        if (distances.any()) distances.fold(distances.values, r, from + r, key, s, keys);
        total[r] = sum;
      }
      product<false>(rows, x.size, keys, own.scores, SCORES_ROW, own.values, length, key, own.o, row, key > 0);
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
  Distances& distances;
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
      : x(x), d(d), own(scratch, x.longest, x.size, x.distances), distances(own.distances),
        stride(static_cast<long>(x.heads) * x.size), row(padded(x.size)),
        scale(1 / std::sqrt(static_cast<float>(x.size))) {
    distances.begin(x.table, x.dropScale);
  }

  void unit(int s, int head, float* tablePart) {
    part = tablePart;
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
    if (distances.any()) {
      distances.meet(distances.keys, rows, own.queries);
      distances.meet(distances.values, rows, own.douts);
    }
    for (int key = 0; key < length; key += KEYS) {
      int keys = keysFrom(key);
      products(rows, keys, key);
      for (int r = 0; r < rows; r++) {
        float delta = dot(own.douts + r * row, x.o + first + r * stride), shift = logs[from + r] * LOG2_E;
        if (key == 0) prefetchNext(from + r);
        long s = r * static_cast<long>(SCORES_ROW);
        int32_t counter = (from + r) * DROPOUT_STRIDE + key / 4;
        if (distances.any()) {
          distances.add(distances.keys, r, from + r, key, own.p + s, vectorsOf(keys));
          distances.add(distances.values, r, from + r, key, own.ds + s, vectorsOf(keys));
        }
        if (x.random) gradientRow<true>(own.p + s, own.ds + s, vectorsOf(keys), scale * LOG2_E, shift, delta, drop,
            counter);
        else gradientRow<false>(own.p + s, own.ds + s, vectorsOf(keys), scale * LOG2_E, shift, delta, drop, counter);
        if (distances.any()) {
          distances.fold(distances.keys, r, from + r, key, own.ds + s, keys);
          distances.fold(distances.values, r, from + r, key, own.p + s, keys);
        }
      }
      product<false>(rows, x.size, keys, own.ds, SCORES_ROW, own.keys, length, key, own.dq, row, key > 0);
      product<true>(keys, x.size, rows, own.ds, SCORES_ROW, own.queryPanels, rows, 0, own.dk + key * row, row,
          from > 0);
      product<true>(keys, x.size, rows, own.p, SCORES_ROW, own.doutPanels, rows, 0, own.dv + key * row, row, from > 0);
    }
    if (distances.any()) {
      distances.collapse(distances.keys, rows);
      distances.collapse(distances.values, rows);
      distances.addEmbeddings(distances.keys, rows, own.dq);
      distances.addGradient(distances.keys, rows, own.queryPanels, part);
      distances.addGradient(distances.values, rows, own.doutPanels, part + x.distances * row);
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
      panel<false>(width, rows, own.queries, row, x.size, own.keysTransposed + right, Sums{own.p + begin * LANES,
          SCORES_ROW, false});
      panel<false>(width, rows, own.douts, row, x.size, own.valuesTransposed + right, Sums{own.ds + begin * LANES,
          SCORES_ROW, false});
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
  Distances& distances;
  long stride, row;
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

/**
 * A worker's share of the gradient: whole heads of sequences, dealt out in order by the squares of their lengths. With
 * distances, a run of units goes to one worker, which clears its part first, so that the sums do not depend on the
 * number of workers.
 */
template <typename Type>
void attentionGradient(const AttentionOperands<Type>& x, const AttentionGradients<Type>& d, float* scratch, int worker,
                       int workers) {
  int64_t total = workOf(x) * x.heads, at = 0, number = 0;
  int64_t from = shareBegin(total, worker, workers), to = shareBegin(total, worker + 1, workers);
  long sums = 2 * x.distances * padded(x.size);
  bool mine = false;
  Backward<Type> backward(x, d, scratch);
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
  floats[0] = flash::ForwardScratch(nullptr, longest, size, distances).floats;
  floats[1] = flash::GradientScratch(nullptr, longest, size, distances).floats;
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
  flash::attention(x, scratch, worker, workers);
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
  flash::attentionGradient(x, flash::AttentionGradients<T>{dout, dq, dk, dv, parts, run}, scratch, worker, workers);
}

/** The gradient of the rows [from, to) of the table (R,D): the parts added in order, those of keys over sqrt(D). */
template <class T>
void distancesGradient(float* parts, int32_t count, T* da, int64_t from, int64_t to, int32_t distances, int32_t size,
                       float dropScale) {
  long row = flash::padded(size), half = distances * row;
  Floats keys = broadcast(1 / std::sqrt(static_cast<float>(size))), values = broadcast(dropScale);
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
