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
  K(packPanels, int64_t b, int64_t stride, bool transposed, int32_t depth, int32_t n, int32_t from, int32_t to, int64_t panels) \
  K(multiply, int64_t a, int64_t stride, bool transposed, int32_t depth, int64_t panels, int32_t rowBegin, int32_t rowEnd, \
    int32_t panelBegin, int32_t panelEnd, int64_t c, int64_t residual, int64_t bias, int32_t n, bool wide, int64_t block) \
  /* attention.h */

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
