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
    /* What a reader of the stored images sees, for methods that see pixels; NULL where they are not
     * kept. */
    float *pixels; // [count, image_size]
    size_t image_size;
} StoredMaps;

/* Most that the pixels of one setting and arm may take. */
#define STORED_PIXEL_BYTES ((size_t)2 << 30)

/* units, unit_count, images and count are set, with arrays that outlive the maps. Files go to
 * stored_folder/name, or nowhere if stored_folder is NULL. */
bool stored_maps_open(StoredMaps *maps, StoreArm arm, const ActivationSource *layer,
                      const char *stored_folder, const char *name, Error *error);
void stored_maps_close(StoredMaps *maps); // accepts a zeroed object

/* Makes room for the pixels of opened maps, to be filled with them. Errors: ERROR_MEMORY, also for
 * more than STORED_PIXEL_BYTES. */
bool stored_maps_keep_pixels(StoredMaps *maps, const ActivationSource *layer, Error *error);

/* The place of an image in the list; it must be one of them. */
int64_t stored_maps_place(const StoredMaps *maps, int64_t image);

/* The set with some of its images as they were stored: an ImageSource is {seen_images_load, this}.
 * Where pixels were not kept, nothing but storage was done to the photos, and it is done again. */
typedef struct SeenImages {
    const ImageSource *clean;
    const StoredMaps  *stored;
    const int64_t     *changed; // [changed_count] images of the stored ones, increasing
    int64_t            changed_count;
} SeenImages;

bool seen_images_load(void *self, int64_t image, float *planes, Error *error);

/* The whole layer, run on images as a reader of the stored files would see them, and room for it.
 */
typedef struct StoredLayer {
    const ActivationSource *layer;
    size_t                  image_size, map_size;
    float                  *before, *after; // [batch, image_size]
    real                   *pixels;         // [batch, image_size]
    real                   *maps;           // [batch, units, map_size]
    Error                  *errors;         // [batch]
    int64_t                 ran;            // images that went through the layer so far
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
