#define DYR_ISA avx2
#include "kernels.h"
