/* nem/dissect/resample.c - from the layer's resolution to the label maps' and back.
 *
 * Every upsampler is separable and linear (D6): along one axis, output d is a weighted mean of a
 * few neighbouring inputs (taps). Weights are not negative and sum to one, in double. Pillow rounds
 * to float between its two passes, the others once at the end. */
#include "dissect_private.h"

#include <math.h>
#include <string.h>

typedef struct Axis {
    int32_t  in, out, room; // room: taps of the widest output
    int32_t *first, *count; // [out] inputs first..first+count-1
    double  *weight;        // [out, room]
    int32_t *from, *to;     // [in] outputs that may use an input: from..to-1
} Axis;

struct Resampler {
    Axis y, x;
    bool rounds_between;
};

/* ---- taps of one axis ------------------------------------------------------------------------ */

static bool axis_open(Axis *axis, int64_t in, int64_t out, int64_t room, Error *error)
{
    size_t weights = 0;
    if (!size_mul((size_t)out, (size_t)room, &weights))
        return fail(error, ERROR_MEMORY, "no memory to resample %lld cells", (long long)in);
    *axis        = (Axis){.in = (int32_t)in, .out = (int32_t)out, .room = (int32_t)room};
    axis->first  = memory_new((size_t)out, sizeof *axis->first, error);
    axis->count  = memory_new((size_t)out, sizeof *axis->count, error);
    axis->weight = memory_new(weights, sizeof *axis->weight, error);
    axis->from   = memory_new((size_t)in, sizeof *axis->from, error);
    axis->to     = memory_new((size_t)in, sizeof *axis->to, error);
    return axis->first && axis->count && axis->weight && axis->from && axis->to;
}

static void axis_close(Axis *axis)
{
    memory_free(axis->first);
    memory_free(axis->count);
    memory_free(axis->weight);
    memory_free(axis->from);
    memory_free(axis->to);
}

// Output d lies `at` inputs past the first one; beyond the ends the end value holds.
static void axis_between(Axis *axis, int32_t d, double at)
{
    double  last                                     = axis->in - 1;
    double  inside                                   = at < 0 ? 0 : at > last ? last : at;
    int32_t first                                    = (int32_t)inside;
    double  part                                     = inside - first;
    axis->first[d]                                   = first;
    axis->count[d]                                   = part > 0 ? 2 : 1;
    axis->weight[(size_t)d * (size_t)axis->room]     = 1 - part;
    axis->weight[(size_t)d * (size_t)axis->room + 1] = part;
}

// Half-pixel centres (D7).
static bool axis_half_pixel(Axis *axis, int64_t in, int64_t out, Error *error)
{
    if (!axis_open(axis, in, out, 2, error))
        return false;
    double step = (double)in / (double)out;
    for (int32_t d = 0; d < axis->out; d++)
        axis_between(axis, d, (d + 0.5) * step - 0.5);
    return true;
}

// The field grid (D9): cell k sits at label pixel start + k * stride, which follow from the cells'
// receptive fields and r = image side / label map side, each rounded down.
static bool axis_field_grid(Axis *axis, int64_t in, int64_t out, int64_t image,
                            ReceptiveField field, Error *error)
{
    double side = (double)image / (double)in;
    double size = (double)field.size, step = (double)field.step, offset = (double)field.offset;
    if (field.size == 0) {
        size = step = side;
        offset      = 0;
    }
    double reduction = nearbyint((double)image / (double)out);
    double start     = floor((floor(size / 2) + offset) / reduction);
    double stride    = floor(step / reduction);
    if (!(stride >= 1))
        return fail(error, ERROR_USAGE,
                    "mode nd2017 cannot place maps of %lld cells on label maps of %lld pixels: its "
                    "grid would have a step of %g",
                    (long long)in, (long long)out, stride);
    if (!axis_open(axis, in, out, 2, error))
        return false;
    for (int32_t d = 0; d < axis->out; d++)
        axis_between(axis, d, (d - start) / stride);
    return true;
}

// Pillow's rule (D8): a triangle as wide as the step when shrinking; weights cut off at an edge are
// divided by their sum.
static bool axis_pillow(Axis *axis, int64_t in, int64_t out, Error *error)
{
    double  step = (double)in / (double)out, reach = step > 1 ? step : 1;
    int64_t room = 2 * (int64_t)ceil(reach) + 1;
    if (!axis_open(axis, in, out, room, error))
        return false;
    for (int32_t d = 0; d < axis->out; d++) {
        double *weight = axis->weight + (size_t)d * (size_t)room;
        double  centre = (d + 0.5) * step, sum = 0;
        int64_t begin = (int64_t)(centre - reach + 0.5), end = (int64_t)(centre + reach + 0.5);
        begin = begin < 0 ? 0 : begin;
        end   = end > in ? in : end;
        for (int64_t i = begin; i < end; i++) {
            double distance          = fabs(((double)i - centre + 0.5) / reach);
            sum += weight[i - begin] = distance < 1 ? 1 - distance : 0;
        }
        while (end > begin + 1 && weight[end - begin - 1] == 0) // no tap without weight
            end--;
        axis->first[d] = (int32_t)begin;
        axis->count[d] = (int32_t)(end - begin);
        for (int64_t i = 0; i < end - begin; i++)
            weight[i] /= sum;
    }
    return true;
}

static void axis_users(Axis *axis)
{
    for (int32_t d = axis->out - 1; d >= 0; d--)
        for (int32_t i = axis->first[d]; i < axis->first[d] + axis->count[d]; i++) {
            axis->from[i] = d;
            if (axis->to[i] == 0)
                axis->to[i] = d + 1;
        }
}

static bool axis_make(Axis *axis, const DissectRules *rules, int64_t in, int64_t out, int64_t image,
                      Error *error)
{
    bool ok = rules->upsampler == UPSAMPLE_PILLOW ? axis_pillow(axis, in, out, error)
              : rules->upsampler == UPSAMPLE_FIELD_GRID
                  ? axis_field_grid(axis, in, out, image, rules->field, error)
                  : axis_half_pixel(axis, in, out, error);
    if (ok)
        axis_users(axis);
    return ok;
}

bool resampler_open(Resampler **out, const DissectRules *rules, const ProbeSet *probe,
                    int64_t height, int64_t width, Error *error)
{
    if (height < 1 || width < 1 || height > LIMIT_IMAGE_SIDE || width > LIMIT_IMAGE_SIDE)
        return fail(error, ERROR_USAGE,
                    "a layer with maps of %lld x %lld cells has no place in an "
                    "image",
                    (long long)width, (long long)height);
    Resampler *resampler = memory_new(1, sizeof *resampler, error);
    if (!resampler)
        return false;
    resampler->rounds_between = rules->upsampler == UPSAMPLE_PILLOW;
    if (!axis_make(&resampler->y, rules, height, probe->map_height, probe->image_height, error) ||
        !axis_make(&resampler->x, rules, width, probe->map_width, probe->image_width, error)) {
        resampler_close(resampler);
        return false;
    }
    *out = resampler;
    return true;
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
