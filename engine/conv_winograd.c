/* engine/conv_winograd.c - F(4x4,3x3): sixteen outputs of a 3x3 correlation from 36 products.
 *
 * With interpolation points 0, +-a, +-b, infinity a tile of outputs is
 *     Y = A^T [ (G g G^T) . (B^T d B) ] A,
 * d the 6x6 input tile, g the 3x3 kernel, "." elementwise. Summed over input channels the products
 * become 36 matrix products [k x c] [c x tiles], which is where the time goes. A task transforms a
 * block of tiles for all channels, multiplies and transforms back while everything is in its core's
 * cache. Where blocks are few, their rows are split and tasks share tiles transformed before.
 * While tiles are gathered it is noted which pixels are not zero, so that outputs no product
 * reaches are exactly zero (conv_reach.h).
 * Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016; rows
 * below by Toom-Cook, with M(x) = x (x^2 - a^2)(x^2 - b^2). */
#include "conv_method.h"

#include "conv_tiles.h"
#include "gemm.h"
#include "../base/parallel.h"
#include "winograd_points.h"

#include <stdatomic.h>
#include <string.h>

enum {
    POINTS     = 36,
    TILES      = 48, // of one task: v of 64 channels fills half a core's own cache, m the rest
    MOST_TILES = WINOGRAD_MOST_TILES, // of the only block: a few more would stream all weights
                                      // a second time
    ROWS         = 32,                // output channels between two output transforms, at most
    WANTED_TASKS = 16,
    CHANNELS     = 32,                  // transformed by one task when tiles are shared
    LINE         = 4 * MOST_TILES + 32, // reals of a row of pixels, with room for whole vectors
    SKEW         = 16 // reals between the 36 planes: keeps them out of one another's cache sets
};

static Grid grid_of(const ConvShape *shape, ConvSide side)
{
    const Kernels *table = kernels();
    Grid           g     = {.n = shape->n};
    if (side == CONV_FORWARD) {
        g.source_channels = shape->c, g.source_h = shape->h, g.source_w = shape->w;
        g.target_channels = shape->k, g.target_h = shape->oh, g.target_w = shape->ow;
        g.pad = shape->pad;
    } else {
        g.source_channels = shape->k, g.source_h = shape->oh, g.source_w = shape->ow;
        g.target_channels = shape->c, g.target_h = shape->h, g.target_w = shape->w;
        g.pad = 2 - shape->pad;
    }
    g.tile_rows  = panels_of(g.target_h, 4);
    g.tile_cols  = panels_of(g.target_w, 4);
    g.tiles      = g.n * g.tile_rows * g.tile_cols;
    int64_t full = (int64_t)table->tile_vectors * table->lanes;
    g.block      = g.tiles <= MOST_TILES ? MOST_TILES : TILES / full * full;
    int64_t rows = cores_caches().own / 4 / (int64_t)sizeof(real) / (POINTS * TILES); // of m
    rows         = rows > ROWS ? ROWS : rows / table->tile_rows ? rows : table->tile_rows;
    g.row_block  = rows / table->tile_rows * table->tile_rows;
    if (g.block > columns_padded(table, g.tiles))
        g.block = columns_padded(table, g.tiles);
    g.blocks       = panels_of(g.tiles, g.block);
    g.row_blocks   = panels_of(g.target_channels, g.row_block);
    int64_t wanted = g.row_blocks > 1 ? panels_of(WANTED_TASKS, g.row_blocks) : 0;
    if (g.blocks < WANTED_TASKS)
        g.group = wanted < g.blocks ? wanted : g.blocks;
    return g;
}

/* ---- weights: U[point][row panel][channel][row] = G g G^T, computed in double; then taps ----- */

static size_t transformed_size(const Grid *g)
{
    int64_t rows = kernels()->tile_rows;
    return (size_t)(POINTS * panels_of(g->target_channels, rows) * rows * g->source_channels);
}

size_t winograd_prepared_size(const ConvShape *shape, ConvSide side)
{
    Grid   g    = grid_of(shape, side);
    size_t taps = (size_t)(g.target_channels * reach_row_size(g.source_channels));
    return transformed_size(&g) + (taps * sizeof(uint16_t) + sizeof(real) - 1) / sizeof(real);
}

enum { TOGETHER = 8 }; // kernels side by side, so that the compiler's vectors fill

static void transform_kernels(double kernel[3][3][TOGETHER], double out[6][6][TOGETHER])
{
    const double a = (double)WINOGRAD_A, b = (double)WINOGRAD_B, a2 = a * a, b2 = b * b;
    const double na = 1 / (2 * a2 * (a2 - b2)), nb = 1 / (2 * b2 * (b2 - a2));
    const double g[6][3] = {{1 / (a2 * b2), 0, 0}, {na, na * a, na * a2},  {na, -na * a, na * a2},
                            {nb, nb * b, nb * b2}, {nb, -nb * b, nb * b2}, {0, 0, 1}};
    double       half[6][3][TOGETHER];
    for (int i = 0; i < 6; i++)
        for (int s = 0; s < 3; s++)
            for (int t = 0; t < TOGETHER; t++)
                half[i][s][t] = g[i][0] * kernel[0][s][t] + g[i][1] * kernel[1][s][t] +
                                g[i][2] * kernel[2][s][t];
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++)
            for (int t = 0; t < TOGETHER; t++)
                out[i][j][t] =
                    half[i][0][t] * g[j][0] + half[i][1][t] * g[j][1] + half[i][2][t] * g[j][2];
}

typedef struct PrepareJob {
    const ConvShape *shape;
    ConvSide         side;
    Grid             grid;
    const real      *weights;
    real            *prepared;
    uint16_t        *taps;
} PrepareJob;

/* The kernel of the correlation, which for a gradient is flipped. */
static void read_kernel(const PrepareJob *job, int64_t target, int64_t channel, double kernel[3][3])
{
    bool        forward = job->side == CONV_FORWARD;
    int64_t     k = forward ? target : channel, c = forward ? channel : target;
    const real *w = job->weights + (k * job->shape->c + c) * 9;
    for (int i = 0; i < 9; i++)
        kernel[i / 3][i % 3] = (double)w[forward ? i : 8 - i];
}

static void prepare_panel(void *data, int64_t panel, int thread)
{
    PrepareJob *job  = data;
    int64_t     rows = kernels()->tile_rows, channels = job->grid.source_channels;
    int64_t     panels = panels_of(job->grid.target_channels, rows);
    (void)thread;
    for (int64_t at = 0; at < rows * channels; at += TOGETHER) { // [channel][row], as in the panel
        double kernel[3][3][TOGETHER] = {0}, out[6][6][TOGETHER];
        int    count = rows * channels - at < TOGETHER ? (int)(rows * channels - at) : TOGETHER;
        for (int t = 0; t < count; t++) {
            int64_t target = panel * rows + (at + t) % rows, channel = (at + t) / rows;
            double  own[3][3];
            if (target >= job->grid.target_channels)
                continue;
            read_kernel(job, target, channel, own);
            reach_row_set(job->taps + target * reach_row_size(channels), channel, own);
            for (int i = 0; i < 9; i++)
                kernel[i / 3][i % 3][t] = own[i / 3][i % 3];
        }
        transform_kernels(kernel, out);
        for (int e = 0; e < POINTS; e++) {
            real *to = job->prepared + (e * panels + panel) * channels * rows + at;
            for (int t = 0; t < count; t++)
                to[t] = (real)out[e / 6][e % 6][t];
        }
    }
    for (int64_t target = panel * rows; target < (panel + 1) * rows; target++)
        if (target < job->grid.target_channels)
            reach_row_end(job->taps + target * reach_row_size(channels), channels);
}

void winograd_prepare(const ConvShape *shape, ConvSide side, const real *weights, real *prepared)
{
    PrepareJob job   = {shape, side, grid_of(shape, side), weights, prepared, NULL};
    size_t     whole = transformed_size(&job.grid);
    job.taps         = (void *)(prepared + whole);
    memset(job.taps, 0, (winograd_prepared_size(shape, side) - whole) * sizeof(real));
    parallel_for(panels_of(job.grid.target_channels, kernels()->tile_rows), prepare_panel, &job);
}

/* ---- run ------------------------------------------------------------------------------------- */

/* Transformed input v[point][panel][channel][tile], and seen[part][place] of its channels, is a
 * thread's own, or a block's where tasks share it. The rest is one thread's: products
 * m[point][row][tile], one channel's rows of pixels on their way in or out. The register tile
 * writes whole panels of rows, so m has TILE_MOST_ROWS to spare. */
typedef struct Scratch {
    real     *v, *m, *lines, *ends;
    uint64_t *seen;
} Scratch;

/* Distance between the planes of two points in v and in m. */
static int64_t v_stride(const Grid *g)
{
    return g->block * g->source_channels + SKEW;
}

static int64_t m_stride(const Grid *g)
{
    return g->block * (g->row_block + TILE_MOST_ROWS) + SKEW;
}

/* What an owner of tiles has: v, then what was seen of each channel. */
static int64_t tiles_size(const Grid *g)
{
    int64_t words = (int64_t)(sizeof(uint64_t) / sizeof(real));
    return POINTS * v_stride(g) + reals_padded(g->source_channels * REACH_PLACES * words);
}

static int64_t thread_scratch_size(const Grid *g)
{
    return POINTS * m_stride(g) + 6 * LINE + 2 * 6 * MOST_TILES;
}

size_t winograd_scratch_size(const ConvShape *shape, ConvSide side, int threads)
{
    Grid   g      = grid_of(shape, side);
    size_t owners = g.group ? (size_t)g.group : (size_t)threads;
    return owners * (size_t)tiles_size(&g) + (size_t)thread_scratch_size(&g) * (size_t)threads;
}

typedef struct RunJob {
    Grid              grid;
    const ConvFinish *finish;
    const real       *prepared, *from;
    const uint16_t   *taps;         // rows of them, see conv_reach.h
    real             *to, *scratch; // a block's tiles, then every thread's rest; or both
                                    // of every thread
    int64_t first_block;            // of the group
    int64_t part;                   // channels whose pixels are seen together
    bool    stream;
} RunJob;

/* Tiles of this block; the last one may hold fewer than the others. */
static int64_t tiles_of(const Grid *g, int64_t block)
{
    int64_t left = g->tiles - block * g->block;
    return left < g->block ? left : g->block;
}

static Scratch scratch_of(const RunJob *job, int64_t block, int thread)
{
    const Grid *g     = &job->grid;
    int64_t     tiles = tiles_size(g), rest = thread_scratch_size(g);
    real       *own     = job->scratch + thread * (tiles + rest);
    Scratch     scratch = {.v = own, .m = own + tiles};
    if (g->group) {
        scratch.v = job->scratch + (block - job->first_block) * tiles;
        scratch.m = job->scratch + g->group * tiles + thread * rest;
    }
    scratch.seen  = (void *)(scratch.v + POINTS * v_stride(g));
    scratch.lines = scratch.m + POINTS * m_stride(g);
    scratch.ends  = scratch.lines + 6 * LINE;
    return scratch;
}

static void store_channel(const RunJob *job, const TileSpan *span, int spans, int64_t channel,
                          const Scratch *scratch)
{
    const Grid       *g      = &job->grid;
    const Kernels    *table  = kernels();
    const ConvFinish *finish = job->finish;
    real              bias[4];
    for (int i = 0; i < 4 && finish->bias; i++)
        bias[i] = finish->bias[channel];
    for (const TileSpan *s = span; s < span + spans; s++) {
        int64_t high = g->target_h - 4 * s->row, wide = g->target_w - 4 * s->col;
        int64_t plane = s->image * g->target_channels + channel;
        int64_t at    = (plane * g->target_h + 4 * s->row) * g->target_w + 4 * s->col;

        FinishRows rows = conv_finish_rows(finish, job->to, at, channel);
        rows.x          = scratch->lines + 4 * s->tile;
        rows.bias       = finish->bias ? bias : NULL;
        rows.rows       = high < 4 ? high : 4;
        rows.n          = wide < 4 * s->count ? wide : 4 * s->count;
        rows.stride     = g->target_w;
        rows.x_stride   = LINE;
        rows.stream     = job->stream;
        table->finish(&rows);
    }
}

static void multiply_rows(const RunJob *job, int64_t block, int64_t first_row, int64_t rows,
                          Scratch *scratch)
{
    const Grid    *g      = &job->grid;
    const Kernels *table  = kernels();
    int64_t        height = table->tile_rows, c = g->source_channels;
    int64_t        full = (int64_t)table->tile_vectors * table->lanes, used = tiles_of(g, block);
    int64_t        panels = panels_of(used, full);
    int64_t        all    = panels_of(g->target_channels, height);
    for (int64_t e = 0; e < POINTS; e++)
        for (int64_t row = 0; row < rows; row += height)
            for (int64_t p = 0; p < panels; p++) {
                int vectors = panel_vectors(table, used, p);
                panel_tile(table, vectors, used - p * full)(
                    c, job->prepared + (e * all + (first_row + row) / height) * c * height,
                    scratch->v + e * v_stride(g) + p * full * c, (int64_t)vectors * table->lanes,
                    scratch->m + e * m_stride(g) + row * g->block + p * full, g->block);
            }
}

static void transform_channels(const RunJob *job, int64_t block, int64_t first, int64_t last,
                               Scratch *scratch)
{
    const Grid    *g     = &job->grid;
    const Kernels *table = kernels();
    int64_t        full  = (int64_t)table->tile_vectors * table->lanes;
    int64_t        tiles = columns_padded(table, tiles_of(g, block));
    int64_t        plane = g->source_h * g->source_w;
    TileSpan       span[MOST_TILES];
    int            spans = tiles_cut(g, block, span);
    uint64_t       ends  = tiles_last(span, spans), seen[6 * MOST_TILES];
    bool           all   = false;                       // pixels of this part are seen
    memset(scratch->lines, 0, 6 * LINE * sizeof(real)); // tiles past the last one
    memset(scratch->ends, 0, 2 * 6 * MOST_TILES * sizeof(real));
    for (int64_t c = first; c < last; c++) {
        if (c % job->part == 0) {
            memset(seen, 0, sizeof seen);
            all = false;
        }
        table->winograd_columns(scratch->lines, LINE, scratch->ends, job->from + c * plane,
                                c + 1 < last ? plane : 0, span, spans, all ? NULL : seen);
        all = all || tiles_all_seen(span, spans, seen);
        if ((c + 1) % job->part == 0 || c + 1 == last)
            tiles_places(span, spans, seen, scratch->seen + c / job->part * REACH_PLACES);
        for (int64_t p = 0; p * full < tiles; p++) {
            int64_t width = (int64_t)panel_vectors(table, tiles, p) * table->lanes;
            table->winograd_input(scratch->v + p * full * g->source_channels + c * width,
                                  v_stride(g), scratch->lines + 4 * p * full, LINE,
                                  scratch->ends + p * full, ends >> p * full, width);
        }
    }
}

static void transform_task(void *data, int64_t task, int thread)
{
    RunJob     *job    = data;
    const Grid *g      = &job->grid;
    int64_t     chunks = panels_of(g->source_channels, CHANNELS);
    int64_t     first = task % chunks * CHANNELS, last = first + CHANNELS;
    int64_t     block   = job->first_block + task / chunks;
    Scratch     scratch = scratch_of(job, block, thread);
    transform_channels(job, block, first, last < g->source_channels ? last : g->source_channels,
                       &scratch);
}

/* What any channel's pixels reach by any tap; false if that is everything. */
static bool find_reach(const RunJob *job, const TileSpan *span, int spans, const uint64_t *seen,
                       uint64_t most[REACH_OUTPUTS])
{
    const Grid *g = &job->grid;
    uint64_t    inside[REACH_PLACES], any[REACH_PLACES] = {0};
    tiles_inside(g, span, spans, inside);
    for (int64_t part = 0; part * job->part < g->source_channels; part++)
        for (int e = 0; e < REACH_PLACES; e++)
            any[e] |= seen[part * REACH_PLACES + e];
    memset(most, 0, REACH_OUTPUTS * sizeof *most);
    reach_add(most, any, REACH_ALL_TAPS);
    return !reach_covers(any, inside);
}

/* Zeros where no product of the channel does. */
static void clear_outputs(const RunJob *job, int64_t channel, int64_t tiles,
                          const uint64_t most[REACH_OUTPUTS], bool is_partial, Scratch *scratch)
{
    const Grid     *g                  = &job->grid;
    const uint16_t *row                = job->taps + channel * reach_row_size(g->source_channels);
    const uint64_t *reached            = most;
    uint64_t        own[REACH_OUTPUTS] = {0};
    if (!row[g->source_channels]) {
        reach_row(own, row, g->source_channels, scratch->seen, most);
        reached = own;
    }
    if (is_partial || (reached == own && memcmp(own, most, sizeof own) != 0)) {
        uint64_t kept[REACH_OUTPUTS];
        reach_pixels(reached, kept);
        kernels()->winograd_keep(scratch->lines, LINE, kept, tiles);
    }
}

static void multiply_block(const RunJob *job, int64_t block, int64_t first, int64_t last,
                           Scratch *scratch)
{
    const Grid *g     = &job->grid;
    int64_t     tiles = columns_padded(kernels(), tiles_of(g, block));
    TileSpan    span[MOST_TILES];
    int         spans = tiles_cut(g, block, span);
    uint64_t    most[REACH_OUTPUTS];
    bool        is_partial = find_reach(job, span, spans, scratch->seen, most);
    for (int64_t row = first; row < last; row += g->row_block) {
        int64_t rows = last - row < g->row_block ? last - row : g->row_block;
        multiply_rows(job, block, row, rows, scratch);
        for (int64_t k = 0; k < rows; k++) {
            kernels()->winograd_output(scratch->lines, LINE, scratch->m + k * g->block, m_stride(g),
                                       tiles);
            clear_outputs(job, row + k, tiles, most, is_partial, scratch);
            store_channel(job, span, spans, row + k, scratch);
        }
    }
    atomic_thread_fence(memory_order_seq_cst); // what was streamed
}

static void rows_task(void *data, int64_t task, int thread)
{
    RunJob     *job   = data;
    const Grid *g     = &job->grid;
    int64_t     block = job->first_block + task / g->row_blocks;
    int64_t     first = task % g->row_blocks * g->row_block, last = first + g->row_block;
    Scratch     scratch = scratch_of(job, block, thread);
    multiply_block(job, block, first, last < g->target_channels ? last : g->target_channels,
                   &scratch);
}

static void block_task(void *data, int64_t block, int thread)
{
    RunJob     *job     = data;
    const Grid *g       = &job->grid;
    Scratch     scratch = scratch_of(job, block, thread);
    transform_channels(job, block, 0, g->source_channels, &scratch);
    multiply_block(job, block, 0, g->target_channels, &scratch);
}

static bool taps_are_whole(const Grid *g, const uint16_t *taps)
{
    bool whole = true;
    for (int64_t target = 0; target < g->target_channels; target++)
        whole = whole && taps[target * reach_row_size(g->source_channels) + g->source_channels];
    return whole;
}

void winograd_run(const ConvShape *shape, ConvSide side, const real *prepared, const real *from,
                  real *to, const ConvFinish *finish, real *scratch)
{
    RunJob job = {.grid     = grid_of(shape, side),
                  .finish   = finish,
                  .prepared = prepared,
                  .from     = from,
                  .to       = to,
                  .scratch  = scratch};
    Grid  *g   = &job.grid;
    job.taps   = (const void *)(prepared + transformed_size(g));
    job.part   = !taps_are_whole(g, job.taps) ? 1 : g->group ? CHANNELS : g->source_channels;
    job.stream = conv_streams(g->n * g->target_channels * g->target_h * g->target_w);
    if (!g->group)
        parallel_for(g->blocks, block_task, &job);
    for (; g->group && job.first_block < g->blocks; job.first_block += g->group) {
        int64_t left = g->blocks - job.first_block, blocks = left < g->group ? left : g->group;
        parallel_for(blocks * panels_of(g->source_channels, CHANNELS), transform_task, &job);
        parallel_for(blocks * g->row_blocks, rows_task, &job);
    }
}
