// Convolutions of pictures with the channels last, a part of body.h.

// Channels of a pass: the weights of one stay in the first-level cache while all pixels go by.
enum { PASS_CHANNELS = 256 };

// One tap of a convolution at `count` pixels, which share each load of weights: c[i] (+)= sum over k of pixels[i][tap + k] * weights[k].
#define PIXEL_BLOCK(count)                                                                                       \
  static void pixels_##count(const float *const *pixels, ptrdiff_t tap, size_t depth, const float *weights,     \
                             float *c, int first) {                                                             \
    const float *p[count];                                                                                      \
    vf sums[count];                                                                                             \
    _Pragma("clang loop unroll(full)") for (size_t i = 0; i < count; i++) {                                     \
      p[i] = pixels[i] + tap;                                                                                   \
      sums[i] = first ? (vf)0 : load(c + i * LANES);                                                            \
    }                                                                                                           \
    for (size_t k = 0; k < depth; k++) {                                                                        \
      const vf w = load(weights + k * LANES);                                                                   \
      _Pragma("clang loop unroll(full)") for (size_t i = 0; i < count; i++)                                     \
          sums[i] = fma16((vf)p[i][k], w, sums[i]);                                                             \
    }                                                                                                           \
    _Pragma("clang loop unroll(full)") for (size_t i = 0; i < count; i++) store(c + i * LANES, sums[i]);        \
  }
PIXEL_BLOCK(1)
PIXEL_BLOCK(2)
#if HAS_FMA
PIXEL_BLOCK(4)
PIXEL_BLOCK(6)
#endif
#if HAS_AVX512
PIXEL_BLOCK(12)
#endif

static void convolve(const float *const *pixels, size_t m, const ptrdiff_t *taps, size_t tap_count, size_t channels,
                     const float *packed, float *c) {
  for (size_t from = 0; from < channels; from += PASS_CHANNELS) {
    const size_t depth = channels - from < PASS_CHANNELS ? channels - from : PASS_CHANNELS;
    for (size_t t = 0; t < tap_count; t++) {
      const ptrdiff_t tap = taps[t] + (ptrdiff_t)from;
      const float *weights = packed + (t * channels + from) * LANES;
      const int first = from == 0 && t == 0;
      size_t i = 0;
#define BLOCKS(count)                    \
  for (; i + count <= m; i += count)     \
    pixels_##count(pixels + i, tap, depth, weights, c + i * LANES, first)
#if HAS_AVX512
      BLOCKS(12);
#endif
#if HAS_FMA
      BLOCKS(6);
      BLOCKS(4);
#endif
      BLOCKS(2);
      BLOCKS(1);
#undef BLOCKS
    }
  }
}

static void winograd_input(const float *x, size_t row_stride, size_t windows, size_t channels, float *v,
                           size_t component_stride) {
  for (size_t w = 0; w < windows; w++, x += 2 * channels, v += channels)
    FOR_EACH_16(channels, {
      vf t[4][4];
      for (size_t r = 0; r < 4; r++) {
        const float *row = x + r * row_stride;
        const vf d0 = READ(row);
        const vf d1 = READ(row + channels);
        const vf d2 = READ(row + 2 * channels);
        const vf d3 = READ(row + 3 * channels);
        t[r][0] = d0 - d2;
        t[r][1] = d1 + d2;
        t[r][2] = d2 - d1;
        t[r][3] = d1 - d3;
      }
      for (size_t c = 0; c < 4; c++) {
        float *out = v + c * component_stride;
        WRITE(out, t[0][c] - t[2][c]);
        WRITE(out + 4 * component_stride, t[1][c] + t[2][c]);
        WRITE(out + 8 * component_stride, t[2][c] - t[1][c]);
        WRITE(out + 12 * component_stride, t[1][c] - t[3][c]);
      }
    });
}

static void winograd_output(const float *m, size_t component_stride, size_t windows, float *c, size_t row_stride) {
  for (size_t w = 0; w < windows; w++, m += LANES, c += 2 * LANES) {
    vf t[2][4];
    for (size_t k = 0; k < 4; k++) {
      const vf m0 = load(m + k * component_stride), m1 = load(m + (4 + k) * component_stride);
      const vf m2 = load(m + (8 + k) * component_stride), m3 = load(m + (12 + k) * component_stride);
      t[0][k] = m0 + m1 + m2;
      t[1][k] = m1 - m2 - m3;
    }
    for (size_t i = 0; i < 2; i++) {
      store(c + i * row_stride * LANES, t[i][0] + t[i][1] + t[i][2]);
      store(c + (i * row_stride + 1) * LANES, t[i][1] - t[i][2] - t[i][3]);
    }
  }
}

static void store_channels(const float *c, size_t rows, size_t columns, const float *bias, float *out,
                           size_t out_stride, int add) {
  for (size_t r = 0; r < rows; r++, c += LANES, out += out_stride)
    FOR_EACH_16(columns, {
      const vf sum = READ(c) + READ(bias);
      WRITE(out, add ? READ(out) + sum : sum);
    });
}
