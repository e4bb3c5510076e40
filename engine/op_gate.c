/* engine/op_gate.c - relu, clamp and gate.
 *
 * gate(c, x) = x where c > 0 (and below what a clamp lets through): closes relu and clamp at every
 * order. Their rules use their output, so they may run in place. */
#include "graph.h"

static void relu_chunk(const OpCall *call, int64_t first, int64_t n)
{
    kernels()->relu((real *)call->out + first, (const real *)call->in[0] + first, n);
}

static void relu_forward(const OpCall *call)
{
    op_chunks(call, call->count, relu_chunk);
}

static void relu_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                          NodeId *grad_in)
{
    (void)wanted;
    grad_in[0] = op_gate(graph, out, grad);
}

static bool infer_clamp(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    *out = in[0];
    return params->value > 0 ||
           fail(error, ERROR_INTERNAL, "clamp: most is %g, expected more than 0",
                (double)params->value);
}

static void clamp_chunk(const OpCall *call, int64_t first, int64_t n)
{
    kernels()->clamp((real *)call->out + first, (const real *)call->in[0] + first,
                     call->params->value, n);
}

static void clamp_forward(const OpCall *call)
{
    op_chunks(call, call->count, clamp_chunk);
}

/* x where 0 < condition < most. */
static NodeId gate_below(Graph *graph, NodeId condition, NodeId x, real most)
{
    return graph_append(graph, OP_GATE, (NodeId[]){condition, x}, &(OpParams){.value = most});
}

static void clamp_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                           NodeId *grad_in)
{
    (void)wanted;
    grad_in[0] = gate_below(graph, out, grad, graph_params(graph, out).value);
}

static void gate_chunk(const OpCall *call, int64_t first, int64_t n)
{
    real       *out       = (real *)call->out + first;
    const real *condition = (const real *)call->in[0] + first;
    const real *x         = (const real *)call->in[1] + first;
    if (call->params->value > 0)
        kernels()->gate_below(out, condition, x, call->params->value, n);
    else
        kernels()->gate(out, condition, x, n);
}

static void gate_forward(const OpCall *call)
{
    op_chunks(call, call->count, gate_chunk);
}

static void gate_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                          NodeId *grad_in)
{
    real   most      = graph_params(graph, out).value;
    NodeId condition = graph_input(graph, out, 0);
    if (wanted[1])
        grad_in[1] =
            most > 0 ? gate_below(graph, condition, grad, most) : op_gate(graph, condition, grad);
}

const OpInfo op_info_relu  = {.name     = "relu",
                              .arity    = 1,
                              .flags    = OP_ELEMENTWISE,
                              .infer    = infer_same,
                              .forward  = relu_forward,
                              .backward = relu_backward};
const OpInfo op_info_clamp = {.name     = "clamp",
                              .arity    = 1,
                              .flags    = OP_ELEMENTWISE,
                              .infer    = infer_clamp,
                              .forward  = clamp_forward,
                              .backward = clamp_backward};
const OpInfo op_info_gate  = {.name     = "gate",
                              .arity    = 2,
                              .flags    = OP_ELEMENTWISE,
                              .infer    = infer_pair,
                              .forward  = gate_forward,
                              .backward = gate_backward};

NodeId op_relu(Graph *graph, NodeId x)
{
    return graph_append(graph, OP_RELU, &x, &(OpParams){0});
}

NodeId op_clamp(Graph *graph, NodeId x, real most)
{
    return graph_append(graph, OP_CLAMP, &x, &(OpParams){.value = most});
}

/* The node gather(x, index) if the graph already has it. */
static NodeId existing_gather(const Graph *graph, NodeId x, NodeId index)
{
    for (NodeId node = index + 1; node < graph->count; node++) {
        const Node *n = graph_node(graph, node);
        if (n->op == OP_GATHER && n->input[0] == x && n->input[1] == index && n->params.row == 0)
            return node;
    }
    return NODE_NONE;
}

/* Behind a max-pool, gate(c, scatter(y, i)) is scatter(gate(c[i], y), i): the same numbers from the
 * pooled layer, so that the layer before the pool need not be kept for the gradient. */
NodeId op_gate(Graph *graph, NodeId condition, NodeId x)
{
    if (graph->error.code == ERROR_NONE && x >= 0 && x < graph->count &&
        graph_node(graph, x)->op == OP_SCATTER_ADD && graph_node(graph, x)->params.row == 0) {
        Node   scatter = *graph_node(graph, x);
        NodeId index   = scatter.input[1];
        NodeId pooled  = existing_gather(graph, condition, index);
        if (graph_node(graph, index)->op == OP_MAXPOOL_INDEX && pooled != NODE_NONE) {
            NodeId both[]    = {pooled, scatter.input[0]};
            scatter.input[0] = graph_append(graph, OP_GATE, both, &(OpParams){0});
            return graph_append(graph, OP_SCATTER_ADD, scatter.input, &scatter.params);
        }
    }
    return graph_append(graph, OP_GATE, (NodeId[]){condition, x}, &(OpParams){0});
}
