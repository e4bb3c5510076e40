/* nem/clip/collect.c - what the units of a layer answer to a set, what the towers see in it, and
 * the scores. */
#include "../../probe/stream.h"
#include "clip_private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- activations ----------------------------------------------------------------------------- */

typedef struct Collector {
    const Explainer *explainer;
    float           *activations; // [units, images]
    float           *room;        // [cells]
} Collector;

static bool take_batch(void *self, const real *maps, int64_t first, int64_t count, Error *error)
{
    const Collector        *collector = self;
    const Explainer        *explainer = collector->explainer;
    const ActivationSource *layer     = &explainer->inputs.layer;
    int64_t                 cells = layer->height * layer->width, units = layer->units;
    int64_t                 images = explainer->inputs.probe->image_count;
    for (int64_t i = 0; i < count * units; i++) {
        int64_t unit = i % units, image = first + i / units;
        float   q = clip_pooled(explainer->state,
                                map_floats(maps + i * cells, cells, collector->room), cells);
        if (!map_check(explainer->inputs.probe, image, unit, isfinite(q), error))
            return false;
        collector->activations[unit * images + image] = q;
    }
    return true;
}

bool clip_activations(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                      float *activations, Error *error)
{
    const ActivationSource *layer   = &explainer->inputs.layer;
    size_t                  numbers = (size_t)(layer->units * explainer->inputs.probe->image_count);
    Collector               self    = {.explainer = explainer, .activations = activations};
    SnapshotPart            state   = {activations, numbers * sizeof *activations};
    self.room = memory_new((size_t)(layer->height * layer->width), sizeof *self.room, error);
    bool ok   = self.room &&
              stream_sweep(&explainer->inputs, images, pass, take_batch, &self, &state, 1, error);
    memory_free(self.room);
    return ok;
}

// Images of a source that are others than in the clean run, increasing.
static bool list_changed(const Explainer *explainer, const ImageSource *images, int64_t *list,
                         int64_t *count, Error *error)
{
    const Inputs   *inputs = &explainer->inputs;
    const ProbeSet *probe  = inputs->probe;
    size_t          size   = 3 * (size_t)(probe->image_height * probe->image_width);
    float          *pixels = memory_new(2 * size, sizeof *pixels, error);
    bool            ok     = pixels != NULL;
    *count                 = 0;
    for (int64_t image = 0; ok && image < probe->image_count; image++) {
        ok = images->load(images->self, image, pixels, error) &&
             inputs->images.load(inputs->images.self, image, pixels + size, error);
        if (ok && memcmp(pixels, pixels + size, size * sizeof *pixels) != 0)
            list[(*count)++] = image;
    }
    memory_free(pixels);
    return ok;
}

// The clean run's embeddings, and those of the images that are others, rows [images, width].
static bool embed_changed(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                          float *rows, Error *error)
{
    const Clip *clip  = explainer->state;
    int64_t     total = explainer->inputs.probe->image_count, count = 0;
    int64_t    *list = memory_new((size_t)total, sizeof *list, error);
    float      *some = NULL;
    bool        ok   = list && list_changed(explainer, images, list, &count, error) &&
              (some = memory_new((size_t)(count * clip->width), sizeof *some, error)) &&
              clip_embed_images(explainer, images, list, count, pass, some, error);
    if (ok)
        memcpy(rows, clip->clean.images, (size_t)(total * clip->width) * sizeof *rows);
    for (int64_t i = 0; ok && i < count; i++)
        memcpy(rows + list[i] * clip->width, some + i * clip->width,
               (size_t)clip->width * sizeof *rows);
    memory_free(list);
    memory_free(some);
    return ok;
}

typedef struct TowerProgress {
    const Pass *pass;
    int64_t     before; // images that went through the network
} TowerProgress;

static void tower_progress(void *self, int64_t done, int64_t total)
{
    const TowerProgress *progress = self;
    pass_progress(progress->pass, progress->before + done, progress->before + total);
}

// *out [images, width].
static bool collect_embeddings(const Explainer *explainer, const ImageSource *images,
                               const Pass *pass, float **out, Error *error)
{
    const Clip   *clip     = explainer->state;
    int64_t       total    = explainer->inputs.probe->image_count;
    TowerProgress progress = {pass, total};
    float        *rows     = NULL;
    char          phase[160];
    snprintf(phase, sizeof phase, "images, %s", pass->phase ? pass->phase : "");
    Pass tower          = pass_within(pass, "images" PASS_FILE_ENDING, phase);
    tower.progress      = tower_progress;
    tower.progress_self = &progress;
    if (!clip->clean.images)
        return clip_embed_set(explainer, images, &tower, out, error);
    rows = memory_new((size_t)(total * clip->width), sizeof *rows, error);
    if (!rows || !embed_changed(explainer, images, &tower, rows, error)) {
        memory_free(rows);
        return false;
    }
    *out = rows;
    return true;
}

int64_t clip_least_images(const Explainer *explainer)
{
    const Similarity *rule = similarity_named(method_value(explainer, "similarity"));
    return rule ? rule->least_images : 0;
}

bool clip_has_images(const Explainer *explainer, Error *error)
{
    const Similarity *rule  = ((const Clip *)explainer->state)->similarity;
    int64_t           count = explainer->inputs.probe->image_count;
    return count >= rule->least_images ||
           fail(error, ERROR_DATA,
                "%s: has %lld images, the similarity %s needs at least %lld (--similarity cosine "
                "and cosine-cubed do with fewer)",
                explainer->inputs.probe->folder, (long long)count, rule->name,
                (long long)rule->least_images);
}

bool clip_finish(const Explainer *explainer, float *activations, float *embeddings,
                 const Pass *pass, Evidence **out, Error *error)
{
    const Clip *clip     = explainer->state;
    Evidence   *evidence = NULL;
    Embeddings  rows     = {
             .count = explainer->inputs.probe->image_count, .width = clip->width, .rows = embeddings};
    if (!clip_score_layer(clip, &rows, activations, explainer->inputs.layer.units, pass, &evidence,
                          error)) {
        memory_free(activations);
        memory_free(embeddings);
        return false;
    }
    evidence->activations = activations;
    evidence->images      = embeddings;
    *out                  = evidence;
    return true;
}

bool clip_collect(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                  Evidence **out, Error *error)
{
    int64_t units       = explainer->inputs.layer.units;
    int64_t count       = explainer->inputs.probe->image_count;
    float  *activations = NULL, *embeddings = NULL;
    size_t  numbers = 0;
    if (!clip_has_images(explainer, error))
        return false;
    if (!size_mul((size_t)units, (size_t)count, &numbers))
        return fail(error, ERROR_MEMORY, "activations of %lld images do not fit into memory",
                    (long long)count);
    bool ok = (activations = memory_new(numbers, sizeof *activations, error)) &&
              clip_embed_concepts(explainer, pass, error) &&
              clip_activations(explainer, images, pass, activations, error) &&
              collect_embeddings(explainer, images, pass, &embeddings, error);
    if (ok)
        return clip_finish(explainer, activations, embeddings, pass, out, error);
    memory_free(activations);
    memory_free(embeddings);
    return false;
}
