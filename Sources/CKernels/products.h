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

// Sixteen rows of 16 values become 16 columns: first within blocks of 4 x 4, which then change places.
INLINE void transpose16(vf rows[LANES]) {
  vf pairs[LANES], blocks[LANES];
  UNROLLED(size_t i = 0; i < LANES; i += 2) {
    const vf a = rows[i], b = rows[i + 1];
    pairs[i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
    pairs[i + 1] = __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  }
  UNROLLED(size_t i = 0; i < LANES; i += 4) UNROLLED(size_t half = 0; half < 2; half++) {
    const vf a = pairs[i + half], b = pairs[i + half + 2];
    blocks[i + 2 * half] = __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
    blocks[i + 2 * half + 1] = __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  }
#define EVEN_BLOCKS(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
#define ODD_BLOCKS(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31)
  UNROLLED(size_t j = 0; j < 4; j++) {
    const vf upper_even = EVEN_BLOCKS(blocks[j], blocks[4 + j]), lower_even = EVEN_BLOCKS(blocks[8 + j], blocks[12 + j]);
    const vf upper_odd = ODD_BLOCKS(blocks[j], blocks[4 + j]), lower_odd = ODD_BLOCKS(blocks[8 + j], blocks[12 + j]);
    rows[j] = EVEN_BLOCKS(upper_even, lower_even);
    rows[4 + j] = EVEN_BLOCKS(upper_odd, lower_odd);
    rows[8 + j] = ODD_BLOCKS(upper_even, lower_even);
    rows[12 + j] = ODD_BLOCKS(upper_odd, lower_odd);
  }
#undef EVEN_BLOCKS
#undef ODD_BLOCKS
}

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
