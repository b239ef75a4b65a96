// Attention where first tokens ask, without keys and values: org.dyr.op.AbsorbedAttention has the formulas. A head's
// weights, whichever way they lie, become a right operand of products.h and meet several sequences: their queries first,
// their sums of x in the end. Between, the rows of x go by twice, a sequence at a time, in tiles of registers: 4 rows
// meet some heads and give LANES scores, then 4 vectors of some rows' columns are summed for some heads. All in floats.
// Compute-bound: 4 T H E + 4 S C E operations.
//
// T tokens, S sequences, H heads, D columns of a head, C = H D, E columns of x, L tokens of a sequence.
#pragma once

#include "attention_first.h"
#include "gemm.h"

namespace dyr {
namespace DYR_ISA {
namespace flash {

/** Rows, or vectors of columns, of x, and heads that a tile has. */
constexpr int TILE = 4;
constexpr int TILE_HEADS = LANES / TILE;

/** Rows of x that the first cache keeps while all heads sum them. */
constexpr int SUMMED = 32;

/** Sequences that meet a head's weights together. */
constexpr int TOGETHER = 16;

/** A weight (C,E), row by row or in panels of gemm.h, head by head. D, and E in units, are whole vectors. */
template <class T>
struct HeadWeights {
  static constexpr int DEPTH = sizeof(float) / sizeof(T);  // elements of a unit of panels

  const T* w;
  int rows, columns, size;  // C, E, D
  int parts;                // of the panels; 0: row by row

  /** The rows of a head as a right operand (D,E). */
  void pack(int head, float* to) const {
    if (parts == 0) {
      flash::pack<gemm::Single>(w + static_cast<long>(head) * size * columns, columns, size, columns, to);
      return;
    }
    Panels panels(columns);
    for (int u = 0; u < columns / DEPTH; u += LANES) {
      float* at[DEPTH];
      int step[DEPTH];
      for (int i = 0; i < DEPTH; i++) {
        int v = u * DEPTH / LANES + i, p = panels.of(v), begin = panels.begin(p);
        step[i] = panels.width(p) * LANES;
        at[i] = to + (static_cast<long>(begin) * size + v - begin) * LANES;
      }
      for (int r = 0; r < size; r += LANES) {
        const float* from = units(head * size + r, u);
        Floats square[LANES];
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) square[i] = load(from + i * gemm::COLUMNS);
        transpose(square);
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) {
          alignas(64) T row[DEPTH * LANES];
          store(reinterpret_cast<float*>(row), square[i]);
          for (int k = 0; k < DEPTH; k++) {
            store(at[k], load(row + k * LANES));
            at[k] += step[k];
          }
        }
      }
    }
  }

  /** Their transpose as a right operand (E,D). */
  void packTransposed(int head, float* to) const {
    if (parts == 0) {
      flash::packTransposed<gemm::Single>(w + static_cast<long>(head) * size * columns, columns, size, columns, to);
      return;
    }
    Panels panels(size);
    for (int p = 0; p < panels.count; p++) {
      int begin = panels.begin(p), width = panels.width(p);
      for (int v = 0; v < width; v++) {
        float* out = to + (static_cast<long>(begin) * columns + v) * LANES;
        for (int u = 0; u < columns / DEPTH; u += LANES) {
          const float* from = units(head * size + (begin + v) * LANES, u);
          for (int i = 0; i < LANES; i++, from += gemm::COLUMNS) {
            Floats x = load(from);
            if constexpr (DEPTH == 2) {
              store(out, floats(shiftLeft<16>(bits(x))));
              out += width * LANES;
              x = floats(shiftLeft<16>(shiftRight<16>(bits(x))));
            }
            store(out, x);
            out += width * LANES;
          }
        }
      }
    }
  }

 private:
  /** Where the panels have unit u of LANES rows from `row` on; the next unit is COLUMNS further. */
  const float* units(int row, int u) const {
    int deep = columns / DEPTH / parts, part = u / deep;
    long panel = static_cast<long>(part) * (rows / gemm::COLUMNS) + row / gemm::COLUMNS;
    return reinterpret_cast<const float*>(w) + (panel * deep + u % deep) * gemm::COLUMNS + row % gemm::COLUMNS;
  }
};

template <class T>
struct AbsorbedOperands {
  const T* q;  // (S,C)
  const T* x;  // (T,E)
  HeadWeights<T> key, value;
  const float* valueBias;  // (C)
  const int32_t* offsets;  // (S+1)
  T* o;                    // (S,C)
  int heads, size, columns;
};

struct AbsorbedScratch {
  Scratch s;
  long width;  // of a row of scores, as FirstForwardScratch has it
  float *queries, *absorbed, *scores, *factors, *weights, *outs;

  AbsorbedScratch(float* base, int heads, int size, int columns, int longest)
      : s(base), width((longest + FIRST_KEYS - 1L) / FIRST_KEYS * FIRST_KEYS + LANES) {
    queries = s.take(static_cast<long>(TOGETHER) * heads * size);
    absorbed = s.take(static_cast<long>(TOGETHER) * heads * columns);  // of each head W_k^T q, then the sum of p x
    scores = s.take(heads * width);
    factors = s.take(static_cast<long>(TOGETHER) * heads);
    weights = s.take(static_cast<long>(size) * columns);
    outs = s.take(static_cast<long>(TOGETHER) * size);
  }
};

/** s[h][j] = q[h] . x[j] of TILE rows; lanes by head, then row. */
template <class T>
DYR_INLINE Floats meetRows(const float* const (&q)[TILE_HEADS], const T* const (&x)[TILE], int columns) {
  Floats s[LANES];
#pragma GCC unroll 16
  for (Floats& i : s) i = zero();
  for (int c = 0; c < columns; c += LANES) {
    Floats row[TILE];
#pragma GCC unroll 4
    for (int j = 0; j < TILE; j++) row[j] = load(x[j] + c);
#pragma GCC unroll 4
    for (int h = 0; h < TILE_HEADS; h++) {
      Floats by = load(q[h] + c);
#pragma GCC unroll 4
      for (int j = 0; j < TILE; j++) s[h * TILE + j] = fma(by, row[j], s[h * TILE + j]);
    }
  }
  return sums(s);
}

/** y[h] (+)= sum_j p[h][j] x[j] of V vectors of columns, over `rows` rows; the first ones set it. */
template <int V, class T>
DYR_INLINE void addRows(const float* const (&p)[TILE_HEADS], const T* x, long stride, int rows, bool first,
                        float* const (&y)[TILE_HEADS]) {
  Floats s[TILE_HEADS][V];
#pragma GCC unroll 4
  for (int h = 0; h < TILE_HEADS; h++) {
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) s[h][v] = first ? zero() : load(y[h] + v * LANES);
  }
  for (int j = 0; j < rows; j++, x += stride) {
    Floats row[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) row[v] = load(x + v * LANES);
#pragma GCC unroll 4
    for (int h = 0; h < TILE_HEADS; h++) {
      Floats by = broadcast(p[h][j]);
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) s[h][v] = fma(by, row[v], s[h][v]);
    }
  }
#pragma GCC unroll 4
  for (int h = 0; h < TILE_HEADS; h++) {
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) store(y[h] + v * LANES, s[h][v]);
  }
}

/** Some heads of some sequences, up to TOGETHER, one behind the other. */
template <class T>
class Absorbed {
 public:
  Absorbed(const AbsorbedOperands<T>& x, const AbsorbedScratch& own)
      : x(x), own(own), stride(static_cast<long>(x.heads) * x.size),
        absorbedRow(static_cast<long>(x.heads) * x.columns) {}

  /** The heads [from, to) of a sequence; calls come in the order of sequences. */
  void take(int s, int from, int to) {
    if (x.offsets[s] == x.offsets[s + 1]) {
      std::memset(static_cast<void*>(x.o + s * stride), 0, stride * sizeof(T));
      return;
    }
    items[count++] = {s, from, to};
    if (count == TOGETHER) finish();
  }

  /** Computes what was taken. */
  void finish() {
    float scale = 1 / std::sqrt(static_cast<float>(x.size));
    for (int i = 0; i < count; i++) {
      long head = items[i].from * x.size;
      widenScaled(x.q + items[i].s * stride + head, scale, (items[i].to - items[i].from) * x.size,
          own.queries + i * stride + head);
    }
    forEachHead([&](int h, int from, int to) {
      x.key.pack(h, own.weights);
      product<gemm::Single, false>(to - from, x.columns, x.size, own.queries + from * stride + h * x.size, stride,
          own.weights, x.size, 0, absorbed(from, h), absorbedRow, false);
    });
    for (int i = 0; i < count; i++) attend(i);
    forEachHead([&](int h, int from, int to) {
      x.value.packTransposed(h, own.weights);
      product<gemm::Single, false>(to - from, x.size, x.columns, absorbed(from, h), absorbedRow, own.weights,
          x.columns, 0, own.outs, x.size, false);
      for (int i = from; i < to; i++) {
        Floats by = broadcast(own.factors[i * x.heads + h]);
        const float *sum = own.outs + (i - from) * x.size, *bias = x.valueBias + h * x.size;
        T* o = x.o + items[i].s * stride + h * x.size;
        for (int c = 0; c < x.size; c += LANES) store(o + c, fma(by, load(sum + c), load(bias + c)));
      }
    });
    count = 0;
  }

 private:
  struct Item {
    int s, from, to;

    bool has(int head) const { return from <= head && head < to; }
  };

  float* absorbed(int item, int head) const {
    return own.absorbed + item * absorbedRow + static_cast<long>(head) * x.columns;
  }

  /** Calls f(h, from, to) for each head and the items [from, to) that have it: neighbours, since they were dealt so. */
  template <class F> void forEachHead(F f) {
    for (int h = 0; h < x.heads; h++) {
      int from = 0;
      while (from < count && !items[from].has(h)) from++;
      int to = from;
      while (to < count && items[to].has(h)) to++;
      if (from < to) f(h, from, to);
    }
  }

  /** Scores, shares and the sum of the rows of x. What lacks to a tile of heads or rows is the last once more. */
  void attend(int item) {
    int s = items[item].s, from = items[item].from, to = items[item].to;
    int length = x.offsets[s + 1] - x.offsets[s];
    const T* rows = x.x + static_cast<long>(x.offsets[s]) * x.columns;
    for (int key = 0; key < length; key += FIRST_KEYS) {
      int end = gemm::least(key + FIRST_KEYS, length);
      for (int h = from; h < to; h += TILE_HEADS) {
        const float* q[TILE_HEADS];
        for (int i = 0; i < TILE_HEADS; i++) q[i] = absorbed(item, gemm::least(h + i, to - 1));
        for (int j = key; j < end; j += TILE) {
          const T* row[TILE];
          for (int i = 0; i < TILE; i++) row[i] = rows + static_cast<long>(gemm::least(j + i, end - 1)) * x.columns;
          alignas(64) float met[LANES];
          store(met, meetRows(q, row, x.columns));
          for (int i = 0; i < TILE_HEADS; i++) {
            float* scores = own.scores + gemm::least(h + i, to - 1) * own.width + j;
            std::memcpy(scores, met + i * TILE, TILE * sizeof(float));
          }
        }
      }
    }
    for (int h = from; h < to; h++) {
      float most;
      own.factors[item * x.heads + h] =
          1 / firstSoftmax(FirstOperands<T>{}, s, h, own.scores + h * own.width, length, most);
    }
    for (int key = 0; key < length; key += SUMMED) {
      int n = gemm::least(length - key, SUMMED), c = 0;
      const T* row = rows + static_cast<long>(key) * x.columns;
      for (; c + TILE * LANES <= x.columns; c += TILE * LANES) sum<TILE>(item, row, key, n, c);
      for (; c < x.columns; c += LANES) sum<1>(item, row, key, n, c);
    }
  }

  /** Adds n rows of x, from `key` of the sequence on, to the sums of the columns from c on. */
  template <int V> void sum(int item, const T* row, int key, int n, int c) {
    int from = items[item].from, to = items[item].to;
    for (int h = from; h < to; h += TILE_HEADS) {
      const float* p[TILE_HEADS];
      float* y[TILE_HEADS];
      for (int i = 0; i < TILE_HEADS; i++) {
        int head = gemm::least(h + i, to - 1);
        p[i] = own.scores + head * own.width + key;
        y[i] = absorbed(item, head) + c;
      }
      addRows<V>(p, row + c, x.columns, n, key == 0, y);
    }
  }

  const AbsorbedOperands<T>& x;
  const AbsorbedScratch& own;
  long stride;       // C
  long absorbedRow;  // H E
  int count = 0;
  Item items[TOGETHER];
};

}  // namespace flash

/** Floats of scratch that a worker needs. */
inline void attentionAbsorbedScratch(int64_t* floats, int32_t heads, int32_t size, int32_t columns, int32_t longest) {
  floats[0] = flash::AbsorbedScratch(nullptr, heads, size, columns, longest).s.floats();
}

/**
 * A worker's share of org.dyr.op.AbsorbedAttention. q, o (S,C), x (T,E), key and value (C,E), row by row where they
 * have no parts, else in panels.
 */
template <class T>
void attentionAbsorbed(const T* q, const T* x, const T* key, int32_t keyParts, const T* value, int32_t valueParts,
                       const float* valueBias, const int32_t* offsets, T* o, int32_t sequences, int32_t heads,
                       int32_t size, int32_t columns, int32_t longest, float* scratch, int32_t worker,
                       int32_t workers) {
  int rows = heads * size;
  flash::AbsorbedOperands<T> operands{q, x, {key, rows, columns, size, keyParts},
      {value, rows, columns, size, valueParts}, valueBias, offsets, o, heads, size, columns};
  flash::AbsorbedScratch own(scratch, heads, size, columns, longest);
  flash::Absorbed<T> absorbed(operands, own);
  flash::dealHeads(offsets, sequences, heads, size, worker, workers,
      [&](int s, int from, int to) { absorbed.take(s, from, to); });
  absorbed.finish();
}

}  // namespace DYR_ISA
}  // namespace dyr
