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

#include "conv_reach.h"
#include "gemm.h"
#include "../base/parallel.h"
#include "winograd_points.h"

#include <stdatomic.h>
#include <string.h>

enum {
    POINTS       = 36,
    TILES        = 48, // of one task: v of 64 channels fills half a core's own cache, m the rest
    MOST_TILES   = 64, // of the only block: a few more tiles would stream all weights a second time
    ROWS         = 32, // output channels between two output transforms, at most
    WANTED_TASKS = 16,
    CHANNELS     = 32, // transformed by one task when tiles are shared
    SKEW         = 16  // reals between the 36 planes: keeps them out of one another's cache sets
};

/* The side of the triangle decides what is source and target: the input gradient is a correlation
 * of gy with flipped, transposed kernels and padding 2 - pad. */
typedef struct Grid {
    int64_t n, source_channels, source_h, source_w, target_channels, target_h, target_w;
    int64_t pad, tile_rows, tile_cols, tiles;
    int64_t block, blocks;         // tiles of a task, whole vectors; how many such
    int64_t row_block, row_blocks; // rows multiplied between two output transforms; how many such
    int64_t group; // blocks transformed before their rows are shared out; 0: not shared
} Grid;

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

static void transform_kernel(double kernel[3][3], double out[6][6])
{
    const double a = (double)WINOGRAD_A, b = (double)WINOGRAD_B, a2 = a * a, b2 = b * b;
    const double na = 1 / (2 * a2 * (a2 - b2)), nb = 1 / (2 * b2 * (b2 - a2));
    const double g[6][3] = {{1 / (a2 * b2), 0, 0}, {na, na * a, na * a2},  {na, -na * a, na * a2},
                            {nb, nb * b, nb * b2}, {nb, -nb * b, nb * b2}, {0, 0, 1}};
    double       half[6][3];
    for (int i = 0; i < 6; i++)
        for (int s = 0; s < 3; s++)
            half[i][s] = g[i][0] * kernel[0][s] + g[i][1] * kernel[1][s] + g[i][2] * kernel[2][s];
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++)
            out[i][j] = half[i][0] * g[j][0] + half[i][1] * g[j][1] + half[i][2] * g[j][2];
}

typedef struct PrepareJob {
    const ConvShape *shape;
    ConvSide         side;
    Grid             grid;
    const real      *weights;
    real            *prepared;
} PrepareJob;

static void prepare_channel(void *data, int64_t target, int thread)
{
    PrepareJob      *job   = data;
    const ConvShape *shape = job->shape;
    int64_t   rows = kernels()->tile_rows, panels = panels_of(job->grid.target_channels, rows);
    int64_t   channels = job->grid.source_channels;
    uint16_t *taps     = (void *)(job->prepared + transformed_size(&job->grid));
    taps += target * reach_row_size(channels);
    (void)thread;
    for (int64_t channel = 0; channel < channels; channel++) {
        int64_t k = job->side == CONV_FORWARD ? target : channel;
        int64_t c = job->side == CONV_FORWARD ? channel : target;
        double  kernel[3][3], out[6][6];
        for (int r = 0; r < 3; r++)
            for (int s = 0; s < 3; s++) {
                real w = job->weights[((k * shape->c + c) * 3 + r) * 3 + s];
                if (job->side == CONV_FORWARD)
                    kernel[r][s] = (double)w;
                else
                    kernel[2 - r][2 - s] = (double)w;
            }
        reach_row_set(taps, channel, kernel);
        transform_kernel(kernel, out);
        for (int e = 0; e < POINTS; e++)
            job->prepared[((e * panels + target / rows) * channels + channel) * rows +
                          target % rows] = (real)out[e / 6][e % 6];
    }
    reach_row_end(taps, channels);
}

void winograd_prepare(const ConvShape *shape, ConvSide side, const real *weights, real *prepared)
{
    PrepareJob job = {shape, side, grid_of(shape, side), weights, prepared};
    memset(prepared, 0, winograd_prepared_size(shape, side) * sizeof(real));
    parallel_for(job.grid.target_channels, prepare_channel, &job);
}

/* ---- run ------------------------------------------------------------------------------------- */

/* Transformed input v[point][panel][channel][tile], and seen[part][place] of its channels, is a
 * thread's own, or a block's where tasks share it. The rest is one thread's: products
 * m[point][row][tile], one channel's pixels, one padded image row, outputs of one channel. The
 * register tile writes whole panels of rows, so m has TILE_MOST_ROWS to spare. */
typedef struct Scratch {
    real     *v, *m, *pixels, *line, *outputs;
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
    return POINTS * v_stride(g) + (g->source_channels * REACH_PLACES * words + 15) / 16 * 16;
}

static size_t line_size(const Grid *g)
{
    return (size_t)(4 * g->tile_cols + 2 + 4 * kernels()->lanes);
}

static size_t thread_scratch_size(const Grid *g)
{
    size_t tiles = (size_t)g->block;
    size_t total = POINTS * (size_t)m_stride(g) + (POINTS + 16) * tiles + line_size(g);
    return (total + 15) / 16 * 16;
}

size_t winograd_scratch_size(const ConvShape *shape, ConvSide side, int threads)
{
    Grid   g      = grid_of(shape, side);
    size_t owners = g.group ? (size_t)g.group : (size_t)threads;
    return owners * (size_t)tiles_size(&g) + thread_scratch_size(&g) * (size_t)threads;
}

/* Tiles of a block that lie in one tile row of one image. */
typedef struct Segment {
    int64_t image, row, col, count, tile;
} Segment;

typedef struct RunJob {
    Grid              grid;
    const ConvFinish *finish;
    const real       *prepared, *from;
    const uint16_t   *taps;                 // rows of them, see conv_reach.h
    real             *to, *tiles, *scratch; // tiles: of every owner; scratch: every thread's rest
    int64_t           first_block;          // of the group
    int64_t           part;                 // channels whose pixels are seen together
    bool              stream;
} RunJob;

/* Tiles of this block; the last one may hold fewer than the others. */
static int64_t tiles_of(const Grid *g, int64_t block)
{
    int64_t left = g->tiles - block * g->block;
    return left < g->block ? left : g->block;
}

static Scratch scratch_of(const RunJob *job, int64_t block, int thread)
{
    const Grid *g       = &job->grid;
    int64_t     owner   = g->group ? block - job->first_block : thread;
    Scratch     scratch = {.v = job->tiles + owner * tiles_size(g),
                           .m = job->scratch + (size_t)thread * thread_scratch_size(g)};
    scratch.seen        = (void *)(scratch.v + POINTS * v_stride(g));
    scratch.pixels      = scratch.m + POINTS * m_stride(g);
    scratch.outputs     = scratch.pixels + POINTS * g->block;
    scratch.line        = scratch.outputs + 16 * g->block;
    return scratch;
}

static int cut_segments(const Grid *g, int64_t first, Segment *segment)
{
    int count = 0;
    for (int64_t at = first; at < first + g->block && at < g->tiles;) {
        int64_t row = at / g->tile_cols, col = at % g->tile_cols, length = g->tile_cols - col;
        if (length > first + g->block - at)
            length = first + g->block - at;
        segment[count++] =
            (Segment){row / g->tile_rows, row % g->tile_rows, col, length, at - first};
        at += length;
    }
    return count;
}

/* Tiles first..last-1 of a segment as a set of the block's, without those it does not have. */
static uint64_t tiles_between(const Segment *segment, int64_t first, int64_t last)
{
    first = first < 0 ? 0 : first;
    last  = last > segment->count ? segment->count : last;
    if (first >= last)
        return 0;
    return ~(uint64_t)0 >> (64 - (last - first)) << (segment->tile + first);
}

/* inside[6 i + j]: the tiles whose pixel (i, j) lies in the image. */
static void mark_inside(const Grid *g, const Segment *segment, int segments,
                        uint64_t inside[REACH_PLACES])
{
    memset(inside, 0, REACH_PLACES * sizeof *inside);
    for (int q = 0; q < segments; q++) {
        const Segment *s = &segment[q];
        int64_t        y = 4 * s->row - g->pad, x = 4 * s->col - g->pad;
        for (int j = 0; j < 6; j++) {
            uint64_t tiles =
                tiles_between(s, panels_of(-x - j, 4), panels_of(g->source_w - x - j, 4));
            for (int i = 0; i < 6; i++)
                if (y + i >= 0 && y + i < g->source_h)
                    inside[6 * i + j] |= tiles;
        }
    }
}

/* pixels[6 i + j][tile] = pixel (i, j) of the tile's input patch, zero outside the image. */
static void gather_pixels(const RunJob *job, const Segment *segment, int segments, int64_t channel,
                          Scratch *scratch)
{
    const Grid *g = &job->grid;
    for (int q = 0; q < segments; q++) {
        const Segment *s = &segment[q];
        const real    *plane =
            job->from + (s->image * g->source_channels + channel) * g->source_h * g->source_w;
        int64_t x0 = 4 * s->col - g->pad, width = 4 * s->count + 2;
        int64_t left  = x0 < 0 ? -x0 : 0,
                right = g->source_w - x0 < width ? g->source_w - x0 : width;
        for (int i = 0; i < 6; i++) {
            int64_t     y    = 4 * s->row - g->pad + i;
            real       *to   = scratch->pixels + 6 * i * g->block + s->tile;
            const real *line = scratch->line;
            if (y < 0 || y >= g->source_h || right <= left) {
                for (int j = 0; j < 6; j++)
                    memset(to + j * g->block, 0, (size_t)s->count * sizeof(real));
                continue;
            }
            if (left == 0 && right == width) {
                line = plane + y * g->source_w + x0;
            } else {
                memset(scratch->line, 0, (size_t)left * sizeof(real));
                memcpy(scratch->line + left, plane + y * g->source_w + x0 + left,
                       (size_t)(right - left) * sizeof(real));
                memset(scratch->line + right, 0, (size_t)(width - right) * sizeof(real));
            }
            kernels()->spread(to, g->block, line, s->count);
        }
    }
}

static void store_channel(const RunJob *job, const Segment *segment, int segments, int64_t channel,
                          Scratch *scratch)
{
    const Grid *g = &job->grid;
    for (int q = 0; q < segments; q++) {
        const Segment *s = &segment[q];
        int64_t plane    = (s->image * g->target_channels + channel) * g->target_h * g->target_w;
        int64_t left     = g->target_w - 4 * s->col;
        int64_t count    = left < 4 * s->count ? left : 4 * s->count;
        for (int i = 0; i < 4 && 4 * s->row + i < g->target_h; i++) {
            int64_t at = plane + (4 * s->row + i) * g->target_w + 4 * s->col;
            kernels()->collect(scratch->line, scratch->outputs + 4 * i * g->block + s->tile,
                               g->block, s->count);
            FinishRows rows = conv_finish_rows(job->finish, job->to, at, channel);
            rows.x          = scratch->line;
            rows.rows       = 1;
            rows.n          = count;
            rows.stream     = job->stream;
            kernels()->finish(&rows);
        }
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
    int64_t        full  = (int64_t)table->tile_vectors * table->lanes,
            tiles        = columns_padded(kernels(), tiles_of(g, block));
    Segment  segment[MOST_TILES];
    int      segments = cut_segments(g, block * g->block, segment);
    uint64_t inside[REACH_PLACES];
    bool     all = false; // pixels of this part are seen
    mark_inside(g, segment, segments, inside);
    memset(scratch->pixels, 0, (size_t)(POINTS * g->block) * sizeof(real));
    for (int64_t c = first; c < last; c++) {
        uint64_t *seen = scratch->seen + c / job->part * REACH_PLACES;
        gather_pixels(job, segment, segments, c, scratch);
        if (c % job->part == 0) {
            memset(seen, 0, REACH_PLACES * sizeof *seen);
            all = false;
        }
        if (!all) {
            table->winograd_seen(seen, scratch->pixels, g->block, tiles);
            all = reach_covers(seen, inside);
        }
        for (int64_t p = 0; p * full < tiles; p++) {
            int64_t width = (int64_t)panel_vectors(table, tiles, p) * table->lanes;
            table->winograd_input(scratch->v + p * full * g->source_channels + c * width,
                                  v_stride(g), scratch->pixels + p * full, g->block, width);
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
static bool find_reach(const RunJob *job, const Segment *segment, int segments,
                       const uint64_t *seen, uint64_t most[REACH_OUTPUTS])
{
    const Grid *g = &job->grid;
    uint64_t    inside[REACH_PLACES], any[REACH_PLACES] = {0};
    mark_inside(g, segment, segments, inside);
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
    if (is_partial || (reached == own && memcmp(own, most, sizeof own) != 0))
        kernels()->winograd_keep(scratch->outputs, g->block, reached, tiles);
}

static void multiply_block(const RunJob *job, int64_t block, int64_t first, int64_t last,
                           Scratch *scratch)
{
    const Grid *g     = &job->grid;
    int64_t     tiles = columns_padded(kernels(), tiles_of(g, block));
    Segment     segment[MOST_TILES];
    int         segments = cut_segments(g, block * g->block, segment);
    uint64_t    most[REACH_OUTPUTS];
    bool        is_partial = find_reach(job, segment, segments, scratch->seen, most);
    for (int64_t row = first; row < last; row += g->row_block) {
        int64_t rows = last - row < g->row_block ? last - row : g->row_block;
        multiply_rows(job, block, row, rows, scratch);
        for (int64_t k = 0; k < rows; k++) {
            kernels()->winograd_output(scratch->outputs, g->block, scratch->m + k * g->block,
                                       m_stride(g), tiles);
            clear_outputs(job, row + k, tiles, most, is_partial, scratch);
            store_channel(job, segment, segments, row + k, scratch);
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
    RunJob  job    = {.grid     = grid_of(shape, side),
                      .finish   = finish,
                      .prepared = prepared,
                      .from     = from,
                      .to       = to,
                      .tiles    = scratch};
    Grid   *g      = &job.grid;
    int64_t owners = g->group ? g->group : parallel_threads();
    job.scratch    = scratch + owners * tiles_size(g);
    job.taps       = (const void *)(prepared + transformed_size(g));
    job.part       = !taps_are_whole(g, job.taps) ? 1 : g->group ? CHANNELS : g->source_channels;
    job.stream     = conv_streams(g->n * g->target_channels * g->target_h * g->target_w);
    if (!g->group)
        parallel_for(g->blocks, block_task, &job);
    for (; g->group && job.first_block < g->blocks; job.first_block += g->group) {
        int64_t left = g->blocks - job.first_block, blocks = left < g->group ? left : g->group;
        parallel_for(blocks * panels_of(g->source_channels, CHANNELS), transform_task, &job);
        parallel_for(blocks * g->row_blocks, rows_task, &job);
    }
}
