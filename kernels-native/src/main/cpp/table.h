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
  /* attention.h */

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
