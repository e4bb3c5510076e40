/* attribution/form.c - from an attribution to a map (E2), as nodes and in numbers. */
#include "form.h"

#include <math.h>

static const double least_divisor = 1e-8; // beside the largest value

/* ---- nodes ----------------------------------------------------------------------------------- */

// The largest value of each map [n, 1, h, w] as [n, 1, 1, 1]; zeros make it square.
static NodeId largest(Graph *g, NodeId map)
{
    Shape   shape = graph_shape(g, map);
    int64_t h = shape.dim[2], w = shape.dim[3], side = h > w ? h : w;
    if (h < side)
        map = op_pad(g, map, 2, 0, side - h);
    if (w < side)
        map = op_pad(g, map, 3, 0, side - w);
    return op_maxpool(g, map, (int)side, (int)side, 0);
}

NodeId form_nodes(Graph *g, MapForm form, NodeId raw)
{
    Shape  shape = graph_shape(g, raw), flat = shape, one = shape;
    NodeId map  = raw;
    flat.dim[1] = one.dim[1] = one.dim[2] = one.dim[3] = 1;
    if (form.sign != MAP_SIGN_NONE)
        map = op_relu(g, raw);
    if (form.sign == MAP_SIGN_ABS)
        map = op_add(g, map, op_relu(g, op_scale(g, raw, -1)));
    map = op_sum_to(g, map, flat);
    if (form.scale == MAP_SCALE_NONE)
        return map;
    NodeId whole = form.scale == MAP_SCALE_SUM ? op_sum_to(g, map, one)
                                               : op_offset(g, largest(g, map), (real)least_divisor);
    return op_mul(g, map, op_broadcast_to(g, op_power(g, whole, -1), flat));
}

/* ---- numbers --------------------------------------------------------------------------------- */

void map_form(MapForm form, const double *raw, int64_t channels, int64_t cells, float *map)
{
    double sum = 0, most = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < cells; i++) {
            double value = 0, whole = 1;
            for (int64_t c = 0; c < channels; c++) {
                double r = raw[c * cells + i];
                value += form.sign == MAP_SIGN_ABS              ? fabs(r)
                         : form.sign == MAP_SIGN_CLIP && r <= 0 ? 0
                                                                : r;
            }
            if (form.scale == MAP_SCALE_SUM && sum != 0)
                whole = sum;
            if (form.scale == MAP_SCALE_MAX)
                whole = most + least_divisor;
            if (pass)
                map[i] = (float)(value / whole);
            sum += pass ? 0 : value;
            most = !pass && (i == 0 || value > most) ? value : most;
        }
}
