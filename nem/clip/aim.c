/* nem/clip/aim.c - where an attack lowers and raises a unit (L12): on the whole of the images that
 * are closest to its word, and to the target, in the clean run. */
#include "clip_private.h"

#include <string.h>

typedef struct WordAim {
    int64_t *images;          // increasing
    uint8_t *source, *target; // [images of the set]: whether it is among the closest to either
    int64_t  cells;
} WordAim;

static bool fill_masks(void *self, int64_t image, uint8_t *source, uint8_t *target, Error *error)
{
    const WordAim *aim = self;
    (void)error;
    memset(source, aim->source[image], (size_t)aim->cells);
    memset(target, aim->target[image], (size_t)aim->cells);
    return true;
}

static void close_aim(void *self)
{
    WordAim *aim = self;
    if (!aim)
        return;
    memory_free(aim->images);
    memory_free(aim->source);
    memory_free(aim->target);
    memory_free(aim);
}

float clip_cosine(const Clip *clip, int64_t image, int32_t concept)
{
    const float *a   = clip->clean.images + image * clip->width;
    const float *b   = clip->concept_rows + concept * clip->width;
    double       sum = 0;
    for (int64_t i = 0; i < clip->width; i++)
        sum += (double)a[i] * (double)b[i];
    return (float)sum;
}

// Marks the images of the clean run that are closest to a word.
static bool mark_closest(const Clip *clip, int64_t images, int32_t label, uint8_t *marked,
                         Error *error)
{
    int64_t  count  = images < CLIP_AIMED ? images : CLIP_AIMED;
    float   *cosine = memory_new((size_t)images, sizeof *cosine, error);
    int64_t *top    = memory_new((size_t)count, sizeof *top, error);
    bool     ok     = cosine && top;
    for (int64_t image = 0; ok && image < images; image++)
        cosine[image] = clip_cosine(clip, image, label - 1);
    if (ok)
        images_top(cosine, images, count, top);
    for (int64_t i = 0; ok && i < count; i++)
        marked[top[i]] = 1;
    memory_free(cosine);
    memory_free(top);
    return ok;
}

bool clip_aim(const Explainer *explainer, const UnitRecord *unit, int32_t target, Aim *out,
              Error *error)
{
    const Clip *clip   = explainer->state;
    int64_t     images = explainer->inputs.probe->image_count, count = 0;
    WordAim    *aim = memory_new(1, sizeof *aim, error);
    if (!clip->clean.images || !aim) {
        memory_free(aim);
        return aim && fail(error, ERROR_INTERNAL, "no clean run of CLIP-Dissect was read");
    }
    aim->cells  = explainer->inputs.layer.height * explainer->inputs.layer.width;
    aim->images = memory_new((size_t)images, sizeof *aim->images, error);
    aim->source = memory_new((size_t)images, sizeof *aim->source, error);
    aim->target = memory_new((size_t)images, sizeof *aim->target, error);
    if (!aim->images || !aim->source || !aim->target ||
        !mark_closest(clip, images, unit->label, aim->source, error) ||
        (target && !mark_closest(clip, images, target, aim->target, error))) {
        close_aim(aim);
        return false;
    }
    for (int64_t image = 0; image < images; image++)
        if (aim->source[image] || aim->target[image])
            aim->images[count++] = image;
    *out = (Aim){.images      = aim->images,
                 .image_count = count,
                 .mask_count  = aim->cells,
                 .masks       = fill_masks,
                 .self        = aim,
                 .close       = close_aim};
    return true;
}

bool clip_candidates(const Explainer *explainer, bool *present, Error *error)
{
    (void)error;
    memset(present + 1, true, (size_t)explainer->labels->count - 1);
    return true;
}
