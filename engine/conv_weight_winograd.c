/* engine/conv_weight_winograd.c - weight gradients of 3x3 kernels by F(4x4,3x3) turned around.
 *
 * The forward pass of a tile is Y = A^T [ (G g G^T) . (B^T d B) ] A (conv_winograd.c). Its
 * derivative with respect to g, given gy of the tile, is
 *     G^T [ (A gy A^T) . (B^T d B) ] G,
 * 36 products instead of 144. They are summed over all tiles before the last transform, so that
 * one is taken once a kernel. Source: the transposition of Lavin and Gray, CVPR 2016.
 *
 * Work is cut into groups of images by blocks of channels of x and of gy, by the shape alone. A
 * task takes 32 tiles at a time: their products are summed apart, then added in order, and so are
 * the groups. Where every product of a sum is zero the gradient is, too (weight_reach.h). */
#include "conv_method.h"

#include "conv_tiles.h"
#include "gemm.h"
#include "weight_reach.h"
#include "../base/parallel.h"

#include <string.h>

enum {
    POINTS       = 36,
    TILES        = 32, // transformed together, whatever a vector is
    X_CHANNELS   = 32, // of a block: with TILES what stays in a core's own cache
    GY_CHANNELS  = 64,
    WANTED_TASKS = 32,
    GROUP_REALS  = 1 << 20, // of all groups' results together
    LINE         = 4 * WINOGRAD_MOST_TILES + 32,
    SKEW         = 16
};

typedef struct Cut {
    Grid    grid;               // of x; without a number of images
    int64_t groups;             // of images
    int64_t x_blocks, channels; // of x's channels
    int64_t gy_blocks, width;   // of gy's channels; a block in whole vectors
    int64_t kernels;            // of gy's channels in a block
    int64_t height;             // a block of x's channels in whole register tiles
    int64_t v, d;               // from point to point of transformed x and gy, in reals
    int64_t block, thread;      // results of a task; what a thread needs
} Cut;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static Cut cut_of(const ConvShape *s)
{
    const Kernels *table = kernels();
    Cut            cut   = {.grid = {.source_channels = s->c,
                                     .source_h        = s->h,
                                     .source_w        = s->w,
                                     .target_channels = s->k,
                                     .target_h        = s->oh,
                                     .target_w        = s->ow,
                                     .pad             = s->pad,
                                     .tile_rows       = panels_of(s->oh, 4),
                                     .tile_cols       = panels_of(s->ow, 4),
                                     .block           = TILES}};
    cut.channels         = least(s->c, X_CHANNELS);
    cut.kernels          = least(s->k, GY_CHANNELS);
    cut.x_blocks         = panels_of(s->c, cut.channels);
    cut.gy_blocks        = panels_of(s->k, cut.kernels);
    cut.groups           = least(panels_of(WANTED_TASKS, cut.x_blocks * cut.gy_blocks),
                                 GROUP_REALS / (POINTS * s->c * s->k));
    cut.groups           = least(cut.groups < 1 ? 1 : cut.groups, s->n);
    cut.width            = columns_padded(table, cut.kernels);
    cut.height           = panels_of(cut.channels, table->tap_rows) * table->tap_rows;
    cut.v                = cut.channels * TILES + SKEW;
    cut.d                = TILES * cut.width + SKEW;
    cut.block            = POINTS * cut.height * cut.width;
    cut.thread =
        POINTS * (cut.v + cut.d) + 16 * TILES * cut.width + 6 * LINE + 2 * 6 * WINOGRAD_MOST_TILES;
    return cut;
}

size_t weight_winograd_scratch_size(const ConvShape *shape, int threads)
{
    Cut cut = cut_of(shape);
    return (size_t)(cut.groups * cut.x_blocks * cut.gy_blocks * cut.block) +
           weight_reach_size(shape) + (size_t)threads * (size_t)cut.thread;
}

typedef struct WeightJob {
    const ConvShape *shape;
    Cut              cut;
    const real      *x, *gy;
    real            *grad_w, *results, *threads; // results: [group][x block][gy block][point]...
    real            *reach;
} WeightJob;

/* A block of channels of x and of gy, and one thread's room for their tiles. */
typedef struct Task {
    const real *x, *gy; // of the first image and channel
    int64_t     channels, kernels;
    real       *v, *d, *turned, *lines, *ends, *result;
} Task;

static void transform_x(const WeightJob *job, const Task *task, const TileSpan *span, int spans)
{
    const Cut     *cut   = &job->cut;
    const Kernels *table = kernels();
    int64_t        plane = job->shape->h * job->shape->w;
    uint64_t       last  = tiles_last(span, spans);
    for (int64_t c = 0; c < task->channels; c++) {
        table->winograd_columns(task->lines, LINE, task->ends, task->x + c * plane,
                                c + 1 < task->channels ? plane : 0, span, spans, NULL);
        table->winograd_input(task->v + c * TILES, cut->v, task->lines, LINE, task->ends, last,
                              TILES);
    }
}

/* The span's pixels of gy as [row][pixel][channel], zero outside. */
static void turn_span(const WeightJob *job, const Task *task, const TileSpan *s)
{
    const ConvShape *shape = job->shape;
    int64_t          width = job->cut.width, plane = shape->oh * shape->ow;
    int64_t          pixels = 4 * s->count, high = least(4, shape->oh - 4 * s->row);
    int64_t          inside = least(pixels, shape->ow - 4 * s->col);
    const real      *from   = task->gy + s->image * shape->k * plane + 4 * s->row * shape->ow;
    if (high < 4 || inside < pixels || task->kernels < width)
        memset(task->turned, 0, (size_t)(4 * pixels * width) * sizeof(real));
    if (inside == shape->ow && inside == pixels) { // rows run into each other
        kernels()->transpose(task->turned, width, from, plane, task->kernels, high * pixels);
        return;
    }
    for (int64_t i = 0; i < high; i++)
        kernels()->transpose(task->turned + i * pixels * width, width,
                             from + i * shape->ow + 4 * s->col, plane, task->kernels, inside);
}

static void transform_gy(const WeightJob *job, const Task *task, const TileSpan *span, int spans)
{
    const Kernels *table = kernels();
    int64_t        width = job->cut.width;
    for (const TileSpan *s = span; s < span + spans; s++) {
        turn_span(job, task, s);
        for (int64_t t = 0; t < s->count; t++)
            table->winograd_gradient(task->d + (s->tile + t) * width, job->cut.d,
                                     task->turned + 4 * t * width, 4 * s->count * width, width,
                                     width);
    }
}

/* result[point][channel of x][channel of gy] += the sum over tiles of v d. */
static void multiply(const WeightJob *job, const Task *task, int64_t tiles)
{
    const Cut     *cut     = &job->cut;
    const Kernels *table   = kernels();
    int64_t        vectors = cut->width / table->lanes;
    int64_t        panels  = panels_of(vectors, table->tile_vectors);
    PixelRun       run     = {.at = 0, .count = tiles};
    const real    *row[TAP_MOST_ROWS];
    TapSums        sums = {.row      = row,
                           .run      = &run,
                           .runs     = 1,
                           .piece    = 1,
                           .step     = 1,
                           .gy_step  = cut->width,
                           .out_step = cut->width};
    for (int64_t e = 0; e < POINTS; e++)
        for (int64_t first = 0; first < task->channels; first += table->tap_rows) {
            for (int64_t r = 0; r < table->tap_rows; r++) // past the last channel: it once more
                row[r] = task->v + e * cut->v + least(first + r, task->channels - 1) * TILES;
            for (int64_t panel = 0; panel < panels; panel++) { // of about equal numbers of vectors
                int64_t from = panel * vectors / panels, to = (panel + 1) * vectors / panels;
                sums.gy  = task->d + e * cut->d + from * table->lanes;
                sums.out = task->result + (e * cut->height + first) * cut->width;
                sums.out += from * table->lanes;
                table->tap_tile[to - from](&sums);
            }
        }
}

static void group_task(void *data, int64_t index, int thread)
{
    const WeightJob *job    = data;
    const ConvShape *s      = job->shape;
    const Cut       *cut    = &job->cut;
    Grid             grid   = cut->grid;
    int64_t          blocks = cut->x_blocks * cut->gy_blocks, group = index / blocks;
    int64_t          image = group * s->n / cut->groups, end = (group + 1) * s->n / cut->groups;
    int64_t          c    = index % blocks / cut->gy_blocks * cut->channels;
    int64_t          k    = index % cut->gy_blocks * cut->kernels;
    Task             task = {.x        = job->x + (image * s->c + c) * s->h * s->w,
                             .gy       = job->gy + (image * s->k + k) * s->oh * s->ow,
                             .channels = least(cut->channels, s->c - c),
                             .kernels  = least(cut->kernels, s->k - k),
                             .v        = job->threads + thread * cut->thread,
                             .result   = job->results + index * cut->block};
    task.d                = task.v + POINTS * cut->v;
    task.turned           = task.d + POINTS * cut->d;
    task.lines            = task.turned + 16 * TILES * cut->width;
    task.ends             = task.lines + 6 * LINE;
    grid.n                = end - image;
    grid.tiles            = grid.n * grid.tile_rows * grid.tile_cols;
    memset(task.result, 0, (size_t)cut->block * sizeof(real));
    memset(task.lines, 0, (6 * LINE + 2 * 6 * WINOGRAD_MOST_TILES) * sizeof(real));
    for (int64_t block = 0; block * TILES < grid.tiles; block++) {
        TileSpan span[WINOGRAD_MOST_TILES];
        int      spans = tiles_cut(&grid, block, span);
        transform_x(job, &task, span, spans);
        transform_gy(job, &task, span, spans);
        multiply(job, &task, least(TILES, grid.tiles - block * TILES));
    }
}

/* Adds the groups of one channel of x and a block of gy's in order, transforms the sums and turns
 * them to [channel of gy][tap]. */
static void finish_task(void *data, int64_t index, int thread)
{
    const WeightJob *job   = data;
    const ConvShape *s     = job->shape;
    const Cut       *cut   = &job->cut;
    const Kernels   *table = kernels();
    int64_t          c = index / cut->gy_blocks, k = index % cut->gy_blocks * cut->kernels;
    int64_t          count = least(cut->kernels, s->k - k), point = cut->height * cut->width;
    int64_t          block = c / cut->channels * cut->gy_blocks + index % cut->gy_blocks;
    int64_t          step  = cut->x_blocks * cut->gy_blocks * cut->block;
    real            *first = job->results + block * cut->block + c % cut->channels * cut->width;
    real             taps[9 * GY_CHANNELS];
    (void)thread;
    for (int64_t e = 0; e < POINTS; e++)
        for (int64_t g = 1; g < cut->groups; g++)
            table->add(first + e * point, first + e * point, first + e * point + g * step,
                       cut->width);
    table->winograd_weights(taps, GY_CHANNELS, first, point, cut->width);
    weight_reach_clear(s, job->reach, c, k, count, taps, GY_CHANNELS);
    table->transpose(job->grad_w + (k * s->c + c) * 9, s->c * 9, taps, GY_CHANNELS, 9, count);
}

void weight_winograd_run(const ConvShape *shape, const real *x, const real *gy, real *grad_w,
                         real *scratch)
{
    WeightJob job   = {.shape   = shape,
                       .cut     = cut_of(shape),
                       .x       = x,
                       .gy      = gy,
                       .grad_w  = grad_w,
                       .results = scratch};
    int64_t   tasks = job.cut.groups * job.cut.x_blocks * job.cut.gy_blocks;
    job.reach       = scratch + tasks * job.cut.block;
    job.threads     = job.reach + weight_reach_size(shape);
    weight_reach_find(shape, x, gy, job.reach);
    parallel_for(tasks, group_task, &job);
    parallel_for(shape->c * job.cut.gy_blocks, finish_task, &job);
}
