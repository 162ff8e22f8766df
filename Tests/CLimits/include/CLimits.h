// How fast this CPU multiplies and adds when nothing else holds it up: chains of such instructions on registers alone.
#ifndef CLUSCA_LIMITS_H
#define CLUSCA_LIMITS_H

// Runs so many rounds on one core, with the widest instructions there are for float32, for bfloat16 with float32 sums, or
// for 8 bits with sums of 32 bits (those for the type before where the CPU has none). Returns the multiplications and
// additions that it made.
double clusca_limit_float32(long rounds);
double clusca_limit_bfloat16(long rounds);
double clusca_limit_int8(long rounds);

#endif
