// Sums and differences of what branches give, and clusters of tokens, a part of body.h.

INLINE vf load_term(clusca_term term, size_t at, size_t part) {
  if (!term.wide) return load_narrow(term.narrow + at, part);
  return part == LANES ? load(term.wide + at) : load_part(term.wide + at, part);
}

// Terms of a whole model come from memory, which gives more when it is asked early: so many elements ahead.
enum { AHEAD = 512 };

// Fetches 64 elements.
INLINE void fetch_term(clusca_term term, size_t at) {
  const char *start = term.wide ? (const char *)(term.wide + at) : (const char *)(term.narrow + at);
  const size_t lines = term.wide ? 4 : 2;
  for (size_t line = 0; line < lines; line++) __builtin_prefetch(start + line * LINE, 0, 3);
}

// The targets that add_sums_to_some takes at once: their sums, and a term, fill the registers.
enum { TARGETS = 6 };

// Adds gate * sum of terms to `vectors` <= 4 registers' worth of a row of each of some targets; `part` is LANES but where
// there is one register that is not filled.
INLINE void add_sums_to_some(const size_t targets, const size_t vectors, float *const *xs, size_t x_at,
                             const float *const *gates, size_t column, const clusca_term *terms, size_t at,
                             const float *coefficients, size_t term_count, size_t part) {
  vf sums[TARGETS][4], term[4];
  // To add to -0 changes nothing, not even the sign of a zero.
  UNROLLED(size_t s = 0; s < targets; s++) UNROLLED(size_t j = 0; j < vectors; j++) sums[s][j] = (vf)-0.0f;
  for (size_t t = 0; t < term_count; t++) {
    UNROLLED(size_t j = 0; j < vectors; j++) term[j] = load_term(terms[t], at + j * LANES, part);
    if (vectors == 4) fetch_term(terms[t], at + AHEAD);
    UNROLLED(size_t s = 0; s < targets; s++) {
      const vf coefficient = (vf)coefficients[s * term_count + t];
      UNROLLED(size_t j = 0; j < vectors; j++) sums[s][j] = fma16(coefficient, term[j], sums[s][j]);
    }
  }
  UNROLLED(size_t s = 0; s < targets; s++) UNROLLED(size_t j = 0; j < vectors; j++) {
    float *x = xs[s] + x_at + j * LANES;
    const vf old = load_part(x, part), gate = gates ? load_part(gates[s] + column + j * LANES, part) : (vf)0;
    store_part(x, gates ? fma16(gate, sums[s][j], old) : old + sums[s][j], part);
  }
}

INLINE void add_sums_to(const size_t targets, float *const *xs, size_t first_row, size_t rows, size_t columns,
                        const float *const *gates, const clusca_term *terms, const float *coefficients,
                        size_t term_count) {
  for (size_t r = 0; r < rows; r++) {
    const size_t x_row = r * columns, row = (first_row + r) * columns;
    size_t c = 0;
    for (; c + 4 * LANES <= columns; c += 4 * LANES)
      add_sums_to_some(targets, 4, xs, x_row + c, gates, c, terms, row + c, coefficients, term_count, LANES);
    for (size_t part; c < columns; c += part) {
      part = columns - c < LANES ? columns - c : LANES;
      add_sums_to_some(targets, 1, xs, x_row + c, gates, c, terms, row + c, coefficients, term_count, part);
    }
  }
}

static void add_gated_sums(float *const *xs, size_t targets, size_t first_row, size_t rows, size_t columns,
                           const float *const *gates, const clusca_term *terms, const float *coefficients,
                           size_t term_count) {
  for (size_t count; targets > 0; targets -= count) {
    count = targets < TARGETS ? targets : TARGETS;
#define ADD_TO(count) add_sums_to(count, xs, first_row, rows, columns, gates, terms, coefficients, term_count)
    switch (count) {
      case 1: ADD_TO(1); break;
      case 2: ADD_TO(2); break;
      case 3: ADD_TO(3); break;
      case 4: ADD_TO(4); break;
      case 5: ADD_TO(5); break;
      default: ADD_TO(TARGETS);
    }
#undef ADD_TO
    xs += count;
    gates = gates ? gates + count : NULL;
    coefficients += count * term_count;
  }
}

// In what outputs and differences are kept; the differences are all narrow or all wide.
enum { MIXED = -1, WIDE, NARROW_DIFFERENCES, NARROW };

// Where the numbers of differences are constants, all of them are in registers at once.
INLINE void renew_all(const clusca_renewal *from, const clusca_order *differences, const size_t old_count,
                      const size_t new_count, const int narrow_old, const int rounds, const int narrow, const float *f,
                      size_t f_stride, size_t first_row, size_t rows, size_t first_column, size_t columns) {
  const float inverse = 1 / from->distance;  // a division for each would take longer than memory does
  for (size_t r = first_row; r < first_row + rows; r++, f += f_stride) {
    const size_t start = r * from->stride + first_column;
    const clusca_term old = from->old;
    const float *common =
        from->table ? from->table + (size_t)from->labels[r] * from->stride + first_column : NULL;
    const float *own = from->own && from->own[r] ? from->own[r] + first_column : NULL;
    const vf factor = (vf)(own ? from->factors[r] : 0);
    if (columns <= CLUSCA_PANEL) {  // rows too short for the processor to foresee the next
      const size_t next = start + 2 * from->stride;
      clusca_fetch(f + 2 * f_stride, columns * sizeof *f);
      if (narrow_old)
        clusca_fetch(old.narrow + next, columns * sizeof(uint16_t));
      else
        clusca_fetch(old.wide + next, columns * sizeof(float));
      for (size_t order = 0; order < old_count; order++)
        if (narrow)
          clusca_fetch(differences[order].narrow + next, columns * sizeof(uint16_t));
        else
          clusca_fetch(differences[order].wide + next, columns * sizeof(float));
    }
    FOR_EACH_16(columns, {
      vf output = narrow_old ? load_narrow(old.narrow + start + i, part) : READ(old.wide + start);
      if (from->kept != 1) output *= from->kept;
      if (common) output += READ(common);
      if (own) output = fma16(output, (vf)1, READ(own) * factor);
      const vf made = READ(f);
      if (rounds) store_narrow(from->rounded + start + i, made, part);
      vf value = (made - output) * inverse;
      for (size_t order = 0; order < new_count; order++) {
        const clusca_order at = differences[order];
        const vf before = order >= old_count ? (vf)0
                          : narrow           ? load_narrow(at.narrow + start + i, part)
                                             : READ(at.wide + start);
        if (narrow)
          store_narrow(at.narrow + start + i, value, part);
        else
          WRITE(at.wide + start, value);
        value = (value - before) * inverse;
      }
    });
  }
}

static void renew_differences(const clusca_renewal *renewal, const float *f, size_t f_stride, size_t first_row,
                              size_t rows, size_t first_column, size_t columns) {
  const size_t old_count = renewal->old_count, new_count = renewal->new_count;
  const int narrow = new_count > 0 && !renewal->differences->wide;
  // Nobody else's, so that stores are known to change none of it.
  const clusca_renewal from = *renewal;
  clusca_order own[4];
  if (new_count <= 4) memcpy(own, renewal->differences, new_count * sizeof *own);
#define RENEW(differences, old_count, new_count, narrow_old, rounds, narrow)                                           \
  renew_all(&from, differences, old_count, new_count, narrow_old, rounds, narrow, f, f_stride, first_row, rows, \
            first_column, columns)
  const int narrow_old = !from.old.wide, rounds = from.rounded != NULL;
  const int kept = narrow_old && rounds && narrow ? NARROW
                   : narrow_old || rounds         ? MIXED
                   : narrow                       ? NARROW_DIFFERENCES
                                                  : WIDE;
  // What the families' settings have: 1, 2 or 4 differences.
  switch (kept != MIXED && old_count == new_count ? 3 * new_count + kept : 0) {
#define RENEW_AS_KEPT(count)                                                      \
  case 3 * count + WIDE: RENEW(own, count, count, 0, 0, 0); break;                \
  case 3 * count + NARROW_DIFFERENCES: RENEW(own, count, count, 0, 0, 1); break; \
  case 3 * count + NARROW: RENEW(own, count, count, 1, 1, 1); break;
    RENEW_AS_KEPT(1)
    RENEW_AS_KEPT(2)
    RENEW_AS_KEPT(4)
    default: RENEW(renewal->differences, old_count, new_count, narrow_old, rounds, narrow);
  }
#undef RENEW_AS_KEPT
#undef RENEW
}

static void nearest_centroid(const float *x, size_t rows, size_t columns, const float *centroids, size_t k,
                             int32_t *labels) {
  for (size_t r = 0; r < rows; r++, x += columns) {
    float best = INFINITY;
    int32_t label = 0;
    // Four sums at once, each in the order of the columns: one alone would wait for its own additions.
    for (size_t first = 0; first < k; first += 4) {
      const size_t count = k - first < 4 ? k - first : 4;
      const float *c[4];
      for (size_t n = 0; n < 4; n++) c[n] = centroids + (first + (n < count ? n : 0)) * columns;
      vf sums[4] = {0};
      FOR_EACH_16(columns, {
        const vf value = READ(x);
        for (size_t n = 0; n < 4; n++) sums[n] += abs16(value - READ(c[n]));
      });
      for (size_t n = 0; n < count; n++) {
        const float distance = sum16(sums[n]);
        if (distance < best) {
          best = distance;
          label = (int32_t)(first + n);
        }
      }
    }
    labels[r] = label;
  }
}
