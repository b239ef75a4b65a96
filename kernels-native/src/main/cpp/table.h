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
  F(narrow, int64_t x, int64_t y, int64_t from, int64_t to) \
  F(widen, int64_t x, int64_t y, int64_t from, int64_t to) \
  /* gemm.h */ \
  /* attention.h */ \
  F(attentionScratch, int64_t floats, int32_t longest, int32_t size) \
  K(attention, int64_t q, int64_t k, int64_t v, int64_t offsets, int64_t random, int64_t sequence, int64_t o, int64_t lse, \
    int32_t tokens, int32_t sequences, int32_t heads, int32_t size, int32_t longest, int32_t site, int32_t threshold, \
    float dropScale, int64_t scratch, int32_t worker, int32_t workers) \
  K(attentionGradient, int64_t dout, int64_t q, int64_t k, int64_t v, int64_t o, int64_t lse, int64_t offsets, int64_t random, \
    int64_t sequence, int64_t dq, int64_t dk, int64_t dv, int32_t tokens, int32_t sequences, int32_t heads, int32_t size, \
    int32_t longest, int32_t site, int32_t threshold, float dropScale, int64_t scratch, int32_t worker, int32_t workers)

namespace dyr {

struct Table {
#define DYR_FIELD(name, ...) void (*name)(int32_t type, __VA_ARGS__);
#define DYR_FLOAT_FIELD(name, ...) void (*name)(__VA_ARGS__);
  DYR_KERNELS(DYR_FIELD, DYR_FLOAT_FIELD)
#undef DYR_FIELD
#undef DYR_FLOAT_FIELD
};

namespace avx2 { extern const Table TABLE; }
namespace avx512 { extern const Table TABLE; }
namespace avx512bf16 { extern const Table TABLE; }

}  // namespace dyr
