/* nem/resample.c - see resample.h. */
#include "resample.h"

#include "threshold.h"

#include <string.h>

struct Resampler {
    Axis y, x;
    bool rounds_between;
};

bool resampler_join(Resampler **out, Axis *y, Axis *x, bool rounds_between, Error *error)
{
    Resampler *resampler = memory_new(1, sizeof *resampler, error);
    if (resampler) {
        *resampler = (Resampler){*y, *x, rounds_between};
        *out       = resampler;
    } else {
        axis_close(y);
        axis_close(x);
    }
    *y = *x = (Axis){0};
    return resampler != NULL;
}

bool resampler_half_pixel(Resampler **out, int64_t height, int64_t width, int64_t to_height,
                          int64_t to_width, AxisEnd end, Error *error)
{
    Axis y = {0}, x = {0};
    if (axis_half_pixel(&y, height, to_height, end, error) &&
        axis_half_pixel(&x, width, to_width, end, error))
        return resampler_join(out, &y, &x, false, error);
    axis_close(&y);
    axis_close(&x);
    return false;
}

void resampler_close(Resampler *resampler)
{
    if (!resampler)
        return;
    axis_close(&resampler->y);
    axis_close(&resampler->x);
    memory_free(resampler);
}

void resampler_reach(const Resampler *resampler, int *rows, int *columns)
{
    const Axis *axes[2]  = {&resampler->y, &resampler->x};
    int        *reach[2] = {rows, columns};
    for (int i = 0; i < 2; i++) {
        *reach[i] = 0;
        for (int32_t d = 0; d < axes[i]->out; d++)
            if (axes[i]->count[d] - 1 > *reach[i])
                *reach[i] = axes[i]->count[d] - 1;
    }
}

/* ---- values: across the columns of a row, then down the rows --------------------------------- */

static inline double value_across(const Resampler *resampler, const float *row, int32_t column)
{
    const Axis   *x      = &resampler->x;
    const double *weight = x->weight + (size_t)column * (size_t)x->room;
    const float  *from   = row + x->first[column];
    double        sum    = 0;
    for (int32_t i = 0; i < x->count[column]; i++)
        sum += weight[i] * (double)from[i];
    return resampler->rounds_between ? (double)(float)sum : sum;
}

void resampler_map(const Resampler *resampler, const float *map, float *out)
{
    const Axis *y = &resampler->y;
    for (int32_t row = 0; row < y->out; row++)
        for (int32_t column = 0; column < resampler->x.out; column++) {
            double sum = 0;
            for (int32_t i = 0; i < y->count[row]; i++)
                sum += y->weight[(size_t)row * (size_t)y->room + (size_t)i] *
                       value_across(resampler,
                                    map + (size_t)(y->first[row] + i) * (size_t)resampler->x.in,
                                    column);
            *out++ = (float)sum;
        }
}

static double weight_of(const Axis *axis, int32_t out, int32_t in)
{
    int32_t tap = in - axis->first[out];
    return tap < 0 || tap >= axis->count[out]
               ? 0
               : axis->weight[(size_t)out * (size_t)axis->room + (size_t)tap];
}

// Each pixel's weight goes back to the cells it was computed from (D10).
void resampler_transpose(const Resampler *resampler, const float *weights, float *out)
{
    const Axis *y = &resampler->y, *x = &resampler->x;
    for (int32_t row = 0; row < y->in; row++)
        for (int32_t column = 0; column < x->in; column++) {
            double sum = 0;
            for (int32_t v = y->from[row]; v < y->to[row]; v++) {
                double across = 0;
                for (int32_t u = x->from[column]; u < x->to[column]; u++)
                    across += weight_of(x, u, column) *
                              (double)weights[(size_t)v * (size_t)x->out + (size_t)u];
                sum += weight_of(y, v, row) * across;
            }
            *out++ = (float)sum;
        }
}

/* ---- masks ----------------------------------------------------------------------------------- */

bool mask_scratch_open(MaskScratch *scratch, const Resampler *resampler, Error *error)
{
    size_t cells = 0;
    *scratch     = (MaskScratch){0};
    if (!size_mul((size_t)resampler->y.in, (size_t)resampler->x.out, &cells))
        return fail(error, ERROR_MEMORY, "no memory to resample maps");
    scratch->across  = memory_new(cells, sizeof *scratch->across, error);
    scratch->has_row = memory_new((size_t)resampler->y.in, 1, error);
    scratch->wants   = memory_new((size_t)resampler->y.out, 1, error);
    scratch->line    = memory_new((size_t)resampler->x.out, sizeof *scratch->line, error);
    return scratch->across && scratch->has_row && scratch->wants && scratch->line;
}

void mask_scratch_close(MaskScratch *scratch)
{
    memory_free(scratch->across);
    memory_free(scratch->has_row);
    memory_free(scratch->wants);
    memory_free(scratch->line);
    *scratch = (MaskScratch){0};
}

// An output is a mean of its inputs, so a row matters only if one of its inputs exceeds the
// threshold (D11).
static void rows_wanted(const Resampler *resampler, const float *map, float threshold,
                        uint8_t *wants)
{
    const Axis *y = &resampler->y;
    memset(wants, 0, (size_t)y->out);
    for (int32_t row = 0; row < y->in; row++) {
        bool finite;
        if (values_maximum(map + (size_t)row * (size_t)resampler->x.in, resampler->x.in, &finite) >
            threshold)
            memset(wants + y->from[row], 1, (size_t)(y->to[row] - y->from[row]));
    }
}

static const double *row_across(const Resampler *resampler, const float *map, int32_t row,
                                MaskScratch *scratch)
{
    double *across = scratch->across + (size_t)row * (size_t)resampler->x.out;
    if (!scratch->has_row[row]) {
        scratch->has_row[row] = 1;
        for (int32_t column = 0; column < resampler->x.out; column++)
            across[column] =
                value_across(resampler, map + (size_t)row * (size_t)resampler->x.in, column);
    }
    return across;
}

// The same sums in the same order as resampler_map.
static void row_down(const Resampler *resampler, const float *map, int32_t row,
                     MaskScratch *scratch)
{
    const Axis   *y      = &resampler->y;
    const double *weight = y->weight + (size_t)row * (size_t)y->room;
    if (y->count[row] <= 2) {
        double        second = y->count[row] == 2 ? weight[1] : 0;
        const double *a      = row_across(resampler, map, y->first[row], scratch);
        const double *b =
            y->count[row] == 2 ? row_across(resampler, map, y->first[row] + 1, scratch) : a;
        for (int32_t column = 0; column < resampler->x.out; column++)
            scratch->line[column] = (float)(weight[0] * a[column] + second * b[column]);
        return;
    }
    for (int32_t i = 0; i < y->count[row]; i++)
        row_across(resampler, map, y->first[row] + i, scratch);
    const double *top = scratch->across + (size_t)y->first[row] * (size_t)resampler->x.out;
    for (int32_t column = 0; column < resampler->x.out; column++) {
        double sum = 0;
        for (int32_t i = 0; i < y->count[row]; i++)
            sum += weight[i] * top[(size_t)i * (size_t)resampler->x.out + (size_t)column];
        scratch->line[column] = (float)sum;
    }
}

int64_t resampler_mask(const Resampler *resampler, const float *map, float threshold,
                       MaskScratch *scratch, uint32_t *pixels)
{
    int32_t width = resampler->x.out;
    int64_t found = 0;
    rows_wanted(resampler, map, threshold, scratch->wants);
    memset(scratch->has_row, 0, (size_t)resampler->y.in);
    for (int32_t row = 0; row < resampler->y.out; row++) {
        if (!scratch->wants[row])
            continue;
        row_down(resampler, map, row, scratch);
        for (int32_t column = 0; column < width; column++) {
            pixels[found] = (uint32_t)(row * width + column);
            found += scratch->line[column] > threshold;
        }
    }
    return found;
}
