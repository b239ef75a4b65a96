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
