// The list of kernels, and the table of function pointers that each instruction set fills from it. A kernel is a
// template over the storage type in a header, a line here, and a native method in NativeCalls.java. Its parameters are
// those of the template, with addresses as int64_t.
#pragma once

#include <cstdint>

// K: for float and bf16, the type comes first (0 or 1). F: for float only. Ranges are [from, to).
#define DYR_KERNELS(K, F) \
  /* elementwise.h */ \
  K(add, int64_t a, int64_t b, int64_t c, int64_t from, int64_t to) \
  K(addBias, int64_t x, int64_t b, int64_t y, int64_t from, int64_t to, int32_t columns) \
  K(scale, int64_t x, int64_t s, int64_t y, int64_t from, int64_t to) \
  K(fill, int64_t x, int64_t y, int64_t from, int64_t to) \
  F(narrow, int64_t x, int64_t y, int64_t from, int64_t to) \
  F(widen, int64_t x, int64_t y, int64_t from, int64_t to) \
  /* sums.h */ \
  K(sumRows, int64_t x, int64_t partial, int64_t from, int64_t to, int64_t rows, int32_t columns) \
  F(foldChunks, int64_t partial, int64_t y, int64_t from, int64_t to, int64_t columns, int64_t chunks, int32_t sums, \
      int32_t which) \
  K(sumChunks, int64_t x, int64_t partial, int64_t from, int64_t to, int64_t n) \
  K(squareChunks, int64_t x, int64_t partial, int64_t from, int64_t to, int64_t n) \
  K(finiteChunks, int64_t x, int64_t partial, int64_t from, int64_t to, int64_t n) \
  K(foldSum, int64_t partial, int64_t y, int64_t chunks) \
  K(foldFinite, int64_t partial, int64_t y, int64_t chunks) \
  K(clipFactor, int64_t n2, int64_t s, int64_t factor, int64_t norm, double maxNorm) \
  /* activation.h */ \
  K(activation, int64_t x, int64_t y, int64_t from, int64_t to, int32_t kind) \
  K(activationGrad, int64_t dy, int64_t x, int64_t dx, int64_t from, int64_t to, int32_t kind) \
  K(biasActivation, int64_t x, int64_t b, int64_t y, int64_t from, int64_t to, int32_t columns, int32_t kind) \
  K(biasActivationGrad, int64_t dy, int64_t x, int64_t b, int64_t dx, int64_t from, int64_t to, int32_t columns, \
      int32_t kind) \
  /* norm.h */ \
  K(dropout, int64_t x, int64_t y, int64_t random, int64_t sequence, int64_t position, int32_t site, \
      int32_t threshold, float scale, int64_t from, int64_t to, int32_t columns) \
  K(layerNorm, int64_t x, int64_t w, int64_t b, int64_t y, int64_t mean, int64_t rstd, int64_t from, int64_t to, \
      int32_t columns, double eps) \
  K(layerNormGrad, int64_t dy, int64_t x, int64_t w, int64_t mean, int64_t rstd, int64_t dx, int64_t partial, \
      int64_t from, int64_t to, int64_t rows, int32_t columns) \
  K(dropoutAddLayerNorm, int64_t x, int64_t residual, int64_t w, int64_t b, int64_t random, int64_t sequence, \
      int64_t position, int32_t site, int32_t threshold, float scale, int64_t y, int64_t h, int64_t mean, \
      int64_t rstd, int64_t row, int64_t from, int64_t to, int32_t columns, double eps) \
  K(dropoutAddLayerNormGrad, int64_t dy, int64_t h, int64_t w, int64_t mean, int64_t rstd, int64_t random, \
      int64_t sequence, int64_t position, int32_t site, int32_t threshold, float scale, int64_t dx, \
      int64_t dresidual, int64_t partial, int64_t from, int64_t to, int64_t rows, int32_t columns) \
  K(embeddingLayerNorm, int64_t words, int64_t word, int64_t types, int64_t kind, int64_t positions, \
      int64_t position, int64_t w, int64_t b, int64_t y, int64_t h, int64_t mean, int64_t rstd, int64_t row, \
      int64_t from, int64_t to, int32_t columns, double eps) \
  /* gather.h */ \
  K(gather, int64_t table, int64_t index, int64_t y, int64_t from, int64_t to, int32_t columns) \
  K(clear, int64_t y, int64_t from, int64_t to) \
  K(gatherAdd, int64_t dy, int64_t index, int64_t dtable, int64_t from, int64_t to, int64_t rows, int32_t columns) \
  /* loss.h */ \
  K(groupCrossEntropy, int64_t z, int64_t groups, int64_t loss, int64_t from, int64_t to, int32_t kept) \
  K(groupCrossEntropyGrad, int64_t dloss, int64_t z, int64_t groups, int64_t dz, int64_t from, int64_t to, \
      int32_t kept) \
  /* update.h */ \
  F(lambMoments, int64_t p, int64_t m, int64_t v, int64_t g, int64_t norms, int64_t from, int64_t n, float factor, \
      double beta1, double beta2, float eps, float decay, float correct1, float correct2) \
  F(lambStep, int64_t p, int64_t m, int64_t v, int64_t from, int64_t n, float step, float eps, float decay, \
      float correct1, float correct2) \
  F(adamWeightDecay, int64_t p, int64_t m, int64_t v, int64_t g, int64_t from, int64_t n, float factor, \
      double beta1, double beta2, float eps, float decay, float rate) \
  F(momentum, int64_t p, int64_t v, int64_t g, int64_t from, int64_t n, float factor, float mu, float rate) \
  /* gemm.h */ \
  K(packPanels, int64_t b, int64_t stride, bool transposed, int32_t depth, int32_t n, int32_t from, int32_t to, \
      int64_t panels) \
  F(packRounded, int64_t b, int64_t stride, bool transposed, int32_t depth, int32_t n, int32_t from, int32_t to, \
      int64_t panels) \
  K(multiply, int64_t a, int64_t stride, bool transposed, int32_t depth, int64_t panels, int32_t rowBegin, \
      int32_t rowEnd, int32_t panelBegin, int32_t panelEnd, int64_t c, int64_t residual, int64_t bias, int32_t n, \
      bool wide, int32_t then, int32_t kind, int64_t u, int64_t block, int64_t sums, bool more) \
  /* peak.h */ \
  K(multiplyAdds, int64_t done, int64_t turns) \
  /* attention.h */ \
  F(attentionScratch, int64_t floats, int32_t longest, int32_t size, int32_t distances) \
  K(attention, int64_t q, int64_t k, int64_t v, int64_t offsets, int64_t random, int64_t sequence, int64_t table, \
      int64_t o, int64_t lse, int32_t tokens, int32_t sequences, int32_t heads, int32_t size, int32_t longest, \
      int32_t site, int32_t threshold, float dropScale, int32_t distances, int64_t scratch, int32_t worker, \
      int32_t workers) \
  K(attentionGradient, int64_t dout, int64_t q, int64_t k, int64_t v, int64_t o, int64_t lse, int64_t offsets, \
      int64_t random, int64_t sequence, int64_t table, int64_t dq, int64_t dk, int64_t dv, int32_t tokens, \
      int32_t sequences, int32_t heads, int32_t size, int32_t longest, int32_t site, int32_t threshold, \
      float dropScale, int32_t distances, int64_t parts, int32_t run, int64_t scratch, int32_t worker, \
      int32_t workers) \
  K(distancesGradient, int64_t parts, int32_t count, int64_t da, int64_t from, int64_t to, int32_t distances, \
      int32_t size, float dropScale) \
  /* attention_first.h */ \
  F(attentionFirstScratch, int64_t floats, int32_t heads, int32_t size, int32_t longest) \
  K(attentionFirst, int64_t q, int64_t k, int64_t v, int64_t offsets, int64_t random, int64_t sequence, int64_t o, \
      int64_t lse, int32_t sequences, int32_t heads, int32_t size, int32_t longest, int32_t site, int32_t threshold, \
      float dropScale, int64_t scratch, int32_t worker, int32_t workers) \
  K(attentionFirstGradient, int64_t dout, int64_t q, int64_t k, int64_t v, int64_t o, int64_t lse, int64_t offsets, \
      int64_t random, int64_t sequence, int64_t dq, int64_t dk, int64_t dv, int32_t tokens, int32_t sequences, \
      int32_t heads, int32_t size, int32_t site, int32_t threshold, float dropScale, int64_t scratch, int32_t worker, \
      int32_t workers) \
  /* attention_absorbed.h */ \
  F(attentionAbsorbedScratch, int64_t floats, int32_t heads, int32_t size, int32_t columns, int32_t longest) \
  K(attentionAbsorbed, int64_t q, int64_t x, int64_t key, int32_t keyParts, int64_t value, int32_t valueParts, \
      int64_t valueBias, int64_t offsets, int64_t o, int32_t sequences, int32_t heads, int32_t size, int32_t columns, \
      int32_t longest, int64_t scratch, int32_t worker, int32_t workers)

namespace dyr {

struct Table {
#define DYR_FIELD(name, ...) void (*name)(int32_t type, __VA_ARGS__);
#define DYR_FLOAT_FIELD(name, ...) void (*name)(__VA_ARGS__);
  DYR_KERNELS(DYR_FIELD, DYR_FLOAT_FIELD)
#undef DYR_FIELD
#undef DYR_FLOAT_FIELD
  int32_t panelColumns;                     // columns of a panel of a matrix product
  int32_t bf16Depth;                        // elements of depth in a unit of bf16: 1 where it is widened, 2 in pairs
  int64_t (*blockFloats)(int32_t units);    // floats of scratch for a packed block
};

namespace avx2 { extern const Table TABLE; }
namespace avx512 { extern const Table TABLE; }
namespace avx512bf16 { extern const Table TABLE; }

}  // namespace dyr
