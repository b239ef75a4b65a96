// What the units for multiply-adds reach from registers: the ceiling that matrix products are held against.
#pragma once

#include "gemm.h"

namespace dyr {
namespace DYR_ISA {

/** Chains of multiply-adds as the matrix product has them for this type; done = the operations, two a multiply-add. */
template <class T> void multiplyAdds(double* done, int64_t turns) {
  using Unit = typename gemm::UnitOf<T>::type;
  constexpr int CHAINS = LANES == 16 ? 24 : 12;  // more than the units have stages, in as many registers
  Floats a = broadcast(1e-9f), c[CHAINS];
  for (Floats& x : c) x = a;
  for (int64_t i = 0; i < turns; i++) {
#pragma GCC unroll 24
    for (Floats& x : c) {
      x = Unit::multiplyAdd(a, a, x);
      asm volatile("" : "+v"(x));  // neither hoisted nor folded
    }
  }
  *done = 2.0 * Unit::DEPTH * LANES * CHAINS * turns;
}

}  // namespace DYR_ISA
}  // namespace dyr
