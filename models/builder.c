/* models/builder.c - see builder.h. */
#include "builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

LayerText layer_text(const char *format, ...)
{
    LayerText text;
    va_list   arguments;
    va_start(arguments, format);
    vsnprintf(text.text, sizeof text.text, format, arguments);
    va_end(arguments);
    return text;
}

bool builder_is_over(Builder *builder)
{
    return builder->found == builder->wanted_count || builder->lack.code != ERROR_NONE ||
           !graph_check(builder->graph, &builder->lack);
}

/* ---- tensors of the blob --------------------------------------------------------------------- */

static const char *prefix_of(const Builder *builder)
{
    return builder->prefix ? builder->prefix : "";
}

bool builder_has(const Builder *builder, const char *base, const char *part)
{
    return blob_lookup(builder->blob, LAYER("%s%s.%s", prefix_of(builder), base, part)) != NULL;
}

bool builder_find(Builder *builder, const char *base, const char *part, Shape shape,
                  const real **data, Error *error)
{
    return blob_find(builder->blob, LAYER("%s%s.%s", prefix_of(builder), base, part), shape, data,
                     error);
}

bool builder_has_norm(const Builder *builder, const char *norm)
{
    return builder_has(builder, norm, "running_var");
}

Shape builder_shape(Builder *builder, const char *name, int rank)
{
    LayerText         whole  = layer_text("%s%s", prefix_of(builder), name);
    const BlobTensor *tensor = blob_lookup(builder->blob, whole.text);
    if (tensor && tensor->shape.rank == rank)
        return tensor->shape;
    if (tensor)
        fail(&builder->lack, ERROR_DATA, "%s: '%s' is %s, expected rank %d",
             blob_path(builder->blob), whole.text, SHAPE_TEXT(tensor->shape), rank);
    else
        fail(&builder->lack, ERROR_DATA, "%s: no tensor '%s'", blob_path(builder->blob),
             whole.text);
    return shape_scalar();
}

// The input of a trained tensor, made once for all forward passes that share the list.
static NodeId trained_input(Builder *builder, const char *name, Shape shape, const real *initial)
{
    Trainables      *list  = builder->request->trainables;
    TrainableWeight *known = trainable_weight(list, name);
    if (known)
        return known->node;
    TrainableWeight *weight = trainables_add_weight(list, &builder->lack);
    if (!weight)
        return NODE_NONE;
    *weight = (TrainableWeight){.shape = shape, .initial = initial};
    snprintf(weight->name, sizeof weight->name, "%s", name);
    weight->node = op_input(builder->graph, shape, name);
    return weight->node;
}

NodeId builder_tensor(Builder *builder, const char *name, Shape stored, Shape used)
{
    LayerText   whole = layer_text("%s%s", prefix_of(builder), name);
    const real *data  = NULL;
    if (!blob_find(builder->blob, whole.text, stored, &data, &builder->lack))
        return NODE_NONE;
    if (!builder->request->trainables) // a leaf, so that a plan prepares it for its kernel
        return op_parameter(builder->graph, used, data);
    NodeId input = trained_input(builder, whole.text, stored, data);
    return input == NODE_NONE || shape_equal(stored, used)
               ? input
               : op_reshape(builder->graph, input, used);
}

NodeId builder_parameter(Builder *builder, const char *base, const char *part, Shape shape)
{
    return builder_tensor(builder, LAYER("%s.%s", base, part), shape, shape);
}

/* ---- layers ---------------------------------------------------------------------------------- */

// Zeros that TensorFlow's SAME puts around an axis: as many as ceil(size / stride) windows need.
static NodeId pad_same(Graph *graph, NodeId x, int axis, int side, int stride)
{
    int64_t size  = graph_shape(graph, x).dim[axis];
    int64_t total = ((size + stride - 1) / stride - 1) * stride + side - size;
    return total > 0 ? op_pad(graph, x, axis, total / 2, total - total / 2) : x;
}

NodeId build_padding(Builder *builder, NodeId x, int side, int stride, int *pad)
{
    const char *padding = blob_about(builder->blob, "padding");
    if (stride == 1 || !padding || strcmp(padding, "torch") == 0 || builder_is_over(builder))
        return x;
    if (strcmp(padding, "same") != 0) {
        fail(&builder->lack, ERROR_DATA, "%s: 'about' has padding=%.64s, expected torch or same",
             blob_path(builder->blob), padding);
        return NODE_NONE;
    }
    *pad = 0;
    x    = pad_same(builder->graph, x, 2, side, stride);
    return pad_same(builder->graph, x, 3, side, stride);
}

NodeId build_conv(Builder *builder, NodeId x, const char *base, int side, int stride, int pad)
{
    return build_grouped_conv(builder, x, base, 1, side, stride, pad);
}

NodeId build_grouped_conv(Builder *builder, NodeId x, const char *base, int64_t groups, int side,
                          int stride, int pad)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    Shape   shape    = builder_shape(builder, LAYER("%s.weight", base), 4);
    int64_t channels = graph_shape(builder->graph, x).dim[1];
    groups           = groups == DEPTHWISE ? channels : groups;
    if (shape.rank && (channels % groups || shape.dim[0] % groups))
        fail(
            &builder->lack, ERROR_DATA,
            "%s: '%s.weight' has %lld kernels for %lld channels, expected multiples of %lld groups",
            blob_path(builder->blob), base, (long long)shape.dim[0], (long long)channels,
            (long long)groups);
    if (builder_is_over(builder) || shape.rank == 0)
        return NODE_NONE;
    Shape  want   = shape_4d(shape.dim[0], channels / groups, side, side);
    NodeId weight = builder_parameter(builder, base, "weight", want);
    x             = build_padding(builder, x, side, stride, &pad);
    if (builder_is_over(builder))
        return NODE_NONE;
    NodeId y = op_conv2d(builder->graph, x, weight, stride, pad);
    graph_name(builder->graph, y, base);
    if (!builder_has(builder, base, "bias"))
        return y;
    NodeId bias = builder_parameter(builder, base, "bias", shape_1d(shape.dim[0]));
    return builder_is_over(builder) ? NODE_NONE : op_bias(builder->graph, y, bias);
}

NodeId build_dense(Builder *builder, NodeId x, const char *base)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    Graph *graph = builder->graph;
    Shape  shape = builder_shape(builder, LAYER("%s.weight", base), 2), in = graph_shape(graph, x);
    if (shape.rank == 0)
        return NODE_NONE;
    int64_t columns = shape_elements(in) / in.dim[0];
    NodeId  weight  = builder_parameter(builder, base, "weight", shape_2d(shape.dim[0], columns));
    NodeId  bias    = builder_parameter(builder, base, "bias", shape_1d(shape.dim[0]));
    if (builder_is_over(builder))
        return NODE_NONE;
    NodeId flat = in.rank == 2 ? x : op_reshape(graph, x, shape_2d(in.dim[0], columns));
    NodeId y    = op_matmul(graph, flat, weight, false, true);
    graph_name(graph, y, base);
    return op_bias(graph, y, bias);
}

NodeId build_activation(Builder *builder, NodeId x)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    const NetworkRequest *request = builder->request;
    if (!builder->activation.is_relu)
        builder->activation = (Activation){builder->softplus_beta > 0 ? "softplus" : "ReLU", true};
    if (request->softplus)
        return op_softplus_by(builder->graph, x, *request->softplus);
    return builder->softplus_beta > 0 ? op_softplus(builder->graph, x, builder->softplus_beta)
                                      : op_relu(builder->graph, x);
}

NodeId build_relu6(Builder *builder, NodeId x)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    builder->activation = (Activation){"ReLU6", true};
    if (!builder->request->softplus && builder->softplus_beta == 0)
        return op_clamp(builder->graph, x, 6);
    NodeId above = build_activation(builder, op_offset(builder->graph, x, -6));
    return op_sub(builder->graph, build_activation(builder, x), above);
}

// x times a gate that is computed from it.
static NodeId gated(Builder *builder, NodeId x, const char *name, NodeId gate)
{
    builder->activation = (Activation){name, false};
    return op_mul(builder->graph, x, gate);
}

NodeId build_silu(Builder *builder, NodeId x)
{
    return builder_is_over(builder) ? NODE_NONE
                                    : gated(builder, x, "SiLU", op_sigmoid(builder->graph, x, 1));
}

NodeId build_gelu(Builder *builder, NodeId x)
{
    return builder_is_over(builder) ? NODE_NONE
                                    : gated(builder, x, "GELU", op_normal_cdf(builder->graph, x));
}

NodeId build_quick_gelu(Builder *builder, NodeId x)
{
    return builder_is_over(builder)
               ? NODE_NONE
               : gated(builder, x, "quick GELU", op_sigmoid(builder->graph, x, (real)1.702));
}

NodeId build_response_norm(Builder *builder, NodeId x)
{
    return builder_is_over(builder)
               ? NODE_NONE
               : op_response_norm(builder->graph, x, 5, (real)1e-4, (real)0.75, 1);
}

NodeId build_maxpool(Builder *builder, NodeId x, int window, int stride, int pad)
{
    x = build_padding(builder, x, window, stride, &pad); // zeros lose: x is not negative
    return builder_is_over(builder) ? NODE_NONE
                                    : op_maxpool(builder->graph, x, window, stride, pad);
}

/* Rows and columns of zeros complete the last window; they lose against, or equal, what is there.
 */
NodeId build_maxpool_ceil(Builder *builder, NodeId x, int window, int stride)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    for (int axis = 2; axis < 4; axis++) {
        int64_t over = (graph_shape(builder->graph, x).dim[axis] - window) % stride;
        if (over > 0)
            x = op_pad(builder->graph, x, axis, 0, stride - over);
    }
    return op_maxpool(builder->graph, x, window, stride, 0);
}

NodeId build_add(Builder *builder, NodeId a, NodeId b)
{
    return builder_is_over(builder) ? NODE_NONE : op_add(builder->graph, a, b);
}

NodeId build_residual(Builder *builder, NodeId y, NodeId x, int stride)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    bool is_same =
        stride == 1 && shape_equal(graph_shape(builder->graph, y), graph_shape(builder->graph, x));
    return is_same ? op_add(builder->graph, y, x) : y;
}

NodeId build_concat(Builder *builder, NodeId a, NodeId b)
{
    return builder_is_over(builder) ? NODE_NONE : op_concat(builder->graph, a, b, 1);
}

NodeId build_global_mean(Builder *builder, NodeId x)
{
    return builder_is_over(builder) ? NODE_NONE : op_global_mean(builder->graph, x);
}

void build_mean_logits(Builder *builder, NodeId x, const char *base)
{
    x = build_global_mean(builder, x);
    build_layer(builder, x, "avgpool", NULL);
    build_layer(builder, build_dense(builder, x, base), "logits", base);
}

/* ---- layers with names ----------------------------------------------------------------------- */

static bool is_wanted(const Builder *builder, int i, const char *name)
{
    return builder->wanted && name && strcmp(builder->wanted[i], name) == 0;
}

// x is the i-th wanted layer, unless it cannot be built any more.
static void take_layer(Builder *builder, int i, NodeId x, const char *name, bool is_there)
{
    if (is_there) {
        builder->layers[i] = x;
        builder->found++;
        snprintf(builder->layer_name, sizeof builder->layer_name, "%s", name);
        graph_name(builder->graph, x, name);
    } else if (!builder->lacking[0]) {
        snprintf(builder->lacking, sizeof builder->lacking, "%s", name);
    }
}

// x for every wanted layer of that name that is not found yet; is_asked: for the one wanted by
// index.
static void offer(Builder *builder, NodeId x, const char *name, const char *alias, bool is_asked)
{
    bool is_there = !builder_is_over(builder);
    for (int i = 0; i < builder->wanted_count; i++)
        if (builder->layers[i] == NODE_NONE &&
            (is_asked || is_wanted(builder, i, name) || is_wanted(builder, i, alias)))
            take_layer(builder, i, x, name, is_there);
}

void build_module(Builder *builder, NodeId x, const char *name)
{
    offer(builder, x, name, NULL, false);
}

// " ..." in place of the names that do not fit.
static void list_layer(Builder *builder, const char *name)
{
    size_t used = strlen(builder->list), room = sizeof builder->list - used;
    if (used + strlen(name) + 8 < sizeof builder->list)
        snprintf(builder->list + used, room, "%s%s", used ? ", " : "", name);
    else if (builder->list[used - 1] != '.')
        snprintf(builder->list + used, room, " ...");
}

void build_layer(Builder *builder, NodeId x, const char *name, const char *alias)
{
    bool is_there = !builder_is_over(builder);
    offer(builder, x, name, alias, is_there && builder->listed == builder->wanted_index);
    if (is_there) {
        list_layer(builder, name);
        builder->listed++;
    }
}

NodeId build_activated_layer(Builder *builder, NodeId x, const char *name, const char *alias)
{
    if (!builder->request->post_relu)
        build_layer(builder, x, name, alias);
    NodeId y = build_activation(builder, x);
    if (builder->request->post_relu)
        build_layer(builder, y, name, alias);
    return y;
}
