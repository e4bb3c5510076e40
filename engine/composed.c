/* engine/composed.c - what is built from the ops: it has gradients because its parts have. */
#include "graph.h"

NodeId op_sub(Graph *graph, NodeId a, NodeId b)
{
    return op_add(graph, a, op_scale(graph, b, -1));
}

/* A vector of one number per channel, spread over x. */
static NodeId per_channel(Graph *graph, NodeId x, NodeId vector)
{
    Shape shape = graph_shape(graph, x), small = shape;
    for (int i = 0; i < small.rank; i++)
        small.dim[i] = i == 1 ? shape.dim[1] : 1;
    return op_broadcast_to(graph, op_reshape(graph, vector, small), shape);
}

NodeId op_bias(Graph *graph, NodeId x, NodeId bias)
{
    return op_add(graph, x, per_channel(graph, x, bias));
}

NodeId op_affine(Graph *graph, NodeId x, NodeId factor, NodeId term)
{
    NodeId scaled = op_mul(graph, x, per_channel(graph, x, factor));
    return op_add(graph, scaled, per_channel(graph, x, term));
}

/* One number for all channels of a place, spread over x. */
static NodeId channel_mean(Graph *graph, NodeId x)
{
    Shape small  = graph_shape(graph, x);
    real  share  = (real)1 / (real)small.dim[1];
    small.dim[1] = 1;
    return op_scale(graph, op_sum_to(graph, x, small), share);
}

NodeId op_layer_norm(Graph *graph, NodeId x, NodeId gain, NodeId bias, real epsilon)
{
    Shape  shape    = graph_shape(graph, x);
    NodeId mean     = op_broadcast_to(graph, channel_mean(graph, x), shape);
    NodeId centred  = op_sub(graph, x, mean);
    NodeId variance = channel_mean(graph, op_mul(graph, centred, centred));
    NodeId inverse  = op_power(graph, op_offset(graph, variance, epsilon), (real)-0.5);
    NodeId normed   = op_mul(graph, centred, op_broadcast_to(graph, inverse, shape));
    return op_affine(graph, normed, gain, bias);
}

NodeId op_sum(Graph *graph, NodeId x)
{
    Shape  shape = graph_shape(graph, x);
    NodeId flat  = op_reshape(graph, x, shape_1d(shape_elements(shape)));
    return op_reshape(graph, op_sum_to(graph, flat, shape_1d(1)), shape_scalar());
}

NodeId op_dot(Graph *graph, NodeId a, NodeId b)
{
    return op_sum(graph, op_mul(graph, a, b));
}

NodeId op_squared_distance(Graph *graph, NodeId a, NodeId b)
{
    NodeId difference = op_sub(graph, a, b);
    return op_dot(graph, difference, difference);
}

NodeId op_pick(Graph *graph, NodeId x, int64_t element)
{
    NodeId flat = op_reshape(graph, x, shape_1d(shape_elements(graph_shape(graph, x))));
    return op_reshape(graph, op_slice(graph, flat, 0, element, 1), shape_scalar());
}

/* Sums of pairs of rows, then of pairs of columns, in four-dimensional steps. */
NodeId op_avgpool2(Graph *graph, NodeId x)
{
    Shape   shape  = graph_shape(graph, x);
    int64_t planes = shape.dim[0] * shape.dim[1], h = shape.dim[2] / 2, w = shape.dim[3] / 2;
    if (shape.rank != 4 || shape.dim[2] % 2 || shape.dim[3] % 2) {
        if (graph->error.code == ERROR_NONE)
            fail(&graph->error, ERROR_DATA, "average pooling: %s has an odd side",
                 SHAPE_TEXT(shape));
        return NODE_NONE;
    }
    NodeId rows = op_sum_to(graph, op_reshape(graph, x, shape_4d(planes * h, 2, w, 2)),
                            shape_4d(planes * h, 1, w, 1));
    return op_scale(graph, op_reshape(graph, rows, shape_4d(shape.dim[0], shape.dim[1], h, w)),
                    (real)0.25);
}

NodeId op_global_mean(Graph *graph, NodeId x)
{
    Shape   shape  = graph_shape(graph, x);
    int64_t pixels = shape.dim[2] * shape.dim[3];
    NodeId  flat   = op_reshape(graph, x, shape_3d(shape.dim[0], shape.dim[1], pixels));
    NodeId  total  = op_sum_to(graph, flat, shape_3d(shape.dim[0], shape.dim[1], 1));
    return op_scale(graph, op_reshape(graph, total, shape_2d(shape.dim[0], shape.dim[1])),
                    (real)1 / (real)pixels);
}

NodeId op_concat(Graph *graph, NodeId a, NodeId b, int axis)
{
    int64_t before = graph_shape(graph, a).dim[axis], after = graph_shape(graph, b).dim[axis];
    return op_add(graph, op_pad(graph, a, axis, 0, after), op_pad(graph, b, axis, before, 0));
}

NodeId op_response_norm(Graph *graph, NodeId x, int size, real alpha, real beta, real k)
{
    if (graph->error.code != ERROR_NONE)
        return NODE_NONE;
    int     half     = size / 2;
    int64_t channels = graph_shape(graph, x).dim[1];
    NodeId  padded   = op_pad(graph, op_mul(graph, x, x), 1, half, half);
    NodeId  sum      = op_slice(graph, padded, 1, 0, channels);
    for (int i = 1; i < size; i++)
        sum = op_add(graph, sum, op_slice(graph, padded, 1, i, channels));
    NodeId base = op_offset(graph, op_scale(graph, sum, alpha / (real)size), k);
    return op_mul(graph, x, op_power(graph, base, -beta));
}
