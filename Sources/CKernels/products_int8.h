// Products of 8-bit weights and activations, a part of body.h. Sums are whole numbers and exact, so that every instruction
// set gives the same.

// Values of k from `from` on, of one column; adds them to the sum.
INLINE void pack_int8_column(const float *w, size_t k, size_t from, float inverse, int8_t *out, int32_t *sum) {
  for (size_t i = from; i < k; i++) {
    const int8_t q = (int8_t)__builtin_roundevenf(w[i] * inverse);
    out[i / 4 * 4 * CLUSCA_PANEL + i % 4] = q;
    *sum += q;
  }
}

// As many columns as a vector has lanes: four values are moved as the 32 bits of a lane.
INLINE void pack_int8_columns(const float *w, size_t k, const float *inverse, int8_t *out, int32_t *sums) {
  typedef int8_t vc __attribute__((ext_vector_type(16)));
  size_t from = 0;
  for (; from + 4 * LANES <= k; from += 4 * LANES) {
    vf block[LANES];
    for (size_t row = 0; row < LANES; row++) {
      int8_t bytes[4 * LANES];
      vi sum = 0;
      for (size_t i = 0; i < 4 * LANES; i += LANES) {
        const vf rounded = __builtin_elementwise_roundeven(load(w + row * k + from + i) * inverse[row]);
        const vi q = __builtin_convertvector(rounded, vi);
        const vc narrow = __builtin_convertvector(q, vc);
        memcpy(bytes + i, &narrow, sizeof narrow);
        sum += q;
      }
      sums[row] += __builtin_reduce_add(sum);
      memcpy(&block[row], bytes, sizeof *block);
    }
    transpose16(block);
    for (size_t i = 0; i < LANES; i++) memcpy(out + (from / 4 + i) * 4 * CLUSCA_PANEL, &block[i], sizeof *block);
  }
  for (size_t row = 0; row < LANES; row++)
    pack_int8_column(w + row * k, k, from, inverse[row], out + 4 * row, sums + row);
}

// Panels of CLUSCA_PANEL columns, each [k/4][column][4]: what one instruction takes stands together.
static void pack_int8(const float *w, size_t n, size_t k, size_t first, int8_t *packed, float *scales, int32_t *sums) {
  const size_t quads = (k + 3) / 4;
  for (size_t row = 0, rows; row < n; row += rows, w += rows * k) {
    const size_t column = first + row;
    rows = column % LANES == 0 && n - row >= LANES ? LANES : 1;
    float inverse[LANES];
    for (size_t r = 0; r < rows; r++) {
      vf largest = 0;
      FOR_EACH_16(k, largest = max16(largest, abs16(READ(w + r * k))););
      const float top = maximum16(largest);
      inverse[r] = top > 0 ? 127.0f / top : 0;
      scales[column + r] = top / 127.0f;
      sums[column + r] = 0;
    }
    int8_t *out = packed + (column / CLUSCA_PANEL) * quads * 4 * CLUSCA_PANEL + (column % CLUSCA_PANEL) * 4;
    if (rows == LANES)
      pack_int8_columns(w, k, inverse, out, sums + column);
    else
      pack_int8_column(w, k, 0, inverse[0], out, sums + column);
  }
}

static void quantize_rows(const float *x, size_t rows, size_t columns, uint8_t *q, size_t q_stride, float *scales) {
  typedef uint8_t vb __attribute__((ext_vector_type(16)));
  for (size_t r = 0; r < rows; r++, x += columns, q += q_stride) {
    vf largest = 0;
    FOR_EACH_16(columns, largest = max16(largest, abs16(READ(x))););
    const float top = maximum16(largest);
    const float inverse = top > 0 ? 127.0f / top : 0;
    FOR_EACH_16(columns, {
      // Adding 1.5 * 2^23 rounds to nearest even and leaves the number in the low bits.
      const vf shifted = READ(x) * inverse + (12582912.0f + 128.0f);
      vu bits;
      memcpy(&bits, &shifted, sizeof bits);
      const vb bytes = __builtin_convertvector(bits & 0xFF, vb);
      memcpy(q + i, &bytes, part);
    });
    for (size_t c = columns; c < q_stride; c++) q[c] = 128;
    scales[r] = top / 127.0f;
  }
}

// Whole numbers in the place of floats, between passes.
INLINE vi load_sums(const float *p) {
  vi v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE void store_sums(float *p, vi v) { memcpy(p, &v, sizeof v); }

#if HAS_BFLOAT16

// Quadruples of k that one pass over a panel covers: its weights and those of the next fit the second-level cache.
enum { QUAD_PASS = 768 };

#define QUAD_BLOCK(rows)                                                                                            \
  INLINE void quads_##rows(const uint8_t *a, size_t a_stride, size_t quads, const int8_t *panel, float *c,          \
                           size_t c_stride, int first, read_ahead ahead) {                                          \
    vi sums[rows][4];                                                                                               \
    UNROLLED(size_t i = 0; i < rows; i++) UNROLLED(size_t j = 0; j < 4; j++)                                        \
        sums[i][j] = first ? (vi)0 : load_sums(c + i * c_stride + j * LANES);                                       \
    if (first) fetch_target(c, c_stride, rows);                                                                     \
    for (size_t p = 0; p < quads; p++) {                                                                            \
      vu w[4];                                                                                                      \
      UNROLLED(size_t j = 0; j < 4; j++) memcpy(&w[j], panel + (p * CLUSCA_PANEL + j * LANES) * 4, sizeof(vu));     \
      fetch_ahead(ahead, p);                                                                                        \
      UNROLLED(size_t i = 0; i < rows; i++) {                                                                       \
        uint32_t quad;                                                                                              \
        memcpy(&quad, a + i * a_stride + 4 * p, sizeof quad);                                                       \
        UNROLLED(size_t j = 0; j < 4; j++)                                                                          \
            sums[i][j] = (vi)_mm512_dpbusd_epi32((__m512i)sums[i][j], _mm512_set1_epi32((int)quad), (__m512i)w[j]); \
      }                                                                                                             \
    }                                                                                                               \
    UNROLLED(size_t i = 0; i < rows; i++) UNROLLED(size_t j = 0; j < 4; j++)                                        \
        store_sums(c + i * c_stride + j * LANES, sums[i][j]);                                                       \
  }
QUAD_BLOCK(1)
QUAD_BLOCK(2)
QUAD_BLOCK(3)
QUAD_BLOCK(4)
QUAD_BLOCK(5)
QUAD_BLOCK(6)

INLINE void quad_rows(size_t rows, const uint8_t *a, size_t a_stride, size_t quads, const int8_t *panel, float *c,
                      size_t c_stride, int first, read_ahead ahead) {
  switch (rows) {
    case 1: return quads_1(a, a_stride, quads, panel, c, c_stride, first, ahead);
    case 2: return quads_2(a, a_stride, quads, panel, c, c_stride, first, ahead);
    case 3: return quads_3(a, a_stride, quads, panel, c, c_stride, first, ahead);
    case 4: return quads_4(a, a_stride, quads, panel, c, c_stride, first, ahead);
    case 5: return quads_5(a, a_stride, quads, panel, c, c_stride, first, ahead);
    default: return quads_6(a, a_stride, quads, panel, c, c_stride, first, ahead);
  }
}

#else

enum { QUAD_PASS = 1 << 30 };

// Without instructions for it: right, and slow.
INLINE void quad_rows(size_t rows, const uint8_t *a, size_t a_stride, size_t quads, const int8_t *panel, float *c,
                      size_t c_stride, int first, read_ahead ahead) {
  (void)ahead;
  for (size_t r = 0; r < rows; r++)
    for (size_t column = 0; column < CLUSCA_PANEL; column += LANES) {
      vi sum = first ? (vi)0 : load_sums(c + r * c_stride + column);
      for (size_t p = 0; p < quads; p++)
        for (size_t i = 0; i < 4; i++) {
          vi w;
          for (size_t lane = 0; lane < LANES; lane++) w[lane] = panel[(p * CLUSCA_PANEL + column + lane) * 4 + i];
          sum += w * (int32_t)a[r * a_stride + 4 * p + i];
        }
      store_sums(c + r * c_stride + column, sum);
    }
}

#endif

static void product_int8(const uint8_t *a, size_t a_stride, const float *a_scales, size_t m, size_t k,
                         const int8_t *packed, const float *w_scales, const int32_t *w_sums, size_t first_panel,
                         size_t last_panel, size_t n, float *c, size_t c_stride, const float *bias,
                         clusca_activation activation, clusca_ahead ahead) {
  const size_t quads = (k + 3) / 4, blocks = row_blocks(m, BLOCK_ROWS);
  memory_ahead memory =
      memory_for(ahead, blocks > WEIGHT_BLOCKS ? (last_panel - first_panel) * (blocks - WEIGHT_BLOCKS) : 0);
  for (size_t panel = first_panel; panel < last_panel; panel++) {
    const size_t column = panel * CLUSCA_PANEL;
    const size_t width = n - column < CLUSCA_PANEL ? n - column : CLUSCA_PANEL;
    for (size_t from = 0; from < quads; from += QUAD_PASS) {
      const size_t count = quads - from < QUAD_PASS ? quads - from : QUAD_PASS;
      const int8_t *weights = packed + (panel * quads + from) * 4 * CLUSCA_PANEL;
      const int is_last = from + count == quads;
      const void *next = is_last && panel + 1 == last_panel ? ahead.weights : weights + count * 4 * CLUSCA_PANEL;
      for (size_t i = 0, block = 0, rows; i < m; i += rows, block++) {
        rows = rows_of_block(block, m, BLOCK_ROWS);
        float scratch[BLOCK_ROWS * CLUSCA_PANEL];
        // A narrow panel is computed by way of scratch memory, all of its passes at once.
        float *out = width == CLUSCA_PANEL ? c + i * c_stride + column : scratch;
        const size_t stride = width == CLUSCA_PANEL ? c_stride : CLUSCA_PANEL;
        if (width == CLUSCA_PANEL) {
          quad_rows(rows, a + i * a_stride + 4 * from, a_stride, count, weights, out, stride, from == 0,
                    share_of_block(next, block, m, count, is_last ? &memory : NULL));
        } else if (from == 0) {
          quad_rows(rows, a + i * a_stride, a_stride, quads, weights, out, stride, 1, (read_ahead){0});
        } else {
          continue;
        }
        if (width == CLUSCA_PANEL && !is_last) continue;
        for (size_t r = 0; r < rows; r++) {
          float *target = c + (i + r) * c_stride + column;
          const float scale = a_scales[i + r];
          FOR_EACH_16(width, {
            // The activations are stored 128 too high.
            vi sum = load_sums(out + r * stride + i);
            vi high = 0;
            memcpy(&high, w_sums + column + i, part * sizeof(int32_t));
            vf v = __builtin_convertvector(sum - high * 128, vf) * (READ(w_scales + column) * scale);
            if (bias) v = v + READ(bias + column);
            WRITE(target, activate16(v, activation));
          });
        }
      }
    }
  }
}
