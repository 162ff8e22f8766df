// Kernels for x86-64 with AVX2 and FMA (Haswell, Zen and later).
#include "vector.h"
#if defined(__x86_64__)
#include <immintrin.h>

#define KERNELS clusca_kernels_avx2
#define ISA_NAME "avx2"
#define HAS_FMA 1
#define HAS_AVX512 0
#define HAS_BFLOAT16 0
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "body.h"
#pragma clang attribute pop
#endif
