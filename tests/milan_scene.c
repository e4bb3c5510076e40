/* tests/milan_scene.c - see milan_scene.h. */
#include "milan_scene.h"

#include <stdio.h>
#include <string.h>

bool scene_captioner(BlobBuilder *builder, const char *name)
{
    bool saved = blob_builder_save(builder, in_folder("%s", name), NULL);
    blob_builder_free(builder);
    return CHECK(saved);
}

bool scene_method(Scene *scene, const char *mode, int64_t batch, Error *error)
{
    Inputs inputs    = setup_inputs(&scene->setup, batch);
    scene->values[0] = in_folder("captioner.nw");
    return explainer_open(&scene->explainer, &method_milan, mode_named(&method_milan, mode),
                          &inputs, scene->values, error);
}

bool scene_open(Scene *scene, const char *mode, int64_t batch)
{
    Error error = {0};
    *scene      = (Scene){0};
    if (!CHECK(setup_open(&scene->setup, 7, SCENE_IMAGES, SCENE_HEIGHT, SCENE_WIDTH, "clean")) ||
        !scene_captioner(small_captioner(), "captioner.nw"))
        return false;
    if (CHECK(scene_method(scene, mode, batch, &error)))
        return true;
    printf("  %s\n", error.message);
    return false;
}

void scene_close(Scene *scene)
{
    explainer_close(&scene->explainer);
    setup_close(&scene->setup);
}

Evidence *scene_collect(const Scene *scene, const ImageSource *images, const Pass *pass,
                        Error *error)
{
    static const Pass none     = {0};
    Evidence         *evidence = NULL;
    method_milan.collect(&scene->explainer, images ? images : &scene->explainer.inputs.images,
                         pass ? pass : &none, &evidence, error);
    return evidence;
}

bool scene_same_row(const Evidence *a, int64_t row, const Evidence *b, int64_t other)
{
    return memcmp(&a->exemplars[row], &b->exemplars[other], sizeof *a->exemplars) == 0 &&
           strcmp(a->text[row], b->text[other]) == 0 && a->score[row] == b->score[other] &&
           a->label[row] == b->label[other];
}

bool scene_same(const Evidence *a, const Evidence *b)
{
    bool same = a && b;
    for (int64_t unit = 0; same && unit < WORLD_UNITS; unit++)
        same = scene_same_row(a, unit, b, unit);
    return same;
}
