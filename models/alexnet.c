/* models/alexnet.c - AlexNet without groups or response normalisation, as torchvision has it, and
 * with both, as Caffe and Network Dissection's authors have it.
 *
 * Five convolutions, conv1 to conv5 (torchvision's features.0, .3, .6, .8, .10), pooled after the
 * first, second and fifth; fc6, fc7, fc8. With groups the second, fourth and fifth have two, and
 * what the first two pools give is normalised. Sources: Krizhevsky, "One weird trick", 2014, and
 * torchvision's alexnet.py; Krizhevsky et al., NeurIPS 2012, with pools and norms in the order of
 * Caffe's reference network. */
#include "builder.h"

static const struct {
    int  place, side, stride, pad;
    bool is_pooled;
} convs[5] = {
    {0, 11, 4, 2, true}, {3, 5, 1, 2, true},  {6, 3, 1, 1, false},
    {8, 3, 1, 1, false}, {10, 3, 1, 1, true},
};

void alexnet_build(Builder *builder, NodeId x, int depth)
{
    (void)depth;
    for (int i = 0; i < 5; i++) {
        LayerText base = layer_text("features.%d", convs[i].place);
        x = build_conv(builder, x, base.text, convs[i].side, convs[i].stride, convs[i].pad);
        x = build_activated_layer(builder, x, LAYER("conv%d", i + 1), base.text);
        if (convs[i].is_pooled)
            x = build_maxpool(builder, x, 3, 2, 0);
    }
    x = build_activated_layer(builder, build_dense(builder, x, "classifier.1"), "fc6",
                              "classifier.1");
    x = build_activated_layer(builder, build_dense(builder, x, "classifier.4"), "fc7",
                              "classifier.4");
    x = build_dense(builder, x, "classifier.6");
    build_layer(builder, x, "fc8", "classifier.6");
    build_layer(builder, x, "logits", NULL);
}

void alexnet_groups_build(Builder *builder, NodeId x, int depth)
{
    static const struct {
        int  groups, side, stride, pad;
        bool is_pooled, is_normed;
    } layers[5] = {
        {1, 11, 4, 0, true, true},  {2, 5, 1, 2, true, true},  {1, 3, 1, 1, false, false},
        {2, 3, 1, 1, false, false}, {2, 3, 1, 1, true, false},
    };
    (void)depth;
    for (int i = 0; i < 5; i++) {
        LayerText name = layer_text("conv%d", i + 1);
        x              = build_grouped_conv(builder, x, name.text, layers[i].groups, layers[i].side,
                                            layers[i].stride, layers[i].pad);
        x              = build_activated_layer(builder, x, name.text, NULL);
        if (layers[i].is_pooled)
            x = build_maxpool(builder, x, 3, 2, 0);
        if (layers[i].is_normed)
            x = build_response_norm(builder, x);
    }
    x = build_activated_layer(builder, build_dense(builder, x, "fc6"), "fc6", NULL);
    x = build_activated_layer(builder, build_dense(builder, x, "fc7"), "fc7", NULL);
    x = build_dense(builder, x, "fc8");
    build_layer(builder, x, "fc8", NULL);
    build_layer(builder, x, "logits", NULL);
}
