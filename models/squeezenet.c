/* models/squeezenet.c - SqueezeNet 1.0 and 1.1.
 *
 * Fire module: a 1x1 convolution squeezes, a 1x1 and a 3x3 expand its result, both are
 * concatenated. The last 1x1 convolution gives one map per class. Layers: conv1, fire2 to fire9
 * (after their activations), conv10. Source: Iandola et al., 2016, table 1; torchvision's
 * squeezenet.py. */
#include "builder.h"

static const struct {
    int places[8]; // torchvision's index of the fire modules
    int stem_side;
    int pooled[2]; // pooling follows fireN
} versions[2] = {
    {{3, 4, 5, 7, 8, 9, 10, 12}, 7, {4, 8}},
    {{3, 4, 6, 7, 9, 10, 11, 12}, 3, {3, 5}},
};

static NodeId fire(Builder *builder, NodeId x, const char *base)
{
    NodeId s    = build_conv(builder, x, LAYER("%s.squeeze", base), 1, 1, 0);
    s           = build_activation(builder, s);
    NodeId ones = build_conv(builder, s, LAYER("%s.expand1x1", base), 1, 1, 0);
    NodeId all  = build_conv(builder, s, LAYER("%s.expand3x3", base), 3, 1, 1);
    return build_concat(builder, build_activation(builder, ones), build_activation(builder, all));
}

void squeezenet_build(Builder *builder, NodeId x, int depth)
{
    int version = depth - 10, side = versions[version].stem_side;
    x = build_conv(builder, x, "features.0", side, 2, 0);
    x = build_activated_layer(builder, x, "conv1", "features.0");
    x = build_maxpool_ceil(builder, x, 3, 2);
    for (int i = 0; i < 8; i++) {
        LayerText base = layer_text("features.%d", versions[version].places[i]);
        x              = fire(builder, x, base.text);
        build_layer(builder, x, LAYER("fire%d", i + 2), base.text);
        if (i + 2 == versions[version].pooled[0] || i + 2 == versions[version].pooled[1])
            x = build_maxpool_ceil(builder, x, 3, 2);
    }
    x = build_conv(builder, x, "classifier.1", 1, 1, 0);
    x = build_activated_layer(builder, x, "conv10", "classifier.1");
    build_layer(builder, build_global_mean(builder, x), "logits", NULL);
}
