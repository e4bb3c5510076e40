/* models/densenet.c - DenseNet-121: every layer of a block sees all layers before it.
 *
 * A layer is conv2(relu(norm2(conv1(relu(norm1(x)))))) and is concatenated to x; between blocks a
 * 1x1 convolution and 2x2 averaging. Layers: conv0, denseblock1 to 4, transition1 to 3, norm5.
 * Source: Huang et al., CVPR 2017, table 1; torchvision's densenet.py. */
#include "builder.h"

static NodeId dense_layer(Builder *builder, NodeId x, const char *base)
{
    NodeId y = build_norm(builder, x, LAYER("%s.norm1", base));
    y        = build_activation(builder, y);
    y = build_conv_norm(builder, y, LAYER("%s.conv1", base), LAYER("%s.norm2", base), 1, 1, 0);
    y = build_activation(builder, y);
    y = build_conv(builder, y, LAYER("%s.conv2", base), 3, 1, 1);
    return build_concat(builder, x, y);
}

static NodeId transition(Builder *builder, NodeId x, int number)
{
    LayerText base = layer_text("features.transition%d", number);
    x              = build_activation(builder, build_norm(builder, x, LAYER("%s.norm", base.text)));
    x              = build_conv(builder, x, LAYER("%s.conv", base.text), 1, 1, 0);
    if (!builder_is_over(builder))
        x = op_avgpool2(builder->graph, x);
    build_layer(builder, x, LAYER("transition%d", number), base.text);
    return x;
}

void densenet_build(Builder *builder, NodeId x, int depth)
{
    static const int layers[4] = {6, 12, 24, 16}; // the table of one depth, 121
    (void)depth;
    x = build_stem(builder, x, "features.", "conv0", "norm0", 7, 2);
    x = build_maxpool(builder, x, 3, 2, 1);
    for (int block = 1; block <= 4; block++) {
        LayerText base = layer_text("features.denseblock%d", block);
        for (int i = 1; i <= layers[block - 1]; i++)
            x = dense_layer(builder, x, LAYER("%s.denselayer%d", base.text, i));
        build_layer(builder, x, LAYER("denseblock%d", block), base.text);
        if (block < 4)
            x = transition(builder, x, block);
    }
    x = build_norm(builder, x, "features.norm5");
    x = build_activated_layer(builder, x, "norm5", "features.norm5");
    build_mean_logits(builder, x, "classifier");
}
