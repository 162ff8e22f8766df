// The blocks of rows that products go by, and what these fetch on their way, for later: while they use what the caches have,
// memory would have nothing to do. A part of body.h.

// Bytes of a cache line.
enum { LINE = 64 };

// Rows of `a` that one register block covers, at most.
enum { BLOCK_ROWS = 6 };

// m rows in blocks of `most` at most, as even as can be: one of few rows takes nearly as long as one of all.
INLINE size_t row_blocks(size_t m, size_t most) { return (m + most - 1) / most; }
INLINE size_t rows_of_block(size_t block, size_t m, size_t most) {
  const size_t blocks = row_blocks(m, most);
  return m / blocks + (block < m % blocks);
}

// MARK: Rows of weights that are multiplied where they stand

// Rows of weights that come next, of which blocks fetch a part at each of their steps: at an even pace, as memory gives them
// fastest.
typedef struct {
  // The cache line that is next, the lines that are left of its row, those of a row, and the values from there to the next.
  const float *line;
  size_t left, lines;
  ptrdiff_t skip;
  // So many lines are fetched in so many steps, and what the steps so far have left of them.
  size_t share, steps, due;
} rows_ahead;
enum { LINE_VALUES = LINE / sizeof(float) };

// `rows` rows of `depth` values, fetched by `blocks` blocks with a step for every `step` values.
INLINE rows_ahead rows_of_next(const float *next, size_t stride, size_t rows, size_t depth, size_t blocks, size_t step) {
  const size_t lines = (depth + LINE_VALUES - 1) / LINE_VALUES;
  const size_t share = next ? rows * step : 0;
  const ptrdiff_t skip = (ptrdiff_t)stride - (ptrdiff_t)(lines * LINE_VALUES);
  return (rows_ahead){next, lines, lines, skip, share, blocks * LINE_VALUES, 0};
}

INLINE void fetch_rows(rows_ahead *ahead) {
  for (ahead->due += ahead->share; ahead->due >= ahead->steps; ahead->due -= ahead->steps) {
    __builtin_prefetch(ahead->line, 0, 3);
    ahead->line += LINE_VALUES;
    if (--ahead->left > 0) continue;
    ahead->line += ahead->skip;
    ahead->left = ahead->lines;
  }
}

// MARK: Panels, and what is needed behind them

// What a register block fetches: so many cache lines from `start` on. Behind every 2^shift lines `skip` bytes are left out.
typedef struct {
  const char *start;
  size_t lines, shift, skip;
} read_ahead;

// Lines [first, end) of them.
INLINE void fetch_lines(read_ahead ahead, size_t first, size_t end) {
  for (size_t line = first; line < end; line++)
    __builtin_prefetch(ahead.start + line * LINE + (line >> ahead.shift) * ahead.skip, 0, 3);
}

// All of them in so many steps of a block.
enum { FETCH_STEPS = 256 };

INLINE void fetch_ahead(read_ahead ahead, size_t step) {
  fetch_lines(ahead, step * ahead.lines / FETCH_STEPS, (step + 1) * ahead.lines / FETCH_STEPS);
}

// The first register blocks of a pass fetch the weights behind its own: while it uses what the second-level cache has,
// memory would have nothing to do. With few rows it is what takes the time. The other blocks of the last pass fetch what is
// needed behind the panel.
enum { WEIGHT_BLOCKS = 4 };

// What is needed behind panels, on its way from block to block.
typedef struct {
  const clusca_memory *parts;
  size_t count;
  // Rows of the first part that were fetched, and the lines that a block fetches.
  size_t fetched, lines_of_block;
} memory_ahead;

// The lines of a row of a part, as a power of two: a few too many cost little.
INLINE size_t row_shift(const clusca_memory *part) {
  size_t shift = 0;
  while (((size_t)LINE << shift) < part->bytes) shift++;
  return shift;
}

// Of what is ahead, so many blocks fetch a share each.
INLINE memory_ahead memory_for(clusca_ahead ahead, size_t blocks) {
  if (blocks == 0) return (memory_ahead){0};
  size_t lines = 0;
  for (size_t part = 0; part < ahead.parts; part++) lines += ahead.memory[part].rows << row_shift(ahead.memory + part);
  return (memory_ahead){ahead.memory, ahead.parts, 0, (lines + blocks - 1) / blocks};
}

INLINE read_ahead share_of_memory(memory_ahead *memory) {
  if (memory->count == 0) return (read_ahead){0};
  const clusca_memory *part = memory->parts;
  const size_t shift = row_shift(part), left = part->rows - memory->fetched;
  const size_t wanted = (memory->lines_of_block >> shift) + 1, rows = left < wanted ? left : wanted;
  const read_ahead share = {(const char *)part->start + memory->fetched * part->stride, rows << shift, shift,
                            part->stride - ((size_t)LINE << shift)};
  memory->fetched += rows;
  if (rows == left) *memory = (memory_ahead){part + 1, memory->count - 1, 0, memory->lines_of_block};
  return share;
}

// The share of a block of m rows: of the next weights, which the first blocks fetch, each a stretch of its own and at an even pace,
// as memory gives it fastest; or, of the others in the last pass, of what is needed behind the panel. `memory` is NULL in other
// passes. A step uses STEP_LINES lines of weights.
INLINE read_ahead share_of_block(const void *next, size_t block, size_t m, size_t steps, memory_ahead *memory) {
  enum { STEP_LINES = 4 };
  const size_t all = row_blocks(m, BLOCK_ROWS), blocks = all < WEIGHT_BLOCKS ? all : WEIGHT_BLOCKS;
  if (block >= blocks) return memory ? share_of_memory(memory) : (read_ahead){0};
  if (!next) return (read_ahead){0};
  const char *start = (const char *)next + steps * STEP_LINES * block / blocks * LINE;
  return (read_ahead){start, FETCH_STEPS * STEP_LINES / blocks, 0, 0};
}

// Fetches what a register block of some rows will write, so that its stores find it near.
INLINE void fetch_target(const float *c, size_t c_stride, size_t rows) {
  for (size_t row = 0; row < rows; row++)
    for (size_t line = 0; line < CLUSCA_PANEL * sizeof(float) / LINE; line++)
      __builtin_prefetch((const char *)(c + row * c_stride) + line * LINE, 1, 3);
}
