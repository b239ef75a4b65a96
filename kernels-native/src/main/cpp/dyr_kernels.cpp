// Compiled for any x86-64: the choice of the instruction set.
#include "dyr_kernels.h"

#include <csetjmp>
#include <csignal>

namespace dyr {

const Table* const TABLES[3] = {&avx2::TABLE, &avx512::TABLE, &avx512bf16::TABLE};

int32_t reported() {
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
      && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  bool avx512bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
  return avx2 | avx512 << 1 | avx512bf16 << 2;
}

namespace {
sigjmp_buf afterIllegal;
void onIllegal(int) { siglongjmp(afterIllegal, 1); }
}  // namespace

bool executes(int32_t isa) {
  struct sigaction probe = {}, before;
  probe.sa_handler = onIllegal;
  sigaction(SIGILL, &probe, &before);
  bool executed = sigsetjmp(afterIllegal, 1) == 0;
  if (executed) {
    if (isa == 0) asm volatile("vfmadd231ps %%ymm0, %%ymm0, %%ymm0" ::: "xmm0");
    if (isa == 1) asm volatile("vpmaxsb %%zmm0, %%zmm0, %%zmm0" ::: "xmm0");
    if (isa == 2) asm volatile("vdpbf16ps %%zmm0, %%zmm0, %%zmm0" ::: "xmm0");
    asm volatile("vzeroupper");
  }
  sigaction(SIGILL, &before, nullptr);
  return executed;
}

}  // namespace dyr
