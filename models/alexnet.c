/* models/alexnet.c - AlexNet without groups or response normalisation, as torchvision has it.
 *
 * Five convolutions, conv1 to conv5 (also features.0, .3, .6, .8, .10), pooled after the first,
 * second and fifth; fc6, fc7, fc8. Source: Krizhevsky, "One weird trick", 2014; torchvision's
 * alexnet.py. */
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
