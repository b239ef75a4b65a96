// What Java calls: every kernel by the number of the instruction set and, where it has both, of the storage type.
#pragma once

#include "table.h"

namespace dyr {

/** In the order of Instructions.java: avx2, avx512, avx512bf16. */
extern const Table* const TABLES[3];

/** Which sets CPUID reports and the system saves the registers of: bit i for set i. */
int32_t reported();

/** Whether the processor executes an instruction of the set, tried with the handler of SIGILL replaced meanwhile. */
bool executes(int32_t isa);

#define DYR_FORWARD(name, ...) \
  template <class... A> inline void name(int32_t isa, A... a) { TABLES[isa]->name(a...); }
DYR_KERNELS(DYR_FORWARD, DYR_FORWARD)
#undef DYR_FORWARD

}  // namespace dyr
