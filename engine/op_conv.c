/* engine/op_conv.c - the convolution triangle: conv2d is bilinear, and each of conv2d, conv2d_input
 * and conv2d_weight is a derivative of the others, so the three close at every order. */
#include "graph.h"

#include "../base/parallel.h"

/* Fills the geometry from the shapes of x, w and y. A kernel that reads fewer channels than x has
 * says by that how many groups there are. */
static ConvShape conv_shape(Shape x, Shape w, Shape y, const OpParams *params)
{
    return (ConvShape){.n      = x.dim[0],
                       .c      = x.dim[1],
                       .h      = x.dim[2],
                       .w      = x.dim[3],
                       .k      = w.dim[0],
                       .r      = w.dim[2],
                       .s      = w.dim[3],
                       .oh     = y.dim[2],
                       .ow     = y.dim[3],
                       .stride = params->stride,
                       .pad    = params->pad,
                       .groups = x.dim[1] / w.dim[1]};
}

/* Whether whole groups of channels of x meet whole groups of kernels. */
static bool groups_fit(Shape x, Shape w)
{
    return x.dim[1] % w.dim[1] == 0 && w.dim[0] % (x.dim[1] / w.dim[1]) == 0;
}

static bool output_side(int64_t side, int64_t kernel, const OpParams *params, int64_t *out)
{
    int64_t room = side + 2 * (int64_t)params->pad - kernel;
    *out         = room / params->stride + 1;
    return room >= 0 && *out >= 1;
}

static bool output_shape(Shape x, Shape w, const OpParams *params, Shape *out, Error *error)
{
    int64_t oh = 0, ow = 0;
    if (x.rank != 4 || w.rank != 4 || !groups_fit(x, w) || params->stride < 1 ||
        params->stride > CONV_MOST_SIDE || params->pad < 0 || params->pad > CONV_MOST_SIDE ||
        w.dim[2] > CONV_MOST_SIDE || w.dim[3] > CONV_MOST_SIDE ||
        !output_side(x.dim[2], w.dim[2], params, &oh) ||
        !output_side(x.dim[3], w.dim[3], params, &ow))
        return fail(error, ERROR_DATA,
                    "convolution: image %s and kernel %s do not fit (stride %d, pad %d)",
                    SHAPE_TEXT(x), SHAPE_TEXT(w), params->stride, params->pad);
    *out = shape_4d(x.dim[0], w.dim[0], oh, ow);
    return true;
}

static bool infer_conv2d(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    return output_shape(in[0], in[1], params, out, error);
}

static bool infer_conv2d_input(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    Shape y;
    if (!output_shape(params->shape, in[1], params, &y, error))
        return false;
    if (!shape_equal(y, in[0]))
        return fail(error, ERROR_INTERNAL, "conv2d_input: gradient is %s, expected %s",
                    SHAPE_TEXT(in[0]), SHAPE_TEXT(y));
    *out = params->shape;
    return true;
}

static bool infer_conv2d_weight(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    Shape y;
    if (!output_shape(in[0], params->shape, params, &y, error))
        return false;
    if (!shape_equal(y, in[1]))
        return fail(error, ERROR_INTERNAL, "conv2d_weight: gradient is %s, expected %s",
                    SHAPE_TEXT(in[1]), SHAPE_TEXT(y));
    *out = params->shape;
    return true;
}

bool conv_side_of(OpKind op, ConvSide *side)
{
    *side = op == OP_CONV2D         ? CONV_FORWARD
            : op == OP_CONV2D_INPUT ? CONV_INPUT_GRADIENT
                                    : CONV_WEIGHT_GRADIENT;
    return op == OP_CONV2D || op == OP_CONV2D_INPUT || op == OP_CONV2D_WEIGHT;
}

ConvShape conv_shape_of(OpKind op, const OpParams *params, const Shape *in, Shape out)
{
    return op == OP_CONV2D         ? conv_shape(in[0], in[1], out, params)
           : op == OP_CONV2D_INPUT ? conv_shape(out, in[1], in[0], params)
                                   : conv_shape(in[0], out, in[1], params);
}

/* ---- forward and input gradient: one text, two sides ----------------------------------------- */

static ConvShape side_shape(const OpCall *call, ConvSide side)
{
    return conv_shape_of(side == CONV_FORWARD ? OP_CONV2D : OP_CONV2D_INPUT, call->params,
                         call->in_shape, call->shape);
}

static size_t side_prepared(const OpCall *call, ConvSide side)
{
    ConvShape shape = side_shape(call, side);
    return conv_prepared_size(&shape, side, call->method);
}

static void side_prepare(const OpCall *call, ConvSide side, const real *weights, real *prepared)
{
    ConvShape shape = side_shape(call, side);
    conv_prepare(&shape, side, call->method, weights, prepared);
}

/* Weights that change between runs are prepared in scratch, before the scratch of the loop. */
static size_t side_scratch(const OpCall *call, ConvSide side, int threads)
{
    ConvShape shape = side_shape(call, side);
    size_t    own   = call->prepared ? 0 : (side_prepared(call, side) + 15) / 16 * 16;
    return own + conv_scratch_size(&shape, side, call->method, threads);
}

static void side_run(const OpCall *call, ConvSide side)
{
    ConvShape   shape    = side_shape(call, side);
    const real *prepared = call->prepared;
    real       *scratch  = call->scratch;
    if (!prepared) {
        side_prepare(call, side, call->in[1], scratch);
        prepared = scratch;
        scratch += (side_prepared(call, side) + 15) / 16 * 16;
    }
    conv_run(&shape, side, call->method, prepared, call->in[0], call->out, &call->finish, scratch);
}

#define BOTH_SIDES(name, side)                                                                     \
    static size_t name##_prepared(const OpCall *call)                                              \
    {                                                                                              \
        return side_prepared(call, side);                                                          \
    }                                                                                              \
    static void name##_prepare(const OpCall *call, const real *weights, real *prepared)            \
    {                                                                                              \
        side_prepare(call, side, weights, prepared);                                               \
    }                                                                                              \
    static size_t name##_scratch(const OpCall *call, int threads)                                  \
    {                                                                                              \
        return side_scratch(call, side, threads);                                                  \
    }                                                                                              \
    static void name##_forward(const OpCall *call)                                                 \
    {                                                                                              \
        side_run(call, side);                                                                      \
    }

BOTH_SIDES(conv2d, CONV_FORWARD)
BOTH_SIDES(conv2d_input, CONV_INPUT_GRADIENT)

/* ---- weight gradient ------------------------------------------------------------------------- */

static size_t conv2d_weight_scratch(const OpCall *call, int threads)
{
    ConvShape shape = conv_shape_of(OP_CONV2D_WEIGHT, call->params, call->in_shape, call->shape);
    return conv_weight_scratch_size(&shape, call->method, threads);
}

static void conv2d_weight_forward(const OpCall *call)
{
    ConvShape shape = conv_shape_of(OP_CONV2D_WEIGHT, call->params, call->in_shape, call->shape);
    conv_weight_run(&shape, call->method, call->in[0], call->in[1], call->out, call->scratch);
}

/* ---- rules ----------------------------------------------------------------------------------- */

typedef struct Triangle {
    NodeId a, b;
    int    stride, pad;
    Shape  shape_a, shape_b;
} Triangle;

static Triangle triangle_of(const Graph *graph, NodeId out)
{
    const Node *node = graph_node(graph, out);
    return (Triangle){.a       = node->input[0],
                      .b       = node->input[1],
                      .stride  = node->params.stride,
                      .pad     = node->params.pad,
                      .shape_a = graph_shape(graph, node->input[0]),
                      .shape_b = graph_shape(graph, node->input[1])};
}

static void conv2d_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                            NodeId *grad_in)
{
    Triangle t = triangle_of(graph, out); // a: x, b: w
    if (wanted[0])
        grad_in[0] = op_conv2d_input(graph, grad, t.b, t.shape_a, t.stride, t.pad);
    if (wanted[1])
        grad_in[1] = op_conv2d_weight(graph, t.a, grad, t.shape_b, t.stride, t.pad);
}

static void conv2d_input_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                                  NodeId *grad_in)
{
    Triangle t = triangle_of(graph, out); // a: gy, b: w; grad has the shape of x
    if (wanted[0])
        grad_in[0] = op_conv2d(graph, grad, t.b, t.stride, t.pad);
    if (wanted[1])
        grad_in[1] = op_conv2d_weight(graph, grad, t.a, t.shape_b, t.stride, t.pad);
}

static void conv2d_weight_backward(Graph *graph, NodeId out, NodeId grad, const bool *wanted,
                                   NodeId *grad_in)
{
    Triangle t = triangle_of(graph, out); // a: x, b: gy; grad has the shape of w
    if (wanted[0])
        grad_in[0] = op_conv2d_input(graph, t.b, grad, t.shape_a, t.stride, t.pad);
    if (wanted[1])
        grad_in[1] = op_conv2d(graph, t.a, grad, t.stride, t.pad);
}

const OpInfo op_info_conv2d        = {.name          = "conv2d",
                                      .arity         = 2,
                                      .infer         = infer_conv2d,
                                      .scratch_size  = conv2d_scratch,
                                      .prepared_size = conv2d_prepared,
                                      .prepare       = conv2d_prepare,
                                      .forward       = conv2d_forward,
                                      .backward      = conv2d_backward};
const OpInfo op_info_conv2d_input  = {.name          = "conv2d_input",
                                      .arity         = 2,
                                      .infer         = infer_conv2d_input,
                                      .scratch_size  = conv2d_input_scratch,
                                      .prepared_size = conv2d_input_prepared,
                                      .prepare       = conv2d_input_prepare,
                                      .forward       = conv2d_input_forward,
                                      .backward      = conv2d_input_backward};
const OpInfo op_info_conv2d_weight = {.name         = "conv2d_weight",
                                      .arity        = 2,
                                      .infer        = infer_conv2d_weight,
                                      .scratch_size = conv2d_weight_scratch,
                                      .forward      = conv2d_weight_forward,
                                      .backward     = conv2d_weight_backward};

NodeId op_conv2d(Graph *graph, NodeId x, NodeId w, int stride, int pad)
{
    return graph_append(graph, OP_CONV2D, (NodeId[]){x, w},
                        &(OpParams){.stride = stride, .pad = pad});
}

NodeId op_conv2d_input(Graph *graph, NodeId gy, NodeId w, Shape x_shape, int stride, int pad)
{
    OpParams params = {.shape = x_shape, .stride = stride, .pad = pad};
    return graph_append(graph, OP_CONV2D_INPUT, (NodeId[]){gy, w}, &params);
}

NodeId op_conv2d_weight(Graph *graph, NodeId x, NodeId gy, Shape w_shape, int stride, int pad)
{
    OpParams params = {.shape = w_shape, .stride = stride, .pad = pad};
    return graph_append(graph, OP_CONV2D_WEIGHT, (NodeId[]){x, gy}, &params);
}
