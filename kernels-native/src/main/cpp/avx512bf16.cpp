#define DYR_ISA avx512bf16
#include "kernels.h"
