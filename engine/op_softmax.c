/* engine/op_softmax.c - log softmax over the last axis: log p_i = x_i - log sum_j exp x_j. */
#include "graph.h"

#include "../base/parallel.h"

#include <math.h>

static bool infer_softmax(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    (void)params;
    if (in[0].rank < 1)
        return fail(error, ERROR_INTERNAL, "log_softmax: needs at least one axis");
    *out = in[0];
    return true;
}

static void softmax_row(void *data, int64_t row, int thread)
{
    const OpCall *call = data;
    int64_t       n    = call->shape.dim[call->shape.rank - 1];
    const real   *x    = (const real *)call->in[0] + row * n;
    real         *out  = (real *)call->out + row * n;
    double        most = (double)x[0], total = 0;
    (void)thread;
    for (int64_t i = 1; i < n; i++)
        most = fmax(most, (double)x[i]);
    for (int64_t i = 0; i < n; i++)
        total += exp((double)x[i] - most);
    double shift = most + log(total);
    for (int64_t i = 0; i < n; i++)
        out[i] = (real)((double)x[i] - shift);
}

static void softmax_forward(const OpCall *call)
{
    parallel_for(call->count / call->shape.dim[call->shape.rank - 1], softmax_row,
                 (void *)(uintptr_t)call);
}

/* d x = g - softmax(x) * sum(g). */
static void softmax_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                             NodeId *grad_in)
{
    Shape shape = graph_shape(graph, out), rows = shape;
    rows.dim[rows.rank - 1] = 1;
    NodeId total            = op_broadcast_to(graph, op_sum_to(graph, grad, rows), shape);
    (void)wanted;
    grad_in[0] = op_sub(graph, grad, op_mul(graph, op_exp(graph, out), total));
}

const OpInfo op_info_log_softmax = {.name     = "log_softmax",
                                    .arity    = 1,
                                    .infer    = infer_softmax,
                                    .forward  = softmax_forward,
                                    .backward = softmax_backward};

NodeId op_log_softmax(Graph *graph, NodeId x)
{
    return graph_append(graph, OP_LOG_SOFTMAX, &x, &(OpParams){0});
}
