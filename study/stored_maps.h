/* study/stored_maps.h - what units answer to perturbed images after storage. These maps take the
 * place of the clean ones when a unit is explained again (C21). */
#ifndef STUDY_STORED_MAPS_H
#define STUDY_STORED_MAPS_H

#include "measure.h"

/* The maps of some units on some images, under one setting and storage arm. */
typedef struct StoredMaps {
    Storage        storage;
    const int64_t *units; // [unit_count], of the layer
    int64_t        unit_count;
    const int64_t *images; // [count], increasing
    int64_t        count;
    size_t         map_size;
    float         *maps;                     // [unit_count, count, map_size]
    float         *linf_before, *linf_after; // [count]
    uint8_t       *filled;                   // [count], 1 once an image has its maps
} StoredMaps;

/* units, unit_count, images and count are set, with arrays that outlive the maps. Files go to
 * stored_folder/name, or nowhere if stored_folder is NULL. */
bool stored_maps_open(StoredMaps *maps, StoreArm arm, const ActivationSource *layer,
                      const char *stored_folder, const char *name, Error *error);
void stored_maps_close(StoredMaps *maps); // accepts a zeroed object

/* The place of an image in the list; it must be one of them. */
int64_t stored_maps_place(const StoredMaps *maps, int64_t image);

/* The whole layer, run on images as a reader of the stored files would see them, and room for it.
 */
typedef struct StoredLayer {
    const ActivationSource *layer;
    size_t                  image_size, map_size;
    float                  *before, *after; // [batch, image_size]
    real                   *pixels;         // [batch, image_size]
    real                   *maps;           // [batch, units, map_size]
    Error                  *errors;         // [batch]
} StoredLayer;

bool stored_layer_open(StoredLayer *out, const ActivationSource *layer, Error *error);
void stored_layer_close(StoredLayer *stored); // accepts a zeroed object

/* Stores these images, each one of the list of `out`, and fills their maps; planes [count, 3, h,
 * w], clean and perturbed. clean_maps: for each unit [images of the set, map_size]; an image that
 * comes out of storage as the clean one keeps its map. */
bool stored_layer_fill(StoredLayer *stored, StoredMaps *out, const int64_t *images, int64_t count,
                       const real *clean, const real *perturbed, const float *const *clean_maps,
                       Error *error);

#endif
