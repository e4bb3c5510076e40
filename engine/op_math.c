/* engine/op_math.c - pointwise ops. Rules reuse an op's own output where that saves work. */
#include "graph.h"

#include <math.h>

/* ---- add, scale_offset, mul ------------------------------------------------------------------ */

static void add_chunk(const OpCall *call, int64_t first, int64_t n)
{
    kernels()->add((real *)call->out + first, (const real *)call->in[0] + first,
                   (const real *)call->in[1] + first, n);
}

static void add_forward(const OpCall *call)
{
    op_chunks(call, call->count, add_chunk);
}

static void add_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted, NodeId *grad_in)
{
    (void)graph, (void)out, (void)wanted;
    grad_in[0] = grad_in[1] = grad;
}

const OpInfo op_info_add = {.name     = "add",
                            .arity    = 2,
                            .flags    = OP_ELEMENTWISE,
                            .infer    = infer_pair,
                            .forward  = add_forward,
                            .backward = add_backward};

static void scale_chunk(const OpCall *call, int64_t first, int64_t n)
{
    kernels()->scale_offset((real *)call->out + first, (const real *)call->in[0] + first,
                            call->params->value, call->params->term, n);
}

static void scale_forward(const OpCall *call)
{
    op_chunks(call, call->count, scale_chunk);
}

static void scale_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                           NodeId *grad_in)
{
    real factor = graph_node(graph, out)->params.value;
    (void)wanted;
    grad_in[0] = factor == 1 ? grad : op_scale(graph, grad, factor);
}

const OpInfo op_info_scale_offset = {.name     = "scale_offset",
                                     .arity    = 1,
                                     .flags    = OP_ELEMENTWISE,
                                     .infer    = infer_same,
                                     .forward  = scale_forward,
                                     .backward = scale_backward};

static void scale_by_chunk(const OpCall *call, int64_t first, int64_t n)
{
    kernels()->scale_offset((real *)call->out + first, (const real *)call->in[0] + first,
                            *(const real *)call->in[1], 0, n);
}

static void scale_by_forward(const OpCall *call)
{
    op_chunks(call, call->count, scale_by_chunk);
}

static void scale_by_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                              NodeId *grad_in)
{
    NodeId x = graph_input(graph, out, 0), factor = graph_input(graph, out, 1);
    if (wanted[0])
        grad_in[0] = op_scale_by(graph, grad, factor);
    if (wanted[1])
        grad_in[1] = op_dot(graph, grad, x);
}

const OpInfo op_info_scale_by = {.name     = "scale_by",
                                 .arity    = 2,
                                 .flags    = OP_ELEMENTWISE,
                                 .infer    = infer_by_scalar,
                                 .forward  = scale_by_forward,
                                 .backward = scale_by_backward};

static void mul_chunk(const OpCall *call, int64_t first, int64_t n)
{
    kernels()->mul((real *)call->out + first, (const real *)call->in[0] + first,
                   (const real *)call->in[1] + first, n);
}

static void mul_forward(const OpCall *call)
{
    op_chunks(call, call->count, mul_chunk);
}

static void mul_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted, NodeId *grad_in)
{
    NodeId a = graph_input(graph, out, 0), b = graph_input(graph, out, 1);
    if (a == b) { // a square
        grad_in[0] = op_mul(graph, op_scale(graph, grad, 2), a);
        return;
    }
    if (wanted[0])
        grad_in[0] = op_mul(graph, grad, b);
    if (wanted[1])
        grad_in[1] = op_mul(graph, grad, a);
}

const OpInfo op_info_mul = {.name     = "mul",
                            .arity    = 2,
                            .flags    = OP_ELEMENTWISE,
                            .infer    = infer_pair,
                            .forward  = mul_forward,
                            .backward = mul_backward};

NodeId op_add(Graph *graph, NodeId a, NodeId b)
{
    return graph_append(graph, OP_ADD, (NodeId[]){a, b}, &(OpParams){0});
}

/* A number that is spread is multiplied before. */
NodeId op_scale(Graph *graph, NodeId x, real factor)
{
    if (graph->error.code == ERROR_NONE && x >= 0 && x < graph->count &&
        graph_op(graph, x) == OP_BROADCAST_TO) {
        NodeId number = graph_input(graph, x, 0);
        NodeId scaled = graph_append(graph, OP_SCALE_OFFSET, &number, &(OpParams){.value = factor});
        return op_broadcast_to(graph, scaled, graph_shape(graph, x));
    }
    return graph_append(graph, OP_SCALE_OFFSET, &x, &(OpParams){.value = factor});
}

NodeId op_scale_by(Graph *graph, NodeId x, NodeId factor)
{
    if (graph->error.code == ERROR_NONE && factor >= 0 && factor < graph->count &&
        graph_op(graph, factor) == OP_CONSTANT && graph_shape(graph, factor).rank == 0)
        return op_scale(graph, x, graph_params(graph, factor).value);
    return graph_append(graph, OP_SCALE_BY, (NodeId[]){x, factor}, &(OpParams){0});
}

NodeId op_offset(Graph *graph, NodeId x, real term)
{
    return graph_append(graph, OP_SCALE_OFFSET, &x, &(OpParams){.value = 1, .term = term});
}

NodeId op_mul(Graph *graph, NodeId a, NodeId b)
{
    return graph_append(graph, OP_MUL, (NodeId[]){a, b}, &(OpParams){0});
}

/* ---- exp, log, power ------------------------------------------------------------------------- */

static void exp_chunk(const OpCall *call, int64_t first, int64_t n)
{
    kernels()->exp((real *)call->out + first, (const real *)call->in[0] + first, n);
}

static void exp_forward(const OpCall *call)
{
    op_chunks(call, call->count, exp_chunk);
}

static void exp_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted, NodeId *grad_in)
{
    (void)wanted;
    grad_in[0] = op_mul(graph, grad, out);
}

static void log_chunk(const OpCall *call, int64_t first, int64_t n)
{
    for (int64_t i = first; i < first + n; i++)
        ((real *)call->out)[i] = (real)log((double)((const real *)call->in[0])[i]);
}

static void log_forward(const OpCall *call)
{
    op_chunks(call, call->count, log_chunk);
}

static void log_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted, NodeId *grad_in)
{
    (void)wanted;
    grad_in[0] = op_mul(graph, grad, op_power(graph, graph_input(graph, out, 0), -1));
}

static void power_chunk(const OpCall *call, int64_t first, int64_t n)
{
    kernels()->power((real *)call->out + first, (const real *)call->in[0] + first,
                     call->params->value, n);
}

static void power_forward(const OpCall *call)
{
    op_chunks(call, call->count, power_chunk);
}

static void power_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                           NodeId *grad_in)
{
    real   p = graph_node(graph, out)->params.value;
    NodeId x = graph_input(graph, out, 0);
    (void)wanted;
    if (p == 0)
        return;
    NodeId slope = p == 1 ? NODE_NONE : p == 2 ? x : op_power(graph, x, p - 1);
    grad_in[0]   = op_scale(graph, slope == NODE_NONE ? grad : op_mul(graph, grad, slope), p);
}

const OpInfo op_info_exp   = {.name     = "exp",
                              .arity    = 1,
                              .flags    = OP_ELEMENTWISE,
                              .infer    = infer_same,
                              .forward  = exp_forward,
                              .backward = exp_backward};
const OpInfo op_info_log   = {.name     = "log",
                              .arity    = 1,
                              .flags    = OP_ELEMENTWISE,
                              .infer    = infer_same,
                              .forward  = log_forward,
                              .backward = log_backward};
const OpInfo op_info_power = {.name     = "power",
                              .arity    = 1,
                              .flags    = OP_ELEMENTWISE,
                              .infer    = infer_same,
                              .forward  = power_forward,
                              .backward = power_backward};

NodeId op_exp(Graph *graph, NodeId x)
{
    return graph_append(graph, OP_EXP, &x, &(OpParams){0});
}

NodeId op_log(Graph *graph, NodeId x)
{
    return graph_append(graph, OP_LOG, &x, &(OpParams){0});
}

NodeId op_power(Graph *graph, NodeId x, real exponent)
{
    return graph_append(graph, OP_POWER, &x, &(OpParams){.value = exponent});
}

/* ---- sigmoid(x; beta), softplus(x; beta) --------------------------------------------------------
 * softplus(x; beta) = log(1 + exp(beta x)) / beta, so d/dx = sigmoid(beta x): a ReLU whose second
 * derivative is not zero, which attacks on gradient maps need. beta is a node, as it may change
 * from run to run. Source: Dombrowski et al., NeurIPS 2019 (beta-smoothing). */

static real scalar_of(const OpCall *call)
{
    return *(const real *)call->in[1];
}

real op_constant_beta(const Graph *graph, NodeId node)
{
    const Node *n        = graph_node(graph, node);
    bool        has_beta = n->op == OP_SIGMOID || n->op == OP_SOFTPLUS;
    const Node *beta     = has_beta ? graph_node(graph, n->input[1]) : NULL;
    return beta && beta->op == OP_CONSTANT ? beta->params.value : 0;
}

static void sigmoid_chunk(const OpCall *call, int64_t first, int64_t n)
{
    kernels()->sigmoid((real *)call->out + first, (const real *)call->in[0] + first,
                       scalar_of(call), n);
}

static void sigmoid_forward(const OpCall *call)
{
    op_chunks(call, call->count, sigmoid_chunk);
}

/* From the output s: d/dx = beta s (1 - s), d/dbeta = x s (1 - s). */
static void sigmoid_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                             NodeId *grad_in)
{
    NodeId x = graph_input(graph, out, 0), beta = graph_input(graph, out, 1);
    NodeId other = graph_append(graph, OP_SCALE_OFFSET, &out, &(OpParams){.value = -1, .term = 1});
    NodeId slope = op_mul(graph, out, other);
    if (wanted[0])
        grad_in[0] = op_mul(graph, grad, op_scale_by(graph, slope, beta));
    if (wanted[1])
        grad_in[1] = op_dot(graph, grad, op_mul(graph, x, slope));
}

static void softplus_chunk(const OpCall *call, int64_t first, int64_t n)
{
    kernels()->softplus((real *)call->out + first, (const real *)call->in[0] + first,
                        scalar_of(call), n);
}

static void softplus_forward(const OpCall *call)
{
    op_chunks(call, call->count, softplus_chunk);
}

/* With s = sigmoid(x; beta): d/dx = s, d/dbeta = (x s - out) / beta. */
static void softplus_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                              NodeId *grad_in)
{
    NodeId x = graph_input(graph, out, 0), beta = graph_input(graph, out, 1);
    NodeId s = op_sigmoid_by(graph, x, beta);
    if (wanted[0])
        grad_in[0] = op_mul(graph, grad, s);
    if (wanted[1]) {
        NodeId slope = op_dot(graph, grad, op_sub(graph, op_mul(graph, x, s), out));
        grad_in[1]   = op_mul(graph, slope, op_power(graph, beta, -1));
    }
}

const OpInfo op_info_sigmoid  = {.name     = "sigmoid",
                                 .arity    = 2,
                                 .flags    = OP_ELEMENTWISE,
                                 .infer    = infer_by_scalar,
                                 .forward  = sigmoid_forward,
                                 .backward = sigmoid_backward};
const OpInfo op_info_softplus = {.name     = "softplus",
                                 .arity    = 2,
                                 .flags    = OP_ELEMENTWISE,
                                 .infer    = infer_by_scalar,
                                 .forward  = softplus_forward,
                                 .backward = softplus_backward};

/* The gradient of a softplus and the gradient of that need the same sigmoid: one node does. */
NodeId op_sigmoid_by(Graph *graph, NodeId x, NodeId beta)
{
    for (NodeId node = x + 1; x >= 0 && node < graph->count; node++) {
        const Node *n = graph_node(graph, node);
        if (n->op == OP_SIGMOID && n->input[0] == x && n->input[1] == beta)
            return node;
    }
    return graph_append(graph, OP_SIGMOID, (NodeId[]){x, beta}, &(OpParams){0});
}

NodeId op_softplus_by(Graph *graph, NodeId x, NodeId beta)
{
    return graph_append(graph, OP_SOFTPLUS, (NodeId[]){x, beta}, &(OpParams){0});
}

NodeId op_sigmoid(Graph *graph, NodeId x, real beta)
{
    return op_sigmoid_by(graph, x, op_constant(graph, shape_scalar(), beta));
}

NodeId op_softplus(Graph *graph, NodeId x, real beta)
{
    return op_softplus_by(graph, x, op_constant(graph, shape_scalar(), beta));
}

/* ---- normal_cdf(x) = Phi(x) ---------------------------------------------------------------------
 *
 * The share of a standard normal distribution below x; x Phi(x) is the Gaussian error linear unit.
 * Its slope is the density exp(-x^2 / 2) / sqrt(2 pi). Source: Hendrycks and Gimpel, arXiv 1606.08415, section 2. */

static void normal_cdf_chunk(const OpCall *call, int64_t first, int64_t n)
{
    kernels()->normal_cdf((real *)call->out + first, (const real *)call->in[0] + first, n);
}

static void normal_cdf_forward(const OpCall *call)
{
    op_chunks(call, call->count, normal_cdf_chunk);
}

static void normal_cdf_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                                NodeId *grad_in)
{
    const real height = (real)0.39894228040143267794; // 1 / sqrt(2 pi)
    NodeId     x      = graph_input(graph, out, 0);
    NodeId     fall   = op_exp(graph, op_scale(graph, op_mul(graph, x, x), (real)-0.5));
    (void)wanted;
    grad_in[0] = op_mul(graph, grad, op_scale(graph, fall, height));
}

const OpInfo op_info_normal_cdf = {.name     = "normal_cdf",
                                   .arity    = 1,
                                   .flags    = OP_ELEMENTWISE,
                                   .infer    = infer_same,
                                   .forward  = normal_cdf_forward,
                                   .backward = normal_cdf_backward};

NodeId op_normal_cdf(Graph *graph, NodeId x)
{
    return graph_append(graph, OP_NORMAL_CDF, &x, &(OpParams){0});
}
