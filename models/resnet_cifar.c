/* models/resnet_cifar.c - ResNet-20/32/44/56 for CIFAR with parameter-free shortcuts.
 *
 * Three stages of (depth - 2) / 6 basic blocks. Where a stage begins with stride 2 the shortcut
 * takes every second pixel and pads the missing channels with zeros, half of them on either side.
 * Source: He et al., CVPR 2016, section 4.2, option A; names of akamaster/pytorch_resnet_cifar10.
 */
#include "builder.h"

// A pooling window of one pixel at stride 2 is subsampling.
static NodeId option_a(Builder *builder, NodeId x, NodeId like)
{
    x = build_maxpool(builder, x, 1, 2, 0);
    if (builder_is_over(builder))
        return NODE_NONE;
    int64_t missing =
        graph_shape(builder->graph, like).dim[1] - graph_shape(builder->graph, x).dim[1];
    if (missing < 0 || missing % 2) {
        fail(&builder->lack, ERROR_DATA,
             "%s: a stage has %lld channels more than the one before it, "
             "expected an even number",
             blob_path(builder->blob), (long long)missing);
        return NODE_NONE;
    }
    return op_pad(builder->graph, x, 1, missing / 2, missing / 2);
}

static NodeId block_build(Builder *builder, NodeId x, const char *block, int stride)
{
    NodeId y =
        build_conv_norm(builder, x, LAYER("%s.conv1", block), LAYER("%s.bn1", block), 3, stride, 1);
    y = build_activation(builder, y);
    y = build_conv_norm(builder, y, LAYER("%s.conv2", block), LAYER("%s.bn2", block), 3, 1, 1);
    if (stride > 1)
        x = option_a(builder, x, y);
    return build_activation(builder, build_add(builder, y, x));
}

void resnet_cifar_build(Builder *builder, NodeId x, int depth)
{
    x = build_stem(builder, x, "", "conv1", "bn1", 3, 1);
    for (int stage = 1; stage <= 3; stage++) {
        for (int i = 0; i < (depth - 2) / 6; i++) {
            LayerText block = layer_text("layer%d.%d", stage, i);
            x               = block_build(builder, x, block.text, stage > 1 && i == 0 ? 2 : 1);
            build_module(builder, x, block.text);
        }
        build_layer(builder, x, LAYER("layer%d", stage), NULL);
    }
    build_mean_logits(builder, x, "linear");
}
