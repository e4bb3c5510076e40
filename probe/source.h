/* probe/source.h - where pixels and activations come from. */
#ifndef PROBE_SOURCE_H
#define PROBE_SOURCE_H

#include "../models/models.h"

/* The photos of a probing set as the network is to see them: from disk, or perturbed. A source that
 * perturbs loads each photo from another source first. */
typedef struct ImageSource {
    /* planes [3, height, width], RGB in 0..1. Called by several threads at a time. */
    bool (*load)(void *self, int64_t image, float *planes, Error *error);
    void *self;
} ImageSource;

/* A network cut at one layer. */
typedef struct ActivationSource {
    int64_t units, height, width;      // of the maps
    int64_t batch;                     // most images per run
    int64_t image_height, image_width; // of the pixels
    bool    is_class_token;            // units without places, 1 x 1 maps
    /* pixels [count, 3, image_height, image_width] -> maps [count, units, height, width] */
    void (*run)(void *self, const real *pixels, int64_t count, real *maps);
    void *self;
} ActivationSource;

/* The source of a network that runs up to a layer; the runner outlives it. */
ActivationSource layer_source(LayerRunner *runner);

#endif
