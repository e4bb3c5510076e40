/* engine/build.c - what is built from the ops: it has gradients because its parts have. */
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
            fail(&graph->error, ERROR_DATA, "average pooling: %s has an odd side", SHAPE_TEXT(shape));
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

/* ---- one channel of a layer ------------------------------------------------------------------------------- */

static NodeId channel_below(Graph *graph, NodeId x, int64_t channel, int depth);

/* A per-channel vector spread over the layer: the same for one channel. */
static NodeId channel_of_vector(Graph *graph, NodeId x, int64_t channel)
{
    NodeId source = graph_node(graph, x)->input[0];
    Shape  large = graph_shape(graph, x), small = graph_shape(graph, source);
    large.dim[1] = 1;
    if (small.rank != large.rank || small.dim[1] == 1)
        return op_broadcast_to(graph, source, large);
    NodeId vector = source;
    while (graph_node(graph, vector)->op == OP_RESHAPE)
        vector = graph_node(graph, vector)->input[0];
    if (graph_shape(graph, vector).rank == 1 && shape_elements(small) == small.dim[1]) {
        for (int i = 0; i < small.rank; i++)
            small.dim[i] = 1;
        NodeId one = op_reshape(graph, op_slice(graph, vector, 0, channel, 1), small);
        return op_broadcast_to(graph, one, large);
    }
    return op_broadcast_to(graph, op_slice(graph, source, 1, channel, 1), large);
}

/* A node with several readers (a shortcut) is computed whole anyway. */
static bool has_other_readers(const Graph *graph, NodeId x)
{
    int readers = 0;
    for (NodeId node = x + 1; node < graph->count; node++)
        readers += graph_reads(graph, node, x);
    return readers > 1;
}

// NOLINTNEXTLINE(misc-no-recursion): at most `depth` calls deep
static NodeId channel_below(Graph *graph, NodeId x, int64_t channel, int depth)
{
    Node node = *graph_node(graph, x);
    switch (depth > 0 && !has_other_readers(graph, x) ? node.op : OP_INPUT) {
    case OP_RELU:
    case OP_SOFTPLUS:
    case OP_SIGMOID:
    case OP_SCALE_OFFSET:
    case OP_SCALE_BY:
    case OP_ADD:
    case OP_MUL:
        for (int i = 0; i < op_info(node.op)->arity; i++)
            if (graph_shape(graph, node.input[i]).rank > 0) // not a number for all channels
                node.input[i] = channel_below(graph, node.input[i], channel, depth - 1);
        return graph_append(graph, node.op, node.input, &node.params);
    case OP_BROADCAST_TO:
        return channel_of_vector(graph, x, channel);
    case OP_CONV2D: {
        NodeId row = op_slice(graph, node.input[1], 0, channel, 1);
        return op_conv2d(graph, node.input[0], row, node.params.stride, node.params.pad);
    }
    case OP_PAD: // one half of a concatenation
        if (node.params.axis == 1) {
            int64_t inner = channel - node.params.start;
            Shape   one   = node.shape;
            one.dim[1]    = 1;
            if (inner < 0 || inner >= graph_shape(graph, node.input[0]).dim[1])
                return op_constant(graph, one, 0);
            return channel_below(graph, node.input[0], inner, depth - 1);
        }
        return op_slice(graph, x, 1, channel, 1);
    default:
        return op_slice(graph, x, 1, channel, 1);
    }
}

NodeId op_channel(Graph *graph, NodeId x, int64_t channel)
{
    enum { DEEPEST = 64 }; // nodes between a layer and its convolutions
    if (graph->error.code != ERROR_NONE)
        return NODE_NONE;
    Shape shape = graph_shape(graph, x);
    if (shape.rank < 2 || channel < 0 || channel >= shape.dim[1]) {
        fail(&graph->error, ERROR_USAGE, "unit %lld does not exist: the layer has %lld units, 0 to %lld",
             (long long)channel, (long long)(shape.rank < 2 ? 0 : shape.dim[1]),
             (long long)(shape.rank < 2 ? 0 : shape.dim[1]) - 1);
        return NODE_NONE;
    }
    return channel_below(graph, x, channel, DEEPEST);
}
