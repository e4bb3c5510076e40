/* engine/op_softmax.c - shares of the last axis, exp x_i / sum_j exp x_j, and their logarithms. */
#include "graph.h"

#include "../base/parallel.h"

static bool infer_softmax(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    (void)params;
    if (in[0].rank < 1)
        return fail(error, ERROR_INTERNAL, "softmax: needs at least one axis");
    *out = in[0];
    return true;
}

typedef struct RowsJob {
    const OpCall *call;
    int64_t       n, rows, task_rows;
    void (*row)(real *out, const real *x, int64_t n);
} RowsJob;

static void rows_task(void *data, int64_t task, int thread)
{
    const RowsJob *job = data;
    int64_t        end = (task + 1) * job->task_rows;
    (void)thread;
    for (int64_t row = task * job->task_rows; row < end && row < job->rows; row++)
        job->row((real *)job->call->out + row * job->n,
                 (const real *)job->call->in[0] + row * job->n, job->n);
}

/* Short rows share a task. */
static void run_rows(const OpCall *call, void (*row)(real *, const real *, int64_t))
{
    enum { TASK = 4096 };
    RowsJob job   = {.call = call, .n = call->shape.dim[call->shape.rank - 1], .row = row};
    job.rows      = call->count / job.n;
    job.task_rows = job.n < TASK ? TASK / job.n : 1;
    parallel_for((job.rows + job.task_rows - 1) / job.task_rows, rows_task, &job);
}

static void log_softmax_forward(const OpCall *call)
{
    run_rows(call, kernels()->log_softmax);
}

static void softmax_forward(const OpCall *call)
{
    run_rows(call, kernels()->softmax);
}

/* The sum of each row, all along it. */
static NodeId spread_sum(Graph *graph, NodeId x)
{
    Shape shape = graph_shape(graph, x), rows = shape;
    rows.dim[rows.rank - 1] = 1;
    return op_broadcast_to(graph, op_sum_to(graph, x, rows), shape);
}

/* d x = g - softmax(x) * sum(g). */
static void log_softmax_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                                 NodeId *grad_in)
{
    NodeId total = spread_sum(graph, grad);
    (void)wanted;
    grad_in[0] = op_sub(graph, grad, op_mul(graph, op_exp(graph, out), total));
}

/* d x = s * (g - sum(s * g)), s the output. */
static void softmax_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                             NodeId *grad_in)
{
    NodeId mean = spread_sum(graph, op_mul(graph, grad, out));
    (void)wanted;
    grad_in[0] = op_mul(graph, out, op_sub(graph, grad, mean));
}

const OpInfo op_info_log_softmax = {.name     = "log_softmax",
                                    .arity    = 1,
                                    .infer    = infer_softmax,
                                    .forward  = log_softmax_forward,
                                    .backward = log_softmax_backward};
const OpInfo op_info_softmax     = {.name     = "softmax",
                                    .arity    = 1,
                                    .infer    = infer_softmax,
                                    .forward  = softmax_forward,
                                    .backward = softmax_backward};

NodeId op_log_softmax(Graph *graph, NodeId x)
{
    return graph_append(graph, OP_LOG_SOFTMAX, &x, &(OpParams){0});
}

NodeId op_softmax(Graph *graph, NodeId x)
{
    return graph_append(graph, OP_SOFTMAX, &x, &(OpParams){0});
}
