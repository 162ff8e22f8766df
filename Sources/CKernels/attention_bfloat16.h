// Attention in bfloat16, a part of body.h: FlashAttention's order of work (arXiv 2205.14135), tile by tile with a running
// maximum, so that its memory does not grow with the tokens.

// Keys of a tile: the scores of ATTENTION_QUERIES rows with so many keys stay in the second-level cache beside these keys
// and their values.
enum { TILE_KEYS = 512 };

// Rows of weights that a block covers where a panel holds at most one register of columns, as behind the 64th dimension
// of DiT's heads.
enum { NARROW_ROWS = 12 };

// `rows` <= NARROW_ROWS rows times the first 16 columns of a panel, `pairs` pairs of k; adds to c unless `first`.
INLINE void narrow_panel(size_t rows, const uint16_t *a, size_t a_stride, size_t pairs, const uint16_t *panel, float *c,
                         size_t c_stride, int first) {
  vf sums[NARROW_ROWS];
  // Rows that are not there repeat the last one.
  const uint16_t *row[NARROW_ROWS];
  UNROLLED(size_t i = 0; i < NARROW_ROWS; i++) {
    const size_t at = i < rows ? i : rows - 1;
    row[i] = a + at * a_stride;
    sums[i] = first ? (vf)0 : load(c + at * c_stride);
  }
  for (size_t p = 0; p < pairs; p++) {
    vu w;
    memcpy(&w, panel + p * 2 * CLUSCA_PANEL, sizeof w);
    UNROLLED(size_t i = 0; i < NARROW_ROWS; i++) {
      uint32_t pair;
      memcpy(&pair, row[i] + 2 * p, sizeof pair);
      sums[i] = (vf)_mm512_dpbf16_ps((__m512)sums[i], (__m512bh)_mm512_set1_epi32((int)pair), (__m512bh)w);
    }
  }
  for (size_t i = 0; i < rows; i++) store(c + i * c_stride, sums[i]);
}

// Raises the running maximum of a row to that of its first `visible` scores times `scale`; returns what the older part of
// the row must be multiplied with.
INLINE float raise_maximum(const float *scores, size_t visible, float scale, float *maximum) {
  vf largest = (vf)-FLT_MAX;
  size_t i = 0;
  for (; i + LANES <= visible; i += LANES) largest = max16(load(scores + i), largest);
  if (i < visible) {
    const __mmask16 part = (__mmask16)((1u << (visible - i)) - 1);
    largest = (vf)_mm512_mask_max_ps((__m512)largest, part, _mm512_maskz_loadu_ps(part, scores + i), (__m512)largest);
  }
  const float top = maximum16(largest) * scale;
  const float old = *maximum, now = top > old ? top : old;
  *maximum = now;
  // The first tile has nothing older.
  return old == -FLT_MAX ? 0 : exp2f(old - now);
}

// Turns a row of scores into 2^(score * scale - maximum), as bfloat16 in the same place, zeros from `visible` on up to
// `count`, an even number. Returns their sum.
INLINE float soften(float *scores, size_t visible, size_t count, float scale, float maximum) {
  uint16_t *weights = (uint16_t *)scores;
  vf sum = 0;
  for (size_t i = 0; i < count; i += LANES) {
    vf p = exp2_coarse(fma16(load(scores + i), (vf)scale, (vf)-maximum));
    if (i + LANES > visible) {
      const __mmask16 part = i < visible ? (__mmask16)((1u << (visible - i)) - 1) : 0;
      p = (vf)_mm512_maskz_mov_ps(part, (__m512)p);
    }
    sum += p;
    const __m256bh narrow = _mm512_cvtneps_pbh((__m512)p);
    memcpy(weights + i, &narrow, sizeof narrow);
  }
  return sum16(sum);
}

static void pack_keys(const float *k, size_t stride, size_t tokens, size_t dimensions, uint16_t *packed) {
  uint16_t narrow[CLUSCA_PANEL * CLUSCA_ATTENTION_DIMENSIONS] __attribute__((aligned(64)));
  const size_t pairs = dimensions / 2;
  for (size_t first = 0; first < tokens; first += CLUSCA_PANEL, packed += CLUSCA_PANEL * dimensions) {
    const size_t count = tokens - first < CLUSCA_PANEL ? tokens - first : CLUSCA_PANEL;
    for (size_t r = 0; r < count; r++) to_bfloat16(k + (first + r) * stride, narrow + r * dimensions, dimensions);
    memset(narrow + count * dimensions, 0, (CLUSCA_PANEL - count) * dimensions * sizeof(uint16_t));
    for (size_t p = 0; p < pairs; p++)
      for (size_t r = 0; r < CLUSCA_PANEL; r++)
        memcpy(packed + (p * CLUSCA_PANEL + r) * 2, narrow + r * dimensions + 2 * p, 2 * sizeof(uint16_t));
  }
}

static void pack_values(const float *v, size_t stride, size_t tokens, size_t dimensions, uint16_t *packed) {
  uint16_t even[CLUSCA_PANEL], odd[CLUSCA_PANEL];
  const size_t pairs = (tokens + 1) / 2;
  for (size_t column = 0; column < dimensions; column += CLUSCA_PANEL) {
    const size_t width = dimensions - column < CLUSCA_PANEL ? dimensions - column : CLUSCA_PANEL;
    memset(even, 0, sizeof even);
    memset(odd, 0, sizeof odd);
    for (size_t p = 0; p < pairs; p++, packed += 2 * CLUSCA_PANEL) {
      to_bfloat16(v + 2 * p * stride + column, even, width);
      if (2 * p + 1 < tokens)
        to_bfloat16(v + (2 * p + 1) * stride + column, odd, width);
      else
        memset(odd, 0, sizeof odd);
      for (size_t c = 0; c < CLUSCA_PANEL; c++) {
        packed[2 * c] = even[c];
        packed[2 * c + 1] = odd[c];
      }
    }
  }
}

static void attend_bfloat16(const float *q, size_t q_stride, size_t queries, size_t dimensions, const uint16_t *keys,
                            const uint16_t *values, size_t tokens, float scale, size_t first_visible,
                            size_t visible_step, float *out, size_t out_stride) {
  enum { LARGEST = CLUSCA_ATTENTION_DIMENSIONS };
  uint16_t narrow[CLUSCA_ATTENTION_QUERIES * LARGEST] __attribute__((aligned(64)));
  float scores[CLUSCA_ATTENTION_QUERIES * TILE_KEYS] __attribute__((aligned(64)));
  float sums[CLUSCA_ATTENTION_QUERIES * LARGEST] __attribute__((aligned(64)));
  float maxima[CLUSCA_ATTENTION_QUERIES], totals[CLUSCA_ATTENTION_QUERIES];
  const size_t pairs = (tokens + 1) / 2, depth = dimensions / 2, panels = (dimensions + CLUSCA_PANEL - 1) / CLUSCA_PANEL;
  const float scale2 = scale * 1.44269504088896341f;
  for (size_t r = 0; r < queries; r++) {
    to_bfloat16(q + r * q_stride, narrow + r * dimensions, dimensions);
    maxima[r] = -FLT_MAX;
    totals[r] = 0;
  }
  size_t most = first_visible + (queries - 1) * visible_step;
  if (most > tokens) most = tokens;
  for (size_t from = 0; from < most; from += TILE_KEYS) {
    const size_t count = most - from < TILE_KEYS ? most - from : TILE_KEYS;
    const size_t padded = (count + CLUSCA_PANEL - 1) / CLUSCA_PANEL * CLUSCA_PANEL;
    for (size_t i = 0; i < queries; i += BLOCK_ROWS) {
      const size_t rows = queries - i < BLOCK_ROWS ? queries - i : BLOCK_ROWS;
      float *block = scores + i * TILE_KEYS;
      for (size_t column = 0; column < padded; column += CLUSCA_PANEL) {
        const uint16_t *these = keys + (from + column) * dimensions;
        const uint16_t *next = from + column + TILE_KEYS < most ? these + TILE_KEYS * dimensions : NULL;
        panel_rows(rows, narrow + i * dimensions, dimensions, depth, these, block + column, TILE_KEYS, 1,
                   share_of_block(next, i / BLOCK_ROWS, queries, depth, NULL));
      }
      // While the scores are in the first-level cache, and row by row side by side: one alone would wait for itself.
      size_t visible[BLOCK_ROWS];
      float shrink[BLOCK_ROWS];
      for (size_t r = 0; r < rows; r++) {
        const size_t all = first_visible + (i + r) * visible_step;
        visible[r] = all <= from ? 0 : all - from < count ? all - from : count;
        shrink[r] = raise_maximum(block + r * TILE_KEYS, visible[r], scale2, maxima + i + r);
      }
      for (size_t r = 0; r < rows; r++) {
        const float sum = soften(block + r * TILE_KEYS, visible[r], padded, scale2, maxima[i + r]);
        totals[i + r] = totals[i + r] * shrink[r] + sum;
        if (from > 0 && shrink[r] != 1)
          for (size_t d = 0; d < dimensions; d += LANES) {
            float *at = sums + (i + r) * LARGEST + d;
            store(at, load(at) * shrink[r]);
          }
      }
    }
    for (size_t panel = 0; panel < panels; panel++) {
      const int is_narrow = dimensions - panel * CLUSCA_PANEL <= LANES;
      const size_t block = is_narrow ? NARROW_ROWS : BLOCK_ROWS;
      const uint16_t *these = values + (panel * pairs + from / 2) * 2 * CLUSCA_PANEL;
      const uint16_t *next = panel + 1 < panels     ? these + pairs * 2 * CLUSCA_PANEL
                             : from + count < most ? values + (from + count) / 2 * 2 * CLUSCA_PANEL
                                                   : NULL;
      for (size_t i = 0; i < queries; i += block) {
        const size_t rows = queries - i < block ? queries - i : block;
        const uint16_t *weights = (const uint16_t *)(scores + i * TILE_KEYS);
        float *out_rows = sums + i * LARGEST + panel * CLUSCA_PANEL;
        if (is_narrow)
          narrow_panel(rows, weights, 2 * TILE_KEYS, (count + 1) / 2, these, out_rows, LARGEST, from == 0);
        else
          panel_rows(rows, weights, 2 * TILE_KEYS, (count + 1) / 2, these, out_rows, LARGEST, from == 0,
                     share_of_block(next, i / BLOCK_ROWS, queries, (count + 1) / 2, NULL));
      }
    }
  }
  for (size_t r = 0; r < queries; r++) {
    const float inverse = 1 / totals[r];
    for (size_t d = 0; d < dimensions; d++) out[r * out_stride + d] = sums[r * LARGEST + d] * inverse;
  }
}
