/* engine/op_matmul.c - matrix products, plain or batched; four transposes instead of a transpose
 * op. */
#include "graph.h"

#include "gemm.h"
#include "../base/parallel.h"

/* m, n, k and the number of products of op(a) [m,k] and op(b) [k,n]. */
typedef struct Product {
    int64_t groups, m, n, k;
} Product;

static bool product_of(const Shape *in, const OpParams *params, Product *out)
{
    int rank = in[0].rank;
    if (rank != in[1].rank || (rank != 2 && rank != 3) ||
        (rank == 3 && in[0].dim[0] != in[1].dim[0]))
        return false;
    const int64_t *a = in[0].dim + rank - 2, *b = in[1].dim + rank - 2;
    *out = (Product){.groups = rank == 3 ? in[0].dim[0] : 1,
                     .m      = a[params->transpose_a],
                     .k      = a[!params->transpose_a],
                     .n      = b[!params->transpose_b]};
    return b[params->transpose_b] == out->k;
}

static bool infer_matmul(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    Product p;
    if (!product_of(in, params, &p))
        return fail(error, ERROR_INTERNAL, "matmul: %s%s and %s%s do not fit", SHAPE_TEXT(in[0]),
                    params->transpose_a ? " transposed" : "", SHAPE_TEXT(in[1]),
                    params->transpose_b ? " transposed" : "");
    *out = in[0].rank == 3 ? shape_3d(p.groups, p.m, p.n) : shape_2d(p.m, p.n);
    return true;
}

static size_t matmul_scratch_size(const OpCall *call, int threads)
{
    Product p = {0};
    product_of(call->in_shape, call->params, &p);
    return gemm_scratch_size(p.groups, p.m, p.n, p.k, threads);
}

static void matmul_forward(const OpCall *call)
{
    Product p = {0};
    product_of(call->in_shape, call->params, &p);
    bool ta = call->params->transpose_a, tb = call->params->transpose_b;
    Gemm gemm = {
        .groups   = p.groups,
        .m        = p.m,
        .n        = p.n,
        .k        = p.k,
        .a        = call->in[0],
        .b        = call->in[1],
        .c        = call->out,
        .a_row    = ta ? 1 : p.k,
        .a_depth  = ta ? p.m : 1,
        .b_depth  = tb ? 1 : p.n,
        .b_column = tb ? p.k : 1,
    };
    gemm_run(&gemm, call->scratch);
}

/* With C = op(A) op(B): d op(A) = G op(B)^T and d op(B) = op(A)^T G, stored the way A and B are. */
static void matmul_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                            NodeId *grad_in)
{
    NodeId a = graph_node(graph, out)->input[0], b = graph_node(graph, out)->input[1];
    bool   ta = graph_node(graph, out)->params.transpose_a;
    bool   tb = graph_node(graph, out)->params.transpose_b;
    if (wanted[0])
        grad_in[0] =
            ta ? op_matmul(graph, b, grad, tb, true) : op_matmul(graph, grad, b, false, !tb);
    if (wanted[1])
        grad_in[1] =
            tb ? op_matmul(graph, grad, a, true, ta) : op_matmul(graph, a, grad, !ta, false);
}

const OpInfo op_info_matmul = {.name         = "matmul",
                               .arity        = 2,
                               .infer        = infer_matmul,
                               .scratch_size = matmul_scratch_size,
                               .forward      = matmul_forward,
                               .backward     = matmul_backward};

NodeId op_matmul(Graph *graph, NodeId a, NodeId b, bool transpose_a, bool transpose_b)
{
    OpParams params = {.transpose_a = transpose_a, .transpose_b = transpose_b};
    return graph_append(graph, OP_MATMUL, (NodeId[]){a, b}, &params);
}
