// Sixteen floats at a time, on any instruction set: the compiler splits them into the registers there are.
#ifndef CLUSCA_VECTOR_H
#define CLUSCA_VECTOR_H

#include <float.h>
#include <math.h>
#include <string.h>

#include "CKernels.h"

// The helpers are all inlined, so how vectors travel between functions does not matter.
#pragma clang diagnostic ignored "-Wpsabi"
#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16 };
typedef float vf __attribute__((ext_vector_type(16)));
typedef int32_t vi __attribute__((ext_vector_type(16)));
typedef uint32_t vu __attribute__((ext_vector_type(16)));
typedef uint16_t vh __attribute__((ext_vector_type(16)));
typedef double vd __attribute__((ext_vector_type(16)));

#endif
