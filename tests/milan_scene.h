/* tests/milan_scene.h - a drawn world, and MILAN opened on it with a small captioner: what tests
 * of MILAN have in common. */
#ifndef TESTS_MILAN_SCENE_H
#define TESTS_MILAN_SCENE_H

#include "nem_world.h"
#include "program.h"
#include "small_captioner.h"
#include "test.h"

#include "../nem/milan/milan_private.h"

enum {
    SCENE_IMAGES = 30,
    SCENE_HEIGHT = 5,
    SCENE_WIDTH  = 4,
    SCENE_CELLS  = SCENE_HEIGHT * SCENE_WIDTH
};

typedef struct Scene {
    Setup       setup;
    const char *values[2]; // of --captioner and --beam
    Explainer   explainer;
} Scene;

/* Saves a captioner below the test's folder, and frees its builder. */
bool scene_captioner(BlobBuilder *builder, const char *name);
/* Opens the method on what the scene has, with its captioner.nw. */
bool scene_method(Scene *scene, const char *mode, int64_t batch, Error *error);
/* All of it; whatever comes of it, the scene is to be closed. */
bool scene_open(Scene *scene, const char *mode, int64_t batch);
void scene_close(Scene *scene);

/* A run over all units; NULL where it failed. `images` NULL: the scene's; `pass` NULL: none. */
Evidence *scene_collect(const Scene *scene, const ImageSource *images, const Pass *pass,
                        Error *error);
bool      scene_same_row(const Evidence *a, int64_t row, const Evidence *b, int64_t other);
bool      scene_same(const Evidence *a, const Evidence *b); // NULL is no other's

#endif
