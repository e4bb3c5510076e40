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

// Whether pixels are those of the clean run; of photos: of their files, so that what storage
// changed is seen as it was stored.
static bool is_clean(const Listed *listed, int64_t image, const float *pixels, float *room,
                     bool *clean, Error *error)
{
    const Inputs *inputs = &listed->explainer->inputs;
    ImageSource   source = inputs->probe->is_photos ? probe_images(inputs->probe) : inputs->images;
    size_t size = 3 * (size_t)inputs->probe->image_height * (size_t)inputs->probe->image_width;
    if (!source.load(source.self, image, room, error))
        return false;
    *clean = memcmp(room, pixels, size * sizeof *room) == 0;
    return true;
}

// A photo of the clean run as its file has it, prepared for the tower alone.
static bool load_photo(const Clip *clip, int64_t image, float *room, float *planes, Error *error)
{
    const Preparation *preparation = blob_preparation(clip->blob);
    const ProbeSet    *probe       = clip->probe;
    if (!probe->is_photos)
        return clip->photos.load(clip->photos.self, image, room, error) &&
               planes_fit(room, probe->image_height, probe->image_width, preparation, planes,
                          error);
    ProbeSet fitted = *probe;
    Image    rgb    = {0};
    fitted.fit      = preparation;
    if (!probe_picture(&fitted, image, &rgb, error))
        return false;
    image_to_planes(&rgb, planes);
    image_free(&rgb);
    return true;
}

static bool load_listed(void *self, int64_t index, float *planes, Error *error)
{
    const Listed   *listed = self;
    const Clip     *clip   = listed->explainer->state;
    const ProbeSet *probe  = clip->probe;
    int64_t         image = listed->list[index], height = probe->image_height;
    size_t          size   = 3 * (size_t)height * (size_t)probe->image_width;
    float          *pixels = memory_new(2 * size, sizeof *pixels, error);
    bool            clean  = false;
    bool            ok =
        pixels && listed->images->load(listed->images->self, image, pixels, error) &&
        (!clip->rules->sees_files || is_clean(listed, image, pixels, pixels + size, &clean, error));
    ok = ok && (clean ? load_photo(clip, image, pixels, planes, error)
                      : planes_fit(pixels, height, probe->image_width, blob_preparation(clip->blob),
                                   planes, error));
    memory_free(pixels);
    return ok;
}

static void run_tower(void *self, const real *pixels, int64_t count, real *maps)
{
    Listed *listed = self;
    float  *rows   = (float *)(void *)maps; // where as many reals fit; take_rows reads floats
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

// What a sweep over listed images reads instead of the set: planes of the tower's size.
static ProbeSet listing_of(const Listed *listed)
{
    const LayerRunner *runner = &listed->tower->runner;
    return (ProbeSet){.folder       = listed->explainer->inputs.probe->folder,
                      .image_count  = listed->count,
                      .image_height = runner->image_height,
                      .image_width  = runner->image_width};
}

static bool list_images(Listed *out, const Explainer *explainer, const ImageSource *images,
                        const int64_t *list, int64_t count, Error *error)
{
    Clip *clip = explainer->state;
    if (!clip_tower(explainer, error))
        return false;
    *out = (Listed){.explainer = explainer,
                    .images    = images,
                    .list      = list,
                    .tower     = &clip->tower,
                    .count     = count,
                    .width     = clip->width};
    return true;
}

bool clip_embed_images(const Explainer *explainer, const ImageSource *images, const int64_t *list,
                       int64_t count, const Pass *pass, float *rows, Error *error)
{
    Listed listed;
    if (count == 0 || !list_images(&listed, explainer, images, list, count, error))
        return count == 0;
    const LayerRunner *runner  = &listed.tower->runner;
    ProbeSet           listing = listing_of(&listed);
    Inputs             inputs  = {.probe = &listing,
                                  .layer = {.units        = listed.width,
                                            .height       = 1,
                                            .width        = 1,
                                            .batch        = runner->batch,
                                            .image_height = runner->image_height,
                                            .image_width  = runner->image_width,
                                            .run          = run_tower,
                                            .self         = &listed}};
    ImageSource        source  = {load_listed, &listed};
    SnapshotPart       state   = {rows, (size_t)(count * listed.width) * sizeof *rows};
    listed.rows                = rows;
    return stream_sweep(&inputs, &source, pass, take_rows, &listed, &state, 1, error);
}

/* ---- a whole set, once ----------------------------------------------------------------------- */

// Of the pixels that the tower would see: so nothing they depend on can be forgotten.
static bool digest_images(Listed *listed, const Pass *pass, char out[65], Error *error)
{
    enum { AT_ONCE = 32 };
    ProbeSet    listing = listing_of(listed);
    size_t      size    = 3 * (size_t)(listing.image_height * listing.image_width);
    ImageSource source  = {load_listed, listed};
    int64_t     images[AT_ONCE];
    RowLoader   loader = {0};
    Sha256      sha;
    real       *planes = memory_new(AT_ONCE * size, sizeof *planes, error);
    bool        ok     = planes && row_loader_open(&loader, &source, size, error);
    clip_digest_start(listed->explainer->state, &sha);
    for (int64_t at = 0; ok && at < listed->count; at += AT_ONCE) {
        int64_t rest = listed->count - at, count = rest < AT_ONCE ? rest : AT_ONCE;
        for (int64_t i = 0; i < count; i++)
            images[i] = at + i;
        ok = (!pass_cancelled(pass) || pass_interrupted(pass, at, listed->count, error)) &&
             row_loader_load(&loader, images, count, planes, error);
        if (ok)
            sha256_add(&sha, planes, (size_t)count * size * sizeof *planes);
    }
    sha256_text(&sha, out);
    row_loader_close(&loader);
    memory_free(planes);
    return ok;
}

static bool embed_listed(Listed *listed, const Pass *pass, float **rows, Error *error)
{
    Clip   *clip = listed->explainer->state;
    char    digest[65];
    int64_t width = listed->width;
    if (clip->cache &&
        (!digest_images(listed, pass, digest, error) ||
         !clip_cache_load(clip, pass, "images", digest, listed->count, rows, &width, error)))
        return false;
    if (*rows)
        return width == listed->width ||
               fail(error, ERROR_DATA, "%s: has embeddings of %lld numbers, expected %lld",
                    clip->cache, (long long)width, (long long)listed->width);
    *rows = memory_new((size_t)(listed->count * width), sizeof **rows, error);
    return *rows &&
           clip_embed_images(listed->explainer, listed->images, listed->list, listed->count, pass,
                             *rows, error) &&
           (!clip->cache ||
            clip_cache_save(clip, pass, "images", digest, listed->count, *rows, width, error));
}

bool clip_embed_set(const Explainer *explainer, const ImageSource *images, const Pass *pass,
                    float **rows, Error *error)
{
    int64_t  count = explainer->inputs.probe->image_count;
    int64_t *list  = memory_new((size_t)count, sizeof *list, error);
    float   *found = NULL;
    Listed   listed;
    for (int64_t image = 0; list && image < count; image++)
        list[image] = image;
    bool ok = list && list_images(&listed, explainer, images, list, count, error) &&
              embed_listed(&listed, pass, &found, error);
    memory_free(list);
    if (ok)
        *rows = found;
    else
        memory_free(found);
    return ok;
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

static bool embed_list(const Explainer *explainer, const Pass *pass, float **rows, Error *error)
{
    Clip   *clip  = explainer->state;
    int64_t total = clip->concepts.count;
    bool    ok    = true;
    for (int64_t first = 0; ok && first < total; first += TEXTS_AT_ONCE) {
        int64_t rest = total - first;
        ok           = !pass_cancelled(pass) ||
             fail(error, ERROR_AGAIN, "interrupted after %lld of %lld concepts" CHECKPOINT_HINT,
                  (long long)first, (long long)total);
        ok =
            ok && embed_some(clip, first, rest < TEXTS_AT_ONCE ? rest : TEXTS_AT_ONCE, rows, error);
    }
    return ok;
}

bool clip_embed_concepts(const Explainer *explainer, const Pass *pass, Error *error)
{
    Clip           *clip     = explainer->state;
    const Concepts *concepts = &clip->concepts;
    float          *rows     = NULL;
    int64_t         width    = 0;
    char            digest[65];
    Sha256          sha;
    if (clip->concept_rows)
        return true;
    clip_digest_start(clip, &sha);
    for (int32_t m = 1; m <= concepts->count; m++)
        sha256_add(&sha, concepts->text[m], strlen(concepts->text[m]) + 1);
    sha256_text(&sha, digest);
    bool ok = !clip->cache || clip_cache_load(clip, pass, "concepts", digest, concepts->count,
                                              &rows, &width, error);
    if (ok && rows)
        clip->width = width;
    else
        ok = ok && embed_list(explainer, pass, &rows, error) &&
             (!clip->cache || clip_cache_save(clip, pass, "concepts", digest, concepts->count, rows,
                                              clip->width, error));
    if (ok)
        clip->concept_rows = rows;
    else
        memory_free(rows);
    return ok;
}
