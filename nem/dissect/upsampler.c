/* nem/dissect/upsampler.c - the weights with which a layer's maps are brought to the label maps'
 * size (D6). They are not negative and sum to one. */
#include "dissect_private.h"

#include <math.h>

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
    if (!(reduction >= 1))
        return fail(error, ERROR_USAGE,
                    "mode nd2017 cannot place maps on label maps of %lld pixels, which are larger "
                    "than the photos of %lld",
                    (long long)out, (long long)image);
    if (!(stride >= 1))
        return fail(error, ERROR_USAGE,
                    "mode nd2017 cannot place maps of %lld cells on label maps of %lld pixels: its "
                    "grid would have a step of %g",
                    (long long)in, (long long)out, stride);
    if (!axis_open(axis, in, out, 2, error))
        return false;
    for (int32_t d = 0; d < axis->out; d++)
        axis_between(axis, d, (d - start) / stride, AXIS_CLAMPED);
    axis_finish(axis);
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
    axis_finish(axis);
    return true;
}

// Half-pixel centres are D7.
static bool axis_make(Axis *axis, const DissectRules *rules, int64_t in, int64_t out, int64_t image,
                      Error *error)
{
    if (rules->upsampler == UPSAMPLE_PILLOW)
        return axis_pillow(axis, in, out, error);
    if (rules->upsampler == UPSAMPLE_FIELD_GRID)
        return axis_field_grid(axis, in, out, image, rules->field, error);
    return axis_half_pixel(axis, in, out, AXIS_CLAMPED, error);
}

bool resampler_open(Resampler **out, const DissectRules *rules, const ProbeSet *probe,
                    int64_t height, int64_t width, Error *error)
{
    Axis y = {0}, x = {0};
    if (height < 1 || width < 1 || height > LIMIT_IMAGE_SIDE || width > LIMIT_IMAGE_SIDE)
        return fail(error, ERROR_USAGE,
                    "a layer with maps of %lld x %lld cells has no place in an image",
                    (long long)width, (long long)height);
    if (axis_make(&y, rules, height, probe->map_height, probe->image_height, error) &&
        axis_make(&x, rules, width, probe->map_width, probe->image_width, error))
        return resampler_join(out, &y, &x, rules->upsampler == UPSAMPLE_PILLOW, error);
    axis_close(&y);
    axis_close(&x);
    return false;
}
