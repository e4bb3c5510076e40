/* models/vgg.c - VGG-11/13/16/19, with and without batch norm.
 *
 * 3x3 convolutions of stride 1, pad 1, each followed by (a norm and) an activation; 2x2 max pooling
 * after each of five stages. Names: convB_I, also torchvision's index. `features.40` of a network
 * with batch norm is the convolution alone, `conv5_3` includes the norm. Heads: three dense layers,
 * or one. Source: Simonyan and Zisserman, ICLR 2015, table 1; torchvision's vgg.py for the indices.
 */
#include "builder.h"

static const struct {
    int depth;
    int convs[5];
} depths[] = {
    {9, {2, 2, 2, 2, 0}}, // the demo's `mini`, one dense layer
    {11, {1, 1, 2, 2, 2}}, {13, {2, 2, 2, 2, 2}}, {16, {2, 2, 3, 3, 3}}, {19, {2, 2, 4, 4, 4}},
};

static const int *stages(int depth)
{
    int row = 0;
    while (depths[row].depth != depth)
        row++;
    return depths[row].convs;
}

static NodeId vgg_head(Builder *builder, NodeId x)
{
    if (builder_has(builder, "classifier", "weight"))
        return build_dense(builder, x, "classifier");
    x = build_activated_layer(builder, build_dense(builder, x, "classifier.0"), "fc6",
                              "classifier.0");
    x = build_activated_layer(builder, build_dense(builder, x, "classifier.3"), "fc7",
                              "classifier.3");
    x = build_dense(builder, x, "classifier.6");
    build_layer(builder, x, "fc8", "classifier.6");
    return x;
}

NodeId vgg_stage(Builder *builder, NodeId x, int stage, int convs, bool has_norms, int *place)
{
    for (int i = 0; i < convs; i++) {
        LayerText base = layer_text("features.%d", (*place)++);
        if (has_norms) {
            LayerText norm = layer_text("features.%d", (*place)++);
            x              = build_conv_norm(builder, x, base.text, norm.text, 3, 1, 1);
            base           = norm;
        } else {
            x = build_conv(builder, x, base.text, 3, 1, 1);
        }
        (*place)++; // the activation
        x = build_activated_layer(builder, x, LAYER("conv%d_%d", stage + 1, i + 1), base.text);
    }
    return x;
}

static NodeId vgg_features(Builder *builder, NodeId x, int depth, bool has_norms)
{
    const int *convs = stages(depth);
    for (int stage = 0, place = 0; stage < 5; stage++, place++) {
        x = vgg_stage(builder, x, stage, convs[stage], has_norms, &place);
        x = build_maxpool(builder, x, 2, 2, 0);
        build_module(builder, x, LAYER("pool%d", stage + 1));
    }
    return x;
}

void vgg_build(Builder *builder, NodeId x, int depth)
{
    x = vgg_head(builder, vgg_features(builder, x, depth, false));
    build_layer(builder, x, "logits", NULL);
}

void vgg_bn_build(Builder *builder, NodeId x, int depth)
{
    x = vgg_head(builder, vgg_features(builder, x, depth, true));
    build_layer(builder, x, "logits", NULL);
}
