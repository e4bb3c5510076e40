/* models/norm.c - batch norm in inference mode: gamma (x - mean) / sqrt(variance + epsilon) + beta.
 *
 * After a convolution it is a factor per kernel and a bias, so it is folded into the weights once.
 * Source: Ioffe and Szegedy, ICML 2015, algorithm 2. */
#include "builder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// What is added to the variances of a blob's norms.
static double epsilon_of(Builder *builder)
{
    double epsilon = 1e-5;
    blob_number(builder->blob, "bn_epsilon", 1e-12, 1, &epsilon, &builder->lack);
    return epsilon;
}

typedef struct Norm {
    const real *gamma, *beta, *mean, *variance;
} Norm;

// The four vectors of `base`; a variance is not negative, so its root exists.
static bool find_norm(Builder *builder, const char *base, int64_t channels, Norm *out)
{
    static const char *const parts[4]   = {"weight", "bias", "running_mean", "running_var"};
    const real             **vectors[4] = {&out->gamma, &out->beta, &out->mean, &out->variance};
    for (int i = 0; i < 4; i++)
        if (!builder_find(builder, base, parts[i], shape_1d(channels), vectors[i], &builder->lack))
            return false;
    for (int64_t c = 0; c < channels; c++)
        if (!(out->variance[c] >= 0))
            return fail(&builder->lack, ERROR_DATA,
                        "%s: '%s.running_var' has the negative variance %g",
                        blob_path(builder->blob), base, (double)out->variance[c]);
    return true;
}

/* In training: the statistics are those of the batch and the gradient goes through them (algorithm
 * 1). */
static NodeId batch_norm(Builder *builder, NodeId x, const char *base)
{
    Graph      *graph = builder->graph;
    Trainables *list  = builder->request->trainables;
    Shape       in = graph_shape(graph, x), one = shape_4d(1, in.dim[1], 1, 1);
    Shape       vector = shape_1d(in.dim[1]);
    int64_t     values = in.dim[0] * in.dim[2] * in.dim[3];
    NodeId      gamma  = builder_parameter(builder, base, "weight", vector);
    NodeId      beta   = builder_parameter(builder, base, "bias", vector);
    if (builder_is_over(builder))
        return NODE_NONE;
    TrainableNorm *norm = trainables_add_norm(list, &builder->lack);
    if (!norm)
        return NODE_NONE;
    real   share    = 1 / (real)values;
    NodeId mean     = op_scale(graph, op_sum_to(graph, x, one), share);
    NodeId centred  = op_sub(graph, x, op_broadcast_to(graph, mean, in));
    NodeId square   = op_mul(graph, centred, centred);
    NodeId variance = op_scale(graph, op_sum_to(graph, square, one), share);
    NodeId spread =
        op_reshape(graph, op_offset(graph, variance, (real)epsilon_of(builder)), vector);
    NodeId factor = op_mul(graph, gamma, op_power(graph, spread, (real)-0.5));
    *norm         = (TrainableNorm){.mean     = mean,
                                    .variance = variance,
                                    .channels = in.dim[1],
                                    .values   = values,
                                    .forward  = list->forward_count};
    snprintf(norm->name, sizeof norm->name, "%s", base);
    return op_affine(graph, centred, factor, beta);
}

NodeId build_norm(Builder *builder, NodeId x, const char *base)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    if (builder->request->trainables)
        return batch_norm(builder, x, base);
    Graph *graph = builder->graph;
    Norm   norm  = {0};
    Shape  shape = shape_1d(graph_shape(graph, x).dim[1]);
    if (!find_norm(builder, base, shape.dim[0], &norm))
        return NODE_NONE;
    NodeId gamma = op_parameter(graph, shape, norm.gamma);
    NodeId beta  = op_parameter(graph, shape, norm.beta);
    NodeId mean  = op_parameter(graph, shape, norm.mean);
    NodeId spread =
        op_offset(graph, op_parameter(graph, shape, norm.variance), (real)epsilon_of(builder));
    NodeId factor = op_mul(graph, gamma, op_power(graph, spread, (real)-0.5));
    return op_affine(graph, x, factor, op_sub(graph, beta, op_mul(graph, mean, factor)));
}

/* ---- folding --------------------------------------------------------------------------------- */

static void fold(const Norm *norm, double epsilon, const real *weight, const real *bias,
                 Shape shape, real *out_weight, real *out_bias)
{
    int64_t size = shape_elements(shape) / shape.dim[0];
    for (int64_t k = 0; k < shape.dim[0]; k++) {
        double factor = (double)norm->gamma[k] / sqrt((double)norm->variance[k] + epsilon);
        double start  = bias ? (double)bias[k] : 0;
        out_bias[k]   = (real)((start - (double)norm->mean[k]) * factor + (double)norm->beta[k]);
        for (int64_t i = 0; i < size; i++)
            out_weight[k * size + i] = (real)(factor * (double)weight[k * size + i]);
    }
}

// The folded kernel and bias, made at the first request and kept by the blob.
static bool folded_weights(Builder *builder, const char *conv, const char *norm_name, Shape shape,
                           real **weight, real **bias)
{
    WeightBlob *blob  = builder->blob;
    Error      *lack  = &builder->lack;
    const real *plain = NULL, *shift = NULL;
    Norm        norm    = {0};
    bool        is_new  = false;
    int64_t     outputs = shape.dim[0];
    if (!find_norm(builder, norm_name, outputs, &norm) ||
        !builder_find(builder, conv, "weight", shape, &plain, lack) ||
        (builder_has(builder, conv, "bias") &&
         !builder_find(builder, conv, "bias", shape_1d(outputs), &shift, lack)) ||
        !blob_derived(blob, LAYER("%s.bias, folded", conv), (size_t)outputs, bias, &is_new, lack) ||
        !blob_derived(blob, LAYER("%s.weight, folded", conv), (size_t)shape_elements(shape), weight,
                      &is_new, lack))
        return false;
    if (is_new)
        fold(&norm, epsilon_of(builder), plain, shift, shape, *weight, *bias);
    return true;
}

// Some convolutions have a bias besides their norm, so the bias alone does not tell.
static bool was_folded(const Builder *builder, const char *conv, const char *norm)
{
    const char *state = blob_about(builder->blob, "bn");
    return !builder_has_norm(builder, norm) && builder_has(builder, conv, "bias") &&
           !(state && strcmp(state, "unfolded") == 0);
}

// `bare` is the convolution of x as the blob has it; the norm goes onto it, or into its weights.
static NodeId add_norm(Builder *builder, NodeId x, NodeId bare, const char *conv, const char *norm,
                       int stride, int pad)
{
    if (was_folded(builder, conv, norm))
        return bare;
    if (builder->request->keep_norms || builder->request->trainables || builder_is_over(builder))
        return build_norm(builder, bare, norm);
    real *weight = NULL, *bias = NULL;
    Shape shape = builder_shape(builder, LAYER("%s.weight", conv), 4);
    if (!folded_weights(builder, conv, norm, shape, &weight, &bias))
        return NODE_NONE;
    x = build_padding(builder, x, (int)shape.dim[2], stride, &pad);
    NodeId y =
        op_conv2d(builder->graph, x, op_parameter(builder->graph, shape, weight), stride, pad);
    graph_name(builder->graph, y, conv);
    return op_bias(builder->graph, y, op_parameter(builder->graph, shape_1d(shape.dim[0]), bias));
}

NodeId build_conv_norm(Builder *builder, NodeId x, const char *conv, const char *norm, int side,
                       int stride, int pad)
{
    return build_grouped_conv_norm(builder, x, conv, norm, 1, side, stride, pad);
}

NodeId build_grouped_conv_norm(Builder *builder, NodeId x, const char *conv, const char *norm,
                               int64_t groups, int side, int stride, int pad)
{
    NodeId bare = build_grouped_conv(builder, x, conv, groups, side, stride, pad);
    if (builder_has_norm(builder, norm))
        build_module(builder, bare, conv);
    return add_norm(builder, x, bare, conv, norm, stride, pad);
}

NodeId build_stem(Builder *builder, NodeId x, const char *prefix, const char *conv,
                  const char *norm, int side, int stride)
{
    LayerText conv_base = layer_text("%s%s", prefix, conv),
              norm_base = layer_text("%s%s", prefix, norm);
    NodeId bare         = build_conv(builder, x, conv_base.text, side, stride, side / 2);
    if (builder_has_norm(builder, norm_base.text))
        build_layer(builder, bare, conv, conv_base.text);
    x = add_norm(builder, x, bare, conv_base.text, norm_base.text, stride, side / 2);
    return build_activated_layer(builder, x, norm, norm_base.text);
}
