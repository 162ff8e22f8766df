// Products of packed bfloat16 weights, a part of body.h: with the instructions for them, or with those for float32.

// A panel lies in strips of columns, each [k/2][column][2]: what one register block reads stands together. Without the
// instructions for bfloat16 a strip is two registers wide.
#if HAS_BFLOAT16
enum { STRIP = CLUSCA_PANEL };
#else
enum { STRIP = 2 * PRODUCT_LANES };
#endif

// Pairs of k from `from` on, of one column.
INLINE void pack_column(const uint16_t *in, size_t k, size_t from, uint16_t *out) {
  for (size_t p = from; p < (k + 1) / 2; p++) {
    out[p * 2 * STRIP] = in[2 * p];
    out[p * 2 * STRIP + 1] = 2 * p + 1 < k ? in[2 * p + 1] : 0;
  }
}

// As many columns as a vector has lanes, of which a strip has all: a pair is moved as the 32 bits of a lane.
INLINE void pack_columns_of_lanes(const uint16_t *in, size_t k, uint16_t *out) {
  size_t from = 0;
  for (; 2 * (from + LANES) <= k; from += LANES) {
    vf block[LANES];
    UNROLLED(size_t i = 0; i < LANES; i++) memcpy(&block[i], in + i * k + 2 * from, sizeof *block);
    transpose16(block);
    UNROLLED(size_t i = 0; i < LANES; i++) memcpy(out + (from + i) * 2 * STRIP, &block[i], sizeof *block);
  }
  for (size_t i = 0; i < LANES; i++) pack_column(in + i * k, k, from, out + 2 * i);
}

static void pack_bfloat16(const uint16_t *w, size_t n, size_t k, size_t first, uint16_t *packed) {
  const size_t pairs = (k + 1) / 2;
  for (size_t row = 0, rows; row < n; row += rows) {
    const size_t column = first + row;
    uint16_t *out = packed + (column / STRIP) * pairs * 2 * STRIP + (column % STRIP) * 2;
    rows = STRIP % LANES == 0 && column % LANES == 0 && n - row >= LANES ? LANES : 1;
    if (rows == LANES)
      pack_columns_of_lanes(w + row * k, k, out);
    else
      pack_column(w + row * k, k, 0, out);
  }
}

#if HAS_BFLOAT16

// Values of k that one pass over a panel covers: its weights and those of the next fit the second-level cache.
enum { PASS = 1536 };

// One register block: `rows` <= BLOCK_ROWS rows times one panel, `pairs` pairs of k; adds to c unless `first`.
#define PANEL_BLOCK(rows)                                                                                     \
  INLINE void panel_##rows(const uint16_t *a, size_t a_stride, size_t pairs, const uint16_t *panel, float *c, \
                           size_t c_stride, int first, read_ahead ahead) {                                    \
    vf sums[rows][4];                                                                                         \
    UNROLLED(size_t i = 0; i < rows; i++) UNROLLED(size_t j = 0; j < 4; j++)                                  \
        sums[i][j] = first ? (vf)0 : load(c + i * c_stride + j * LANES);                                      \
    if (first) fetch_target(c, c_stride, rows);                                                               \
    for (size_t p = 0; p < pairs; p++) {                                                                      \
      vu w[4];                                                                                                \
      UNROLLED(size_t j = 0; j < 4; j++)                                                                      \
          memcpy(&w[j], panel + p * 2 * CLUSCA_PANEL + j * 2 * LANES, sizeof(vu));                            \
      fetch_ahead(ahead, p);                                                                                  \
      UNROLLED(size_t i = 0; i < rows; i++) {                                                                 \
        uint32_t pair;                                                                                        \
        memcpy(&pair, a + i * a_stride + 2 * p, sizeof pair);                                                 \
        UNROLLED(size_t j = 0; j < 4; j++)                                                                    \
            sums[i][j] = (vf)_mm512_dpbf16_ps((__m512)sums[i][j], (__m512bh)_mm512_set1_epi32((int)pair),     \
                                              (__m512bh)w[j]);                                                \
      }                                                                                                       \
    }                                                                                                         \
    UNROLLED(size_t i = 0; i < rows; i++) UNROLLED(size_t j = 0; j < 4; j++)                                  \
        store(c + i * c_stride + j * LANES, sums[i][j]);                                                      \
  }
PANEL_BLOCK(1)
PANEL_BLOCK(2)
PANEL_BLOCK(3)
PANEL_BLOCK(4)
PANEL_BLOCK(5)
PANEL_BLOCK(6)

INLINE void panel_rows(size_t rows, const uint16_t *a, size_t a_stride, size_t pairs, const uint16_t *panel, float *c,
                       size_t c_stride, int first, read_ahead ahead) {
  switch (rows) {
    case 1: return panel_1(a, a_stride, pairs, panel, c, c_stride, first, ahead);
    case 2: return panel_2(a, a_stride, pairs, panel, c, c_stride, first, ahead);
    case 3: return panel_3(a, a_stride, pairs, panel, c, c_stride, first, ahead);
    case 4: return panel_4(a, a_stride, pairs, panel, c, c_stride, first, ahead);
    case 5: return panel_5(a, a_stride, pairs, panel, c, c_stride, first, ahead);
    default: return panel_6(a, a_stride, pairs, panel, c, c_stride, first, ahead);
  }
}

#else

// Values of k of one pass: those of a row block, widened once for all panels, stay in the first-level cache.
enum { PASS = 512 };

// One register block: `rows` <= BLOCK_ROWS rows times `vectors` registers' worth of a panel's columns. The weights are
// widened on the way, an operation for every six or so that are then done with them: memory sees half of what float32
// takes, and the processor hardly more.
#define STRIP_BLOCK(rows, vectors)                                                                            \
  INLINE void strip_##rows(const float *a, size_t pairs, const uint16_t *strip, size_t strip_stride, float *c, \
                           size_t c_stride, int first) {                                                      \
    vp sums[rows][vectors];                                                                                   \
    UNROLLED(size_t i = 0; i < rows; i++) UNROLLED(size_t j = 0; j < vectors; j++)                            \
        sums[i][j] = first ? (vp)0 : load_product(c + i * c_stride + j * PRODUCT_LANES);                      \
    for (size_t p = 0; p < pairs; p++) {                                                                      \
      vp even[vectors], odd[vectors];                                                                         \
      UNROLLED(size_t j = 0; j < vectors; j++) {                                                              \
        vpu both;                                                                                             \
        memcpy(&both, strip + j / 2 * strip_stride + p * 2 * STRIP + j % 2 * 2 * PRODUCT_LANES, sizeof both); \
        const vpu low = both << 16, high = both & 0xFFFF0000u;                                                \
        memcpy(&even[j], &low, sizeof low);                                                                   \
        memcpy(&odd[j], &high, sizeof high);                                                                  \
      }                                                                                                       \
      UNROLLED(size_t j = 0; j < vectors; j += 2)                                                             \
          __builtin_prefetch(strip + j / 2 * strip_stride + p * 2 * STRIP + 512);                             \
      UNROLLED(size_t i = 0; i < rows; i++) UNROLLED(size_t j = 0; j < vectors; j++)                          \
          sums[i][j] = fma_product((vp)a[i * PASS + 2 * p], even[j], sums[i][j]);                             \
      UNROLLED(size_t i = 0; i < rows; i++) UNROLLED(size_t j = 0; j < vectors; j++)                          \
          sums[i][j] = fma_product((vp)a[i * PASS + 2 * p + 1], odd[j], sums[i][j]);                          \
    }                                                                                                         \
    UNROLLED(size_t i = 0; i < rows; i++) UNROLLED(size_t j = 0; j < vectors; j++)                            \
        store_product(c + i * c_stride + j * PRODUCT_LANES, sums[i][j]);                                      \
  }
// At least eight sums at a time hide the latency of the additions; twelve fill the registers there are.
#if HAS_AVX512
STRIP_BLOCK(1, 4)
#else
STRIP_BLOCK(1, 8)
#endif
STRIP_BLOCK(2, 4)
STRIP_BLOCK(3, 4)
STRIP_BLOCK(4, 2)
STRIP_BLOCK(5, 2)
STRIP_BLOCK(6, 2)

INLINE void panel_rows(size_t rows, const float *a, size_t strip_stride, size_t pairs, const uint16_t *panel, float *c,
                       size_t c_stride, int first, read_ahead ahead) {
  (void)ahead;
#define STRIPS(rows, vectors)                                                                                       \
  for (size_t column = 0; column < CLUSCA_PANEL; column += vectors * PRODUCT_LANES)                                 \
    strip_##rows(a, pairs, panel + column / STRIP * strip_stride, strip_stride, c + column, c_stride, first);       \
  return
  switch (rows) {
#if HAS_AVX512
    case 1: STRIPS(1, 4);
#else
    case 1: STRIPS(1, 8);
#endif
    case 2: STRIPS(2, 4);
    case 3: STRIPS(3, 4);
    case 4: STRIPS(4, 2);
    case 5: STRIPS(5, 2);
    default: STRIPS(6, 2);
  }
#undef STRIPS
}

#endif

// A row block of `a` times one panel, cut at column n: narrow panels go by way of a block of scratch memory.
//
// `stride` is that of a's rows, or that of strips where rows of `a` were widened.
#if HAS_BFLOAT16
typedef uint16_t block_value;
#else
typedef float block_value;
#endif
static void panel_block(const block_value *a, size_t stride, size_t rows, size_t pairs, const uint16_t *panel,
                        size_t width, float *c, size_t c_stride, int first, read_ahead ahead) {
  if (width == CLUSCA_PANEL) return panel_rows(rows, a, stride, pairs, panel, c, c_stride, first, ahead);
  float scratch[BLOCK_ROWS * CLUSCA_PANEL];
  if (!first)
    for (size_t r = 0; r < rows; r++) memcpy(scratch + r * CLUSCA_PANEL, c + r * c_stride, width * sizeof(float));
  panel_rows(rows, a, stride, pairs, panel, scratch, CLUSCA_PANEL, first, ahead);
  for (size_t r = 0; r < rows; r++) memcpy(c + r * c_stride, scratch + r * CLUSCA_PANEL, width * sizeof(float));
}

#if HAS_BFLOAT16

// 2^x with a relative error below 1e-4, where bfloat16 keeps 2e-3: 2^floor(x) times a polynomial of the rest (minimax,
// degree 3).
INLINE vf exp2_coarse(vf x) {
  const vf part = (vf)_mm512_reduce_ps((__m512)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  vf p = fma16(part, (vf)7.802452e-2f, (vf)2.2606716e-1f);
  p = fma16(p, part, (vf)6.9583356e-1f);
  p = fma16(p, part, (vf)9.999252e-1f);
  return (vf)_mm512_scalef_ps((__m512)p, (__m512)x);
}

// x / (1 + 2^z) as exactly as bfloat16 needs it.
INLINE vf coarse_sigmoid_product(vf x, vf z) { return x / (1.0f + exp2_coarse(z)); }

// activate16 as exactly as bfloat16 keeps it, in half the time.
INLINE vf activate_coarse(vf x, clusca_activation activation) {
  const float log2e = 1.44269504088896341f, slope = -2 * 0.79788456080286536f * log2e;
  switch (activation) {
    case CLUSCA_SILU:
      return coarse_sigmoid_product(x, x * -log2e);
    case CLUSCA_QUICK_GELU:
      return coarse_sigmoid_product(x, x * (-1.702f * log2e));
    case CLUSCA_GELU_TANH:
      return coarse_sigmoid_product(x, x * fma16(x * x, (vf)(slope * 0.044715f), (vf)slope));
    default:
      return activate16(x, activation);
  }
}

// Adds the bias to sums and applies the activation, in place or to `narrow` if that is not NULL: the numbers are the same
// but for their rounding.
static void finish_rows(float *sums, size_t stride, size_t rows, size_t columns, const float *bias,
                        clusca_activation activation, uint16_t *narrow, size_t narrow_stride) {
  for (size_t r = 0; r < rows; r++, sums += stride)
    FOR_EACH_16(columns, {
      const vf v = activate_coarse(bias ? READ(sums) + READ(bias) : READ(sums), activation);
      if (narrow)
        store_narrow(narrow + r * narrow_stride + i, v, part);
      else
        WRITE(sums, v);
    });
}

// One panel, `width` columns of it, for m rows; `then` are the weights behind it. Gives float32 in c, or bfloat16 in `narrow`
// if that is not NULL, with sums in c.
static void panel_product(const uint16_t *a, size_t a_stride, size_t m, size_t pairs, const uint16_t *panel, size_t width,
                          const uint16_t *then, memory_ahead *memory, float *c, size_t c_stride, const float *bias,
                          clusca_activation activation, uint16_t *narrow, size_t narrow_stride) {
  for (size_t from = 0; from < pairs; from += PASS / 2) {
    const size_t count = pairs - from < PASS / 2 ? pairs - from : PASS / 2;
    const uint16_t *weights = panel + from * 2 * CLUSCA_PANEL;
    const int is_last = from + count == pairs;
    const uint16_t *next = is_last ? then : weights + count * 2 * CLUSCA_PANEL;
    for (size_t i = 0, block = 0, rows; i < m; i += rows, block++) {
      rows = rows_of_block(block, m, BLOCK_ROWS);
      float *sums = c + i * c_stride;
      panel_block(a + i * a_stride + 2 * from, a_stride, rows, count, weights, width, sums, c_stride, from == 0,
                  share_of_block(next, block, m, count, is_last ? memory : NULL));
      if (is_last && (bias || narrow || activation != CLUSCA_IDENTITY))
        finish_rows(sums, c_stride, rows, width, bias, activation, narrow ? narrow + i * narrow_stride : NULL,
                    narrow_stride);
    }
  }
}

// Panels for m rows, one after the other: to c if that is not NULL, or else to `narrow` by way of `sums`.
INLINE void panel_products(const uint16_t *a, size_t a_stride, size_t m, size_t k, const uint16_t *packed,
                           size_t first_panel, size_t last_panel, size_t n, float *c, size_t c_stride, uint16_t *narrow,
                           size_t narrow_stride, float *sums, const float *bias, clusca_activation activation,
                           clusca_ahead ahead) {
  const size_t pairs = (k + 1) / 2, values = pairs * 2 * CLUSCA_PANEL;
  const size_t blocks = row_blocks(m, BLOCK_ROWS);
  memory_ahead memory =
      memory_for(ahead, blocks > WEIGHT_BLOCKS ? (last_panel - first_panel) * (blocks - WEIGHT_BLOCKS) : 0);
  for (size_t panel = first_panel; panel < last_panel; panel++) {
    const size_t column = panel * CLUSCA_PANEL;
    const size_t width = n - column < CLUSCA_PANEL ? n - column : CLUSCA_PANEL;
    const uint16_t *weights = packed + panel * values;
    panel_product(a, a_stride, m, pairs, weights, width, panel + 1 < last_panel ? weights + values : ahead.weights,
                  &memory, c ? c + column : sums, c ? c_stride : CLUSCA_PANEL, bias ? bias + column : NULL, activation,
                  narrow ? narrow + column : NULL, narrow_stride);
  }
}

static void product_bfloat16(const uint16_t *a, size_t a_stride, size_t m, size_t k, const uint16_t *packed,
                             size_t first_panel, size_t last_panel, size_t n, float *c, size_t c_stride,
                             const float *bias, clusca_activation activation, clusca_ahead ahead) {
  panel_products(a, a_stride, m, k, packed, first_panel, last_panel, n, c, c_stride, NULL, 0, NULL, bias, activation,
                 ahead);
}

static void narrow_product_bfloat16(const uint16_t *a, size_t a_stride, size_t m, size_t k, const uint16_t *packed,
                                    size_t first_panel, size_t last_panel, size_t n, uint16_t *c, size_t c_stride,
                                    float *sums, const float *bias, clusca_activation activation, clusca_ahead ahead) {
  panel_products(a, a_stride, m, k, packed, first_panel, last_panel, n, NULL, 0, c, c_stride, sums, bias, activation,
                 ahead);
}

#else

static void product_bfloat16(const uint16_t *a, size_t a_stride, size_t m, size_t k, const uint16_t *packed,
                             size_t first_panel, size_t last_panel, size_t n, float *c, size_t c_stride,
                             const float *bias, clusca_activation activation, clusca_ahead ahead) {
  (void)ahead;
  const size_t pairs = (k + 1) / 2;
  float wide[BLOCK_ROWS * PASS];
  for (size_t from = 0; from < pairs; from += PASS / 2) {
    const size_t count = pairs - from < PASS / 2 ? pairs - from : PASS / 2;
    for (size_t i = 0; i < m; i += BLOCK_ROWS) {
      const size_t rows = m - i < BLOCK_ROWS ? m - i : BLOCK_ROWS;
      for (size_t r = 0; r < rows; r++) from_bfloat16(a + (i + r) * a_stride + 2 * from, wide + r * PASS, 2 * count);
      for (size_t panel = first_panel; panel < last_panel; panel++) {
        const size_t column = panel * CLUSCA_PANEL;
        const size_t width = n - column < CLUSCA_PANEL ? n - column : CLUSCA_PANEL;
        const uint16_t *weights = packed + panel * pairs * 2 * CLUSCA_PANEL + from * 2 * STRIP;
        float *out = c + i * c_stride + column;
        // Weights are near: strips fetch them on the way.
        panel_block(wide, pairs * 2 * STRIP, rows, count, weights, width, out, c_stride, from == 0, (read_ahead){0});
        if (from + count == pairs && (bias || activation != CLUSCA_IDENTITY))
          add_bias(out, rows, width, c_stride, bias ? bias + column : NULL, activation);
      }
    }
  }
}

#endif
