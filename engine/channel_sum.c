/* engine/channel_sum.c - what one channel of a layer is a sum of, read from the graph. */
#include "graph.h"

/* Follows what only picks or shapes the channel: an activation, channels put side by side. Returns
 * the node that makes the values, with *channel counted there. */
static NodeId follow(const Graph *graph, NodeId at, ChannelSum *sum, int64_t *channel)
{
    for (;;) {
        const Node *node = graph_node(graph, at);
        NodeId      next = node->input[0];
        if (node->op == OP_RELU && !sum->is_rectified && sum->softplus_beta == 0) {
            sum->is_rectified = true;
        } else if (node->op == OP_SOFTPLUS && !sum->is_rectified && sum->softplus_beta == 0 &&
                   graph_op(graph, node->input[1]) == OP_CONSTANT) {
            sum->softplus_beta = graph_params(graph, node->input[1]).value;
        } else if (node->op == OP_SLICE && node->params.axis == 1) {
            *channel += node->params.start;
        } else if (node->op == OP_PAD && node->params.axis == 1) {
            *channel -= node->params.start;
        } else if (node->op == OP_ADD) {
            // Channels side by side are a sum of padded parts; this channel is zero in all but one.
            NodeId live = NODE_NONE;
            for (int i = 0; i < 2; i++) {
                const Node *part = graph_node(graph, node->input[i]);
                if (part->op != OP_PAD || part->params.axis != 1)
                    return at;
                int64_t inside = graph_node(graph, part->input[0])->shape.dim[1];
                if (*channel >= part->params.start && *channel < part->params.start + inside)
                    live = node->input[i];
            }
            if (live == NODE_NONE)
                return at;
            next = live;
        } else {
            return at;
        }
        at = next;
    }
}

/* A parameter [channels] spread over the layer: its value there. */
static bool is_vector(const Graph *graph, NodeId at, int64_t channel, real *value)
{
    const Node *node = graph_node(graph, at);
    if (node->op != OP_BROADCAST_TO)
        return false;
    node = graph_node(graph, node->input[0]);
    if (node->op == OP_RESHAPE)
        node = graph_node(graph, node->input[0]);
    if (node->op != OP_PARAMETER || shape_elements(node->shape) <= channel)
        return false;
    *value = node->params.data[channel];
    return true;
}

static SumTerm term_of(const Graph *graph, NodeId at, int64_t channel)
{
    const Node *node = graph_node(graph, at);
    SumTerm     term = {.kind = SUM_CARRIED, .node = at, .channel = channel};
    if (is_vector(graph, at, channel, &term.value))
        term.kind = SUM_BIAS;
    if (node->op != OP_CONV2D || graph_node(graph, node->input[1])->op != OP_PARAMETER)
        return term;
    const Node *weights = graph_node(graph, node->input[1]);
    Shape       shape   = weights->shape;
    term.kind           = SUM_CONVOLUTION;
    term.node           = node->input[0];
    term.channels       = shape.dim[1];
    term.channel        = graph_group_start(graph, at, channel);
    term.rows           = shape.dim[2];
    term.columns        = shape.dim[3];
    term.stride         = node->params.stride;
    term.pad            = node->params.pad;
    term.weights        = weights->params.data + channel * term.channels * term.rows * term.columns;
    return term;
}

bool graph_channel_sum(const Graph *graph, NodeId layer, int64_t channel, ChannelSum *out,
                       Error *error)
{
    ChannelSum sum = {0};
    NodeId     open[CHANNEL_SUM_TERMS];
    int        count = 1, convolutions = 0;
    Shape      shape = graph_shape(graph, layer);
    if (shape.rank != 4 || channel < 0 || channel >= shape.dim[1])
        return fail(error, ERROR_USAGE, "unit %lld: the layer is %s, expected maps of more units",
                    (long long)channel, SHAPE_TEXT(shape));
    open[0] = follow(graph, layer, &sum, &channel);
    while (count > 0) {
        NodeId      at   = open[--count];
        const Node *node = graph_node(graph, at);
        if (node->op == OP_ADD && sum.count + count + 2 <= CHANNEL_SUM_TERMS) {
            open[count++] = node->input[1];
            open[count++] = node->input[0];
            continue;
        }
        sum.term[sum.count] = term_of(graph, at, channel);
        convolutions += sum.term[sum.count++].kind == SUM_CONVOLUTION;
    }
    if (convolutions == 0)
        return fail(error, ERROR_USAGE, "the layer is not made by a convolution (but by %s)",
                    op_info(graph_node(graph, sum.term[0].node)->op)->name);
    *out = sum;
    return true;
}
