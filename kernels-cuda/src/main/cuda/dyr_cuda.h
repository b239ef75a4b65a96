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

}  // namespace dyr
