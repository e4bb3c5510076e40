/* models/mobilenet_v2.c - MobileNetV2: inverted residual blocks.
 *
 * A block widens by a 1x1 convolution, filters every channel on its own, and narrows by another 1x1
 * without an activation; where stride and width allow, its input is added. Layers: features.0 (the
 * first convolution) to features.17 (blocks), features.18 (the last convolution), all as
 * torchvision's modules give them, so after ReLU6 where they end with it; also features.3.conv.0
 * (widened) and features.3.conv.1 (filtered). Widths are those of the tensors.
 * Source: Sandler et al., CVPR 2018, table 2; torchvision's mobilenetv2.py for names. */
#include "builder.h"

enum { BLOCKS = 17 };

static const int strides[BLOCKS] = {1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1};

// Convolution, norm and ReLU6: the modules base.0, base.1 and base.2.
static NodeId conv_norm_relu6(Builder *builder, NodeId x, const char *base, int64_t groups,
                              int side, int stride)
{
    x = build_grouped_conv_norm(builder, x, LAYER("%s.0", base), LAYER("%s.1", base), groups, side,
                                stride, side / 2);
    x = build_relu6(builder, x);
    build_module(builder, x, base);
    return x;
}

// The first block of the paper does not widen; Gluon's does, by a factor of 1.
static NodeId block(Builder *builder, NodeId x, const char *base, int stride)
{
    int    place = 0;
    NodeId y     = x;
    if (builder_has(builder, LAYER("%s.conv.1.0", base), "weight"))
        y = conv_norm_relu6(builder, y, LAYER("%s.conv.%d", base, place++), 1, 1, 1);
    y = conv_norm_relu6(builder, y, LAYER("%s.conv.%d", base, place++), DEPTHWISE, 3, stride);
    y = build_conv_norm(builder, y, LAYER("%s.conv.%d", base, place),
                        LAYER("%s.conv.%d", base, place + 1), 1, 1, 0);
    return build_residual(builder, y, x, stride);
}

void mobilenet_v2_build(Builder *builder, NodeId x, int depth)
{
    (void)depth;
    x = conv_norm_relu6(builder, x, "features.0", 1, 3, 2);
    build_layer(builder, x, "features.0", NULL);
    for (int i = 0; i < BLOCKS; i++) {
        LayerText name = layer_text("features.%d", i + 1);
        x              = block(builder, x, name.text, strides[i]);
        build_layer(builder, x, name.text, NULL);
    }
    x = conv_norm_relu6(builder, x, "features.18", 1, 1, 1);
    build_layer(builder, x, "features.18", NULL);
    build_mean_logits(builder, x, "classifier.1");
}
