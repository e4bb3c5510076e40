/* engine/conv_image.c - input gradient with few channels, as an image has: product first, taps
 * after.
 *
 * Three rows would fill less than half of a register tile, and every tap would pack its own panels.
 * Instead p[(c, r, s)][pixel of gy] = sum over k of w[k][c][r][s] gy[k][pixel] is computed, which
 * is the gradient of a 1x1 convolution to c r s channels; then grad_x[c][y][x] = sum over (r, s) of
 *                       p[(c, r, s)][(y + pad - r) / stride][(x + pad - s) / stride]
 * where the divisions leave nothing. Every output gathers its own sum, taps in order. */
#include "conv_method.h"

#include "gemm.h"
#include "../base/parallel.h"

#include <string.h>

enum { MOST_CHANNELS = 4, ROWS = 8 }; // ROWS: of one task

bool image_fits(const ConvShape *shape, ConvSide side)
{
    return side == CONV_INPUT_GRADIENT && shape->c <= MOST_CHANNELS && shape->r * shape->s > 1;
}

/* Of one image; its weights lie as those of the whole convolution do. */
static ConvShape product_of(const ConvShape *shape)
{
    return (ConvShape){.n      = 1,
                       .c      = shape->c * shape->r * shape->s,
                       .h      = shape->oh,
                       .w      = shape->ow,
                       .k      = shape->k,
                       .r      = 1,
                       .s      = 1,
                       .oh     = shape->oh,
                       .ow     = shape->ow,
                       .stride = 1};
}

typedef struct ImageJob {
    const ConvShape  *shape;
    const ConvFinish *finish;
    const real       *products;
    real             *to, *lines;
    int64_t           image;
} ImageJob;

/* Columns of one phase of a target row. */
static int64_t phase_columns(const ConvShape *shape)
{
    return panels_of(shape->w, shape->stride);
}

/* A row of every phase, and the whole row. */
static int64_t lines_size(const ConvShape *shape)
{
    return 2 * shape->stride * phase_columns(shape);
}

static int64_t products_size(const ConvShape *shape)
{
    return reals_padded(shape->c * shape->r * shape->s * shape->oh * shape->ow);
}

size_t image_prepared_size(const ConvShape *shape)
{
    ConvShape product = product_of(shape);
    return direct_prepared_size(&product, CONV_INPUT_GRADIENT);
}

void image_prepare(const ConvShape *shape, const real *weights, real *prepared)
{
    ConvShape product = product_of(shape);
    direct_prepare(&product, CONV_INPUT_GRADIENT, weights, prepared);
}

size_t image_scratch_size(const ConvShape *shape, int threads)
{
    ConvShape product = product_of(shape);
    size_t    run     = direct_scratch_size(&product, CONV_INPUT_GRADIENT, threads);
    size_t    lines   = (size_t)threads * (size_t)lines_size(shape);
    return (size_t)products_size(shape) + (run > lines ? run : lines);
}

static void add_taps(const ImageJob *job, int64_t c, int64_t y, real *lines)
{
    const ConvShape *shape  = job->shape;
    int64_t          stride = shape->stride, columns = phase_columns(shape);
    int64_t          plane = shape->oh * shape->ow;
    memset(lines, 0, (size_t)(stride * columns) * sizeof(real));
    for (int64_t r = 0; r < shape->r; r++) {
        int64_t top = y + shape->pad - r;
        if (top < 0 || top % stride || top / stride >= shape->oh)
            continue;
        for (int64_t s = 0; s < shape->s; s++) {
            // Target column b + j * stride reads product column j + shift.
            int64_t     b     = ((s - shape->pad) % stride + stride) % stride;
            int64_t     shift = (b + shape->pad - s) / stride;
            int64_t     first = shift < 0 ? -shift : 0;
            int64_t     last  = shape->ow - shift < columns ? shape->ow - shift : columns;
            real       *line  = lines + b * columns;
            const real *from  = job->products + ((c * shape->r + r) * shape->s + s) * plane;
            from += top / stride * shape->ow + shift;
            if (first < last)
                kernels()->add(line + first, line + first, from + first, last - first);
        }
    }
}

static void sum_rows(void *data, int64_t task, int thread)
{
    const ImageJob  *job    = data;
    const ConvShape *shape  = job->shape;
    int64_t          blocks = panels_of(shape->h, ROWS), columns = phase_columns(shape);
    int64_t          c = task / blocks, first = task % blocks * ROWS;
    real            *lines = job->lines + thread * lines_size(shape);
    real            *whole = lines + shape->stride * columns;
    for (int64_t y = first; y < first + ROWS && y < shape->h; y++) {
        int64_t    at   = ((job->image * shape->c + c) * shape->h + y) * shape->w;
        FinishRows rows = conv_finish_rows(job->finish, job->to, at, c);
        add_taps(job, c, y, lines);
        conv_interleave(lines, columns, shape->stride, columns, whole);
        rows.x    = whole;
        rows.rows = 1;
        rows.n    = shape->w;
        kernels()->finish(&rows);
    }
}

void image_run(const ConvShape *shape, const real *prepared, const real *from, real *to,
               const ConvFinish *finish, real *scratch)
{
    ConvShape product = product_of(shape);
    real     *rest    = scratch + products_size(shape);
    ImageJob  job     = {shape, finish, scratch, to, rest, 0};
    for (; job.image < shape->n; job.image++) {
        direct_run(&product, CONV_INPUT_GRADIENT, prepared,
                   from + job.image * shape->k * shape->oh * shape->ow, scratch, &(ConvFinish){0},
                   rest);
        parallel_for(shape->c * panels_of(shape->h, ROWS), sum_rows, &job);
    }
}
