/* models/efficientnet.c - EfficientNet-B0 to B4: inverted residual blocks whose channels are
 * weighed by squeeze-and-excitation.
 *
 * A block widens by a 1x1 convolution (but for the first stage), filters every channel on its own,
 * multiplies each channel by a gate between 0 and 1 that is computed from the means of all
 * channels, and narrows by another 1x1. The gates see the whole picture, so nothing behind the
 * first block has a receptive field. Layers: features.0 (the first convolution), features.1 to
 * features.7 (stages), features.8 (the last convolution), after their activation where they end
 * with it; also features.4.1 (a block). Widths are those of the tensors; stages of B1 to B4 have
 * more blocks than those of B0. Sources: Tan and Le, ICML 2019, table 1; Hu et al., CVPR 2018
 * (squeeze-and-excitation); torchvision's efficientnet.py for names. */
#include "builder.h"

#include <math.h>

enum { STAGES = 7 };

static const struct {
    int side, stride, blocks; // of B0
} stages[STAGES] = {
    {3, 1, 1}, {3, 2, 2}, {5, 2, 2}, {3, 2, 3}, {5, 1, 3}, {5, 2, 4}, {3, 1, 1},
};

static const double deeper[] = {1, 1.1, 1.2, 1.4, 1.8}; // of B0 to B4

// Convolution, norm and SiLU: the modules base.0, base.1 and base.2.
static NodeId conv_norm_silu(Builder *builder, NodeId x, const char *base, int64_t groups, int side,
                             int stride)
{
    x = build_grouped_conv_norm(builder, x, LAYER("%s.0", base), LAYER("%s.1", base), groups, side,
                                stride, side / 2);
    x = build_silu(builder, x);
    build_module(builder, x, base);
    return x;
}

/* x times sigmoid(fc2(silu(fc1(mean of x)))), a number a channel. */
static NodeId excite(Builder *builder, NodeId x, const char *base)
{
    NodeId mean = build_global_mean(builder, x);
    if (builder_is_over(builder))
        return NODE_NONE;
    Graph *graph = builder->graph;
    Shape  maps = graph_shape(graph, x), one = shape_4d(maps.dim[0], maps.dim[1], 1, 1);
    NodeId gate = op_reshape(graph, mean, one);
    gate        = build_silu(builder, build_conv(builder, gate, LAYER("%s.fc1", base), 1, 1, 0));
    gate        = build_conv(builder, gate, LAYER("%s.fc2", base), 1, 1, 0);
    if (builder_is_over(builder))
        return NODE_NONE;
    return op_mul(graph, x, op_broadcast_to(graph, op_sigmoid(graph, gate, 1), maps));
}

static NodeId block(Builder *builder, NodeId x, const char *base, int side, int stride)
{
    int    place = 0;
    NodeId y     = x;
    if (builder_has(builder, LAYER("%s.block.2.fc1", base), "weight"))
        y = conv_norm_silu(builder, y, LAYER("%s.block.%d", base, place++), 1, 1, 1);
    y = conv_norm_silu(builder, y, LAYER("%s.block.%d", base, place++), DEPTHWISE, side, stride);
    y = excite(builder, y, LAYER("%s.block.%d", base, place++));
    y = build_conv_norm(builder, y, LAYER("%s.block.%d.0", base, place),
                        LAYER("%s.block.%d.1", base, place), 1, 1, 0);
    return build_residual(builder, y, x, stride);
}

void efficientnet_build(Builder *builder, NodeId x, int depth)
{
    x = conv_norm_silu(builder, x, "features.0", 1, 3, 2);
    build_layer(builder, x, "features.0", NULL);
    for (int stage = 0; stage < STAGES; stage++) {
        LayerText name   = layer_text("features.%d", stage + 1);
        int       blocks = (int)ceil(stages[stage].blocks * deeper[depth]);
        for (int i = 0; i < blocks; i++) {
            LayerText base = layer_text("%s.%d", name.text, i);
            x = block(builder, x, base.text, stages[stage].side, i == 0 ? stages[stage].stride : 1);
            build_module(builder, x, base.text);
        }
        build_layer(builder, x, name.text, NULL);
    }
    x = conv_norm_silu(builder, x, "features.8", 1, 1, 1);
    build_layer(builder, x, "features.8", NULL);
    build_mean_logits(builder, x, "classifier.1");
}
