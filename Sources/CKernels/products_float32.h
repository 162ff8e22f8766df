// Products of float32 matrices for many rows, a part of body.h: weights stand as they are and are packed on their way.

#if HAS_AVX512

// Values of k of one pass: what is packed of a panel and what is fetched for the next fit the second-level cache, and sums
// of a pass are added to those before them, so that roundings do not grow with k alone.
enum { WIDE_PASS = 384 };

// Packs `depth` values of `width` rows of w as columns, [k][column], with zeros up to the panel's width.
static void pack_rows(const float *w, size_t w_stride, size_t width, size_t depth, float *packed) {
  for (size_t column = 0; column < CLUSCA_PANEL; column += LANES) {
    const size_t rows = column >= width ? 0 : width - column < LANES ? width - column : LANES;
    for (size_t p = 0; p < depth; p += LANES) {
      const size_t count = depth - p < LANES ? depth - p : LANES;
      const float *from = w + column * w_stride + p;
      float *to = packed + p * CLUSCA_PANEL + column;
      vf block[LANES];
      if (rows == LANES && count == LANES) {
        UNROLLED(size_t i = 0; i < LANES; i++) block[i] = load(from + i * w_stride);
        transpose16(block);
        UNROLLED(size_t i = 0; i < LANES; i++) store(to + i * CLUSCA_PANEL, block[i]);
      } else {
        for (size_t i = 0; i < LANES; i++) block[i] = i < rows ? load_part(from + i * w_stride, count) : (vf)0;
        transpose16(block);
        for (size_t i = 0; i < count; i++) store(to + i * CLUSCA_PANEL, block[i]);
      }
    }
  }
}

// The same of a matrix that has its columns side by side.
static void pack_columns(const float *w, size_t w_stride, size_t width, size_t depth, float *packed) {
  for (size_t p = 0; p < depth; p++) {
    float *out = packed + p * CLUSCA_PANEL;
    memcpy(out, w + p * w_stride, width * sizeof(float));
    memset(out + width, 0, (CLUSCA_PANEL - width) * sizeof(float));
  }
}

// One register block: `rows` rows times `vectors` registers of a panel's columns.
#define WIDE_BLOCK(rows, vectors)                                                                                  \
  INLINE void wide_##rows##x##vectors(const float *a, size_t a_stride, size_t depth, const float *panel, float *c, \
                                      size_t c_stride, int first, rows_ahead *weights, read_ahead behind) {        \
    vf sums[rows][vectors];                                                                                        \
    UNROLLED(size_t i = 0; i < rows; i++) UNROLLED(size_t j = 0; j < vectors; j++) sums[i][j] = 0;                 \
    fetch_target(c, c_stride, rows);                                                                               \
    const size_t step_lines = (behind.lines * LANES + depth - 1) / depth;                                          \
    for (size_t from = 0, line = 0; from < depth; from += LANES, line += step_lines) {                             \
      const size_t end = depth - from < LANES ? depth : from + LANES;                                              \
      fetch_rows(weights);                                                                                         \
      fetch_lines(behind, line, line + step_lines < behind.lines ? line + step_lines : behind.lines);              \
      for (size_t p = from; p < end; p++) {                                                                        \
        vf w[vectors];                                                                                             \
        UNROLLED(size_t j = 0; j < vectors; j++) w[j] = load(panel + p * CLUSCA_PANEL + j * LANES);                \
        UNROLLED(size_t i = 0; i < rows; i++) {                                                                    \
          const vf value = a[i * a_stride + p];                                                                    \
          UNROLLED(size_t j = 0; j < vectors; j++) sums[i][j] = fma16(value, w[j], sums[i][j]);                    \
        }                                                                                                          \
      }                                                                                                            \
    }                                                                                                              \
    UNROLLED(size_t i = 0; i < rows; i++) UNROLLED(size_t j = 0; j < vectors; j++) {                               \
      float *out = c + i * c_stride + j * LANES;                                                                   \
      store(out, first ? sums[i][j] : load(out) + sums[i][j]);                                                     \
    }                                                                                                              \
  }
WIDE_BLOCK(1, 1)
WIDE_BLOCK(2, 1)
WIDE_BLOCK(3, 1)
WIDE_BLOCK(4, 1)
WIDE_BLOCK(5, 1)
WIDE_BLOCK(6, 1)
WIDE_BLOCK(1, 4)
WIDE_BLOCK(2, 4)
WIDE_BLOCK(3, 4)
WIDE_BLOCK(4, 4)
WIDE_BLOCK(5, 4)
WIDE_BLOCK(6, 4)

// A block of rows times the first `width` columns of a panel, of which those behind the 64th dimension of DiT's heads fill
// one register; where they fill no whole number of registers, sums go by way of scratch memory.
INLINE void wide_rows(size_t rows, size_t width, const float *a, size_t a_stride, size_t depth, const float *panel,
                      float *c, size_t c_stride, int first, rows_ahead *weights, read_ahead behind) {
#define WIDE_ROWS(vectors)                                                                                      \
  switch (rows) {                                                                                               \
    case 1: wide_1x##vectors(a, a_stride, depth, panel, target, target_stride, begins, weights, behind); break; \
    case 2: wide_2x##vectors(a, a_stride, depth, panel, target, target_stride, begins, weights, behind); break; \
    case 3: wide_3x##vectors(a, a_stride, depth, panel, target, target_stride, begins, weights, behind); break; \
    case 4: wide_4x##vectors(a, a_stride, depth, panel, target, target_stride, begins, weights, behind); break; \
    case 5: wide_5x##vectors(a, a_stride, depth, panel, target, target_stride, begins, weights, behind); break; \
    default: wide_6x##vectors(a, a_stride, depth, panel, target, target_stride, begins, weights, behind);       \
  }
  float scratch[BLOCK_ROWS * CLUSCA_PANEL] __attribute__((aligned(64)));
  const int direct = width == CLUSCA_PANEL, begins = direct ? first : 1;
  float *target = direct ? c : scratch;
  const size_t target_stride = direct ? c_stride : CLUSCA_PANEL;
  if (width <= LANES) {
    WIDE_ROWS(1)
  } else {
    WIDE_ROWS(4)
  }
#undef WIDE_ROWS
  if (direct) return;
  for (size_t r = 0; r < rows; r++, c += c_stride)
    for (size_t j = 0; j < width; j++)
      c[j] = first ? scratch[r * CLUSCA_PANEL + j] : c[j] + scratch[r * CLUSCA_PANEL + j];
}

// One panel of columns after the other; what the next pass packs is fetched during the blocks of this one, and what is needed
// behind a panel during those of its last.
static void product_float32(const float *a, size_t a_stride, size_t m, size_t k, const float *w, size_t w_stride,
                            int transposed, size_t n, float *c, size_t c_stride, const float *bias,
                            clusca_activation activation, clusca_ahead ahead) {
  const size_t blocks = row_blocks(m, BLOCK_ROWS);
  memory_ahead memory = memory_for(ahead, (n + CLUSCA_PANEL - 1) / CLUSCA_PANEL * blocks);
  float packed[WIDE_PASS * CLUSCA_PANEL] __attribute__((aligned(64)));
  for (size_t column = 0; column < n; column += CLUSCA_PANEL) {
    const size_t width = n - column < CLUSCA_PANEL ? n - column : CLUSCA_PANEL;
    for (size_t from = 0; from < k; from += WIDE_PASS) {
      const size_t depth = k - from < WIDE_PASS ? k - from : WIDE_PASS;
      const int is_last = from + depth == k;
      const float *next = NULL;
      if (transposed) {
        const float *rows = w + column * w_stride;
        pack_rows(rows + from, w_stride, width, depth, packed);
        next = !is_last ? rows + from + depth : column + width < n ? rows + width * w_stride : ahead.weights;
      } else {
        pack_columns(w + from * w_stride + column, w_stride, width, depth, packed);
      }
      rows_ahead weights = rows_of_next(next, w_stride, width, depth, blocks, LANES);
      for (size_t i = 0, block = 0, rows; i < m; i += rows, block++) {
        rows = rows_of_block(block, m, BLOCK_ROWS);
        float *out = c + i * c_stride + column;
        wide_rows(rows, width, a + i * a_stride + from, a_stride, depth, packed, out, c_stride, from == 0,
                  &weights, is_last ? share_of_memory(&memory) : (read_ahead){0});
        if (is_last && (bias || activation != CLUSCA_IDENTITY))
          add_bias(out, rows, width, c_stride, bias ? bias + column : NULL, activation);
      }
    }
  }
}

#endif
