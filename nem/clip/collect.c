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

static bool collect_activations(const Explainer *explainer, const ImageSource *images,
                                const Pass *pass, float *activations, Error *error)
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

// Images of a source that are others than in the clean run, increasing; all where none was read.
static bool list_changed(const Explainer *explainer, const ImageSource *images, int64_t *list,
                         int64_t *count, Error *error)
{
    const Inputs   *inputs = &explainer->inputs;
    const ProbeSet *probe  = inputs->probe;
    const Clip     *clip   = explainer->state;
    size_t          size   = 3 * (size_t)(probe->image_height * probe->image_width);
    bool   is_own = images->load == inputs->images.load && images->self == inputs->images.self;
    float *pixels = memory_new(2 * size, sizeof *pixels, error);
    bool   ok     = pixels != NULL;
    *count        = 0;
    for (int64_t image = 0; ok && image < probe->image_count; image++) {
        bool compares = clip->clean.images && !is_own;
        if (compares)
            ok = images->load(images->self, image, pixels, error) &&
                 inputs->images.load(inputs->images.self, image, pixels + size, error);
        if (!clip->clean.images ||
            (compares && memcmp(pixels, pixels + size, size * sizeof *pixels) != 0))
            list[(*count)++] = image;
    }
    memory_free(pixels);
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

// rows [images, width], in *out.
static bool collect_embeddings(const Explainer *explainer, const ImageSource *images,
                               const Pass *pass, float **out, Error *error)
{
    const Clip   *clip  = explainer->state;
    int64_t       total = explainer->inputs.probe->image_count, count = 0;
    int64_t      *list = memory_new((size_t)total, sizeof *list, error);
    float        *all = NULL, *some = NULL;
    TowerProgress progress = {pass, total};
    char          phase[160];
    bool          ok = list && clip_tower(explainer, error) &&
              list_changed(explainer, images, list, &count, error) &&
              (all = memory_new((size_t)(total * clip->width), sizeof *all, error)) &&
              (some = memory_new((size_t)(count * clip->width), sizeof *some, error));
    snprintf(phase, sizeof phase, "images, %s", pass->phase ? pass->phase : "");
    Pass tower          = pass_within(pass, "images" PASS_FILE_ENDING, phase);
    tower.progress      = tower_progress;
    tower.progress_self = &progress;
    ok = ok && clip_embed_images(explainer, images, list, count, &tower, some, error);
    if (ok && clip->clean.images)
        memcpy(all, clip->clean.images, (size_t)(total * clip->width) * sizeof *all);
    for (int64_t i = 0; ok && i < count; i++)
        memcpy(all + list[i] * clip->width, some + i * clip->width,
               (size_t)clip->width * sizeof *all);
    memory_free(list);
    memory_free(some);
    if (ok)
        *out = all;
    else
        memory_free(all);
    return ok;
}

static bool enough_images(const Explainer *explainer, Error *error)
{
    const Similarity *rule  = ((const Clip *)explainer->state)->similarity;
    int64_t           count = explainer->inputs.probe->image_count;
    return count >= rule->least_images ||
           fail(error, ERROR_DATA, "%s: has %lld images, the similarity %s needs at least %lld",
                explainer->inputs.probe->folder, (long long)count, rule->name,
                (long long)rule->least_images);
}

bool clip_collect(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                  Evidence **out, Error *error)
{
    const Clip *clip        = explainer->state;
    int64_t     units       = explainer->inputs.layer.units;
    int64_t     count       = explainer->inputs.probe->image_count;
    Evidence   *evidence    = NULL;
    float      *activations = NULL, *embeddings = NULL;
    size_t      numbers = 0;
    if (!enough_images(explainer, error))
        return false;
    if (!size_mul((size_t)units, (size_t)count, &numbers))
        return fail(error, ERROR_MEMORY, "activations of %lld images do not fit into memory",
                    (long long)count);
    bool ok = (activations = memory_new(numbers, sizeof *activations, error)) &&
              clip_embed_concepts(explainer, pass, error) &&
              collect_activations(explainer, images, pass, activations, error) &&
              collect_embeddings(explainer, images, pass, &embeddings, error);
    Embeddings rows = {.count = count, .width = clip->width, .rows = embeddings};
    ok = ok && clip_score_layer(clip, &rows, activations, units, pass, &evidence, error);
    if (!ok) {
        memory_free(activations);
        memory_free(embeddings);
        return false;
    }
    evidence->activations = activations;
    evidence->images      = embeddings;
    *out                  = evidence;
    return true;
}
