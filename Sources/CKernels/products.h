// Products of matrices for few rows, a part of body.h.

// Products count registers: a block of sums, what it is made of and nothing else must fit. So their vectors are as wide as
// one register, and 4 x 3 sums take 12 of 16 registers, 6 x 4 take 24 of 32.
#if HAS_AVX512
#define PRODUCT_LANES 16
#define DOT_ROWS 6
#define DOT_COLUMNS 4
#elif HAS_FMA
#define PRODUCT_LANES 8
#define DOT_ROWS 4
#define DOT_COLUMNS 3
#else
#define PRODUCT_LANES 4
#define DOT_ROWS 4
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

// What a pass has of a sum: the first sets it, the others add to it.
INLINE void put_sum(float *c, float sum, int first) { *c = first ? sum : *c + sum; }

// The sums of `count` <= DOT_COLUMNS registers, each as sum_product has it: all at once where four fill one register.
INLINE void put_sums(float *c, const vp *sums, const size_t count, int first) {
#if PRODUCT_LANES == 16
  if (count == 4) {
#define HALVES(a, b, half) __builtin_shufflevector(a, b, half, half + 1, half + 2, half + 3, half + 4, half + 5, \
    half + 6, half + 7, 16 + half, 17 + half, 18 + half, 19 + half, 20 + half, 21 + half, 22 + half, 23 + half)
#define QUARTERS(a, b, quarter) __builtin_shufflevector(a, b, quarter, quarter + 1, quarter + 2, quarter + 3, \
    8 + quarter, 9 + quarter, 10 + quarter, 11 + quarter, 16 + quarter, 17 + quarter, 18 + quarter, 19 + quarter, \
    24 + quarter, 25 + quarter, 26 + quarter, 27 + quarter)
    const vp upper = HALVES(sums[0], sums[1], 0) + HALVES(sums[0], sums[1], 8);
    const vp lower = HALVES(sums[2], sums[3], 0) + HALVES(sums[2], sums[3], 8);
    const vp fours = QUARTERS(upper, lower, 0) + QUARTERS(upper, lower, 4);
    const vp twos = fours + __builtin_shufflevector(fours, fours, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
#undef HALVES
#undef QUARTERS
    UNROLLED(size_t j = 0; j < 4; j++) put_sum(c + j, twos[4 * j] + twos[4 * j + 1], first);
    return;
  }
#endif
  UNROLLED(size_t j = 0; j < count; j++) put_sum(c + j, sum_product(sums[j]), first);
}

// A block of mr x nr dot products along k, each in the lanes of a register: weights are read where they stand. Adds to c
// unless `first`.
#define DOT_BLOCK(mr, nr)                                                                                           \
  INLINE void dot_##mr##x##nr(const float *a, size_t a_stride, const float *w, size_t w_stride, size_t k, float *c, \
                              size_t c_stride, int first, rows_ahead *ahead) {                                      \
    vp sums[mr][nr];                                                                                                \
    UNROLLED(size_t i = 0; i < mr; i++) UNROLLED(size_t j = 0; j < nr; j++) sums[i][j] = 0;                         \
    size_t p = 0;                                                                                                   \
    for (; p + PRODUCT_LANES <= k; p += PRODUCT_LANES) {                                                            \
      vp columns[nr];                                                                                               \
      UNROLLED(size_t j = 0; j < nr; j++) columns[j] = load_product(w + j * w_stride + p);                          \
      fetch_rows(ahead);                                                                                            \
      UNROLLED(size_t i = 0; i < mr; i++) {                                                                         \
        const vp row = load_product(a + i * a_stride + p);                                                          \
        UNROLLED(size_t j = 0; j < nr; j++) sums[i][j] = fma_product(row, columns[j], sums[i][j]);                  \
      }                                                                                                             \
    }                                                                                                               \
    if (p < k)                                                                                                      \
      UNROLLED(size_t i = 0; i < mr; i++) UNROLLED(size_t j = 0; j < nr; j++)                                       \
          sums[i][j] = fma_product(load_product_part(a + i * a_stride + p, k - p),                                  \
                                   load_product_part(w + j * w_stride + p, k - p), sums[i][j]);                     \
    UNROLLED(size_t i = 0; i < mr; i++) put_sums(c + i * c_stride, sums[i], nr, first);                             \
  }
DOT_BLOCK(1, 1)
DOT_BLOCK(2, 1)
DOT_BLOCK(3, 1)
DOT_BLOCK(4, 1)
#if HAS_AVX512
DOT_BLOCK(5, 1)
DOT_BLOCK(6, 1)
DOT_BLOCK(1, 4)
DOT_BLOCK(2, 4)
DOT_BLOCK(3, 4)
DOT_BLOCK(4, 4)
DOT_BLOCK(5, 4)
DOT_BLOCK(6, 4)
#define DOT_WIDE(mr) dot_##mr##x4
#else
DOT_BLOCK(1, 3)
DOT_BLOCK(2, 3)
DOT_BLOCK(3, 3)
DOT_BLOCK(4, 3)
#define DOT_WIDE(mr) dot_##mr##x3
#endif

// Values of k of one pass at most, and columns of one tile: a block's rows and columns fit a first-level cache of 32 KB, and
// the weights of a tile, with those of the next, which are fetched meanwhile, the second-level one.
enum { DOT_PASS = 768, DOT_TILE = 16 * DOT_COLUMNS };

// A block of rows times the columns of a tile.
INLINE void dot_tile(size_t rows, const float *a, size_t a_stride, const float *w, size_t w_stride, size_t columns,
                     size_t depth, float *c, size_t c_stride, int first, rows_ahead *next) {
  rows_ahead own = *next, *ahead = &own;
  for (size_t j = 0, wide; j < columns; j += wide ? DOT_COLUMNS : 1) {
    wide = j + DOT_COLUMNS <= columns;
#define DOT(mr)                                                                                    \
  case mr:                                                                                         \
    if (wide)                                                                                      \
      DOT_WIDE(mr)(a, a_stride, w + j * w_stride, w_stride, depth, c + j, c_stride, first, ahead); \
    else                                                                                           \
      dot_##mr##x1(a, a_stride, w + j * w_stride, w_stride, depth, c + j, c_stride, first, ahead); \
    break
    switch (rows) {
      DOT(1);
      DOT(2);
      DOT(3);
      DOT(4);
#if HAS_AVX512
      DOT(5);
      DOT(6);
#endif
    }
#undef DOT
  }
  *next = own;
}

static void product_few_rows(const float *a, size_t a_stride, size_t m, size_t k, const float *w, size_t n, float *c,
                             size_t c_stride, const float *then) {
  const size_t blocks = row_blocks(m, DOT_ROWS), passes = k > DOT_PASS ? (k + DOT_PASS - 1) / DOT_PASS : 1;
  // Even passes: each fetches as much as the next one takes.
  const size_t most = ((k + passes - 1) / passes + LANES - 1) / LANES * LANES;
  size_t from = 0;
  do {
    const size_t depth = k - from < most ? k - from : most;
    for (size_t tile = 0, columns; tile < n; tile += columns) {
      columns = n - tile < DOT_TILE ? n - tile : DOT_TILE;
      const float *weights = w + tile * k + from;
      const float *next = tile + columns < n ? weights + columns * k : from + depth < k ? w + from + depth : then;
      const size_t across = (columns + DOT_COLUMNS - 1) / DOT_COLUMNS;
      // A single block has the weights go by as memory gives them, which the processor itself foresees best.
      rows_ahead ahead =
          rows_of_next(blocks > 1 ? next : NULL, k, DOT_TILE, depth, blocks * across, PRODUCT_LANES);
      for (size_t i = 0, block = 0, rows; i < m; i += rows, block++) {
        rows = rows_of_block(block, m, DOT_ROWS);
        dot_tile(rows, a + i * a_stride + from, a_stride, weights, k, columns, depth, c + i * c_stride + tile, c_stride,
                 from == 0, &ahead);
      }
    }
    from += most;
  } while (from < k);
}
