// All kernels, compiled for the instruction set DYR_ISA, and its table. Included by one translation unit a set; what is
// not inside the set's namespace must not be compiled here, or the linker may take the wide set's copy for everyone.
#pragma once

#include "simd.h"
#include "table.h"
#include "elementwise.h"
#include "sums.h"
#include "activation.h"
#include "norm.h"
#include "gather.h"
#include "loss.h"
#include "update.h"
#include "gemm.h"
#include "attention.h"
#include "attention_first.h"
#include "attention_absorbed.h"
#include "peak.h"

namespace dyr {
namespace DYR_ISA {

template <class A> struct Raw { using type = A; static A from(A a) { return a; } };
template <class A> struct Raw<A*> {
  using type = int64_t;
  static A* from(int64_t address) { return reinterpret_cast<A*>(address); }
};

/** Kernels as the table has them: addresses as integers. */
template <auto F> struct Single;
template <class... A, void (*F)(A...)> struct Single<F> {
  static void call(typename Raw<A>::type... a) { F(Raw<A>::from(a)...); }
};

/** One of two kernels, by the storage type. */
template <auto F, auto B> struct Either;
template <class... A, void (*F)(A...), auto B> struct Either<F, B> {
  static void call(int32_t type, typename Raw<A>::type... a) {
    if (type == 0) F(Raw<A>::from(a)...);
    else Single<B>::call(a...);
  }
};

#define DYR_ENTRY(name, ...) &Either<&name<float>, &name<bf16>>::call,
#define DYR_FLOAT_ENTRY(name, ...) &Single<&name>::call,
const Table TABLE = {DYR_KERNELS(DYR_ENTRY, DYR_FLOAT_ENTRY)
    gemm::COLUMNS, gemm::UnitOf<bf16>::type::DEPTH, &gemm::blockSize};

}  // namespace DYR_ISA
}  // namespace dyr
