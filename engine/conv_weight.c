/* engine/conv_weight.c - the third side of the triangle: grad_w = gy x'^T over all pixels.
 *
 * The depth of this product is every output pixel of every image. A register tile is some places
 * (c, r, s) by some vectors of output channels: gy is transposed to [pixel][channel], and each
 * place reads its numbers where they lie in the (padded) image, shifted by its tap. So no patch is
 * copied.
 *
 * Work is cut into groups of images times blocks of input channels, by the shape alone. A task
 * takes its images in chunks whose operands stay in its core's cache; pieces of at most 64 products
 * are summed apart, then added in order, and so are the groups. */
#include "conv_method.h"

#include "gemm.h"
#include "../base/parallel.h"

#include <string.h>

enum {
    DEPTH_PIECE  = 64,
    CHUNK_REALS  = 64 << 10,  // of gy and of the image, each
    GROUP_REALS  = 256 << 10, // of all groups' results together
    WANTED_TASKS = 32,
    MOST_RUNS    = 512,
    STRIP        = 16, // places whose groups are added at a time
    STRIP_DEPTH  = 64
};

/* Where one channel's planes lie: in the images themselves, or in padded copies. */
typedef struct Planes {
    int64_t row, plane, image; // steps in reals
} Planes;

/* How a shape is cut. Nothing here that decides an order of sums depends on the kernels in use. */
typedef struct Cut {
    int64_t taps, places;       // r * s of one channel, of all
    int64_t groups, blocks;     // of images, of channels
    int64_t channels;           // of a block
    int64_t images, rows;       // of a chunk: whole images, or rows of one
    int64_t parts, part, piece; // runs of a row and their length; runs summed at once
    int64_t width, height;      // gy's channels in whole vectors; a block's places in whole tiles
    int64_t gy_shared;          // gy turned once, where several blocks read it
    int64_t gy_size, x_size;    // of a thread
    Planes  planes;
} Cut;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static Cut cut_of(const ConvShape *s)
{
    Cut     cut      = {.taps = s->r * s->s, .places = s->c * s->r * s->s};
    int64_t channels = panels_of(s->k, 16) * 16, pixels = s->oh * s->ow;
    cut.groups   = most(1, least(least(s->n, WANTED_TASKS), GROUP_REALS / (cut.places * channels)));
    cut.channels = panels_of(s->c, least(s->c, panels_of(WANTED_TASKS, cut.groups)));
    cut.blocks   = panels_of(s->c, cut.channels);
    cut.parts    = panels_of(s->ow, DEPTH_PIECE);
    cut.part     = panels_of(s->ow, cut.parts);
    cut.piece    = cut.parts > 1 ? 1 : DEPTH_PIECE / s->ow;

    // Most pixels of a chunk, by gy and by the image.
    int64_t room =
        least(CHUNK_REALS / channels, CHUNK_REALS / (cut.channels * s->stride * s->stride));
    cut.images = most(1, least(room / pixels, panels_of(s->n, cut.groups)));
    cut.rows   = cut.images > 1 ? s->oh : most(1, least(room / s->ow, s->oh));

    cut.width  = columns_padded(kernels(), s->k);
    cut.height = panels_of(cut.channels * cut.taps, kernels()->tap_rows) * kernels()->tap_rows;
    if (cut.blocks > 1)
        cut.gy_shared = s->n * pixels * cut.width;
    else
        cut.gy_size = cut.images * cut.rows * s->ow * cut.width;
    if (s->pad == 0) {
        cut.planes = (Planes){.row = s->w, .plane = s->h * s->w, .image = s->c * s->h * s->w};
    } else {
        cut.planes.row   = (s->ow - 1) * s->stride + s->s;
        cut.planes.plane = ((cut.rows - 1) * s->stride + s->r) * cut.planes.row;
        cut.planes.image = cut.channels * cut.planes.plane;
        cut.x_size       = panels_of(cut.images * cut.planes.image, 16) * 16; // whole lines
    }
    return cut;
}

static int64_t block_size(const Cut *cut)
{
    return cut->height * cut->width;
}

size_t weight_direct_scratch_size(const ConvShape *shape, int threads)
{
    Cut cut = cut_of(shape);
    return (size_t)(cut.groups * cut.blocks * block_size(&cut) + cut.gy_shared) +
           (size_t)threads * (size_t)(cut.gy_size + cut.x_size);
}

typedef struct WeightJob {
    const ConvShape *shape;
    Cut              cut;
    const real      *x, *gy;
    real *grad_w, *results, *gy_turned, *threads; // results: [group][block][height][width]
} WeightJob;

/* Some output rows of some images, for a block of input channels. */
typedef struct Chunk {
    int64_t     image, images, row, rows, channel, channels;
    real       *gy_copy, *x_copy;
    const real *gy;
    const real *x; // of the first image, channel and tap
    real       *result;
} Chunk;

/* Some output rows of one image, as [pixel][channel] with whole vectors of channels. */
static void transpose_gy(const WeightJob *job, int64_t image, int64_t row, int64_t rows, real *to)
{
    const ConvShape *s      = job->shape;
    int64_t          pixels = rows * s->ow, width = job->cut.width, plane = s->oh * s->ow;
    for (int64_t p = 0; p < pixels && s->k < width; p++)
        memset(to + p * width + s->k, 0, (size_t)(width - s->k) * sizeof(real));
    kernels()->transpose(to, width, job->gy + image * s->k * plane + row * s->ow, plane, s->k,
                         pixels);
}

static void transpose_image(void *data, int64_t image, int thread)
{
    const WeightJob *job = data;
    const ConvShape *s   = job->shape;
    (void)thread;
    transpose_gy(job, image, 0, s->oh, job->gy_turned + image * s->oh * s->ow * job->cut.width);
}

static void take_gy(const WeightJob *job, Chunk *chunk)
{
    const ConvShape *s     = job->shape;
    int64_t          width = job->cut.width;
    if (job->cut.blocks > 1) {
        chunk->gy = job->gy_turned + (chunk->image * s->oh + chunk->row) * s->ow * width;
        return;
    }
    chunk->gy = chunk->gy_copy;
    for (int64_t i = 0; i < chunk->images; i++)
        transpose_gy(job, chunk->image + i, chunk->row, chunk->rows,
                     chunk->gy_copy + i * chunk->rows * s->ow * width);
}

/* The rows of one plane that the chunk reads, between zeros. */
static void pad_plane(const WeightJob *job, const Chunk *chunk, const real *plane, real *to)
{
    const ConvShape *s    = job->shape;
    int64_t          wide = job->cut.planes.row, top = chunk->row * s->stride - s->pad;
    int64_t          high  = (chunk->rows - 1) * s->stride + s->r;
    int64_t          first = most(0, top), end = least(s->h, top + high),
            inside = least(s->w, wide - s->pad);
    memset(to, 0, (size_t)(high * wide) * sizeof(real));
    if (first < end && inside > 0)
        kernels()->pack(to + (first - top) * wide + s->pad, wide, plane + first * s->w, s->w,
                        end - first, inside, 1);
}

static void take_image(const WeightJob *job, Chunk *chunk)
{
    const ConvShape *s     = job->shape;
    const Planes    *p     = &job->cut.planes;
    const real      *first = job->x + (chunk->image * s->c + chunk->channel) * s->h * s->w;
    chunk->x               = s->pad ? chunk->x_copy : first + chunk->row * s->stride * s->w;
    for (int64_t i = 0; i < chunk->images && s->pad; i++)
        for (int64_t c = 0; c < chunk->channels; c++)
            pad_plane(job, chunk, first + (i * s->c + c) * s->h * s->w,
                      chunk->x_copy + i * p->image + c * p->plane);
}

/* All tiles of the chunk over some of its runs; `gy` is that of the first. */
static void multiply_runs(const WeightJob *job, const Chunk *chunk, const PixelRun *run,
                          int64_t runs, const real *gy)
{
    const ConvShape *s      = job->shape;
    const Cut       *cut    = &job->cut;
    const Kernels   *table  = kernels();
    int64_t          places = chunk->channels * cut->taps, vectors = cut->width / table->lanes;
    int64_t          panels = panels_of(vectors, table->tile_vectors);
    const real      *row[TAP_MOST_ROWS];
    TapSums          sums = {.row      = row,
                             .run      = run,
                             .runs     = runs,
                             .piece    = cut->piece,
                             .step     = s->stride,
                             .gy_step  = cut->width,
                             .out_step = cut->width};
    for (int64_t first = 0; first < places; first += table->tap_rows) {
        for (int64_t r = 0; r < table->tap_rows; r++) { // past the last place: it once more
            int64_t place = least(first + r, places - 1), tap = place % cut->taps;
            row[r] = chunk->x + place / cut->taps * cut->planes.plane +
                     tap / s->s * cut->planes.row + tap % s->s;
        }
        for (int64_t panel = 0; panel < panels; panel++) { // of about equal numbers of vectors
            int64_t from = panel * vectors / panels, to = (panel + 1) * vectors / panels;
            sums.gy  = gy + from * table->lanes;
            sums.out = chunk->result + first * cut->width + from * table->lanes;
            table->tap_tile[to - from](&sums);
        }
    }
}

static void multiply_chunk(const WeightJob *job, const Chunk *chunk)
{
    const ConvShape *s   = job->shape;
    const Cut       *cut = &job->cut;
    PixelRun         run[MOST_RUNS];
    int64_t          runs = 0, at_once = MOST_RUNS / cut->piece * cut->piece;
    int64_t          all = chunk->images * chunk->rows * cut->parts;
    const real      *gy  = chunk->gy;
    for (int64_t i = 0, pixels = 0; i < all; i++) {
        int64_t line = i / cut->parts, first = i % cut->parts * cut->part;
        run[runs] =
            (PixelRun){.at = line / chunk->rows * cut->planes.image +
                             line % chunk->rows * s->stride * cut->planes.row + first * s->stride,
                       .count = least(cut->part, s->ow - first)};
        pixels += run[runs++].count;
        if (runs == at_once || i + 1 == all) {
            multiply_runs(job, chunk, run, runs, gy);
            gy += pixels * cut->width;
            runs = pixels = 0;
        }
    }
}

static void multiply_group(void *data, int64_t task, int thread)
{
    const WeightJob *job   = data;
    const ConvShape *s     = job->shape;
    const Cut       *cut   = &job->cut;
    int64_t          group = task / cut->blocks, block = task % cut->blocks;
    int64_t          end   = (group + 1) * s->n / cut->groups;
    Chunk            chunk = {.channel  = block * cut->channels,
                              .channels = least(cut->channels, s->c - block * cut->channels),
                              .gy_copy  = job->threads + thread * (cut->gy_size + cut->x_size),
                              .result   = job->results + task * block_size(cut)};
    chunk.x_copy           = chunk.gy_copy + cut->gy_size;
    memset(chunk.result, 0, (size_t)block_size(cut) * sizeof(real));
    for (chunk.image = group * s->n / cut->groups; chunk.image < end; chunk.image += cut->images) {
        chunk.images = least(cut->images, end - chunk.image);
        for (chunk.row = 0; chunk.row < s->oh; chunk.row += cut->rows) {
            chunk.rows = least(cut->rows, s->oh - chunk.row);
            take_gy(job, &chunk);
            take_image(job, &chunk);
            multiply_chunk(job, &chunk);
        }
    }
}

/* Adds the groups of some places in order and turns them to [channel][place]. */
static void add_groups(void *data, int64_t strip, int thread)
{
    const WeightJob *job   = data;
    const Cut       *cut   = &job->cut;
    const Kernels   *table = kernels();
    int64_t          first = strip * STRIP, count = least(STRIP, cut->places - first);
    (void)thread;
    for (int64_t k = 0; k < job->shape->k; k += STRIP_DEPTH) {
        real    sums[STRIP * STRIP_DEPTH];
        int64_t depth = least(STRIP_DEPTH, job->shape->k - k);
        for (int64_t i = 0; i < count; i++) {
            int64_t     block = (first + i) / (cut->channels * cut->taps);
            int64_t     row   = (first + i) % (cut->channels * cut->taps);
            const real *from  = job->results + block * block_size(cut) + row * cut->width + k;
            memcpy(sums + i * STRIP_DEPTH, from, (size_t)depth * sizeof(real));
            for (int64_t g = 1; g < cut->groups; g++)
                table->add(sums + i * STRIP_DEPTH, sums + i * STRIP_DEPTH,
                           from + g * cut->blocks * block_size(cut), depth);
        }
        table->transpose(job->grad_w + k * cut->places + first, cut->places, sums, STRIP_DEPTH,
                         count, depth);
    }
}

void weight_direct_run(const ConvShape *shape, const real *x, const real *gy, real *grad_w,
                       real *scratch)
{
    WeightJob job   = {.shape   = shape,
                       .cut     = cut_of(shape),
                       .x       = x,
                       .gy      = gy,
                       .grad_w  = grad_w,
                       .results = scratch};
    int64_t   tasks = job.cut.groups * job.cut.blocks;
    job.gy_turned   = scratch + tasks * block_size(&job.cut);
    job.threads     = job.gy_turned + job.cut.gy_shared;
    if (job.cut.blocks > 1)
        parallel_for(shape->n, transpose_image, &job);
    parallel_for(tasks, multiply_group, &job);
    parallel_for(panels_of(job.cut.places, STRIP), add_groups, &job);
}
