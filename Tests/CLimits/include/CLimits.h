// How fast this CPU multiplies and adds when nothing else holds it up: chains of such instructions on registers alone.
#ifndef CLUSCA_LIMITS_H
#define CLUSCA_LIMITS_H

// Runs so many rounds on one core, with the widest instructions there are for float32, or for bfloat16 with float32 sums
// (those for float32 where the CPU has none). Returns the multiplications and additions that it made.
double clusca_limit_float32(long rounds);
double clusca_limit_bfloat16(long rounds);

#endif
