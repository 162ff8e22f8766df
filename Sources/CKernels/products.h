// Products of matrices for few rows, a part of body.h.

// Products count registers: a block of sums, what it is made of and nothing else must fit. So their vectors are as wide as
// one register, and 4 x 3 sums take 12 of 16 registers, 4 x 4 take 16 of 32.
#if HAS_AVX512
#define PRODUCT_LANES 16
#define DOT_COLUMNS 4
#elif HAS_FMA
#define PRODUCT_LANES 8
#define DOT_COLUMNS 3
#else
#define PRODUCT_LANES 4
#define DOT_COLUMNS 3
#endif
typedef float vp __attribute__((ext_vector_type(PRODUCT_LANES)));
typedef uint32_t vpu __attribute__((ext_vector_type(PRODUCT_LANES)));

#define UNROLLED _Pragma("clang loop unroll(full)") for

INLINE vp load_product(const float *p) {
  vp v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE void store_product(float *p, vp v) { memcpy(p, &v, sizeof v); }

INLINE vp load_product_part(const float *p, size_t n) {
  vp v = 0;
  memcpy(&v, p, n * sizeof(float));
  return v;
}

INLINE vp fma_product(vp a, vp b, vp c) {
#if HAS_FMA
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}

// Sums of lanes in a fixed tree.
INLINE float sum_product(vp v) {
  typedef float v4 __attribute__((ext_vector_type(4)));
#if PRODUCT_LANES == 16
  typedef float v8 __attribute__((ext_vector_type(8)));
  const v8 eight = v.lo + v.hi;
  const v4 four = eight.lo + eight.hi;
#elif PRODUCT_LANES == 8
  const v4 four = v.lo + v.hi;
#else
  const v4 four = v;
#endif
  return (four.x + four.z) + (four.y + four.w);
}

// A block of mr x nr dot products along k, each in the lanes of a register: weights are read where they stand. Adds to c
// unless `first`.
#define DOT_BLOCK(mr, nr)                                                                                         \
  INLINE void dot_##mr##x##nr(const float *a, size_t a_stride, const float *w, size_t w_stride, size_t k, float *c, \
                              size_t c_stride, int first) {                                                       \
    vp sums[mr][nr];                                                                                              \
    UNROLLED(size_t i = 0; i < mr; i++) UNROLLED(size_t j = 0; j < nr; j++) sums[i][j] = 0;                       \
    size_t p = 0;                                                                                                 \
    for (; p + PRODUCT_LANES <= k; p += PRODUCT_LANES) {                                                          \
      vp columns[nr];                                                                                             \
      UNROLLED(size_t j = 0; j < nr; j++) columns[j] = load_product(w + j * w_stride + p);                        \
      UNROLLED(size_t i = 0; i < mr; i++) {                                                                       \
        const vp row = load_product(a + i * a_stride + p);                                                        \
        UNROLLED(size_t j = 0; j < nr; j++) sums[i][j] = fma_product(row, columns[j], sums[i][j]);                \
      }                                                                                                           \
    }                                                                                                             \
    if (p < k)                                                                                                    \
      UNROLLED(size_t i = 0; i < mr; i++) UNROLLED(size_t j = 0; j < nr; j++)                                     \
          sums[i][j] = fma_product(load_product_part(a + i * a_stride + p, k - p),                                \
                                   load_product_part(w + j * w_stride + p, k - p), sums[i][j]);                   \
    UNROLLED(size_t i = 0; i < mr; i++) UNROLLED(size_t j = 0; j < nr; j++) {                                     \
      const float sum = sum_product(sums[i][j]);                                                                  \
      c[i * c_stride + j] = first ? sum : c[i * c_stride + j] + sum;                                              \
    }                                                                                                             \
  }
DOT_BLOCK(4, 3)
DOT_BLOCK(4, 1)
DOT_BLOCK(1, 3)
DOT_BLOCK(1, 1)
#if DOT_COLUMNS == 4
DOT_BLOCK(4, 4)
DOT_BLOCK(1, 4)
#endif

// Values of k of one pass, so that four rows of `a` stay in the first-level cache while the weights of so many columns,
// which stay in the second-level cache, go by for every four rows.
enum { DOT_PASS = 1024, DOT_TILE = 48 };

static void product_few_rows(const float *a, size_t a_stride, size_t m, size_t k, const float *w, size_t n, float *c,
                             size_t c_stride) {
  for (size_t from = 0; from == 0 || from < k; from += DOT_PASS) {
    const size_t depth = k - from < DOT_PASS ? k - from : DOT_PASS;
    const int first = from == 0;
    for (size_t tile = 0; tile < n; tile += DOT_TILE) {
      const size_t end = n - tile < DOT_TILE ? n : tile + DOT_TILE;
#define DOT_ROWS(mr)                                                                                \
  do {                                                                                              \
    const float *block = a + i * a_stride + from;                                                   \
    float *out = c + i * c_stride;                                                                  \
    size_t j = tile;                                                                                \
    for (; j + DOT_COLUMNS <= end; j += DOT_COLUMNS)                                                \
      DOT_WIDE(mr)(block, a_stride, w + j * k + from, k, depth, out + j, c_stride, first);          \
    for (; j < end; j++)                                                                            \
      dot_##mr##x1(block, a_stride, w + j * k + from, k, depth, out + j, c_stride, first);          \
  } while (0)
#if DOT_COLUMNS == 4
#define DOT_WIDE(mr) dot_##mr##x4
#else
#define DOT_WIDE(mr) dot_##mr##x3
#endif
      size_t i = 0;
      for (; i + 4 <= m; i += 4) DOT_ROWS(4);
      for (; i < m; i++) DOT_ROWS(1);
#undef DOT_ROWS
#undef DOT_WIDE
    }
  }
}
