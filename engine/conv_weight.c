/* engine/conv_weight.c - the third side of the triangle: grad_w = gy x'^T over all pixels.
 *
 * The depth of this product is every output pixel of every image, so it is cut into chunks of
 * pixels of one image; chunk results are added in order. */
#include "conv.h"

#include "gemm.h"
#include "../base/parallel.h"

#include <string.h>

enum { CHUNK_PIXELS = 2048 };

typedef struct WeightJob {
    const ConvShape *shape;
    const real      *x, *gy;
    real            *grad_w, *rows, *threads;
    int64_t          image, first, depth; // pixels first..first+depth-1 of one image
} WeightJob;

static size_t rows_size(const ConvShape *shape)
{
    size_t rows = (size_t)kernels()->tile_rows;
    return (size_t)panels_of(shape->k, (int64_t)rows) * rows * CHUNK_PIXELS;
}

static size_t thread_size(void)
{
    return TILE_MOST_COLS * CHUNK_PIXELS + TILE_MOST_ROWS * TILE_MOST_COLS;
}

size_t conv_weight_scratch_size(const ConvShape *shape, int threads)
{
    return rows_size(shape) + (size_t)threads * thread_size();
}

static void pack_gy(void *data, int64_t panel, int thread)
{
    WeightJob       *job   = data;
    const ConvShape *shape = job->shape;
    const Kernels   *table = kernels();
    int64_t          plane = shape->oh * shape->ow;
    (void)thread;
    pack_rows(table, job->gy + job->image * shape->k * plane + job->first, plane, 1, shape->k,
              panel * table->tile_rows, job->depth,
              job->rows + panel * table->tile_rows * job->depth);
}

/* A kernel place (c, r, s); plane is NULL past the last. */
typedef struct Tap {
    const real *plane;
    int64_t     r, s;
} Tap;

/* Pixels ox..ox+count-1 of output row oy as one place sees them, a column of the packed panel. */
static void pack_column(const ConvShape *shape, const Tap *tap, int64_t oy, int64_t ox,
                        int64_t count, real *to, int64_t width)
{
    int64_t y = oy * shape->stride - shape->pad + tap->r;
    int64_t x = ox * shape->stride - shape->pad + tap->s;
    if (!tap->plane || y < 0 || y >= shape->h) {
        for (int64_t i = 0; i < count; i++)
            to[i * width] = 0;
        return;
    }
    const real *line = tap->plane + y * shape->w;
    for (int64_t i = 0; i < count; i++, x += shape->stride)
        to[i * width] = x >= 0 && x < shape->w ? line[x] : 0;
}

/* Columns are places; each is the image shifted by its tap. A run of pixels is packed for all
 * places before the next, so that what is written stays in the first cache. */
static void pack_places(const WeightJob *job, int64_t first_place, int64_t width, real *packed)
{
    const ConvShape *shape = job->shape;
    Tap              taps[TILE_MOST_COLS];
    for (int64_t j = 0; j < width; j++) {
        int64_t place = first_place + j, c = place / (shape->s * shape->r);
        taps[j] =
            (Tap){c < shape->c ? job->x + (job->image * shape->c + c) * shape->h * shape->w : NULL,
                  place / shape->s % shape->r, place % shape->s};
    }
    for (int64_t p = 0; p < job->depth;) {
        int64_t oy = (job->first + p) / shape->ow, ox = (job->first + p) % shape->ow;
        int64_t count = shape->ow - ox < job->depth - p ? shape->ow - ox : job->depth - p;
        for (int64_t j = 0; j < width; j++)
            pack_column(shape, &taps[j], oy, ox, count, packed + p * width + j, width);
        p += count;
    }
}

static void multiply_places(void *data, int64_t panel, int thread)
{
    WeightJob       *job     = data;
    const ConvShape *shape   = job->shape;
    const Kernels   *table   = kernels();
    int64_t          places  = shape->c * shape->r * shape->s;
    int64_t          full    = (int64_t)table->tile_vectors * table->lanes;
    int              vectors = panel_vectors(table, places, panel);
    int64_t          width   = (int64_t)vectors * table->lanes;
    real            *packed  = job->threads + (size_t)thread * thread_size();
    real            *result  = packed + TILE_MOST_COLS * CHUNK_PIXELS;
    pack_places(job, panel * full, width, packed);
    for (int64_t first = 0; first < shape->k; first += table->tile_rows) {
        table->gemm_tile[vectors](job->depth, job->rows + first * job->depth, packed, result,
                                  width);
        for (int64_t k = first; k < first + table->tile_rows && k < shape->k; k++) {
            real *to = job->grad_w + k * places + panel * full;
            for (int64_t j = 0; j < width && panel * full + j < places; j++)
                to[j] += result[(k - first) * width + j];
        }
    }
}

void conv_weight_run(const ConvShape *shape, const real *x, const real *gy, real *grad_w,
                     real *scratch)
{
    const Kernels *table  = kernels();
    int64_t        places = shape->c * shape->r * shape->s, pixels = shape->oh * shape->ow;
    WeightJob      job = {.shape   = shape,
                          .x       = x,
                          .gy      = gy,
                          .grad_w  = grad_w,
                          .rows    = scratch,
                          .threads = scratch + rows_size(shape)};
    memset(grad_w, 0, (size_t)(shape->k * places) * sizeof(real));
    for (job.image = 0; job.image < shape->n; job.image++)
        for (job.first = 0; job.first < pixels; job.first += CHUNK_PIXELS) {
            job.depth = pixels - job.first < CHUNK_PIXELS ? pixels - job.first : CHUNK_PIXELS;
            parallel_for(panels_of(shape->k, table->tile_rows), pack_gy, &job);
            parallel_for(panels_of(places, (int64_t)table->tile_vectors * table->lanes),
                         multiply_places, &job);
        }
}
