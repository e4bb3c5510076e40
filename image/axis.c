/* image/axis.c - see axis.h. */
#include "axis.h"

bool axis_open(Axis *axis, int64_t in, int64_t out, int64_t room, Error *error)
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

void axis_close(Axis *axis)
{
    memory_free(axis->first);
    memory_free(axis->count);
    memory_free(axis->weight);
    memory_free(axis->from);
    memory_free(axis->to);
    *axis = (Axis){0};
}

void axis_between(Axis *axis, int32_t d, double at, AxisEnd end)
{
    double  last                                     = axis->in - 1;
    double  inside                                   = at < 0 ? 0 : at > last ? last : at;
    double  beyond                                   = at < 0 ? -at : at - inside;
    int32_t first                                    = (int32_t)inside;
    double  part                                     = inside - first;
    double  kept                                     = beyond < 1 ? 1 - beyond : 0;
    bool    fades                                    = end == AXIS_ZEROS && axis->in > 1;
    axis->first[d]                                   = first;
    axis->count[d]                                   = part > 0 ? 2 : 1;
    axis->weight[(size_t)d * (size_t)axis->room]     = (1 - part) * (fades ? kept : 1);
    axis->weight[(size_t)d * (size_t)axis->room + 1] = part;
}

void axis_finish(Axis *axis)
{
    for (int32_t d = axis->out - 1; d >= 0; d--)
        for (int32_t i = axis->first[d]; i < axis->first[d] + axis->count[d]; i++) {
            axis->from[i] = d;
            if (axis->to[i] == 0)
                axis->to[i] = d + 1;
        }
}

bool axis_half_pixel(Axis *axis, int64_t in, int64_t out, AxisEnd end, Error *error)
{
    if (!axis_open(axis, in, out, 2, error))
        return false;
    double step = (double)in / (double)out;
    for (int32_t d = 0; d < axis->out; d++)
        axis_between(axis, d, (d + 0.5) * step - 0.5, end);
    axis_finish(axis);
    return true;
}
