/* study/replace.h - maps of corrupted images, standing in for those of clean ones (14.6). */
#ifndef STUDY_REPLACE_H
#define STUDY_REPLACE_H

#include "../attack/attack.h"

/* What some images become under one setting and storage arm, as some units see it. */
typedef struct Replacement {
    StoreArm       arm;
    const int64_t *units; // [unit_count], of the layer
    int64_t        unit_count;
    const int64_t *images; // [count], increasing
    int64_t        count;
    size_t         map_size;
    float         *maps;                     // [unit_count, count, map_size]
    float         *linf_before, *linf_after; // [count]
    uint8_t       *filled;                   // [count], 1 once an image has its maps
    char           keep[LIMIT_PATH];         // folder of the stored images, or ""
} Replacement;

/* `images` and `units` are kept by reference. Stored images are published in keep_folder/name,
 * which is created; keep_folder NULL: nowhere. */
bool replacement_open(Replacement *out, StoreArm arm, const int64_t *units, int64_t unit_count,
                      const int64_t *images, int64_t count, size_t map_size,
                      const char *keep_folder, const char *name, Error *error);
void replacement_close(Replacement *replacement); // accepts a zeroed object

/* Where an image of the list stands in it. */
int64_t replacement_place(const Replacement *replacement, int64_t image);

/* Stores images and runs the layer on what was stored. */
typedef struct Replacer {
    const CleanRun *clean;
    size_t          image_size, map_size;
    float          *before, *after; // [batch, image_size]
    real           *pixels;         // [batch, image_size]
    real           *maps;           // [batch, units, map_size]
    Error          *errors;         // [batch]
} Replacer;

bool replacer_open(Replacer *out, const CleanRun *clean, Error *error);
void replacer_close(Replacer *replacer); // accepts a zeroed object

/* Fills these images, each one of the replacement's; planes [count, 3, h, w], clean and perturbed.
 * clean_maps: for each unit of the replacement [images, map_size]; an image that comes out of
 * storage as the clean one keeps its map. */
bool replacer_fill(Replacer *replacer, Replacement *out, const int64_t *images, int64_t count,
                   const real *clean, const real *perturbed, const float *const *clean_maps,
                   Error *error);

#endif
