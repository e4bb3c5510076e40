/* engine/fuse.c - peepholes on a finished graph, so a fused op never needs a gradient rule.
 *
 *     conv (+ bias) (+ add) (+ relu | clamp | gate)   one step, finished while the tile is in cache
 *     gather(x, maxpool_index(x))                     one pass that writes values and, if read,
 *                                                     positions
 *     matmul(v, softmax(matmul(q, k)))                one step, a head at a time
 *
 * Layer norms: fuse_norm.c. Batch norms and what else runs channel by channel: fuse_channels.c. */
#include "plan.h"

/* Of its inputs there are steps already. */
static Step plain_step(const Graph *graph, const Step *steps, NodeId id)
{
    const Node *node = graph_node(graph, id);
    Step        step = {.node        = id,
                        .core        = id,
                        .op          = node->op,
                        .bias        = NODE_NONE,
                        .add         = NODE_NONE,
                        .gate        = NODE_NONE,
                        .second      = NODE_NONE,
                        .group       = -1,
                        .program     = -1,
                        .is_gradient = node->op == OP_CONV2D_INPUT};
    for (int i = 0; i < OP_ARITY; i++) {
        bool is_there = node->input[i] != NODE_NONE;
        step.in[i]    = is_there ? graph_root(graph, node->input[i]) : NODE_NONE;
        step.is_gradient |= is_there && steps[node->input[i]].is_gradient;
    }
    return step;
}

/* A bias the store of a convolution can add. */
static bool is_bias(const Graph *graph, NodeId id)
{
    Shape shape = graph_shape(graph, id);
    return graph_is_per_channel(graph, id) && shape.rank == 4 && shape.dim[1] > 1;
}

static bool open_chain(const Step *steps, const int32_t *uses, const bool *is_output, NodeId id)
{
    const Step *step = &steps[id];
    bool        conv = step->op == OP_CONV2D || step->op == OP_CONV2D_INPUT;
    return conv && uses[id] == 1 && !is_output[id] && !step->relu && step->gate == NODE_NONE;
}

/* Makes steps[id] the chain of `from`, continued. */
static void continue_chain(Step *steps, NodeId from, NodeId id)
{
    steps[id]            = steps[from];
    steps[id].node       = id;
    steps[from].absorbed = true;
}

static void fuse_add(const Graph *graph, Step *steps, const int32_t *uses, const bool *is_output,
                     NodeId id)
{
    const Node *node = graph_node(graph, id);
    for (int i = 0; i < 2; i++) {
        NodeId chain = node->input[i], other = node->input[1 - i];
        if (chain == other || !open_chain(steps, uses, is_output, chain))
            continue;
        if (is_bias(graph, other) && steps[chain].bias == NODE_NONE &&
            steps[chain].add == NODE_NONE) {
            continue_chain(steps, chain, id);
            steps[id].bias = graph_root(graph, graph_node(graph, other)->input[0]);
            return;
        }
        if (steps[chain].add == NODE_NONE) {
            continue_chain(steps, chain, id);
            steps[id].add = graph_root(graph, other);
            return;
        }
    }
}

/* Whether a node that is needed reads another before `end`. */
static bool is_read_before(const Graph *graph, const bool *needed, NodeId node, NodeId end)
{
    for (NodeId id = node + 1; id < end; id++)
        if (needed[id] && graph_reads(graph, id, node))
            return true;
    return false;
}

/* The product v w^T, where w is the soft-max of q^T k for several heads. */
static void fuse_attention(const Graph *graph, const bool *needed, const bool *is_output,
                           Step *steps, const int32_t *uses, NodeId id)
{
    enum { FEW_GROUPS = 4 };
    const Node *values = graph_node(graph, id), *weights = graph_node(graph, values->input[1]);
    NodeId      scores = weights->op == OP_SOFTMAX ? weights->input[0] : NODE_NONE;
    if (scores == NODE_NONE || graph_op(graph, scores) != OP_MATMUL || uses[scores] > 1 ||
        is_output[scores] || values->shape.rank != 3 || values->shape.dim[0] < FEW_GROUPS ||
        values->params.transpose_a || !values->params.transpose_b ||
        is_read_before(graph, needed, values->input[1], id))
        return;
    const Node *product = graph_node(graph, scores);
    bool        is_kept = uses[values->input[1]] > 1 || is_output[values->input[1]];
    if (!product->params.transpose_a || product->params.transpose_b)
        return;
    steps[id].op           = OP_ATTENTION;
    steps[id].in[1]        = steps[scores].in[0];
    steps[id].in[2]        = steps[scores].in[1];
    steps[id].second       = is_kept ? values->input[1] : NODE_NONE;
    steps[scores].absorbed = steps[values->input[1]].absorbed = true;
}

void plan_fuse(const Graph *graph, const bool *needed, const bool *is_output, bool fuse,
               Step *steps, int32_t *uses)
{
    for (NodeId id = 0; id < graph->count; id++)
        uses[id] = 0;
    for (NodeId id = 0; id < graph->count; id++)
        for (int i = 0; i < OP_ARITY && needed[id]; i++)
            if (graph_node(graph, id)->input[i] != NODE_NONE)
                uses[graph_node(graph, id)->input[i]]++;
    for (NodeId id = 0; id < graph->count; id++) {
        const Node *node = graph_node(graph, id);
        steps[id]        = plain_step(graph, steps, id);
        if (!needed[id] || !fuse)
            continue;
        if (node->op == OP_ADD) {
            fuse_add(graph, steps, uses, is_output, id);
            fuse_norm(graph, is_output, steps, uses, id);
        } else if ((node->op == OP_RELU || node->op == OP_CLAMP) &&
                   open_chain(steps, uses, is_output, node->input[0])) {
            continue_chain(steps, node->input[0], id);
            steps[id].relu = true;
            steps[id].most = node->params.value;
        } else if (node->op == OP_GATE && node->input[0] != node->input[1] &&
                   open_chain(steps, uses, is_output, node->input[1])) {
            continue_chain(steps, node->input[1], id);
            steps[id].gate = graph_root(graph, node->input[0]);
            steps[id].most = node->params.value;
        } else if (node->op == OP_MATMUL) {
            fuse_attention(graph, needed, is_output, steps, uses, id);
        } else if (node->op == OP_GATHER) {
            const Node *index = graph_node(graph, node->input[1]);
            if (index->op != OP_MAXPOOL_INDEX || index->input[0] != node->input[0] ||
                is_output[node->input[1]] || steps[node->input[1]].absorbed)
                continue;
            steps[id].op                   = OP_MAXPOOL;
            steps[id].core                 = node->input[1];
            steps[id].in[1]                = NODE_NONE;
            steps[id].second               = uses[node->input[1]] > 1 ? node->input[1] : NODE_NONE;
            steps[node->input[1]].absorbed = true;
        }
    }
}
