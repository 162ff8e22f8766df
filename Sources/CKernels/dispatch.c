// Chooses the kernels for the CPU the program finds itself on.
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"

extern const clusca_kernels clusca_kernels_generic;
#if defined(__x86_64__)
extern const clusca_kernels clusca_kernels_avx2, clusca_kernels_avx512, clusca_kernels_avx512bf16;
#endif

const clusca_kernels *clusca_kernels_named(const char *name) {
#if defined(__x86_64__)
  const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                     __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  const int narrow = avx512 && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
  if (narrow && strcmp(name, "avx512bf16") == 0)
    return &clusca_kernels_avx512bf16;
  if (avx512 && strcmp(name, "avx512") == 0) return &clusca_kernels_avx512;
  if (avx2 && strcmp(name, "avx2") == 0) return &clusca_kernels_avx2;
#endif
  if (strcmp(name, "generic") == 0) return &clusca_kernels_generic;
  return NULL;
}

const clusca_kernels *clusca_kernels_for_this_cpu(void) {
  const char *wanted = getenv("CLUSCA_ISA");
  const clusca_kernels *chosen = wanted ? clusca_kernels_named(wanted) : NULL;
  const char *const best_first[] = {"avx512bf16", "avx512", "avx2", "generic"};
  for (size_t i = 0; !chosen && i < sizeof best_first / sizeof *best_first; i++)
    chosen = clusca_kernels_named(best_first[i]);
  return chosen;
}
