#define DYR_ISA avx512
#include "kernels.h"
