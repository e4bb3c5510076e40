/* engine/fuse_norm.c - finds the nodes of op_layer_norm, which become one step. */
#include "plan.h"

/* What is matched, from the input to the result. */
typedef struct Norm {
    NodeId x, sum, mean, negated, minus; // minus: the mean, spread and negative
    NodeId centred, square, squares, variance, offset, inverse, spread, normed;
    NodeId gain, scaled, bias; // gain and bias spread
} Norm;

/* An input of a node, if that is of this kind. */
static NodeId below(const Graph *graph, NodeId id, OpKind op, int input)
{
    return id != NODE_NONE && graph_op(graph, id) == op ? graph_node(graph, id)->input[input]
                                                        : NODE_NONE;
}

/* x of factor * x + term. */
static NodeId below_scale(const Graph *graph, NodeId id, real factor)
{
    NodeId x = below(graph, id, OP_SCALE_OFFSET, 0);
    return x != NODE_NONE && graph_node(graph, id)->params.value == factor ? x : NODE_NONE;
}

static bool is_mean(const Graph *graph, NodeId id)
{
    return graph_node(graph, id)->params.term == 0;
}

static bool find_norm(const Graph *graph, NodeId id, Norm *norm)
{
    enum { FEW_PLACES = 16 };
    Shape shape = graph_shape(graph, id), small = shape;
    if (shape.rank != 4 || shape.dim[2] * shape.dim[3] < FEW_PLACES)
        return false;
    real share     = (real)1 / (real)shape.dim[1];
    small.dim[1]   = 1;
    norm->scaled   = below(graph, id, OP_ADD, 0);
    norm->bias     = below(graph, id, OP_ADD, 1);
    norm->normed   = below(graph, norm->scaled, OP_MUL, 0);
    norm->gain     = below(graph, norm->scaled, OP_MUL, 1);
    norm->centred  = below(graph, norm->normed, OP_MUL, 0);
    norm->spread   = below(graph, norm->normed, OP_MUL, 1);
    norm->inverse  = below(graph, norm->spread, OP_BROADCAST_TO, 0);
    norm->offset   = below(graph, norm->inverse, OP_POWER, 0);
    norm->variance = below_scale(graph, norm->offset, 1);
    norm->squares  = below_scale(graph, norm->variance, share);
    norm->square   = below(graph, norm->squares, OP_SUM_TO, 0);
    norm->x        = below(graph, norm->centred, OP_ADD, 0);
    norm->minus    = below(graph, norm->centred, OP_ADD, 1);
    norm->negated  = below(graph, norm->minus, OP_BROADCAST_TO, 0);
    norm->mean     = below_scale(graph, norm->negated, -1);
    norm->sum      = below_scale(graph, norm->mean, share);
    return norm->square != NODE_NONE && norm->sum != NODE_NONE &&
           below(graph, norm->sum, OP_SUM_TO, 0) == norm->x &&
           below(graph, norm->square, OP_MUL, 0) == norm->centred &&
           below(graph, norm->square, OP_MUL, 1) == norm->centred &&
           graph_node(graph, norm->inverse)->params.value == (real)-0.5 &&
           is_mean(graph, norm->variance) && is_mean(graph, norm->negated) &&
           is_mean(graph, norm->mean) && shape_equal(graph_shape(graph, norm->sum), small) &&
           shape_equal(graph_shape(graph, norm->squares), small) &&
           graph_is_per_channel(graph, norm->gain) && graph_is_per_channel(graph, norm->bias);
}

/* Only where nobody else reads one of the nodes between: a gradient reads most of them. */
void fuse_norm(const Graph *graph, const bool *is_output, Step *steps, const int32_t *uses,
               NodeId id)
{
    enum { CENTRED_READS = 3 };
    Norm norm;
    if (!find_norm(graph, id, &norm) || uses[norm.centred] > CENTRED_READS ||
        is_output[norm.centred])
        return;
    const NodeId inner[] = {norm.sum,     norm.mean,    norm.negated,  norm.minus,
                            norm.square,  norm.squares, norm.variance, norm.offset,
                            norm.inverse, norm.spread,  norm.normed,   norm.scaled};
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
        if (uses[inner[i]] > 1 || is_output[inner[i]])
            return;
    steps[id].core  = norm.offset; // whose term is epsilon
    steps[id].op    = OP_LAYER_NORM;
    steps[id].in[0] = graph_root(graph, norm.x);
    steps[id].in[1] = graph_root(graph, graph_node(graph, norm.gain)->input[0]);
    steps[id].in[2] = graph_root(graph, graph_node(graph, norm.bias)->input[0]);
}
