/* engine/op_shape.c - ops that move numbers: reshape, broadcast/sum, slice/pad. */
#include "graph.h"

#include "../base/parallel.h"

#include <string.h>

/* ---- reshape --------------------------------------------------------------------------------- */

static bool infer_reshape(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    size_t before = 0, after = 0;
    if (!shape_count(in[0], &before) || !shape_count(params->shape, &after) || before != after)
        return fail(error, ERROR_INTERNAL, "reshape: %s does not hold as many numbers as %s",
                    SHAPE_TEXT(in[0]), SHAPE_TEXT(params->shape));
    *out = params->shape;
    return true;
}

static void reshape_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                             NodeId *grad_in)
{
    (void)wanted;
    grad_in[0] = op_reshape(graph, grad, graph_shape(graph, graph_node(graph, out)->input[0]));
}

const OpInfo op_info_reshape = {.name     = "reshape",
                                .arity    = 1,
                                .flags    = OP_SHARES_MEMORY,
                                .infer    = infer_reshape,
                                .backward = reshape_backward};

NodeId op_reshape(Graph *graph, NodeId x, Shape shape)
{
    return graph_append(graph, OP_RESHAPE, &x, &(OpParams){.shape = shape});
}

/* ---- broadcast_to and sum_to: each is the other's adjoint ------------------------------------ */

static bool repeats(Shape small, Shape large)
{
    if (small.rank != large.rank)
        return false;
    for (int i = 0; i < small.rank; i++)
        if (small.dim[i] != large.dim[i] && small.dim[i] != 1)
            return false;
    return true;
}

static bool infer_broadcast(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    if (!repeats(in[0], params->shape))
        return fail(error, ERROR_INTERNAL, "broadcast_to: %s does not repeat to %s",
                    SHAPE_TEXT(in[0]), SHAPE_TEXT(params->shape));
    *out = params->shape;
    return true;
}

static bool infer_sum(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    if (!repeats(params->shape, in[0]))
        return fail(error, ERROR_INTERNAL, "sum_to: %s does not sum to %s", SHAPE_TEXT(in[0]),
                    SHAPE_TEXT(params->shape));
    *out = params->shape;
    return true;
}

/* Both shapes as four dimensions, missing ones in front; step of the small one is 0 where repeated.
 */
typedef struct Repeat {
    int64_t large[4], small[4], step[4];
} Repeat;

static Repeat repeat_of(Shape small, Shape large)
{
    Repeat  r      = {{1, 1, 1, 1}, {1, 1, 1, 1}, {0, 0, 0, 0}};
    int64_t stride = 1;
    for (int i = large.rank - 1; i >= 0; i--) {
        int at      = 4 - large.rank + i;
        r.large[at] = large.dim[i];
        r.small[at] = small.dim[i];
        r.step[at]  = small.dim[i] == 1 ? 0 : stride;
        stride *= small.dim[i];
    }
    return r;
}

/* One number for a plane is one row of it. */
static Repeat broadcast_rows(const OpCall *call)
{
    Repeat r = repeat_of(call->in_shape[0], call->shape);
    if (r.step[2] == 0 && r.step[3] == 0) {
        r.large[3] *= r.large[2];
        r.large[2] = 1;
    }
    return r;
}

static void broadcast_row(void *data, int64_t row, int thread)
{
    const OpCall *call = data;
    Repeat        r    = broadcast_rows(call);
    const real   *x    = call->in[0];
    int64_t       n    = r.large[3];
    real         *to   = (real *)call->out + row * n;
    int64_t       at   = row % r.large[2] * r.step[2] + row / r.large[2] % r.large[1] * r.step[1] +
                 row / (r.large[2] * r.large[1]) * r.step[0];
    (void)thread;
    if (r.step[3]) {
        memcpy(to, x + at, (size_t)n * sizeof(real));
        return;
    }
    real value = x[at];
    for (int64_t i = 0; i < n; i++)
        to[i] = value;
}

static void broadcast_forward(const OpCall *call)
{
    parallel_for(call->count / broadcast_rows(call).large[3], broadcast_row,
                 (void *)(uintptr_t)call);
}

/* One output element: the sum over all large elements that share its place. */
static void sum_element(const OpCall *call, int64_t first, int64_t count)
{
    Repeat      r = repeat_of(call->shape, call->in_shape[0]);
    const real *x = call->in[0];
    for (int64_t i = first; i < first + count; i++) {
        int64_t rest = i, from[4], to[4];
        for (int d = 3; d >= 0; d--) {
            int64_t place = rest % r.small[d];
            rest /= r.small[d];
            from[d] = r.small[d] == 1 ? 0 : place;
            to[d]   = r.small[d] == 1 ? r.large[d] : place + 1;
        }
        double total = 0;
        for (int64_t a = from[0]; a < to[0]; a++)
            for (int64_t b = from[1]; b < to[1]; b++) {
                int64_t plane = (a * r.large[1] + b) * r.large[2];
                if (to[3] - from[3] == r.large[3]) { // whole rows follow each other
                    total += (double)kernels()->sum(x + (plane + from[2]) * r.large[3],
                                                    (to[2] - from[2]) * r.large[3]);
                    continue;
                }
                for (int64_t c = from[2]; c < to[2]; c++)
                    total += (double)kernels()->sum(x + (plane + c) * r.large[3] + from[3],
                                                    to[3] - from[3]);
            }
        ((real *)call->out)[i] = (real)total;
    }
}

/* Some output elements of one row, where the last axis is kept: whole rows are added, in order. */
enum { COLUMNS = 64 };

static void sum_columns(const OpCall *call, int64_t first, int64_t count)
{
    double  total[COLUMNS] = {0};
    Repeat  r              = repeat_of(call->shape, call->in_shape[0]);
    int64_t n = r.large[3], row = first / n, from[3], rows[3];
    for (int d = 2; d >= 0; d--) {
        from[d] = r.small[d] > 1 ? row % r.small[d] : 0;
        rows[d] = r.small[d] > 1 ? 1 : r.large[d];
        row /= r.small[d];
    }
    bool    is_block = rows[2] == r.large[2]; // the rows of planes that follow each other
    int64_t step = is_block ? n : r.large[2] * n, count_rows = rows[1] * rows[2];
    for (int64_t a = from[0]; a < from[0] + rows[0]; a++) {
        int64_t at = ((a * r.large[1] + from[1]) * r.large[2] + from[2]) * n + first % n;
        kernels()->sum_rows(total, (const real *)call->in[0] + at, step, count_rows, count);
    }
    for (int64_t i = 0; i < count; i++)
        ((real *)call->out)[first + i] = (real)total[i];
}

static void sum_part(const OpCall *call, int64_t first, int64_t count)
{
    int64_t n = repeat_of(call->shape, call->in_shape[0]).small[3], end = first + count;
    if (n == 1)
        sum_element(call, first, count);
    for (int64_t part = 0; first < end && n > 1; first += part) {
        int64_t left = n - first % n < end - first ? n - first % n : end - first;
        part         = left < COLUMNS ? left : COLUMNS;
        sum_columns(call, first, part);
    }
}

/* Tasks of a small result. */
static void sum_few(void *data, int64_t task, int thread)
{
    const OpCall *call = data;
    int64_t       left = call->count - task * COLUMNS;
    (void)thread;
    sum_part(call, task * COLUMNS, left < COLUMNS ? left : COLUMNS);
}

static void sum_one(void *data, int64_t i, int thread)
{
    (void)thread;
    sum_element(data, i, 1);
}

static void sum_forward(const OpCall *call)
{
    bool is_kept = repeat_of(call->shape, call->in_shape[0]).small[3] > 1; // the last axis
    if (call->count > 4096)
        op_chunks(call, call->count, sum_part);
    else if (is_kept)
        parallel_for((call->count + COLUMNS - 1) / COLUMNS, sum_few, (void *)(uintptr_t)call);
    else
        parallel_for(call->count, sum_one, (void *)(uintptr_t)call);
}

static void broadcast_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                               NodeId *grad_in)
{
    (void)wanted;
    grad_in[0] = op_sum_to(graph, grad, graph_shape(graph, graph_node(graph, out)->input[0]));
}

static void sum_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted, NodeId *grad_in)
{
    (void)wanted;
    grad_in[0] = op_broadcast_to(graph, grad, graph_shape(graph, graph_node(graph, out)->input[0]));
}

const OpInfo op_info_broadcast_to = {.name     = "broadcast_to",
                                     .arity    = 1,
                                     .infer    = infer_broadcast,
                                     .forward  = broadcast_forward,
                                     .backward = broadcast_backward};
const OpInfo op_info_sum_to       = {.name     = "sum_to",
                                     .arity    = 1,
                                     .infer    = infer_sum,
                                     .forward  = sum_forward,
                                     .backward = sum_backward};

NodeId op_broadcast_to(Graph *graph, NodeId x, Shape shape)
{
    return graph_append(graph, OP_BROADCAST_TO, &x, &(OpParams){.shape = shape});
}

static bool is_spread(const Graph *graph, NodeId x, Shape small)
{
    const Node *node = graph_node(graph, x);
    return node->op == OP_BROADCAST_TO &&
           shape_equal(graph_node(graph, node->input[0])->shape, small);
}

/* Numbers spread over planes, among what x is a sum of. */
// NOLINTNEXTLINE(misc-no-recursion): at most `depth` calls deep
static bool has_spread(const Graph *graph, NodeId x, Shape small, int depth)
{
    const Node *node      = graph_node(graph, x);
    bool        by_number = node->op == OP_MUL && (is_spread(graph, node->input[0], small) ||
                                            is_spread(graph, node->input[1], small));
    if (depth == 0 || by_number || is_spread(graph, x, small))
        return depth > 0;
    return (node->op == OP_ADD || (node->op == OP_SCALE_OFFSET && node->params.term == 0)) &&
           (has_spread(graph, node->input[0], small, depth - 1) ||
            (node->op == OP_ADD && has_spread(graph, node->input[1], small, depth - 1)));
}

static NodeId plain_sum(Graph *graph, NodeId x, Shape small)
{
    for (NodeId node = x + 1; node < graph->count; node++)
        if (graph_node(graph, node)->op == OP_SUM_TO && graph_node(graph, node)->input[0] == x &&
            shape_equal(graph_node(graph, node)->shape, small))
            return node;
    return graph_append(graph, OP_SUM_TO, &x, &(OpParams){.shape = small});
}

/* The sum of a * y + b, with numbers a and b a channel, is a * sum(y) + count * b. */
// NOLINTNEXTLINE(misc-no-recursion): at most `depth` calls deep
static NodeId sum_of_terms(Graph *graph, NodeId x, Shape small, int depth)
{
    if (x == NODE_NONE || !has_spread(graph, x, small, depth))
        return x == NODE_NONE ? x : plain_sum(graph, x, small);
    Node    node  = *graph_node(graph, x);
    int64_t count = shape_elements(node.shape) / shape_elements(small);
    if (is_spread(graph, x, small))
        return op_scale(graph, node.input[0], (real)count);
    if (node.op == OP_SCALE_OFFSET && node.params.term == 0)
        return op_scale(graph, sum_of_terms(graph, node.input[0], small, depth - 1),
                        node.params.value);
    for (int i = 0; i < 2 && node.op == OP_MUL; i++)
        if (is_spread(graph, node.input[i], small))
            return op_mul(graph, sum_of_terms(graph, node.input[1 - i], small, depth - 1),
                          graph_node(graph, node.input[i])->input[0]);
    if (node.op == OP_ADD) {
        NodeId a = sum_of_terms(graph, node.input[0], small, depth - 1);
        return op_add(graph, a, sum_of_terms(graph, node.input[1], small, depth - 1));
    }
    return plain_sum(graph, x, small);
}

/* To one number a channel, planes that are sums of planes times numbers are not summed themselves:
 * the gradient of a batch norm's mean is then arithmetic on sums that its factor and its term need
 * anyway, which saves a way through all planes, and so at every order. */
NodeId op_sum_to(Graph *graph, NodeId x, Shape shape)
{
    enum { TERMS_DEPTH = 8 };
    if (graph->error.code == ERROR_NONE && x >= 0 && x < graph->count && shape.rank == 4 &&
        shape_elements(shape) == shape.dim[1] && repeats(shape, graph_shape(graph, x)) &&
        has_spread(graph, x, shape, TERMS_DEPTH))
        return sum_of_terms(graph, x, shape, TERMS_DEPTH);
    return graph_append(graph, OP_SUM_TO, &x, &(OpParams){.shape = shape});
}

/* ---- slice and pad: each is the other's adjoint ---------------------------------------------- */

static bool infer_slice(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    int axis = params->axis;
    if (axis < 0 || axis >= in[0].rank || params->start < 0 || params->count < 1 ||
        params->count > in[0].dim[axis] - params->start)
        return fail(error, ERROR_INTERNAL, "slice: %lld from %lld of axis %d does not fit %s",
                    (long long)params->count, (long long)params->start, axis, SHAPE_TEXT(in[0]));
    *out           = in[0];
    out->dim[axis] = params->count;
    return true;
}

static bool infer_pad(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    int     axis = params->axis;
    int64_t side = 0;
    if (axis < 0 || axis >= in[0].rank || params->start < 0 || params->count < 0 ||
        __builtin_add_overflow(in[0].dim[axis], params->start, &side) ||
        __builtin_add_overflow(side, params->count, &side))
        return fail(error, ERROR_INTERNAL,
                    "pad: %lld and %lld around axis %d of %s is not possible",
                    (long long)params->start, (long long)params->count, axis, SHAPE_TEXT(in[0]));
    *out           = in[0];
    out->dim[axis] = side;
    return true;
}

/* Of the sides from axis `from` up to, not including, axis `to`. */
static int64_t product(Shape shape, int from, int to)
{
    int64_t count = 1;
    for (int i = from; i < to; i++)
        count *= shape.dim[i];
    return count;
}

static void slice_forward(const OpCall *call)
{
    int         axis  = call->params->axis;
    Shape       large = call->in_shape[0];
    int64_t     inner = product(large, axis + 1, large.rank), outer = product(large, 0, axis);
    int64_t     block = call->params->count * inner;
    const real *from  = (const real *)call->in[0] + call->params->start * inner;
    for (int64_t i = 0; i < outer; i++)
        memcpy((real *)call->out + i * block, from + i * large.dim[axis] * inner,
               (size_t)block * sizeof(real));
}

static void pad_forward(const OpCall *call)
{
    int     axis  = call->params->axis;
    Shape   small = call->in_shape[0];
    int64_t inner = product(small, axis + 1, small.rank), outer = product(small, 0, axis);
    int64_t block = small.dim[axis] * inner, before = call->params->start * inner;
    int64_t after = call->params->count * inner;
    real   *to    = call->out;
    for (int64_t i = 0; i < outer; i++, to += before + block + after) {
        memset(to, 0, (size_t)before * sizeof(real));
        memcpy(to + before, (const real *)call->in[0] + i * block, (size_t)block * sizeof(real));
        memset(to + before + block, 0, (size_t)after * sizeof(real));
    }
}

static void slice_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                           NodeId *grad_in)
{
    OpParams params = graph_node(graph, out)->params;
    Shape    whole  = graph_shape(graph, graph_node(graph, out)->input[0]);
    (void)wanted;
    grad_in[0] = op_pad(graph, grad, params.axis, params.start,
                        whole.dim[params.axis] - params.start - params.count);
}

static void pad_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted, NodeId *grad_in)
{
    OpParams params = graph_node(graph, out)->params;
    Shape    small  = graph_shape(graph, graph_node(graph, out)->input[0]);
    (void)wanted;
    grad_in[0] = op_slice(graph, grad, params.axis, params.start, small.dim[params.axis]);
}

const OpInfo op_info_slice = {.name     = "slice",
                              .arity    = 1,
                              .infer    = infer_slice,
                              .forward  = slice_forward,
                              .backward = slice_backward};
const OpInfo op_info_pad   = {.name     = "pad",
                              .arity    = 1,
                              .infer    = infer_pad,
                              .forward  = pad_forward,
                              .backward = pad_backward};

NodeId op_slice(Graph *graph, NodeId x, int axis, int64_t start, int64_t count)
{
    OpParams params = {.axis = axis, .start = start, .count = count};
    NodeId   node   = graph_append(graph, OP_SLICE, &x, &params);
    // Rows of a parameter lie together, so the slice is a parameter too and weights of one unit can
    // be prepared once.
    if (node != NODE_NONE && axis == 0 && graph_node(graph, x)->op == OP_PARAMETER) {
        Shape       whole = graph_shape(graph, x);
        const real *data =
            graph_node(graph, x)->params.data + start * product(whole, 1, whole.rank);
        return op_parameter(graph, graph_shape(graph, node), data);
    }
    return node;
}

NodeId op_pad(Graph *graph, NodeId x, int axis, int64_t before, int64_t after)
{
    OpParams params = {.axis = axis, .start = before, .count = after};
    return graph_append(graph, OP_PAD, &x, &params);
}
