/* nem/clip/towers.c - embeddings of a set's images and of a list's concepts. */
#include "../../probe/picture.h"
#include "../../probe/stream.h"
#include "clip_private.h"

#include <stdio.h>
#include <string.h>

enum { TEXTS_AT_ONCE = 4096, FULL_SIDE = 256, CROPPED_SIDE = 224 };

/* ---- photos ---------------------------------------------------------------------------------- */

bool clip_recropped_load(void *self, int64_t image, float *planes, Error *error)
{
    const Clip     *clip  = self;
    const ProbeSet *probe = clip->probe;
    int64_t         shorter =
        probe->image_height < probe->image_width ? probe->image_height : probe->image_width;
    Preparation cropped = {.width        = probe->image_width,
                           .height       = probe->image_height,
                           .resize_short = shorter * FULL_SIDE / CROPPED_SIDE};
    return clip->photos.load(clip->photos.self, image, planes, error) &&
           planes_fit(planes, probe->image_height, probe->image_width, &cropped, planes, error);
}

/* Listed images as the tower is to see them: planes of the tower's size. */
typedef struct Listed {
    const Explainer   *explainer;
    const ImageSource *images;
    const int64_t     *list;
    ImageTower        *tower;
    int64_t            count, width;
    float             *rows; // [count, width]
    Error              error;
} Listed;

// Whether pixels are those of the clean run.
static bool is_clean(const Listed *listed, int64_t image, const float *pixels, float *room,
                     bool *clean, Error *error)
{
    const Inputs *inputs = &listed->explainer->inputs;
    size_t size = 3 * (size_t)inputs->probe->image_height * (size_t)inputs->probe->image_width;
    if (!inputs->images.load(inputs->images.self, image, room, error))
        return false;
    *clean = memcmp(room, pixels, size * sizeof *room) == 0;
    return true;
}

static bool load_listed(void *self, int64_t index, float *planes, Error *error)
{
    const Listed   *listed = self;
    const Clip     *clip   = listed->explainer->state;
    const ProbeSet *probe  = listed->explainer->inputs.probe;
    int64_t         image = listed->list[index], height = probe->image_height;
    int64_t         width  = probe->image_width;
    size_t          size   = 3 * (size_t)height * (size_t)width;
    float          *pixels = memory_new(2 * size, sizeof *pixels, error);
    bool            ok = pixels != NULL, clean = false;
    ok = ok && listed->images->load(listed->images->self, image, pixels, error) &&
         (!clip->rules->sees_files ||
          is_clean(listed, image, pixels, pixels + size, &clean, error)) &&
         (!clean || clip->photos.load(clip->photos.self, image, pixels, error)) &&
         planes_fit(pixels, height, width, blob_preparation(clip->blob), planes, error);
    memory_free(pixels);
    return ok;
}

static void run_tower(void *self, const real *pixels, int64_t count, real *maps)
{
    Listed *listed = self;
    float  *rows   = (float *)(void *)maps; // nobody builds this in double
    image_tower_run(listed->tower, pixels, count, rows, &listed->error);
}

static bool take_rows(void *self, const real *maps, int64_t first, int64_t count, Error *error)
{
    Listed *listed = self;
    if (listed->error.code)
        return fail(error, listed->error.code, "%s", listed->error.message);
    memcpy(listed->rows + first * listed->width, maps,
           (size_t)(count * listed->width) * sizeof *listed->rows);
    return true;
}

bool clip_tower(const Explainer *explainer, Error *error)
{
    Clip *clip = explainer->state;
    if (clip->has_tower)
        return true;
    if (!image_tower_open(&clip->tower, clip->blob, explainer->inputs.layer.batch, error))
        return false;
    clip->has_tower = true;
    if (clip->width && clip->width != clip->tower.width)
        return fail(error, ERROR_DATA, "%s: embeds images in %lld numbers, texts in %lld",
                    blob_path(clip->blob), (long long)clip->tower.width, (long long)clip->width);
    clip->width = clip->tower.width;
    return true;
}

bool clip_embed_images(const Explainer *explainer, const ImageSource *images, const int64_t *list,
                       int64_t count, const Pass *pass, float *rows, Error *error)
{
    Clip *clip = explainer->state;
    if (count == 0 || !clip_tower(explainer, error))
        return count == 0;
    const LayerRunner *runner  = &clip->tower.runner;
    ProbeSet           listing = {.folder       = explainer->inputs.probe->folder,
                                  .image_count  = count,
                                  .image_height = runner->image_height,
                                  .image_width  = runner->image_width};
    Listed             listed  = {.explainer = explainer,
                                  .images    = images,
                                  .list      = list,
                                  .tower     = &clip->tower,
                                  .count     = count,
                                  .width     = clip->width,
                                  .rows      = rows};
    Inputs             inputs  = {.probe = &listing,
                                  .layer = {.units        = clip->width,
                                            .height       = 1,
                                            .width        = 1,
                                            .batch        = runner->batch,
                                            .image_height = runner->image_height,
                                            .image_width  = runner->image_width,
                                            .run          = run_tower,
                                            .self         = &listed}};
    ImageSource        source  = {load_listed, &listed};
    SnapshotPart       state   = {rows, (size_t)(count * clip->width) * sizeof *rows};
    return stream_sweep(&inputs, &source, pass, take_rows, &listed, &state, 1, error);
}

/* ---- concepts -------------------------------------------------------------------------------- */

static bool embed_some(Clip *clip, int64_t first, int64_t count, float **all, Error *error)
{
    float  *rows  = NULL;
    int64_t width = 0, total = clip->concepts.count;
    if (!texts_embed(clip->blob, clip->concepts.text + 1 + first, count, &rows, &width, error))
        return false;
    bool ok = (!clip->width || clip->width == width) ||
              fail(error, ERROR_DATA, "%s: embeds images in %lld numbers, texts in %lld",
                   blob_path(clip->blob), (long long)clip->width, (long long)width);
    if (ok && !*all)
        *all = memory_new((size_t)(total * width), sizeof **all, error);
    ok = ok && *all;
    if (ok) {
        memcpy(*all + first * width, rows, (size_t)(count * width) * sizeof *rows);
        clip->width = width;
    }
    memory_free(rows);
    return ok;
}

bool clip_embed_concepts(const Explainer *explainer, const Pass *pass, Error *error)
{
    Clip   *clip  = explainer->state;
    int64_t total = clip->concepts.count;
    float  *rows  = NULL;
    bool    ok    = true;
    if (clip->concept_rows)
        return true;
    for (int64_t first = 0; ok && first < total; first += TEXTS_AT_ONCE) {
        int64_t rest = total - first;
        ok           = !pass_cancelled(pass) ||
             fail(error, ERROR_AGAIN, "interrupted after %lld of %lld concepts" CHECKPOINT_HINT,
                  (long long)first, (long long)total);
        ok = ok &&
             embed_some(clip, first, rest < TEXTS_AT_ONCE ? rest : TEXTS_AT_ONCE, &rows, error);
    }
    if (ok)
        clip->concept_rows = rows;
    else
        memory_free(rows);
    return ok;
}
