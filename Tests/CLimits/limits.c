#include "CLimits.h"

// Enough independent sums to hide the latency of an addition.
enum { CHAINS = 12 };
#define UNROLLED _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++)

#define LIMIT(name, features, vector, zero, step, operations)                           \
  __attribute__((target(features))) static double name(long rounds) {                   \
    vector sums[CHAINS];                                                                \
    UNROLLED sums[i] = zero;                                                            \
    for (long round = 0; round < rounds; round++) {                                     \
      UNROLLED step;                                                                    \
      /* The sums are needed after each round, as far as the compiler knows. */         \
      UNROLLED __asm__ volatile("" : "+x"(sums[i]));                                    \
    }                                                                                   \
    return (double)rounds * CHAINS * (operations);                                      \
  }

typedef float floats4 __attribute__((ext_vector_type(4)));
LIMIT(generic, "sse2", floats4, (floats4)0, sums[i] = sums[i] * 1.0f + 1.0f, 8)

#if defined(__x86_64__)
#include <immintrin.h>

LIMIT(avx2, "avx2,fma", __m256, _mm256_setzero_ps(),
      sums[i] = _mm256_fmadd_ps(sums[i], _mm256_set1_ps(1), _mm256_set1_ps(1)), 16)
LIMIT(avx512, "avx512f", __m512, _mm512_setzero_ps(),
      sums[i] = _mm512_fmadd_ps(sums[i], _mm512_set1_ps(1), _mm512_set1_ps(1)), 32)
LIMIT(avx512bf16, "avx512f,avx512bf16", __m512, _mm512_setzero_ps(),
      sums[i] = _mm512_dpbf16_ps(sums[i], (__m512bh)_mm512_set1_epi32(0x3f803f80), (__m512bh)_mm512_set1_epi32(0x3f803f80)),
      64)
LIMIT(avx512vnni, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512(),
      sums[i] = _mm512_dpbusd_epi32(sums[i], _mm512_set1_epi32(0x01010101), _mm512_set1_epi32(0x01010101)), 128)
#endif

double clusca_limit_float32(long rounds) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return avx512(rounds);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2(rounds);
#endif
  return generic(rounds);
}

double clusca_limit_bfloat16(long rounds) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bf16")) return avx512bf16(rounds);
#endif
  return clusca_limit_float32(rounds);
}

double clusca_limit_int8(long rounds) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vnni")) return avx512vnni(rounds);
#endif
  return clusca_limit_bfloat16(rounds);
}
