// Kernels in plain C for any CPU.
#include "vector.h"

#define KERNELS clusca_kernels_generic
#define ISA_NAME "generic"
#define HAS_FMA 0
#define HAS_AVX512 0
#define HAS_BFLOAT16 0
#pragma clang fp contract(off)
#include "body.h"
