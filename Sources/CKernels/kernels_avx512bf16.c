// Kernels for x86-64 with AVX-512 and its products of bfloat16 and of bytes (Cooper Lake, Zen 4 and later).
#include "vector.h"
#if defined(__x86_64__)
#include <immintrin.h>

#define KERNELS clusca_kernels_avx512bf16
#define ISA_NAME "avx512bf16"
#define HAS_FMA 1
#define HAS_AVX512 1
#define HAS_BFLOAT16 1
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx512vnni,fma,f16c"))), apply_to = function)
#include "body.h"
#pragma clang attribute pop
#endif
