/* tests/clip_world.h - drawn images with a layer of drawn weights, and CLIP-Dissect opened on them:
 * what the tests of CLIP-Dissect have in common. */
#ifndef TESTS_CLIP_WORLD_H
#define TESTS_CLIP_WORLD_H

#include "program.h"
#include "small_clip.h"
#include "test.h"

#include "../base/file.h"
#include "../nem/clip/clip_private.h"

enum {
    CLIP_IMAGES  = 110,
    CLIP_SIDE    = 16,
    CLIP_SIZE    = 3 * CLIP_SIDE * CLIP_SIDE,
    CLIP_CELLS   = 4,
    CLIP_UNITS   = 5,
    CLIP_CHANGED = 9,
    CLIP_BATCH   = 8
};

typedef struct ClipWorld {
    ProbeSet         probe;
    ProbeImage       paths[CLIP_IMAGES];
    float            photos[CLIP_IMAGES][CLIP_SIZE], perturbed[CLIP_IMAGES][CLIP_SIZE];
    real             weights[CLIP_UNITS][3 * CLIP_SIDE / 2 * CLIP_SIDE / 2];
    const char      *values[8]; // of the options, in the order of the row
    ActivationSource layer;
    Pass             pass;
} ClipWorld;

extern const int64_t clip_changed[CLIP_CHANGED]; // images that have others in `perturbed`

/* Draws images and weights, and saves the towers and a list of five concepts. */
bool  clip_world_draw(ClipWorld *world);
float clip_level(Random *random); // of a pixel, a whole number of 255ths
void  clip_world_set(ClipWorld *world, const char *name, const char *value); // an option
bool  clip_world_open(ClipWorld *world, const char *mode, Explainer *out, Error *error);

/* A whole layer; NULL where it failed. */
Evidence *clip_world_collect(const Explainer *explainer, const ImageSource *images);
/* The world's clean run, written and read back by an explainer of its own. */
bool clip_world_reopen(ClipWorld *world, const char *mode, Explainer *out, Evidence **clean);
/* The unit's maps of the pixels that a source gives. */
void clip_world_maps(ClipWorld *world, const ImageSource *images, int unit,
                     float maps[CLIP_IMAGES][CLIP_CELLS], const float *list[CLIP_IMAGES]);
/* One unit again, where the first `changed` of clip_changed are others. */
Evidence *clip_world_collect_one(ClipWorld *world, const Explainer *explainer,
                                 const ImageSource *images, int unit, int64_t changed);

/* The images of an explainer, some of them perturbed. */
typedef struct Perturbed {
    const ClipWorld *world;
    const Explainer *explainer;
} Perturbed;

bool clip_world_perturbed(void *self, int64_t image, float *planes, Error *error);

#endif
