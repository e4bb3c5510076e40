/* engine/op_pool.c - selection: an index op without gradient, and gather / scatter_add, each the
 * other's adjoint. Max-pooling is index + gather, which is what keeps it differentiable twice. */
#include "graph.h"

#include "../base/parallel.h"

#include <string.h>

/* ---- maxpool_index --------------------------------------------------------------------------- */

static bool infer_pool(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    Shape x = in[0];
    if (x.rank != 4 || params->window < 1 || params->stride < 1 || params->pad < 0 ||
        2 * params->pad > params->window || params->window > x.dim[2] + 2 * params->pad ||
        params->window > x.dim[3] + 2 * params->pad)
        return fail(error, ERROR_DATA, "pooling: window %d (stride %d, pad %d) does not fit %s",
                    params->window, params->stride, params->pad, SHAPE_TEXT(x));
    if (shape_elements(x) > INT32_MAX)
        return fail(error, ERROR_DATA,
                    "pooling: %s has more than 2^31 elements; use a smaller batch", SHAPE_TEXT(x));
    *out = shape_4d(x.dim[0], x.dim[1],
                    (x.dim[2] + 2 * params->pad - params->window) / params->stride + 1,
                    (x.dim[3] + 2 * params->pad - params->window) / params->stride + 1);
    return true;
}

/* One window: the first maximum in row order. */
static int32_t window_maximum(const real *plane, const OpCall *call, int64_t i, int64_t j)
{
    const OpParams *p = call->params;
    int64_t         h = call->in_shape[0].dim[2], w = call->in_shape[0].dim[3];
    int64_t         y0 = i * p->stride - p->pad, x0 = j * p->stride - p->pad, best = -1;
    for (int64_t y = y0 < 0 ? 0 : y0; y < y0 + p->window && y < h; y++)
        for (int64_t x = x0 < 0 ? 0 : x0; x < x0 + p->window && x < w; x++)
            if (best < 0 || plane[y * w + x] > plane[best])
                best = y * w + x;
    return (int32_t)best;
}

/* First place from `from` on whose window begins at or right of the edge, and first whose window
 * ends beyond `size`. */
static void whole_windows(const OpParams *p, int64_t size, int64_t count, int64_t *first,
                          int64_t *last)
{
    int64_t end = (size + p->pad - p->window) / p->stride + 1;
    *first      = (p->pad + p->stride - 1) / p->stride;
    *last       = size + p->pad < p->window ? 0 : end < count ? end : count;
    if (*last < *first)
        *first = *last = count;
}

/* One row of windows two apart: the whole ones in one go, those over the left and right edge alone.
 */
static void pool_row(const OpCall *call, const real *plane, int64_t i, real *values, int32_t *index,
                     int32_t base)
{
    const OpParams *p = call->params;
    int64_t         h = call->in_shape[0].dim[2], w = call->in_shape[0].dim[3], first, last;
    int64_t         y0 = i * p->stride - p->pad, y1 = y0 + p->window < h ? y0 + p->window : h;
    whole_windows(p, w, call->shape.dim[3], &first, &last);
    y0 = y0 < 0 ? 0 : y0;
    for (int64_t j = 0; j < call->shape.dim[3];) {
        int64_t count = j == first && last > first ? last - first : 1;
        int64_t x0 = j * p->stride - p->pad, x1 = x0 + p->window < w ? x0 + p->window : w;
        x0 = x0 < 0 ? 0 : x0;
        kernels()->maxpool(values + j, index ? index + j : NULL, plane + y0 * w + x0,
                           (int)(y1 - y0), (int)(x1 - x0), base + (int32_t)(y0 * w + x0),
                           (int32_t)w, count);
        j += count;
    }
}

/* Writes values and positions of one image plane; either may be NULL. */
static void pool_plane(const OpCall *call, int64_t plane, real *values, int32_t *index)
{
    Shape       in = call->in_shape[0], out = call->shape;
    int64_t     size = in.dim[2] * in.dim[3], oh = out.dim[2], ow = out.dim[3];
    const real *x    = (const real *)call->in[0] + plane * size;
    int32_t     base = (int32_t)(plane * size);
    values           = values ? values + plane * oh * ow : NULL;
    index            = index ? index + plane * oh * ow : NULL;
    for (int64_t i = 0; i < oh; i++)
        if (values && call->params->stride == 2)
            pool_row(call, x, i, values + i * ow, index ? index + i * ow : NULL, base);
        else
            for (int64_t j = 0; j < ow; j++) {
                int32_t at = window_maximum(x, call, i, j);
                if (values)
                    values[i * ow + j] = x[at];
                if (index)
                    index[i * ow + j] = base + at;
            }
}

static void index_plane(void *data, int64_t plane, int thread)
{
    (void)thread;
    pool_plane(data, plane, NULL, ((const OpCall *)data)->out);
}

static void index_forward(const OpCall *call)
{
    parallel_for(call->shape.dim[0] * call->shape.dim[1], index_plane, (void *)(uintptr_t)call);
}

static void maxpool_plane(void *data, int64_t plane, int thread)
{
    const OpCall *call = data;
    (void)thread;
    pool_plane(call, plane, call->out, call->second);
}

static void maxpool_forward(const OpCall *call)
{
    parallel_for(call->shape.dim[0] * call->shape.dim[1], maxpool_plane, (void *)(uintptr_t)call);
}

const OpInfo op_info_maxpool_index = {.name    = "maxpool_index",
                                      .arity   = 1,
                                      .flags   = OP_NO_GRADIENT,
                                      .gives   = ELEMENT_INDEX,
                                      .infer   = infer_pool,
                                      .forward = index_forward};
const OpInfo op_info_maxpool       = {.name    = "maxpool",
                                      .arity   = 1,
                                      .flags   = OP_NO_GRADIENT,
                                      .infer   = infer_pool,
                                      .forward = maxpool_forward};

/* ---- gather and scatter_add ---------------------------------------------------------------------
 * params.count: groups. Elements of group g of the index point into group g of the array, so groups
 * can run in parallel. params.row: a position stands for a row of so many numbers of a table; 0 for
 * one number of an array of any shape. */

/* The shape of what is read at the positions: the index's, for rows with their width behind. */
static bool picked_shape(Shape index, const OpParams *params, Shape *out)
{
    *out = index;
    if (params->row == 0)
        return true;
    if (index.rank == SHAPE_MAX_RANK)
        return false;
    out->dim[out->rank++] = params->row;
    return true;
}

/* Whether groups and rows divide the array and the index. */
static bool divides(Shape array, Shape index, const OpParams *params)
{
    size_t elements;
    bool   has_rows = array.rank == 2 && array.dim[1] == params->row && params->count == 1;
    return shape_count(array, &elements) && params->count >= 1 && (params->row == 0 || has_rows) &&
           (int64_t)elements % params->count == 0 && shape_elements(index) % params->count == 0;
}

static bool infer_gather(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    if (!divides(in[0], in[1], params) || !picked_shape(in[1], params, out))
        return fail(error, ERROR_INTERNAL, "gather: %s by index %s is not possible",
                    SHAPE_TEXT(in[0]), SHAPE_TEXT(in[1]));
    return true;
}

static bool infer_scatter(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    Shape picked;
    if (!divides(params->shape, in[1], params) || !picked_shape(in[1], params, &picked) ||
        !shape_equal(in[0], picked))
        return fail(error, ERROR_INTERNAL, "scatter_add: %s by index %s into %s is not possible",
                    SHAPE_TEXT(in[0]), SHAPE_TEXT(in[1]), SHAPE_TEXT(params->shape));
    *out = params->shape;
    return true;
}

static void gather_group(void *data, int64_t group, int thread)
{
    const OpCall  *call  = data;
    int64_t        size  = call->count / call->params->count;
    const int32_t *index = (const int32_t *)call->in[1] + group * size;
    (void)thread;
    for (int64_t i = 0; i < size; i++)
        ((real *)call->out)[group * size + i] = ((const real *)call->in[0])[index[i]];
}

static void gather_row(void *data, int64_t i, int thread)
{
    const OpCall *call = data;
    int64_t       row = call->params->row, from = ((const int32_t *)call->in[1])[i];
    (void)thread;
    memcpy((real *)call->out + i * row, (const real *)call->in[0] + from * row,
           (size_t)row * sizeof(real));
}

static void gather_forward(const OpCall *call)
{
    if (call->params->row)
        parallel_for(call->count / call->params->row, gather_row, (void *)(uintptr_t)call);
    else
        parallel_for(call->params->count, gather_group, (void *)(uintptr_t)call);
}

static void scatter_group(void *data, int64_t group, int thread)
{
    const OpCall  *call  = data;
    int64_t        size  = shape_elements(call->in_shape[1]) / call->params->count;
    int64_t        whole = call->count / call->params->count;
    int64_t        row   = call->params->row ? call->params->row : 1;
    const int32_t *index = (const int32_t *)call->in[1] + group * size;
    const real    *y     = (const real *)call->in[0] + group * size * row;
    (void)thread;
    memset((real *)call->out + group * whole, 0, (size_t)whole * sizeof(real));
    for (int64_t i = 0; i < size; i++)
        for (int64_t j = 0; j < row; j++)
            ((real *)call->out)[index[i] * row + j] += y[i * row + j];
}

static void scatter_forward(const OpCall *call)
{
    parallel_for(call->params->count, scatter_group, (void *)(uintptr_t)call);
}

/* Positions of an index are below this. */
static int64_t index_limit(const Graph *graph, NodeId index)
{
    const Node *node = graph_node(graph, index);
    return node->op == OP_INDEX_INPUT ? node->params.count
                                      : shape_elements(graph_shape(graph, node->input[0]));
}

/* gather or scatter_add, where no position can lie outside the array. */
static NodeId append_indexed(Graph *graph, OpKind op, NodeId x, NodeId index, Shape array,
                             OpParams params)
{
    params.shape = array;
    NodeId node  = graph_append(graph, op, (NodeId[]){x, index}, &params);
    if (node == NODE_NONE)
        return NODE_NONE;
    int64_t places = params.row ? array.dim[0] : shape_elements(array);
    if (index_limit(graph, index) <= places)
        return node;
    fail(&graph->error, ERROR_INTERNAL, "%s: positions go up to %lld, %s has %lld",
         op_info(op)->name, (long long)index_limit(graph, index) - 1, SHAPE_TEXT(array),
         (long long)places);
    return NODE_NONE;
}

static void gather_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                            NodeId *grad_in)
{
    Node node = *graph_node(graph, out);
    (void)wanted;
    grad_in[0] =
        append_indexed(graph, OP_SCATTER_ADD, grad, node.input[1], node.params.shape, node.params);
}

static void scatter_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                             NodeId *grad_in)
{
    Node node = *graph_node(graph, out);
    (void)wanted;
    grad_in[0] =
        append_indexed(graph, OP_GATHER, grad, node.input[1], node.params.shape, node.params);
}

const OpInfo op_info_gather      = {.name     = "gather",
                                    .arity    = 2,
                                    .takes    = {ELEMENT_REAL, ELEMENT_INDEX},
                                    .infer    = infer_gather,
                                    .forward  = gather_forward,
                                    .backward = gather_backward};
const OpInfo op_info_scatter_add = {.name     = "scatter_add",
                                    .arity    = 2,
                                    .takes    = {ELEMENT_REAL, ELEMENT_INDEX},
                                    .infer    = infer_scatter,
                                    .forward  = scatter_forward,
                                    .backward = scatter_backward};

NodeId op_maxpool_index(Graph *graph, NodeId x, int window, int stride, int pad)
{
    OpParams params = {.window = window, .stride = stride, .pad = pad};
    return graph_append(graph, OP_MAXPOOL_INDEX, &x, &params);
}

NodeId op_gather(Graph *graph, NodeId x, NodeId index)
{
    return append_indexed(graph, OP_GATHER, x, index, graph_shape(graph, x),
                          (OpParams){.count = 1});
}

NodeId op_scatter_add(Graph *graph, NodeId y, NodeId index, Shape shape)
{
    return append_indexed(graph, OP_SCATTER_ADD, y, index, shape, (OpParams){.count = 1});
}

NodeId op_gather_rows(Graph *graph, NodeId table, NodeId index)
{
    Shape shape = graph_shape(graph, table);
    return append_indexed(graph, OP_GATHER, table, index, shape,
                          (OpParams){.count = 1, .row = shape.rank == 2 ? shape.dim[1] : -1});
}

NodeId op_scatter_add_rows(Graph *graph, NodeId y, NodeId index, int64_t rows)
{
    Shape   from  = graph_shape(graph, y);
    int64_t width = from.rank ? from.dim[from.rank - 1] : -1;
    return append_indexed(graph, OP_SCATTER_ADD, y, index, shape_2d(rows, width),
                          (OpParams){.count = 1, .row = width});
}

NodeId op_maxpool(Graph *graph, NodeId x, int window, int stride, int pad)
{
    Shape  shape = graph_shape(graph, x);
    NodeId index = op_maxpool_index(graph, x, window, stride, pad);
    return append_indexed(graph, OP_GATHER, x, index, shape,
                          (OpParams){.count = shape.dim[0] * shape.dim[1]});
}
