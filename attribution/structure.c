/* attribution/structure.c - what a node is to a walk, told from the ops around it; see walk.h. */
#include "walk.h"

bool has_weights(const Graph *g, NodeId node)
{
    OpKind op = graph_op(g, node);
    return op == OP_CONV2D || op == OP_MATMUL;
}

bool is_concat(const Graph *g, NodeId node)
{
    NodeId a = graph_input(g, node, 0), b = graph_input(g, node, 1);
    if (graph_op(g, node) != OP_ADD || graph_op(g, a) != OP_PAD || graph_op(g, b) != OP_PAD)
        return false;
    OpParams left = graph_params(g, a), right = graph_params(g, b);
    return left.axis == right.axis && left.start == 0 && right.count == 0 &&
           right.start == graph_shape(g, graph_input(g, a, 0)).dim[left.axis];
}

bool is_norm(const Graph *g, NodeId node)
{
    NodeId scaled = graph_op(g, node) == OP_ADD ? graph_input(g, node, 0) : NODE_NONE;
    return scaled != NODE_NONE && graph_op(g, scaled) == OP_MUL &&
           graph_is_per_channel(g, graph_input(g, node, 1)) &&
           graph_is_per_channel(g, graph_input(g, scaled, 1));
}

bool is_layer_norm(const Graph *g, NodeId node)
{
    NodeId scaled = is_norm(g, node) ? graph_input(g, node, 0) : NODE_NONE;
    return scaled != NODE_NONE && gate_input(g, graph_input(g, scaled, 0)) >= 0;
}

// What is repeated, scaled or put into another shape; *factor, if not NULL, becomes by how much.
static NodeId below_spread(const Graph *g, NodeId node, real *factor)
{
    real scale = 1;
    for (;; node = graph_input(g, node, 0)) {
        OpKind op = graph_op(g, node);
        if (op == OP_SCALE_OFFSET)
            scale *= graph_params(g, node).value;
        else if (op != OP_BROADCAST_TO && op != OP_RESHAPE)
            break;
    }
    if (factor)
        *factor = scale;
    return node;
}

bool is_centring(const Graph *g, NodeId node)
{
    real factor = 0;
    if (graph_op(g, node) != OP_ADD)
        return false;
    NodeId sum = below_spread(g, graph_input(g, node, 1), &factor);
    return factor < 0 && graph_op(g, sum) == OP_SUM_TO &&
           graph_input(g, sum, 0) == graph_input(g, node, 0);
}

static bool is_gate(const Graph *g, NodeId node)
{
    OpKind op = graph_op(g, below_spread(g, node, NULL));
    return op == OP_SIGMOID || op == OP_NORMAL_CDF || op == OP_POWER;
}

bool is_rectifier(const Graph *g, NodeId node)
{
    OpKind op = graph_op(g, node);
    return op == OP_RELU || op == OP_CLAMP || op == OP_SOFTPLUS;
}

int gate_input(const Graph *g, NodeId node)
{
    if (graph_op(g, node) != OP_MUL)
        return -1;
    bool first = is_gate(g, graph_input(g, node, 0)), second = is_gate(g, graph_input(g, node, 1));
    return first == second ? -1 : first ? 0 : 1;
}
