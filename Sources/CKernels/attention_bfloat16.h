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

// 2^x with a relative error below 2e-4 for x <= 0: what bfloat16 keeps of it has 2e-3.
INLINE vf exp2_coarse(vf x) {
  const __m512 whole = _mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT);
  const vf part = x - (vf)whole;
  vf p = fma16(part, (vf)5.506195e-2f, (vf)2.4233839e-1f);
  p = fma16(p, part, (vf)6.9325528e-1f);
  p = fma16(p, part, (vf)9.9994657e-1f);
  return (vf)_mm512_scalef_ps((__m512)p, whole);
}

// Turns a row of scores into 2^(score * scale - maximum), as bfloat16 in the same place, zeros from `visible` on up to
// `count`, an even number. The running maximum and sum of the row go on; returns what the older part of the row must be
// multiplied with.
INLINE float soften_tile(float *scores, size_t visible, size_t count, float scale, float *maximum, float *sum) {
  uint16_t *weights = (uint16_t *)scores;
  vf largest = (vf)-FLT_MAX;
  size_t i = 0;
  for (; i + LANES <= visible; i += LANES) largest = max16(largest, load(scores + i));
  if (i < visible) {
    const __mmask16 part = (__mmask16)((1u << (visible - i)) - 1);
    largest = (vf)_mm512_mask_max_ps((__m512)largest, part, (__m512)largest, _mm512_maskz_loadu_ps(part, scores + i));
  }
  const float top = maximum16(largest) * scale;
  const float old = *maximum, now = top > old ? top : old;
  // The first tile has nothing older.
  const float shrink = old == -FLT_MAX ? 0 : exp2f(old - now);
  vf added = 0;
  for (i = 0; i < count; i += LANES) {
    vf p = exp2_coarse(fma16(load(scores + i), (vf)scale, (vf)-now));
    if (i + LANES > visible) {
      const __mmask16 part = i < visible ? (__mmask16)((1u << (visible - i)) - 1) : 0;
      p = (vf)_mm512_maskz_mov_ps(part, (__m512)p);
    }
    added += p;
    const __m256bh narrow = _mm512_cvtneps_pbh((__m512)p);
    memcpy(weights + i, &narrow, sizeof narrow);
  }
  *maximum = now;
  *sum = *sum * shrink + sum16(added);
  return shrink;
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
    for (size_t column = 0; column < padded; column += CLUSCA_PANEL) {
      const uint16_t *these = keys + (from + column) * dimensions;
      const uint16_t *next = from + column + CLUSCA_PANEL < most ? these + CLUSCA_PANEL * dimensions : NULL;
      for (size_t i = 0; i < queries; i += BLOCK_ROWS) {
        const size_t rows = queries - i < BLOCK_ROWS ? queries - i : BLOCK_ROWS;
        panel_rows(rows, narrow + i * dimensions, dimensions, depth, these, scores + i * TILE_KEYS + column, TILE_KEYS, 1,
                   share_of_next(next, i, queries));
      }
    }
    for (size_t r = 0; r < queries; r++) {
      size_t visible = first_visible + r * visible_step;
      visible = visible <= from ? 0 : visible - from < count ? visible - from : count;
      const float shrink = soften_tile(scores + r * TILE_KEYS, visible, padded, scale2, maxima + r, totals + r);
      if (from > 0 && shrink != 1)
        for (size_t d = 0; d < dimensions; d += LANES) {
          float *at = sums + r * LARGEST + d;
          store(at, load(at) * shrink);
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
                     share_of_next(next, i, queries));
      }
    }
  }
  for (size_t r = 0; r < queries; r++) {
    const float inverse = 1 / totals[r];
    for (size_t d = 0; d < dimensions; d++) out[r * out_stride + d] = sums[r * LARGEST + d] * inverse;
  }
}
