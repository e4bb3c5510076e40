/* models/lenet.c - the small network of the gradient-alignment study (its LeNet is VGG-like).
 *
 * conv11, conv12, pooling, conv21, conv22, pooling, fc1, fc2; 3x3 convolutions with pad 1.
 * Source: Joo et al., AAAI 2023, and its published code. */
#include "builder.h"

void lenet_build(Builder *builder, NodeId x, int depth)
{
    (void)depth;
    for (int stage = 1; stage <= 2; stage++) {
        for (int i = 1; i <= 2; i++) {
            LayerText base = layer_text("conv%d%d", stage, i);
            x              = build_conv(builder, x, base.text, 3, 1, 1);
            x              = build_activated_layer(builder, x, base.text, NULL);
        }
        x = build_maxpool(builder, x, 2, 2, 0);
    }
    x = build_activated_layer(builder, build_dense(builder, x, "fc1"), "fc1", NULL);
    build_layer(builder, build_dense(builder, x, "fc2"), "logits", "fc2");
}
