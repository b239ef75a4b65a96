// Attention where only the first token of each sequence asks, Queries.FIRST: org.dyr.op.Attention has the formulas,
// DropoutRows the masks. There is one row of scores a head, so nothing is packed: a worker takes neighbouring heads of
// a sequence, which stand side by side in the rows of keys and values, and goes through these rows in order. Bound by
// memory: forward reads T C elements of each, the gradient reads them and writes as many.
//
// T tokens, S sequences, H heads, D columns of a head, C = H D, L tokens of a sequence.
#pragma once

#include "attention.h"
#include "gather.h"

namespace dyr {
namespace DYR_ISA {
namespace flash {

/** What forward and gradient are told alike. */
template <class T>
struct FirstOperands {
  const T* q;               // (S,C)
  const T* k;               // (T,C), as v
  const T* v;
  const int32_t* offsets;   // (S+1)
  const int32_t* random;    // (4); null where nothing is dropped
  const int32_t* sequence;  // (S)
  int32_t sequences, heads, size, site;
  int32_t threshold;        // of halves that are dropped
  float dropScale;          // of what stays

  long columns() const { return static_cast<long>(heads) * size; }
  long row() const { return padded(size); }
  float scale() const { return 1 / std::sqrt(static_cast<float>(size)); }

  /** What stays of 64 keys from `key` on, for the first query of sequence s. */
  DYR_INLINE void kept(int s, int head, int key, Mask (&m)[DROP_VECTORS]) const {
    if (random == nullptr) {
      for (Mask& all : m) all = first(LANES);
      return;
    }
    const int32_t counter[1] = {key / DROP_COLUMNS * DROP_COUNTERS};
    Mask drawn[1][DROP_VECTORS];
    DropoutRows(random, sequence[s], site << 10 | head, threshold).blocks(counter, drawn);
    for (int v = 0; v < DROP_VECTORS; v++) m[v] = drawn[0][v];
  }
};

/** Keys whose masks are drawn together. */
constexpr int FIRST_KEYS = DROP_COLUMNS;

struct FirstForwardScratch {
  Scratch s;
  long width;  // of a row of scores: whole blocks, and a line more, lest heads share sets of the cache
  float *queries, *scores, *factors, *sums;

  FirstForwardScratch(float* base, int heads, int size, int longest)
      : s(base), width((longest + FIRST_KEYS - 1L) / FIRST_KEYS * FIRST_KEYS + LANES) {
    queries = s.take(heads * padded(size));
    scores = s.take(heads * width);
    factors = s.take(heads);
    sums = s.take(heads * padded(size));
  }
};

struct FirstGradientScratch {
  Scratch s;
  float *queries, *douts, *dq, *p, *ds, *deltas;

  FirstGradientScratch(float* base, int heads, int size) : s(base) {
    queries = s.take(heads * padded(size));
    douts = s.take(heads * padded(size));
    dq = s.take(heads * padded(size));
    p = s.take(static_cast<long>(heads) * FIRST_KEYS);
    ds = s.take(static_cast<long>(heads) * FIRST_KEYS);
    deltas = s.take(heads);
  }
};

/** to = by x, `size` elements as floats, zeros up to the end of the last vector. */
template <class T>
DYR_INLINE void widenScaled(const T* x, float by, int size, float* to) {
  vectors(0, size, [=](int64_t i, auto m) DYR_BODY { store(to + i, mul(load(x + i, m), broadcast(by))); });
}

/** a . b of `size` elements; a has zeros up to the end of its last vector. */
template <class T>
DYR_INLINE float dotRow(const float* a, const T* b, int size) {
  Floats sums = zero();
  vectors(0, size, [&](int64_t i, auto m) DYR_BODY { sums = fma(load(a + i), load(b + i, m), sums); });
  return sum(sums);
}

/** y += by x. */
template <class T>
DYR_INLINE void addScaled(float* y, const T* x, float by, int size) {
  vectors(0, size, [=](int64_t i, auto m) DYR_BODY {
    store(y + i, fma(broadcast(by), load(x + i, m), load(y + i)));
  });
}

/** y = by x. */
template <class T>
DYR_INLINE void scaled(const float* x, float by, int size, T* y) {
  vectors(0, size, [=](int64_t i, auto m) DYR_BODY { store(y + i, mul(load(x + i), broadcast(by)), m); });
}

/**
 * Calls f(s, from, to) for the heads [from, to) of the sequences that a worker takes: heads are dealt out in order by
 * their keys, and what a head costs besides, in keys. An empty sequence's go to the first worker.
 */
template <class F>
DYR_INLINE void dealHeads(const int32_t* offsets, int sequences, int heads, int besides, int worker, int workers, F f) {
  int64_t total = 0, at = 0;
  for (int s = 0; s < sequences; s++) {
    int64_t length = offsets[s + 1] - offsets[s];
    if (length > 0) total += (length + besides) * heads;
  }
  int64_t from = total * worker / workers, to = total * (worker + 1) / workers;
  for (int s = 0; s < sequences; s++) {
    int64_t length = offsets[s + 1] - offsets[s], cost = length + besides;
    if (length == 0) {
      if (worker == 0) f(s, 0, heads);
      continue;
    }
    // The heads whose work begins in [from, to).
    auto head = [=](int64_t work) {
      int64_t h = work <= at ? 0 : (work - at + cost - 1) / cost;
      return static_cast<int>(h < heads ? h : heads);
    };
    if (head(from) < head(to)) f(s, head(from), head(to));
    at += cost * heads;
  }
}

/** p = 2^(log2(e) (s - most)) of one row, what is dropped of it set to zero; returns the sum, dropped ones too. */
template <class T>
float firstSoftmax(const FirstOperands<T>& x, int s, int head, float* row, int length, float& most) {
  int width = (length + FIRST_KEYS - 1) / FIRST_KEYS * FIRST_KEYS;
  for (int j = length; j < width; j++) row[j] = -INFINITY;
  Floats m = load(row), sums = zero();
  for (int j = LANES; j < width; j += LANES) m = max(m, load(row + j));
  most = largest(m);
  Floats log2e = broadcast(LOG2_E), shift = broadcast(-most * LOG2_E);
  for (int key = 0; key < width; key += FIRST_KEYS) {
    Mask kept[DROP_VECTORS];
    x.kept(s, head, key, kept);
    for (int i = 0; i < DROP_VECTORS; i++) {
      Floats p = exp2(fma(load(row + key + i * LANES), log2e, shift));
      sums = add(sums, p);
      store(row + key + i * LANES, keep(p, kept[i]));
    }
  }
  return sum(sums);
}

template <class T>
void firstForward(const FirstOperands<T>& x, const FirstForwardScratch& own, int s, int from, int to, T* o,
                  float* lse) {
  long columns = x.columns(), row = x.row(), at = s * columns;
  int start = x.offsets[s], length = x.offsets[s + 1] - start;
  if (length == 0) {
    std::memset(static_cast<void*>(o + at), 0, columns * sizeof(T));
    for (int h = 0; h < x.heads; h++) lse[static_cast<long>(h) * x.sequences + s] = 0;
    return;
  }
  for (int h = from; h < to; h++) widenScaled(x.q + at + h * x.size, x.scale(), x.size, own.queries + h * row);
  const T *k = x.k + start * columns, *v = x.v + start * columns;
  for (int j = 0; j < length; j++, k += columns) {
    for (int h = from; h < to; h++) {
      own.scores[h * own.width + j] = dotRow(own.queries + h * row, k + h * x.size, x.size);
    }
  }
  for (int h = from; h < to; h++) {
    float most, total = firstSoftmax(x, s, h, own.scores + h * own.width, length, most);
    lse[static_cast<long>(h) * x.sequences + s] = most + std::log(total);
    own.factors[h] = x.dropScale / total;
  }
  std::memset(own.sums + from * row, 0, (to - from) * row * sizeof(float));
  for (int j = 0; j < length; j++, v += columns) {
    for (int h = from; h < to; h++) {
      addScaled(own.sums + h * row, v + h * x.size, own.scores[h * own.width + j], x.size);
    }
  }
  for (int h = from; h < to; h++) scaled(own.sums + h * row, own.factors[h], x.size, o + at + h * x.size);
}

/** What the gradient has besides; dout, o, dq (S,C), lse (H,S), dk, dv (T,C). */
template <class T>
struct FirstGradients {
  const T* dout;
  const T* o;
  const float* lse;
  T* dq;
  T* dk;
  T* dv;
};

template <class T>
void firstGradient(const FirstOperands<T>& x, const FirstGradients<T>& d, const FirstGradientScratch& own, int s,
                   int from, int to) {
  long columns = x.columns(), row = x.row(), at = s * columns;
  int start = x.offsets[s], length = x.offsets[s + 1] - start;
  if (length == 0) {
    std::memset(static_cast<void*>(d.dq + at), 0, columns * sizeof(T));
    return;
  }
  for (int h = from; h < to; h++) {
    long head = at + h * x.size;
    widenScaled(d.dout + head, 1, x.size, own.douts + h * row);
    own.deltas[h] = dotRow(own.douts + h * row, d.o + head, x.size);
    widenScaled(own.douts + h * row, x.dropScale, x.size, own.douts + h * row);
    widenScaled(x.q + head, x.scale(), x.size, own.queries + h * row);
  }
  std::memset(own.dq + from * row, 0, (to - from) * row * sizeof(float));
  for (int key = 0; key < length; key += FIRST_KEYS) {
    int keys = length - key < FIRST_KEYS ? length - key : FIRST_KEYS;
    long block = (start + key) * columns;
    for (int j = 0; j < keys; j++) {
      const T *k = x.k + block + j * columns, *v = x.v + block + j * columns;
      for (int h = from; h < to; h++) {
        own.p[h * FIRST_KEYS + j] = dotRow(own.queries + h * row, k + h * x.size, x.size);
        own.ds[h * FIRST_KEYS + j] = dotRow(own.douts + h * row, v + h * x.size, x.size);
      }
    }
    for (int h = from; h < to; h++) {
      Floats shift = broadcast(-d.lse[static_cast<long>(h) * x.sequences + s] * LOG2_E);
      Floats less = broadcast(-own.deltas[h]);
      float *p = own.p + h * FIRST_KEYS, *ds = own.ds + h * FIRST_KEYS;
      Mask kept[DROP_VECTORS];
      x.kept(s, h, key, kept);
      for (int i = 0; i < DROP_VECTORS; i++) {
        Floats y = exp2(fma(load(p + i * LANES), broadcast(LOG2_E), shift));
        store(ds + i * LANES, mul(y, addWhere(less, load(ds + i * LANES), kept[i])));
        store(p + i * LANES, keep(y, kept[i]));
      }
    }
    for (int j = 0; j < keys; j++) {
      long token = block + j * columns;
      for (int h = from; h < to; h++) {
        float p = own.p[h * FIRST_KEYS + j], ds = own.ds[h * FIRST_KEYS + j];
        long first = token + h * x.size;
        addScaled(own.dq + h * row, x.k + first, ds, x.size);
        scaled(own.queries + h * row, ds, x.size, d.dk + first);
        scaled(own.douts + h * row, p, x.size, d.dv + first);
      }
    }
  }
  for (int h = from; h < to; h++) scaled(own.dq + h * row, x.scale(), x.size, d.dq + at + h * x.size);
}

}  // namespace flash

/** Floats of scratch that a worker needs in the forward pass and in the gradient. */
inline void attentionFirstScratch(int64_t* floats, int32_t heads, int32_t size, int32_t longest) {
  floats[0] = flash::FirstForwardScratch(nullptr, heads, size, longest).s.floats();
  floats[1] = flash::FirstGradientScratch(nullptr, heads, size).s.floats();
}

/** A worker's share of org.dyr.op.Attention where first tokens ask. q, o (S,C), k, v (T,C), lse (H,S). */
template <class T>
void attentionFirst(const T* q, const T* k, const T* v, const int32_t* offsets, const int32_t* random,
                    const int32_t* sequence, T* o, float* lse, int32_t sequences, int32_t heads, int32_t size,
                    int32_t longest, int32_t site, int32_t threshold, float dropScale, float* scratch, int32_t worker,
                    int32_t workers) {
  flash::FirstOperands<T> x{q, k, v, offsets, random, sequence, sequences, heads, size, site, threshold, dropScale};
  flash::FirstForwardScratch own(scratch, heads, size, longest);
  flash::dealHeads(offsets, sequences, heads, 0, worker, workers,
      [&](int s, int from, int to) { flash::firstForward(x, own, s, from, to, o, lse); });
}

/** A worker's share of its gradient. dout, q, o, dq (S,C), k, v, dk, dv (T,C), lse (H,S). */
template <class T>
void attentionFirstGradient(const T* dout, const T* q, const T* k, const T* v, const T* o, const float* lse,
                            const int32_t* offsets, const int32_t* random, const int32_t* sequence, T* dq, T* dk,
                            T* dv, int32_t tokens, int32_t sequences, int32_t heads, int32_t size, int32_t site,
                            int32_t threshold, float dropScale, float* scratch, int32_t worker, int32_t workers) {
  flash::FirstOperands<T> x{q, k, v, offsets, random, sequence, sequences, heads, size, site, threshold, dropScale};
  flash::FirstGradients<T> d{dout, o, lse, dq, dk, dv};
  flash::FirstGradientScratch own(scratch, heads, size);
  flash::dealHeads(offsets, sequences, heads, 0, worker, workers,
      [&](int s, int from, int to) { flash::firstGradient(x, d, own, s, from, to); });
  int64_t end = offsets[sequences], rest = tokens - end, columns = x.columns();
  int64_t from = (end + rest * worker / workers) * columns, to = (end + rest * (worker + 1) / workers) * columns;
  clear(dk, from, to);
  clear(dv, from, to);
}

}  // namespace DYR_ISA
}  // namespace dyr
