/* engine/conv_depthwise.c - depthwise convolution: every channel has a kernel of its own.
 *
 * Planes of all images and channels are images of one channel, so a product has one row: a part of
 * a plane is copied between zeros (conv_bands.h) and each tap is multiplied from its distance in
 * the copy. The sums are those of conv_direct.c for one channel, in the same order, so a unit alone
 * has the bits it has among all. */
#include "conv_bands.h"

#include "gemm.h"
#include "../base/parallel.h"

#include <stdatomic.h>

enum {
    MOST_TAPS    = 64,    // summed in one piece, as conv_direct.c does
    TASK_COLUMNS = 16384, // of several small planes
    WEIGHT_BAND  = 4096   // columns of one sum of a weight gradient: the same on every machine
};

bool depthwise_fits(const ConvShape *shape)
{
    int64_t taps = shape->r * shape->s;
    return shape->groups > 1 && shape->groups == shape->c && shape->groups == shape->k &&
           shape->stride <= BANDS_MOST_STEP && taps > 1 && taps <= MOST_TAPS;
}

/* One channel of one image, as many images as there are planes. */
static ConvShape plane_shape(const ConvShape *shape)
{
    ConvShape plane = *shape;
    plane.n         = shape->n * shape->c;
    plane.c = plane.k = plane.groups = 1;
    return plane;
}

/* ---- forward and input gradient -------------------------------------------------------------- */

size_t depthwise_prepared_size(const ConvShape *shape)
{
    return (size_t)(shape->c * shape->r * shape->s);
}

/* [channel][tap], the taps of all phases one after another. */
void depthwise_prepare(const ConvShape *shape, ConvSide side, const real *weights, real *prepared)
{
    ConvShape plane = plane_shape(shape);
    Geometry  g;
    int64_t   taps = shape->r * shape->s, before = 0;
    for (int phase = 0; phase < geometry_row_phases(&plane, side); phase++) {
        geometry_of(&plane, side, phase, &g);
        for (int64_t channel = 0; channel < shape->c; channel++)
            for (int64_t t = 0; t < geometry_taps(&g); t++)
                prepared[channel * taps + before + t] =
                    weights[channel * taps + g.tap[t].r * shape->s + g.tap[t].s];
        before += geometry_taps(&g);
    }
}

typedef struct DepthwiseJob {
    Bands             bands;
    int64_t           channels, taps, task_planes, thread_size;
    const ConvFinish *finish;
    const real       *prepared, *from;
    real             *to, *threads;
    bool              stream;
    int32_t           offsets[MOST_TAPS]; // of all phases one after another
} DepthwiseJob;

/* Of a thread: the part of a plane and a vector past it, results of every column phase, interleaved
 * rows, the bias of each row. */
static void plan_depthwise(const ConvShape *shape, ConvSide side, DepthwiseJob *job)
{
    ConvShape plane  = plane_shape(shape);
    Bands    *b      = &job->bands;
    *b               = bands_of(&plane, side, 1);
    int64_t columns  = b->columns * b->bands * b->row_phases * b->g->phases;
    job->channels    = shape->c;
    job->taps        = shape->r * shape->s;
    job->task_planes = columns < TASK_COLUMNS ? TASK_COLUMNS / columns : 1;
    job->thread_size = reals_padded(b->source + kernels()->lanes) +
                       reals_padded(b->g->phases * b->columns) +
                       reals_padded(b->rows * b->g->phases * b->g->cols) + reals_padded(b->rows);
}

/* Rows first..first+rows-1 of a row phase's grid of a plane. */
static void store_rows(const DepthwiseJob *job, const Geometry *g, int64_t plane, int64_t first,
                       int64_t rows, const real *result, real *lines)
{
    const Bands *b       = &job->bands;
    int64_t      channel = plane % job->channels;
    int64_t      at      = (plane * g->target_h + g->first_y + first * g->phases) * g->target_w;
    real        *bias    = lines + reals_padded(b->rows * g->phases * g->cols);
    FinishRows   f       = conv_finish_rows(job->finish, job->to, at, channel);
    f.rows               = rows;
    f.n                  = g->target_w;
    f.stride             = g->phases * g->target_w;
    f.stream             = job->stream;
    f.x                  = g->phases > 1 ? lines : result;
    f.x_stride           = g->phases > 1 ? g->phases * g->cols : b->width;
    for (int64_t i = 0; i < rows && g->phases > 1; i++)
        conv_interleave(result + i * b->width, b->columns, g->phases, g->cols,
                        lines + i * f.x_stride);
    for (int64_t i = 0; i < rows && f.bias; i++)
        bias[i] = *f.bias;
    f.bias = f.bias ? bias : NULL;
    kernels()->finish(&f);
}

static void plane_band(const DepthwiseJob *job, int64_t plane, int64_t first, real *source)
{
    const Bands   *b       = &job->bands;
    real          *result  = source + reals_padded(b->source + kernels()->lanes);
    real          *lines   = result + reals_padded(b->g->phases * b->columns);
    const real    *weights = job->prepared + plane % job->channels * job->taps;
    const int32_t *offsets = job->offsets;
    bands_copy(b, job->from, plane, first, source);
    for (int row_phase = 0; row_phase < b->row_phases; row_phase++) {
        const Geometry *g    = &b->g[row_phase];
        int64_t         left = g->rows - first, rows = left < b->rows ? left : b->rows;
        if (rows < 1)
            continue;
        int64_t vectors = panels_of(bands_columns(b, rows), kernels()->lanes);
        for (int phase = 0; phase < g->phases; phase++) {
            int64_t taps = g->first_tap[phase + 1] - g->first_tap[phase];
            kernels()->correlate(result + phase * b->columns, source, offsets, weights, taps,
                                 vectors);
            offsets += taps;
            weights += taps;
        }
        store_rows(job, g, plane, first, rows, result, lines);
    }
}

static void planes_task(void *data, int64_t task, int thread)
{
    const DepthwiseJob *job   = data;
    const Bands        *b     = &job->bands;
    int64_t             first = task * job->task_planes, end = first + job->task_planes;
    real               *source = job->threads + thread * job->thread_size;
    for (int64_t plane = first; plane < end && plane < b->images; plane++)
        for (int64_t band = 0; band < b->bands; band++)
            plane_band(job, plane, band * b->rows, source);
    atomic_thread_fence(memory_order_seq_cst); // what was streamed
}

size_t depthwise_scratch_size(const ConvShape *shape, ConvSide side, int threads)
{
    DepthwiseJob job;
    plan_depthwise(shape, side, &job);
    return (size_t)threads * (size_t)job.thread_size;
}

void depthwise_run(const ConvShape *shape, ConvSide side, const real *prepared, const real *from,
                   real *to, const ConvFinish *finish, real *scratch)
{
    DepthwiseJob job = {
        .finish = finish, .prepared = prepared, .from = from, .to = to, .threads = scratch};
    plan_depthwise(shape, side, &job);
    const Bands *b       = &job.bands;
    int32_t     *offsets = job.offsets;
    job.stream           = conv_streams(b->images * b->g->target_h * b->g->target_w);
    for (int phase = 0; phase < b->row_phases; phase++) {
        bands_offsets(b, &b->g[phase], offsets);
        offsets += geometry_taps(&b->g[phase]);
    }
    parallel_for(panels_of(b->images, job.task_planes), planes_task, &job);
}

/* ---- weight gradient ------------------------------------------------------------------------- */

/* gy is copied so that its rows lie as far apart as those of the grid, with zeros between: a tap is
 * then one dot product a band. */
typedef struct DepthwiseWeightJob {
    Bands       bands;
    int64_t     images, channels, taps, thread_size;
    const real *x, *gy;
    real       *grad_w, *threads;
    int32_t     offsets[MOST_TAPS];
} DepthwiseWeightJob;

static void plan_weight(const ConvShape *shape, DepthwiseWeightJob *job)
{
    ConvShape plane  = plane_shape(shape);
    Bands    *b      = &job->bands;
    job->images      = shape->n;
    job->channels    = shape->c;
    job->taps        = shape->r * shape->s;
    *b               = bands_cut(&plane, CONV_FORWARD, WEIGHT_BAND);
    job->thread_size = reals_padded(b->source + kernels()->lanes) + reals_padded(b->columns);
}

/* Rows of the grid of a plane of gy, and zeros behind each. */
static void copy_gradient(const DepthwiseWeightJob *job, int64_t plane, int64_t first, int64_t rows,
                          real *to)
{
    const Bands    *b    = &job->bands;
    const Geometry *g    = b->g;
    const real     *from = job->gy + (plane * g->rows + first) * g->cols;
    kernels()->pack(to, b->width, from, g->cols, rows, g->cols, 1);
    for (int64_t i = 0; i + 1 < rows; i++)
        for (int64_t j = g->cols; j < b->width; j++)
            to[i * b->width + j] = 0;
}

static void channel_task(void *data, int64_t channel, int thread)
{
    const DepthwiseWeightJob *job    = data;
    const Bands              *b      = &job->bands;
    real                     *source = job->threads + thread * job->thread_size;
    real                     *gy     = source + reals_padded(b->source + kernels()->lanes);
    real                     *sums   = job->grad_w + channel * job->taps;
    for (int64_t t = 0; t < job->taps; t++)
        sums[t] = 0;
    for (int64_t image = 0; image < job->images; image++)
        for (int64_t first = 0; first < b->g->rows; first += b->rows) {
            int64_t plane = image * job->channels + channel, left = b->g->rows - first;
            int64_t rows = left < b->rows ? left : b->rows;
            bands_copy(b, job->x, plane, first, source);
            copy_gradient(job, plane, first, rows, gy);
            for (int64_t t = 0; t < job->taps; t++)
                sums[t] += kernels()->dot(source + job->offsets[t], gy, bands_columns(b, rows));
        }
}

size_t depthwise_weight_scratch_size(const ConvShape *shape, int threads)
{
    DepthwiseWeightJob job;
    plan_weight(shape, &job);
    return (size_t)threads * (size_t)job.thread_size;
}

void depthwise_weight_run(const ConvShape *shape, const real *x, const real *gy, real *grad_w,
                          real *scratch)
{
    DepthwiseWeightJob job = {.x = x, .gy = gy, .grad_w = grad_w, .threads = scratch};
    plan_weight(shape, &job);
    bands_offsets(&job.bands, job.bands.g, job.offsets);
    parallel_for(shape->c, channel_task, &job);
}
