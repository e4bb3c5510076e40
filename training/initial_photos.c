/* training/initial_photos.c - the tensors of AlexNet, DenseNet-121 and SqueezeNet, as models/ reads
 * them. */
#include "initial.h"

#include <stdio.h>

/* ---- AlexNet --------------------------------------------------------------------------------- */

// What is left of a side after the convolutions and pools of models/alexnet.c.
static int64_t alexnet_rest(int64_t side)
{
    int64_t rest = (side + 4 - 11) / 4 + 1;
    for (int pool = 0; pool < 3; pool++)
        rest = (rest - 3) / 2 + 1;
    return rest;
}

void fresh_alexnet(Fresh *fresh, int depth, int64_t side, int32_t classes)
{
    static const struct {
        int place, outputs, inputs, side;
    } convs[5] = {
        {0, 64, 3, 11}, {3, 192, 64, 5}, {6, 384, 192, 3}, {8, 256, 384, 3}, {10, 256, 256, 3}};
    int64_t rest = alexnet_rest(side);
    (void)depth;
    for (int i = 0; i < 5; i++) {
        char base[32];
        snprintf(base, sizeof base, "features.%d", convs[i].place);
        fresh_layer(fresh, base,
                    shape_4d(convs[i].outputs, convs[i].inputs, convs[i].side, convs[i].side));
    }
    fresh_dense(fresh, "classifier.1", 4096, 256 * rest * rest);
    fresh_dense(fresh, "classifier.4", 4096, 4096);
    fresh_dense(fresh, "classifier.6", classes, 4096);
}

/* ---- DenseNet-121 ---------------------------------------------------------------------------- */

// A norm, and the convolution behind it; numbers of the block and of the layer, 0: of a transition.
static void add_norm_conv(Fresh *fresh, const char *prefix, const char *norm, const char *conv,
                          Shape shape)
{
    char base[56];
    snprintf(base, sizeof base, "%s%s", prefix, norm);
    fresh_norm(fresh, base, shape.dim[1]);
    snprintf(base, sizeof base, "%s%s", prefix, conv);
    fresh_weight(fresh, base, shape);
}

void fresh_densenet(Fresh *fresh, int depth, int64_t side, int32_t classes)
{
    enum { GROWTH = 32 };
    static const int layers[4] = {6, 12, 24, 16};
    int64_t          channels  = 64;
    (void)depth, (void)side;
    fresh_weight(fresh, "features.conv0", shape_4d(channels, 3, 7, 7));
    fresh_norm(fresh, "features.norm0", channels);
    for (int block = 1; block <= 4; block++) {
        char prefix[48];
        for (int i = 1; i <= layers[block - 1]; i++, channels += GROWTH) {
            snprintf(prefix, sizeof prefix, "features.denseblock%d.denselayer%d.", block, i);
            add_norm_conv(fresh, prefix, "norm1", "conv1", shape_4d(4 * GROWTH, channels, 1, 1));
            add_norm_conv(fresh, prefix, "norm2", "conv2", shape_4d(GROWTH, 4 * GROWTH, 3, 3));
        }
        if (block == 4)
            break;
        snprintf(prefix, sizeof prefix, "features.transition%d.", block);
        add_norm_conv(fresh, prefix, "norm", "conv", shape_4d(channels / 2, channels, 1, 1));
        channels /= 2;
    }
    fresh_norm(fresh, "features.norm5", channels);
    fresh_dense(fresh, "classifier", classes, channels);
}

/* ---- SqueezeNet ------------------------------------------------------------------------------ */

static void add_fire(Fresh *fresh, int place, int64_t inputs, int64_t squeezed, int64_t expanded)
{
    static const char *const parts[3] = {"squeeze", "expand1x1", "expand3x3"};
    const Shape shapes[3] = {shape_4d(squeezed, inputs, 1, 1), shape_4d(expanded, squeezed, 1, 1),
                             shape_4d(expanded, squeezed, 3, 3)};
    for (int i = 0; i < 3; i++) {
        char base[48];
        snprintf(base, sizeof base, "features.%d.%s", place, parts[i]);
        fresh_layer(fresh, base, shapes[i]);
    }
}

/* depth 10: version 1.0, with a stem of 96 kernels of 7x7; 11: version 1.1, 64 of 3x3. The last layer
 * begins near zero. */
void fresh_squeezenet(Fresh *fresh, int depth, int64_t side, int32_t classes)
{
    static const int places[2][8] = {{3, 4, 5, 7, 8, 9, 10, 12}, {3, 4, 6, 7, 9, 10, 11, 12}};
    int64_t          inputs = depth == 10 ? 96 : 64, stem = depth == 10 ? 7 : 3;
    Shape            last = shape_4d(classes, 512, 1, 1);
    (void)side;
    fresh_layer(fresh, "features.0", shape_4d(inputs, 3, stem, stem));
    for (int i = 0; i < 8; i++) {
        int64_t squeezed = 16 * (i / 2 + 1);
        add_fire(fresh, places[depth - 10][i], inputs, squeezed, 4 * squeezed);
        inputs = 8 * squeezed;
    }
    fresh_fill(fresh, fresh_tensor(fresh, "classifier.1", "weight", last, 0),
               (size_t)shape_elements(last), false, 0.01);
    fresh_bias(fresh, "classifier.1", last);
}
