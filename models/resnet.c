/* models/resnet.c - residual networks: ResNet-18/34/50/101/152 (v1.5) and ResNet-18 for CIFAR, and
 * ResNeXt-50. Wide ResNets are these with other widths, which are read from the tensors.
 *
 * relu(block(x) + shortcut(x)); the shortcut is a 1x1 convolution where the blob has one.
 * Version 1.5: the stride of a bottleneck sits on its 3x3 convolution. Layers: conv1 (before its
 * norm), bn1, layer1 to layer4 (after the last activation), also layer1.0 and so on for single
 * blocks. Sources: He et al., CVPR 2016, table 1; Xie et al., CVPR 2017, table 1; torchvision's
 * resnet.py for names and v1.5. */
#include "builder.h"

static const struct {
    int depth;
    int blocks[4];
} depths[] = {
    {18, {2, 2, 2, 2}},   {34, {3, 4, 6, 3}},   {50, {3, 4, 6, 3}},
    {101, {3, 4, 23, 3}}, {152, {3, 8, 36, 3}},
};

static const int *stages(int depth)
{
    int row = 0;
    while (depths[row].depth != depth)
        row++;
    return depths[row].blocks;
}

// The `number`-th convolution of a block and its norm.
static NodeId grouped_conv(Builder *builder, NodeId x, const char *block, int number,
                           int64_t groups, int side, int stride)
{
    return build_grouped_conv_norm(builder, x, LAYER("%s.conv%d", block, number),
                                   LAYER("%s.bn%d", block, number), groups, side, stride, side / 2);
}

static NodeId inner_conv(Builder *builder, NodeId x, const char *block, int number, int side,
                         int stride)
{
    return grouped_conv(builder, x, block, number, 1, side, stride);
}

static NodeId basic_block(Builder *builder, NodeId x, const char *block, int stride)
{
    NodeId y = build_activation(builder, inner_conv(builder, x, block, 1, 3, stride));
    return inner_conv(builder, y, block, 2, 3, 1);
}

static NodeId bottleneck(Builder *builder, NodeId x, const char *block, int64_t groups, int stride)
{
    NodeId y = build_activation(builder, inner_conv(builder, x, block, 1, 1, 1));
    y        = build_activation(builder, grouped_conv(builder, y, block, 2, groups, 3, stride));
    return inner_conv(builder, y, block, 3, 1, 1);
}

static NodeId residual(Builder *builder, NodeId x, const char *block, int stride, int64_t groups,
                       bool is_deep)
{
    NodeId y = is_deep ? bottleneck(builder, x, block, groups, stride)
                       : basic_block(builder, x, block, stride);
    if (stride > 1 || builder_has(builder, LAYER("%s.downsample.0", block), "weight"))
        x = build_conv_norm(builder, x, LAYER("%s.downsample.0", block),
                            LAYER("%s.downsample.1", block), 1, stride, 0);
    return build_activation(builder, build_add(builder, y, x));
}

static void stages_build(Builder *builder, NodeId x, int depth, int64_t groups)
{
    const int *blocks = stages(depth);
    for (int stage = 0; stage < 4; stage++) {
        for (int i = 0; i < blocks[stage]; i++) {
            LayerText block = layer_text("layer%d.%d", stage + 1, i);
            x = residual(builder, x, block.text, stage > 0 && i == 0 ? 2 : 1, groups, depth >= 50);
            build_module(builder, x, block.text);
        }
        build_layer(builder, x, LAYER("layer%d", stage + 1), NULL);
    }
    build_mean_logits(builder, x, "fc");
}

void resnet_build(Builder *builder, NodeId x, int depth)
{
    x = build_stem(builder, x, "", "conv1", "bn1", 7, 2);
    stages_build(builder, build_maxpool(builder, x, 3, 2, 1), depth, 1);
}

// 3x3 convolutions in 32 groups; their widths are those of the tensors.
void resnext_build(Builder *builder, NodeId x, int depth)
{
    x = build_stem(builder, x, "", "conv1", "bn1", 7, 2);
    stages_build(builder, build_maxpool(builder, x, 3, 2, 1), depth, 32);
}

// For 32x32 pictures: a 3x3 stem of stride 1 and no pooling.
void resnet_small_build(Builder *builder, NodeId x, int depth)
{
    stages_build(builder, build_stem(builder, x, "", "conv1", "bn1", 3, 1), depth, 1);
}
