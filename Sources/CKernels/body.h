// The kernels, compiled once for each instruction set: the including file defines KERNELS (the table's name), ISA_NAME,
// HAS_FMA, HAS_AVX512 (32 registers of 16 floats) and HAS_BFLOAT16, and applies the target attribute to everything between.

INLINE vf load(const float *p) {
  vf v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE void store(float *p, vf v) { memcpy(p, &v, sizeof v); }

// The first n < 16 values, zeros behind.
INLINE vf load_part(const float *p, size_t n) {
  vf v = 0;
  memcpy(&v, p, n * sizeof(float));
  return v;
}

INLINE void store_part(float *p, vf v, size_t n) { memcpy(p, &v, n * sizeof(float)); }

// a * b + c, in one rounding where the instruction set has it.
INLINE vf fma16(vf a, vf b, vf c) {
#if HAS_FMA
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}

// One instruction each: where either is not a number, the second. The compiler's own take three to prefer the number.
INLINE vf max16(vf a, vf b) { return a > b ? a : b; }
INLINE vf min16(vf a, vf b) { return a < b ? a : b; }
INLINE vf abs16(vf a) { return __builtin_elementwise_abs(a); }

// Sums of lanes in a fixed tree.
INLINE float sum16(vf v) {
  float lanes[LANES];
  memcpy(lanes, &v, sizeof v);
  for (size_t half = LANES / 2; half > 0; half /= 2)
    for (size_t i = 0; i < half; i++) lanes[i] += lanes[i + half];
  return lanes[0];
}

INLINE float maximum16(vf v) {
  typedef float v4 __attribute__((ext_vector_type(4)));
  typedef float v8 __attribute__((ext_vector_type(8)));
  const v8 eight = v.lo > v.hi ? v.lo : v.hi;
  const v4 four = eight.lo > eight.hi ? eight.lo : eight.hi;
  const float a = four.x > four.z ? four.x : four.z, b = four.y > four.w ? four.y : four.w;
  return a > b ? a : b;
}

// exp(x) with a relative error below 2e-7: x = n ln 2 + r, |r| <= ln(2)/2, a polynomial of degree 6 in r (the Taylor
// coefficients, the last two adjusted), times 2^n. Saturates at the ends of float32.
INLINE vf exp16(vf x) {
  x = min16((vf)88.0f, max16((vf)-87.0f, x));
  vf n = __builtin_elementwise_roundeven(x * 1.44269504088896341f);
  vf r = fma16(n, (vf)-0.693359375f, x);
  r = fma16(n, (vf)2.12194440e-4f, r);
  vf p = (vf)1.9875691500e-4f;
  p = fma16(p, r, (vf)1.3981999507e-3f);
  p = fma16(p, r, (vf)8.3334519073e-3f);
  p = fma16(p, r, (vf)4.1665795894e-2f);
  p = fma16(p, r, (vf)1.6666665459e-1f);
  p = fma16(p, r, (vf)5.0000001201e-1f);
  p = fma16(p, r * r, r + 1.0f);
  vi power = (__builtin_convertvector(n, vi) + 127) << 23;
  vf scale;
  memcpy(&scale, &power, sizeof scale);
  return p * scale;
}

INLINE vf sigmoid_product(vf x, vf z) { return x / (1.0f + exp16(-z)); }

INLINE vf activate16(vf x, clusca_activation activation) {
  switch (activation) {
    case CLUSCA_SILU:
      return sigmoid_product(x, x);
    case CLUSCA_QUICK_GELU:
      return sigmoid_product(x, x * 1.702f);
    case CLUSCA_GELU_TANH:
      // (1 + tanh u) / 2 = sigmoid(2 u)
      return sigmoid_product(x, x * fma16(x * x, (vf)(2 * 0.79788456080286536f * 0.044715f),
                                          (vf)(2 * 0.79788456080286536f)));
    case CLUSCA_GELU_ERF:
      for (size_t i = 0; i < LANES; i++) x[i] = 0.5f * x[i] * (1.0f + erff(x[i] * 0.70710678118654752f));
      return x;
    case CLUSCA_RELU:
      return max16((vf)0.0f, x);
    default:
      return x;
  }
}

// Applies `expression` of vf `v` (the values) at offset `i` over `count` values, the tail included.
#define FOR_EACH_16(count, body)                          \
  do {                                                    \
    size_t i = 0;                                         \
    for (; i + LANES <= (count); i += LANES) {            \
      enum { whole = 1 };                                 \
      const size_t part = LANES;                          \
      (void)part;                                         \
      body                                                \
    }                                                     \
    if (i < (count)) {                                    \
      enum { whole = 0 };                                 \
      const size_t part = (count)-i;                      \
      body                                                \
    }                                                     \
  } while (0)
#define READ(p) (whole ? load((p) + i) : load_part((p) + i, part))
#define WRITE(p, v) (whole ? store((p) + i, v) : store_part((p) + i, v, part))

// MARK: Normalization

static void layer_norm(const float *x, float *y, size_t rows, size_t columns, float eps, float offset,
                       const float *scale, const float *shift) {
  for (size_t r = 0; r < rows; r++, x += columns, y += columns) {
    vf sum = 0;
    FOR_EACH_16(columns, sum += READ(x););
    const float mean = sum16(sum) / (float)columns;
    vf squares = 0;
    FOR_EACH_16(columns, {
      vf d = READ(x) - mean;
      if (!whole)
        for (size_t lane = part; lane < LANES; lane++) d[lane] = 0;
      squares = fma16(d, d, squares);
    });
    const float inverse = 1.0f / sqrtf(sum16(squares) / (float)columns + eps);
    FOR_EACH_16(columns, {
      vf v = (READ(x) - mean) * inverse;
      if (scale) v = v * (READ(scale) + offset);
      if (shift) v = v + READ(shift);
      WRITE(y, v);
    });
  }
}

static void rms_norm(const float *x, size_t x_stride, float *y, size_t y_stride, size_t rows, size_t columns,
                     float eps, const float *weight) {
  for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride) {
    vf squares = 0;
    FOR_EACH_16(columns, {
      vf v = READ(x);
      squares = fma16(v, v, squares);
    });
    const float inverse = 1.0f / sqrtf(sum16(squares) / (float)columns + eps);
    FOR_EACH_16(columns, {
      vf v = READ(x) * inverse;
      WRITE(y, weight ? v * READ(weight) : v);
    });
  }
}

static void column_moments(const float *x, size_t rows, size_t columns, double *sums, double *sums_of_squares) {
  FOR_EACH_16(columns, {
    vd sum = 0;
    vd squares = 0;
    for (size_t r = 0; r < rows; r++) {
      const vd v = __builtin_convertvector(READ(x + r * columns), vd);
      sum += v;
      squares += v * v;
    }
    for (size_t lane = 0; lane < part; lane++) {
      sums[i + lane] += sum[lane];
      sums_of_squares[i + lane] += squares[lane];
    }
  });
}

static void scale_shift(const float *x, float *y, size_t rows, size_t columns, const float *scale, const float *shift,
                        clusca_activation activation) {
  for (size_t r = 0; r < rows; r++, x += columns, y += columns)
    FOR_EACH_16(columns, WRITE(y, activate16(fma16(READ(x), READ(scale), READ(shift)), activation)););
}

// MARK: Element by element

static void activate(float *x, size_t count, clusca_activation activation) {
  FOR_EACH_16(count, WRITE(x, activate16(READ(x), activation)););
}

static void add_bias(float *x, size_t rows, size_t columns, size_t stride, const float *bias,
                     clusca_activation activation) {
  for (size_t r = 0; r < rows; r++, x += stride)
    FOR_EACH_16(columns, WRITE(x, activate16(bias ? READ(x) + READ(bias) : READ(x), activation)););
}

static void multiply(float *x, const float *y, size_t count) { FOR_EACH_16(count, WRITE(x, READ(x) * READ(y));); }

static void add(float *x, const float *y, size_t count) { FOR_EACH_16(count, WRITE(x, READ(x) + READ(y));); }

static void scale_add(float *x, float a, const float *y, float b, size_t count) {
  if (a == 0) {
    FOR_EACH_16(count, WRITE(x, READ(y) * b););
  } else {
    FOR_EACH_16(count, WRITE(x, fma16(READ(x), (vf)a, READ(y) * b)););
  }
}

static void rotate_pairs(float *x, size_t stride, size_t rows, size_t heads, size_t dimensions, const float *cosine,
                         const float *sine) {
  enum { PAIRS = LANES / 2 };
  typedef float half __attribute__((ext_vector_type(PAIRS)));
  const size_t pairs = dimensions / 2;
  for (size_t r = 0; r < rows; r++, x += stride, cosine += pairs, sine += pairs)
    for (size_t p = 0; p < pairs; p += PAIRS) {
      const size_t count = pairs - p < PAIRS ? pairs - p : PAIRS;
      half c = 0, s = 0;
      memcpy(&c, cosine + p, count * sizeof(float));
      memcpy(&s, sine + p, count * sizeof(float));
#define EACH_TWICE(v, w) \
  __builtin_shufflevector(v, w, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)
      const vf cosines = EACH_TWICE(c, c), sines = EACH_TWICE(-s, s);
#undef EACH_TWICE
      for (size_t h = 0; h < heads; h++) {
        float *at = x + h * dimensions + 2 * p;
        const vf v = count == PAIRS ? load(at) : load_part(at, 2 * count);
        const vf other = __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
        const vf turned = fma16(v, cosines, other * sines);
        if (count == PAIRS)
          store(at, turned);
        else
          store_part(at, turned, 2 * count);
      }
    }
}

// MARK: Softmax

static void softmax(float *x, size_t rows, size_t columns, size_t stride, float scale, const float *bias,
                    size_t bias_stride, size_t first_visible, size_t visible_step) {
  for (size_t r = 0; r < rows; r++, x += stride) {
    size_t visible = first_visible + r * visible_step;
    if (visible > columns) visible = columns;
    const float *row_bias = bias ? bias + r * bias_stride : NULL;
    vf largest = (vf)-FLT_MAX;
    FOR_EACH_16(visible, {
      vf v = READ(x) * scale;
      if (row_bias) v = v + READ(row_bias);
      WRITE(x, v);
      if (!whole)
        for (size_t lane = part; lane < LANES; lane++) v[lane] = -FLT_MAX;
      largest = max16(v, largest);
    });
    const float top = maximum16(largest);
    vf sum = 0;
    FOR_EACH_16(visible, {
      vf v = exp16(READ(x) - top);
      if (!whole)
        for (size_t lane = part; lane < LANES; lane++) v[lane] = 0;
      sum += v;
      WRITE(x, v);
    });
    const float inverse = 1.0f / sum16(sum);
    FOR_EACH_16(visible, WRITE(x, READ(x) * inverse););
    for (size_t c = visible; c < columns; c++) x[c] = 0;
  }
}

// MARK: Conversions

// Up to 16 numbers, rounded to bfloat16.
INLINE void store_narrow(uint16_t *y, vf v, size_t part) {
#if HAS_BFLOAT16
  // The instruction takes denormals for zeros, as the products do.
  const __m256bh half = _mm512_cvtneps_pbh((__m512)v);
#else
  vu bits;
  memcpy(&bits, &v, sizeof bits);
  const vu rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  // Not-a-number stays one: rounding could carry it into infinity.
  const vi nan = v != v;
  const vh half = __builtin_convertvector(nan ? ((bits >> 16) | 0x40) : rounded, vh);
#endif
  memcpy(y, &half, part * sizeof(uint16_t));
}

INLINE vf load_narrow(const uint16_t *x, size_t part) {
  vh half = 0;
  memcpy(&half, x, part * sizeof(uint16_t));
  const vu bits = __builtin_convertvector(half, vu) << 16;
  vf v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

static void to_bfloat16(const float *x, uint16_t *y, size_t count) {
  FOR_EACH_16(count, store_narrow(y + i, READ(x), part););
}

static void from_bfloat16(const uint16_t *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const uint32_t bits = (uint32_t)x[i] << 16;
    memcpy(y + i, &bits, sizeof bits);
  }
}

// MARK: Products

#include "fetching.h"
#include "products.h"
#include "products_bfloat16.h"
#include "products_float32.h"
#include "products_int8.h"
#if HAS_BFLOAT16
#include "attention_bfloat16.h"
#endif

// MARK: Convolutions

#include "convolutions.h"

// MARK: Feature caching

#include "caching.h"

#undef FOR_EACH_16
#undef READ
#undef WRITE

const clusca_kernels KERNELS = {
    .name = ISA_NAME,
    .strip = STRIP,
    .layer_norm = layer_norm,
    .rms_norm = rms_norm,
    .column_moments = column_moments,
    .scale_shift = scale_shift,
    .activate = activate,
    .add_bias = add_bias,
    .multiply = multiply,
    .add = add,
    .scale_add = scale_add,
    .rotate_pairs = rotate_pairs,
    .softmax = softmax,
    .product_few_rows = product_few_rows,
#if HAS_AVX512
    .product_float32 = product_float32,
#endif
    .pack_bfloat16 = pack_bfloat16,
    .product_bfloat16 = product_bfloat16,
    .pack_int8 = pack_int8,
    .quantize_rows = quantize_rows,
    .product_int8 = product_int8,
#if HAS_BFLOAT16
    .narrow_product_bfloat16 = narrow_product_bfloat16,
    .pack_keys = pack_keys,
    .pack_values = pack_values,
    .attend_bfloat16 = attend_bfloat16,
#endif
    .convolve = convolve,
    .winograd_input = winograd_input,
    .winograd_output = winograd_output,
    .store_channels = store_channels,
    .to_bfloat16 = to_bfloat16,
    .from_bfloat16 = from_bfloat16,
    .add_gated_sums = add_gated_sums,
    .renew_differences = renew_differences,
    .nearest_centroid = nearest_centroid,
};
