/* models/pyramid.h - what MILAN's captioner sees of an image: features of several layers of its
 * encoder, each a mean of the layer's maps under a mask.
 *
 * The unmasked image goes through the network once. A mask [height, width] of the image's size, 0
 * or 1, is brought to the size of each layer (half-pixel centres, no smoothing) and divided by its
 * sum; a feature is the sum of mask times map of one channel. Where so small a mask vanishes, the
 * features of that layer are 0. So an image runs once, whatever the number of masks.
 *
 * Layers: of a ResNet conv1, before its batch norm, and layer1 to layer4; of AlexNet conv1 to
 * conv5; of `mini` the last convolution of each stage; all but conv1 of a ResNet behind their ReLU.
 * Source: Hernandez et al., "Natural language descriptions of deep visual features", ICLR 2022,
 * section 3 and appendix, and its published encoders.py. */
#ifndef MODELS_PYRAMID_H
#define MODELS_PYRAMID_H

#include "models.h"
#include "../image/axis.h"

enum { PYRAMID_LEVELS = 5 };

/* One layer of the encoder. */
typedef struct PyramidLevel {
    Axis  y, x; // from the mask to the layer
    real *maps; // [batch, channels, height, width]
} PyramidLevel;

typedef struct Pyramid {
    LayerRunner   runner; // batch, sizes of the images and of the layers
    int           level_count;
    int64_t       features; // of an image: the channels of all layers, 3904 for ResNet-101
    PyramidLevel  levels[PYRAMID_LEVELS];
    struct Cells *scratch; // [threads]
    int           threads;
} Pyramid;

/* The encoder of a captioner's blob, or a network by itself. Errors: ERROR_DATA (no encoder that
 * layers are known of), and those of network_build. */
bool pyramid_open(Pyramid *out, WeightBlob *blob, int64_t batch, Error *error);
void pyramid_close(Pyramid *pyramid); // accepts a zeroed object

/* pixels [count, 3, image_height, image_width], RGB in 0..1; count <= batch. */
void pyramid_run(Pyramid *pyramid, const real *pixels, int64_t count);

/* A mask of one of the images of the last run. */
typedef struct PyramidMask {
    int64_t        image; // 0..count - 1
    const uint8_t *mask;  // [image_height, image_width], 0 or 1
    real          *out;   // [features]
} PyramidMask;

/* The features of all these masks; the same bits alone and together, for any number of threads. */
void pyramid_pool(Pyramid *pyramid, const PyramidMask *masks, int64_t count);

#endif
