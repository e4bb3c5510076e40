/* tests/clip_world.c - see clip_world.h. */
#include "clip_world.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const int64_t clip_changed[CLIP_CHANGED] = {0, 3, 4, 17, 40, 41, 77, 108, 109};

static bool load_photo(void *self, int64_t image, float *planes, Error *error)
{
    const ClipWorld *world = self;
    (void)error;
    memcpy(planes, world->photos[image], sizeof world->photos[image]);
    return true;
}

bool clip_world_perturbed(void *self, int64_t image, float *planes, Error *error)
{
    const Perturbed   *perturbed = self;
    const ImageSource *clean     = &perturbed->explainer->inputs.images;
    for (int i = 0; i < CLIP_CHANGED; i++)
        if (clip_changed[i] == image) {
            memcpy(planes, perturbed->world->perturbed[image], CLIP_SIZE * sizeof *planes);
            return true;
        }
    return clean->load(clean->self, image, planes, error);
}

// A unit's map has a cell for each quarter of the image: a weighted sum of its pixels.
static void run_layer(void *self, const real *pixels, int64_t count, real *maps)
{
    const ClipWorld *world = self;
    enum { HALF = CLIP_SIDE / 2 };
    for (int64_t i = 0; i < count * CLIP_UNITS * CLIP_CELLS; i++) {
        const real *image = pixels + i / (CLIP_UNITS * CLIP_CELLS) * CLIP_SIZE;
        const real *w     = world->weights[i / CLIP_CELLS % CLIP_UNITS];
        int64_t     top = i % CLIP_CELLS / 2 * HALF, left = i % 2 * HALF;
        double      sum = 0;
        for (int64_t p = 0; p < (int64_t)3 * HALF * HALF; p++) {
            int64_t c = p / (HALF * HALF), y = top + p / HALF % HALF, x = left + p % HALF;
            sum += (double)w[p] * (double)image[(c * CLIP_SIDE + y) * CLIP_SIDE + x];
        }
        maps[i] = (real)sum;
    }
}

float clip_level(Random *random)
{
    return (float)random_below(random, 256) / 255;
}

bool clip_world_draw(ClipWorld *world)
{
    static const char words[] = "red\n\nblue\r\n  \ndark sky\nred\ngrass\n";
    Random            random  = random_stream(test_seed(), "clip world");
    *world                    = (ClipWorld){0};
    for (int i = 0; i < CLIP_IMAGES; i++) {
        float tint[3] = {clip_level(&random), clip_level(&random), clip_level(&random)};
        for (int p = 0; p < CLIP_SIZE; p++)
            world->photos[i][p] =
                roundf((0.7f * tint[p / (CLIP_SIDE * CLIP_SIDE)] + 0.3f * clip_level(&random)) *
                       255) /
                255;
    }
    for (int i = 0; i < CLIP_CHANGED; i++)
        for (int p = 0; p < CLIP_SIZE; p++)
            world->perturbed[clip_changed[i]][p] = clip_level(&random);
    for (int u = 0; u < CLIP_UNITS; u++)
        for (int p = 0; p < 3 * CLIP_SIDE / 2 * CLIP_SIDE / 2; p++)
            world->weights[u][p] = (real)(clip_level(&random) - 0.5f);
    world->probe = (ProbeSet){.folder       = "drawn",
                              .image_count  = CLIP_IMAGES,
                              .image_height = CLIP_SIDE,
                              .image_width  = CLIP_SIDE,
                              .images       = world->paths,
                              .text         = "photo"};
    world->layer = (ActivationSource){.units        = CLIP_UNITS,
                                      .height       = 2,
                                      .width        = 2,
                                      .batch        = CLIP_BATCH,
                                      .image_height = CLIP_SIDE,
                                      .image_width  = CLIP_SIDE,
                                      .run          = run_layer,
                                      .self         = world};
    for (int i = 0; i < method_clip_dissect.option_count; i++)
        world->values[i] = method_clip_dissect.options[i].initial;
    world->values[0] = in_folder("clip.nw");
    world->values[1] = in_folder("words.txt");
    return CHECK(file_publish(world->values[1], words, sizeof words - 1, NULL)) &&
           (file_exists(world->values[0]) || small_clip_save(world->values[0], 12, 2));
}

void clip_world_set(ClipWorld *world, const char *name, const char *value)
{
    for (int i = 0; i < method_clip_dissect.option_count; i++)
        if (strcmp(method_clip_dissect.options[i].name, name) == 0)
            world->values[i] = value;
}

bool clip_world_open(ClipWorld *world, const char *mode, Explainer *out, Error *error)
{
    Inputs inputs = {.probe = &world->probe, .images = {load_photo, world}, .layer = world->layer};
    return explainer_open(out, &method_clip_dissect, mode_named(&method_clip_dissect, mode),
                          &inputs, world->values, error);
}

Evidence *clip_world_collect(const Explainer *explainer, const ImageSource *images)
{
    static const Pass pass     = {0};
    Evidence         *evidence = NULL;
    Error             error    = {0};
    if (!CHECK(explainer->method->collect(explainer, images, &pass, &evidence, &error)))
        printf("  %s\n", error.message);
    return evidence;
}

bool clip_world_reopen(ClipWorld *world, const char *mode, Explainer *out, Evidence **clean)
{
    Explainer first = {0};
    Error     error = {0};
    bool      ok    = CHECK(clip_world_open(world, mode, &first, &error));
    *clean          = ok ? clip_world_collect(&first, &first.inputs.images) : NULL;
    ok              = *clean && CHECK(clip_write(&first, *clean, test_folder(), NULL)) &&
         CHECK(clip_world_open(world, mode, out, NULL)) &&
         CHECK(out->method->baseline(out, test_folder(), &error));
    if (error.code)
        printf("  %s\n", error.message);
    explainer_close(&first);
    return ok;
}

void clip_world_maps(ClipWorld *world, const ImageSource *images, int unit,
                     float maps[CLIP_IMAGES][CLIP_CELLS], const float *list[CLIP_IMAGES])
{
    real all[CLIP_UNITS * CLIP_CELLS];
    for (int image = 0; image < CLIP_IMAGES; image++) {
        float pixels[CLIP_SIZE];
        images->load(images->self, image, pixels, NULL);
        run_layer(world, pixels, 1, all);
        for (int cell = 0; cell < CLIP_CELLS; cell++)
            maps[image][cell] = (float)all[unit * CLIP_CELLS + cell];
        list[image] = maps[image];
    }
}

Evidence *clip_world_collect_one(ClipWorld *world, const Explainer *explainer,
                                 const ImageSource *images, int unit, int64_t changed)
{
    static float maps[CLIP_IMAGES][CLIP_CELLS];
    const float *list[CLIP_IMAGES];
    Evidence    *evidence = NULL;
    Error        error    = {0};
    clip_world_maps(world, images, unit, maps, list);
    UnitView view = {unit, list, images, clip_changed, changed};
    if (!CHECK(explainer->method->collect_unit(explainer, &view, &evidence, &error)))
        printf("  %s\n", error.message);
    return evidence;
}
