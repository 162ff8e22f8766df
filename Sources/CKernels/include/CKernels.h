// Inner loops of clusca: everything that runs once per number rather than once per tensor.
//
// One body is compiled for several instruction sets; `clusca_kernels_for_this_cpu` picks the best at run time. A kernel
// never allocates and never starts threads: the caller splits work into pieces that do not depend on the number of
// threads, and each output number is computed by one call in one fixed order of additions. So results are equal bit for
// bit for any number of threads, on CPUs that run the same instruction set.
//
// Matrices are row-major float32 unless said otherwise; `rows x columns`, distances between rows in elements.
#ifndef CLUSCA_KERNELS_H
#define CLUSCA_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum clusca_activation {
  CLUSCA_IDENTITY = 0,
  CLUSCA_SILU = 1,        // x * sigmoid(x)
  CLUSCA_GELU_TANH = 2,   // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
  CLUSCA_GELU_ERF = 3,    // 0.5 x (1 + erf(x / sqrt 2))
  CLUSCA_QUICK_GELU = 4,  // x * sigmoid(1.702 x)
  CLUSCA_RELU = 5,        // max(x, 0)
} clusca_activation;

// Columns of a weight matrix that one packed bfloat16 panel holds.
enum { CLUSCA_PANEL = 64 };
// A term of a sum, in float32, or in bfloat16 where `wide` is NULL.
typedef struct {
  const float *wide;
  const uint16_t *narrow;
} clusca_term;
// What a product fetches on its way, while memory has little to do: rows of so many bytes, `stride` bytes from one to the
// next. Only speed hangs on it.
typedef struct {
  const void *start;
  size_t bytes, stride, rows;
} clusca_memory;
typedef struct {
  // The weights that the caller is likely to multiply with next; NULL if they are not known.
  const void *weights;
  // What is needed behind each panel, in so many parts. Products of few rows have no time for it.
  const clusca_memory *memory;
  size_t parts;
} clusca_ahead;
// Asks memory for what is needed soon.
static inline void clusca_fetch(const void *start, size_t bytes) {
  for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)start + at, 0, 3);
}
// Differences of an order, in float32, or in bfloat16 where `wide` is NULL.
typedef struct {
  float *wide;
  uint16_t *narrow;
} clusca_order;
// What the backward differences of an output are renewed from. All matrices have rows of `stride` numbers.
typedef struct {
  // The output before: kept * old[r] + table[labels[r]] + factors[r] * own[r]; `table` and `own` may be NULL, and own[r] where
  // there is nothing.
  clusca_term old;
  float kept;
  const float *table;
  const int32_t *labels;
  const float *const *own;
  const float *factors;
  // Takes the new output, if it is not NULL: the old one may stand there.
  uint16_t *rounded;
  // From the first on, of which old_count hold values.
  const clusca_order *differences;
  size_t old_count, new_count;
  float distance;
  size_t stride;
} clusca_renewal;
// The most queries and dimensions of a head that attend_bfloat16 takes at once.
enum { CLUSCA_ATTENTION_QUERIES = 96, CLUSCA_ATTENTION_DIMENSIONS = 256 };
// Output channels that a convolution computes at a time.
enum { CLUSCA_CHANNELS = 16 };

typedef struct clusca_kernels {
  // "generic", "avx2", "avx512" or "avx512bf16": also the numerics class of a machine.
  const char *name;
  // Columns that lie together in a packed bfloat16 panel: what is packed is good for kernels with the same number only.
  size_t strip;

  // -- Normalization: y[r] = (x[r] - mean) / sqrt(variance + eps) * (offset + scale) + shift.
  // `scale` and `shift` hold one value a column or are NULL; `offset` is 1 for adaLN modulation, 0 for an affine norm.
  void (*layer_norm)(const float *x, float *y, size_t rows, size_t columns, float eps, float offset,
                     const float *scale, const float *shift);
  // y[r] = x[r] / sqrt(mean(x[r]^2) + eps) * weight. Row r of x and y starts at r * stride.
  void (*rms_norm)(const float *x, size_t x_stride, float *y, size_t y_stride, size_t rows, size_t columns, float eps,
                   const float *weight);
  // Adds each column's sum and sum of squares over the rows to what is there, in double precision: the first half of a
  // group norm in channels-last layout.
  void (*column_moments)(const float *x, size_t rows, size_t columns, double *sums, double *sums_of_squares);
  // y[r][c] = activation(x[r][c] * scale[c] + shift[c]): the second half of a group norm in channels-last layout.
  void (*scale_shift)(const float *x, float *y, size_t rows, size_t columns, const float *scale, const float *shift,
                      clusca_activation activation);

  // -- Element by element.
  void (*activate)(float *x, size_t count, clusca_activation activation);
  // x[r][c] = activation(x[r][c] + bias[c]); bias may be NULL.
  void (*add_bias)(float *x, size_t rows, size_t columns, size_t stride, const float *bias,
                   clusca_activation activation);
  void (*multiply)(float *x, const float *y, size_t count);
  void (*add)(float *x, const float *y, size_t count);
  // x = x * a + y * b, or y * b where a is zero.
  void (*scale_add)(float *x, float a, const float *y, float b, size_t count);
  // Rotates interleaved pairs: (x0, x1) -> (x0 cos - x1 sin, x1 cos + x0 sin). x: `rows` rows of `heads` heads of
  // `dimensions` values, rows `stride` apart; cosine and sine: dimensions / 2 values a row.
  void (*rotate_pairs)(float *x, size_t stride, size_t rows, size_t heads, size_t dimensions, const float *cosine,
                       const float *sine);

  // -- Softmax over each row in place: softmax(x * scale + bias). `bias` (same layout, `bias_stride` apart) may be NULL.
  // Only the first `visible(r) = first_visible + r * visible_step` columns of row r are open where visible_step is 1;
  // the rest become 0. visible_step 0 opens first_visible columns in every row.
  void (*softmax)(float *x, size_t rows, size_t columns, size_t stride, float scale, const float *bias,
                  size_t bias_stride, size_t first_visible, size_t visible_step);

  // -- Products. c[m][n] = sum_k a[m][k] * w[n][k], unpacked float32 weights, for few rows m. `then` are the weights of the
  // product that follows, which are fetched meanwhile; NULL if there is none.
  void (*product_few_rows)(const float *a, size_t a_stride, size_t m, size_t k, const float *w, size_t n, float *c,
                           size_t c_stride, const float *then);
  // c = activation(a · wᵀ + bias) for w of n rows of k (`transposed`), or a · w for k rows of n, for many rows m; rows of w
  // are w_stride apart, bias may be NULL. NULL where the registers are too few to beat a library.
  void (*product_float32)(const float *a, size_t a_stride, size_t m, size_t k, const float *w, size_t w_stride,
                          int transposed, size_t n, float *c, size_t c_stride, const float *bias,
                          clusca_activation activation, clusca_ahead ahead);
  // Packs rows [0, n) of w (bfloat16, k a row) into panels of CLUSCA_PANEL columns, zero padded, each in the order that
  // product_bfloat16 of the same instruction set reads. `packed` holds panels * ceil(k/2) * 2 * CLUSCA_PANEL values;
  // `first` is the first column that is written.
  void (*pack_bfloat16)(const uint16_t *w, size_t n, size_t k, size_t first, uint16_t *packed);
  // c[m][first_panel*64 ..< last_panel*64] = activation(a * w + bias), cut at column n. a: bfloat16, rows a_stride
  // apart, even a_stride >= k, with a zero behind an odd k. Sums are float32.
  void (*product_bfloat16)(const uint16_t *a, size_t a_stride, size_t m, size_t k, const uint16_t *packed,
                           size_t first_panel, size_t last_panel, size_t n, float *c, size_t c_stride,
                           const float *bias, clusca_activation activation, clusca_ahead ahead);
  // The same in bfloat16, for a product to follow. `sums` is scratch memory of m * CLUSCA_PANEL values. NULL where the CPU
  // has no instructions for such products.
  void (*narrow_product_bfloat16)(const uint16_t *a, size_t a_stride, size_t m, size_t k, const uint16_t *packed,
                                  size_t first_panel, size_t last_panel, size_t n, uint16_t *c, size_t c_stride,
                                  float *sums, const float *bias, clusca_activation activation, clusca_ahead ahead);

  // -- Products in 8 bits, with a scale for each row of both sides; sums are exact.
  // Packs rows [0, n) of w (k a row) as columns [first, first + n) of panels: `packed` holds panels * ceil(k/4) * 4 *
  // CLUSCA_PANEL values, zeros beforehand. A column's values are round(w / scale), -127...127; `sums` are those of them.
  void (*pack_int8)(const float *w, size_t n, size_t k, size_t first, int8_t *packed, float *scales, int32_t *sums);
  // q[r] = round(x[r] / scales[r]) + 128, 1...255, with scales[r] = max |x[r]| / 127; 128 stands behind the columns. Rows
  // of q are q_stride apart.
  void (*quantize_rows)(const float *x, size_t rows, size_t columns, uint8_t *q, size_t q_stride, float *scales);
  // c[m][first_panel*64 ..< last_panel*64] = activation(a * w + bias), cut at column n. a: as quantize_rows gives it,
  // a_stride >= ceil(k/4) * 4.
  void (*product_int8)(const uint8_t *a, size_t a_stride, const float *a_scales, size_t m, size_t k,
                       const int8_t *packed, const float *w_scales, const int32_t *w_sums, size_t first_panel,
                       size_t last_panel, size_t n, float *c, size_t c_stride, const float *bias,
                       clusca_activation activation, clusca_ahead ahead);

  // -- Attention in bfloat16; these three are NULL where the CPU has no instructions for such products.
  // Packs the keys or the values of one head, rows `stride` apart, for attend_bfloat16: ceil(tokens/64) * 64 * dimensions
  // values and ceil(dimensions/64) * 64 * ceil(tokens/2) * 2 values. `dimensions` is even, at most
  // CLUSCA_ATTENTION_DIMENSIONS.
  void (*pack_keys)(const float *k, size_t stride, size_t tokens, size_t dimensions, uint16_t *packed);
  void (*pack_values)(const float *v, size_t stride, size_t tokens, size_t dimensions, uint16_t *packed);
  // out[r] = softmax(q[r] keysT * scale) values for at most CLUSCA_ATTENTION_QUERIES queries of one head. Products take
  // bfloat16, their sums and the rest are float32. Only the first `first_visible + r * visible_step` keys of row r are
  // open, at least one.
  void (*attend_bfloat16)(const float *q, size_t q_stride, size_t queries, size_t dimensions, const uint16_t *keys,
                          const uint16_t *values, size_t tokens, float scale, size_t first_visible,
                          size_t visible_step, float *out, size_t out_stride);

  // -- Convolutions in channels-last layout, CLUSCA_CHANNELS output channels at a time.
  // c[m][column] = sum over taps t and channels k of pixels[m][taps[t] + k] * packed[t][k][column].
  void (*convolve)(const float *const *pixels, size_t m, const ptrdiff_t *taps, size_t tap_count, size_t channels,
                   const float *packed, float *c);
  // Winograd's F(2x2, 3x3): windows of 4 x 4 pixels, two pixels apart, stand for 2 x 2 pixels of the result.
  // v[e][w][k], e < 16: the transform of window w, which begins at x + 2 * w * channels. Distances in elements.
  void (*winograd_input)(const float *x, size_t row_stride, size_t windows, size_t channels, float *v,
                         size_t component_stride);
  // c[row_stride * i + 2 * w + j][column], i, j < 2: from the components m[e][w][column], component_stride apart.
  void (*winograd_output)(const float *m, size_t component_stride, size_t windows, float *c, size_t row_stride);
  // out[r][column] = c[r][column] + bias[column], or += where `add` is set, for the first `columns` columns of c. Rows of
  // out are out_stride apart.
  void (*store_channels)(const float *c, size_t rows, size_t columns, const float *bias, float *out,
                         size_t out_stride, int add);

  // -- Conversions. Rounding to bfloat16 is to nearest even.
  void (*to_bfloat16)(const float *x, uint16_t *y, size_t count);
  void (*from_bfloat16)(const uint16_t *x, float *y, size_t count);

  // -- Feature caching.
  // xs[s][r][c] += gates[s][c] * sum_i coefficients[s][i] * terms[i][first_row + r][c] for each target s < targets, which
  // share what is read of the terms; gates may be NULL (1). A single coefficient of 1 adds gate * terms[0] exactly.
  void (*add_gated_sums)(float *const *xs, size_t targets, size_t first_row, size_t rows, size_t columns,
                         const float *const *gates, const clusca_term *terms, const float *coefficients,
                         size_t term_count);
  // Backward differences, in place, of some rows and columns: with f the new output, which begins there, and `old` the one
  // before, differences[0] := (f - old) / distance and differences[i+1] := (differences[i] - old differences[i]) / distance
  // for i + 1 < new_count, where differences[i] is the new one before it is rounded.
  void (*renew_differences)(const clusca_renewal *renewal, const float *f, size_t f_stride, size_t first_row,
                            size_t rows, size_t first_column, size_t columns);
  // Nearest centroid by L1 distance for each row: lowest index on ties.
  void (*nearest_centroid)(const float *x, size_t rows, size_t columns, const float *centroids, size_t k,
                           int32_t *labels);
} clusca_kernels;

// The best kernels this CPU runs; the environment variable CLUSCA_ISA names a lesser set.
const clusca_kernels *clusca_kernels_for_this_cpu(void);
// The set of that name if this CPU runs it, else NULL.
const clusca_kernels *clusca_kernels_named(const char *name);

// SHA-256 (FIPS 180-4): takes `count` blocks of 64 bytes into the state of 8 words, with the 64 constants of its rounds.
// Returns 0, and does nothing, where the CPU has no instructions for it.
int clusca_sha256(uint32_t *state, const uint8_t *blocks, size_t count, const uint32_t *constants);

#ifdef __cplusplus
}
#endif
#endif
