/* models/resnet_v2.c - ResNet-50 v2: norms and activations before the convolutions.
 *
 * a = relu(bn1(x)); x + conv3(relu(bn3(conv2(relu(bn2(conv1(a))))))), conv2 with the stride; a
 * stage's first block adds a 1x1 convolution of a instead of x. Layers: conv1, layer1 to layer4
 * (sums, without an activation), bn2 (the last norm). Source: He et al., ECCV 2016, figure 1b;
 * topology of Gluon's resnet50_v2. */
#include "builder.h"

static NodeId block_build(Builder *builder, NodeId x, const char *block, int stride, bool is_first)
{
    NodeId a = build_norm(builder, x, LAYER("%s.bn1", block));
    a        = build_activation(builder, a);
    NodeId y =
        build_conv_norm(builder, a, LAYER("%s.conv1", block), LAYER("%s.bn2", block), 1, 1, 0);
    y = build_activation(builder, y);
    y = build_conv_norm(builder, y, LAYER("%s.conv2", block), LAYER("%s.bn3", block), 3, stride, 1);
    y = build_activation(builder, y);
    y = build_conv(builder, y, LAYER("%s.conv3", block), 1, 1, 0);
    if (is_first)
        x = build_conv(builder, a, LAYER("%s.downsample", block), 1, stride, 0);
    return build_add(builder, y, x);
}

void resnet_v2_build(Builder *builder, NodeId x, int depth)
{
    static const int blocks[4] = {3, 4, 6, 3}; // the table of one depth, 50
    (void)depth;
    x = build_stem(builder, build_norm(builder, x, "bn0"), "", "conv1", "bn1", 7, 2);
    x = build_maxpool(builder, x, 3, 2, 1);
    for (int stage = 0; stage < 4; stage++) {
        for (int i = 0; i < blocks[stage]; i++) {
            LayerText block = layer_text("layer%d.%d", stage + 1, i);
            x = block_build(builder, x, block.text, stage > 0 && i == 0 ? 2 : 1, i == 0);
            build_module(builder, x, block.text);
        }
        build_layer(builder, x, LAYER("layer%d", stage + 1), NULL);
    }
    x = build_activated_layer(builder, build_norm(builder, x, "bn2"), "bn2", NULL);
    build_mean_logits(builder, x, "fc");
}
