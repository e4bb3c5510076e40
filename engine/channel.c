/* engine/channel.c - one channel of a layer, so that the convolution below computes that one alone.
 */
#include "graph.h"

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

/* Its own kernel, on the channels of its group; a depthwise one needs a single channel of what is
 * below. */
// NOLINTNEXTLINE(misc-no-recursion): at most `depth` calls deep
static NodeId channel_of_conv(Graph *graph, NodeId id, int64_t channel, int depth)
{
    Node    conv  = *graph_node(graph, id);
    int64_t first = graph_group_start(graph, id, channel);
    NodeId  x = conv.input[0], row = op_slice(graph, conv.input[1], 0, channel, 1);
    int64_t all = graph_shape(graph, x).dim[1], own = graph_shape(graph, row).dim[1];
    if (own == 1 && all > 1)
        x = channel_below(graph, x, first, depth - 1);
    else if (own < all)
        x = op_slice(graph, x, 1, first, own);
    return op_conv2d(graph, x, row, conv.params.stride, conv.params.pad);
}

// NOLINTNEXTLINE(misc-no-recursion): at most `depth` calls deep
static NodeId channel_below(Graph *graph, NodeId x, int64_t channel, int depth)
{
    Node node = *graph_node(graph, x);
    switch (depth > 0 && !has_other_readers(graph, x) ? node.op : OP_INPUT) {
    case OP_RELU:
    case OP_CLAMP:
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
    case OP_CONV2D:
        return channel_of_conv(graph, x, channel, depth);
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
        fail(&graph->error, ERROR_USAGE,
             "unit %lld does not exist: the layer has %lld units, 0 to %lld", (long long)channel,
             (long long)(shape.rank < 2 ? 0 : shape.dim[1]),
             (long long)(shape.rank < 2 ? 0 : shape.dim[1]) - 1);
        return NODE_NONE;
    }
    return channel_below(graph, x, channel, DEEPEST);
}
