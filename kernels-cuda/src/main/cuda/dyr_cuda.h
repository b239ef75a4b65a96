// What Java calls: each function launches kernels on a stream and returns the status of doing so, 0 where all is well.
// Shapes and formulas stand with the kernels. `type` is a storage type: 0 fp32, 1 bf16, 2 fp16.
#pragma once

#include <cstdint>

namespace dyr {

/** An address on the device, or a stream, as Java has it: a number that becomes whatever pointer is wanted. */
struct Address {
  int64_t at;
  Address(int64_t at) : at(at) {}
  template <class T> operator T*() const { return reinterpret_cast<T*>(at); }
};

// elementwise.cu
int add(int type, Address a, Address b, Address c, int64_t n, Address stream);
int addBias(int type, Address x, Address b, Address y, int64_t rows, int columns, Address stream);
int scale(int type, Address x, Address s, Address y, int64_t n, Address stream);
int broadcast(int type, Address x, Address y, int64_t n, Address stream);
int cast(int from, int to, Address x, Address y, int64_t n, Address stream);

// norm.cu, norm_gradient.cu: random null where nothing is dropped; bias, dbias null without one; residual null,
// dresidual null, for a layer norm alone; h, mean, rstd null where they are not kept; table2 null where there are two;
// partial (most,S,C)
int dropout(int type, Address x, Address y, Address random, Address sequence, Address position, int site, int threshold,
    float keep, int64_t rows, int columns, Address stream);
int dropoutAddLayerNorm(int type, Address x, Address bias, Address residual, Address w, Address b, Address random,
    Address sequence, Address position, int site, int threshold, float keep, Address y, Address h, Address mean,
    Address rstd, int64_t rows, int columns, float eps, Address stream);
int embeddingLayerNorm(int type, Address table0, Address index0, Address table1, Address index1, Address table2,
    Address index2, Address w, Address b, Address y, Address h, Address mean, Address rstd, int64_t rows, int columns,
    float eps, Address stream);
int dropoutAddLayerNormGrad(int type, Address dy, Address x, Address w, Address mean, Address rstd, Address random,
    Address sequence, Address position, int site, int threshold, float keep, Address dx, Address dresidual, Address dw,
    Address db, Address dbias, Address partial, int most, int64_t rows, int columns, Address stream);

// activation.cu: kind is the ordinal of org.dyr.op.Activation.Kind, b null where there is no bias; scratch in bytes
int activation(int type, int kind, Address x, Address b, Address y, int64_t n, int columns, Address stream);
int activationGrad(int type, int kind, Address dy, Address x, Address b, Address dx, int64_t n, int columns,
    Address stream);
int64_t activationSumsScratch(int type, int64_t rows, int columns);
int activationGradSumRows(int type, int kind, Address dy, Address x, Address b, Address dx, Address db, Address partial,
    int64_t rows, int columns, Address stream);

// sums.cu: scratch in bytes
int64_t sumScratch(int64_t n);
int64_t sumRowsScratch(int64_t rows, int columns);
int sum(int type, Address x, Address y, Address partial, int64_t n, Address stream);
int sumSquares(int type, Address x, Address y, Address partial, int64_t n, Address stream);
int allFinite(int type, Address x, Address y, Address partial, int64_t n, Address stream);
int ifFinite(int type, Address rows, Address x, Address y, int columns, Address stream);
int clipFactor(int type, Address n2, Address s, Address factor, Address norm, double maxNorm, Address stream);
int sumRows(int type, Address x, Address y, Address partial, int64_t rows, int columns, Address stream);

// gather.cu
int gather(int type, Address table, Address index, Address y, int64_t rows, int columns, Address stream);
int64_t gatherGradScratch(int64_t rows, int tableRows, int columns);
int gatherGrad(int type, Address dy, Address index, Address dtable, Address scratch, int rows, int tableRows,
    int columns, Address stream);

// loss.cu
int groupCrossEntropy(int type, Address z, Address groups, Address loss, int count, int kept, Address stream);
int groupCrossEntropyGrad(int type, Address dloss, Address z, Address groups, Address dz, int count, int samples,
    int kept, Address stream);

// update.cu: `segments` is an address of the host: (count) of a parameter's offset i64, length i32, decay fp32
int64_t lambScratch(Address segments, int count);
int lamb(Address p, Address m, Address v, Address g, Address factor, Address hyper, Address segments, int count,
    double beta1, double beta2, float eps, Address scratch, Address stream);
int adamWeightDecay(Address p, Address m, Address v, Address g, Address factor, Address hyper, Address segments,
    int count, double beta1, double beta2, float eps, Address stream);
int momentum(Address p, Address v, Address g, Address factor, Address hyper, Address segments, int count, float mu,
    Address stream);

// attention.cu: heads of 32, 64 or 128 columns in bf16 or fp16
int attentionForward(int type, Address q, Address k, Address v, Address offsets, Address random, Address sequence,
                     Address o, Address lse, int tokens, int sequences, int heads, int size, int longest, int site,
                     int threshold, float scale, Address stream);

// attention_plain.cu: any type, heads of any size, and a table of embeddings (R,D) of distances, R 0 without one
int attentionPlainForward(int type, Address q, Address k, Address v, Address offsets, Address random, Address sequence,
                          Address table, Address o, Address lse, int tokens, int sequences, int heads, int size,
                          int longest, int site, int threshold, float scale, int distances, Address stream);

// attention_gradient.cu: setup is for any type and head; the masks are (H, blocks of 64 keys, T) words of 64 bits
int attentionGradientSetup(int type, Address dout, Address o, Address offsets, Address random, Address sequence,
                           Address delta, Address kept, int tokens, int sequences, int heads, int size, int longest,
                           int site, int threshold, Address stream);
int attentionGradient(int type, Address dout, Address q, Address k, Address v, Address lse, Address delta, Address kept,
                      Address offsets, Address random, Address dq, Address dk, Address dv, int tokens, int sequences,
                      int heads, int size, int longest, float scale, Address stream);

// attention_plain_gradient.cu; the table's gradient is folded^T x + folded'^T y, taken in so many parts
int attentionPlainGradient(int type, Address dout, Address q, Address k, Address v, Address lse, Address delta,
                           Address kept, Address offsets, Address random, Address table, Address dq, Address dk,
                           Address dv, Address folded, int tokens, int sequences, int heads, int size, int longest,
                           float scale, int distances, Address stream);
int distancesGradient(int type, Address folded, Address x, Address y, Address offsets, Address parts, Address da,
                      int tokens, int sequences, int heads, int size, int distances, int count, Address stream);

// attention_first.cu: one query a sequence, o (S,C)
int attentionFirst(int type, Address q, Address k, Address v, Address offsets, Address random, Address sequence,
                   Address o, Address lse, int tokens, int sequences, int heads, int size, int site, int threshold,
                   float scale, Address stream);
int attentionFirstGradient(int type, Address dout, Address q, Address k, Address v, Address o, Address lse,
                           Address offsets, Address random, Address sequence, Address dq, Address dk, Address dv,
                           int tokens, int sequences, int heads, int size, int site, int threshold, float scale,
                           Address stream);

// attention_parts.cu: `first` says whether the queries are the first tokens alone
int attentionProducts(int type, Address x, Address y, Address table, Address offsets, Address z, int tokens,
                      int sequences, int heads, int size, int longest, int first, int distances, float by,
                      Address stream);
int attentionSumOverKeys(int type, Address w, Address y, Address table, Address offsets, Address z, int tokens,
                         int sequences, int heads, int size, int longest, int first, int distances, float by,
                         Address stream);
int attentionSumOverQueries(int type, Address w, Address x, Address offsets, Address z, int tokens, int sequences,
                            int heads, int size, int longest, int first, float by, Address stream);
int attentionFold(int type, Address w, Address offsets, Address folded, int tokens, int sequences, int heads, int size,
                  int longest, int distances, float by, Address stream);
int attentionSoftmax(int type, Address s, Address offsets, Address p, Address lse, int tokens, int sequences, int heads,
                     int longest, int first, Address stream);
int attentionSoftmaxGradient(int type, Address dp, Address p, Address offsets, Address ds, int tokens, int sequences,
                             int heads, int longest, int first, Address stream);
int attentionDropout(int type, Address x, Address random, Address offsets, Address sequence, Address y, int tokens,
                     int sequences, int heads, int longest, int first, int site, int threshold, float scale,
                     Address stream);

}  // namespace dyr
