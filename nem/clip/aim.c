/* nem/clip/aim.c - where an attack lowers and raises a unit (L12): on the whole of the images that
 * are closest to its word, and to the target, in the clean run, each on one of the two. For the
 * soft-wpmi loss (L13) each of them also has a gain: how much more it says for the word (and less
 * for the target) than the images that count for the unit do on average. */
#include "clip_private.h"

#include <math.h>
#include <string.h>

typedef struct WordAim {
    int64_t *images;          // increasing
    uint8_t *source, *target; // [images of the set]: its rank among the closest to either; 0: none
    float   *gain;            // [images of the set], or NULL
    bool     pools_max;
    int64_t  cells;
} WordAim;

static bool fill_masks(void *self, int64_t image, uint8_t *source, uint8_t *target, Error *error)
{
    const WordAim *aim = self;
    (void)error;
    memset(source, aim->source[image] != 0, (size_t)aim->cells);
    memset(target, aim->target[image] != 0, (size_t)aim->cells);
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
    memory_free(aim->gain);
    memory_free(aim);
}

static float pool(const void *self, const float *map, float *slope)
{
    const WordAim *aim  = self;
    Clip           clip = {.pools_max = aim->pools_max};
    int64_t        peak = 0;
    for (int64_t i = 0; i < aim->cells; i++) {
        slope[i] = aim->pools_max ? 0 : 1 / (float)aim->cells;
        peak     = map[i] > map[peak] ? i : peak;
    }
    if (aim->pools_max)
        slope[peak] = 1;
    return clip_pooled(&clip, map, aim->cells);
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

// Ranks, from 1 to CLIP_AIMED, of the images of the clean run that are closest to a word.
static bool rank_closest(const Clip *clip, int64_t images, int32_t label, uint8_t *rank,
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
        rank[top[i]] = (uint8_t)(i + 1);
    memory_free(cosine);
    memory_free(top);
    return ok;
}

// What is lowered and raised at once does not move: an image goes where its rank is higher.
static void part_shared(WordAim *aim, int64_t images)
{
    for (int64_t i = 0; i < images; i++)
        if (aim->source[i] && aim->target[i])
            *(aim->source[i] <= aim->target[i] ? &aim->target[i] : &aim->source[i]) = 0;
}

/* ---- gains (L13) ----------------------------------------------------------------------------- */

/* What one image adds to E of the word less what it adds to that of the target, with the mean of
 * the shares p_k. */
static double term_of(const Clip *clip, const float *cosines, int32_t label, int32_t target)
{
    const Similarity *rule  = clip->similarity;
    const int32_t     two[] = {label, target};
    double p = (double)((rule->from + rule->to) / 2), largest = -(double)INFINITY, sum = 0,
           term = 0;
    for (int32_t m = 0; m < clip->concepts.count; m++)
        largest = fmax(largest, (double)cosines[m]);
    for (int32_t m = 0; m < clip->concepts.count; m++)
        sum += exp(rule->factor * ((double)cosines[m] - largest));
    for (int i = 0; i < 2 && two[i]; i++) {
        double share = exp(rule->factor * ((double)cosines[two[i] - 1] - largest)) / sum;
        term += (i ? -1 : 1) * log(1 + p * (share - 1) + WPMI_LEAST_PROBABILITY);
    }
    return term;
}

// Terms of the listed images.
static bool find_terms(const Explainer *explainer, const int64_t *list, int64_t count,
                       const UnitRecord *unit, int32_t target, double *terms, Error *error)
{
    const Clip *clip     = explainer->state;
    int64_t     concepts = clip->concepts.count;
    Embeddings  rows     = {.count = explainer->inputs.probe->image_count,
                            .width = clip->width,
                            .rows  = clip->clean.images};
    Cosines    *cosines  = NULL;
    float      *found    = memory_new((size_t)(COSINE_ROWS * concepts), sizeof *found, error);
    bool        ok = found && cosines_open(&cosines, &rows, clip->concept_rows, COSINE_TILE, error);
    for (int64_t at = 0; ok && at < count; at += COSINE_ROWS) {
        int64_t some = count - at < COSINE_ROWS ? count - at : COSINE_ROWS;
        cosines_run(cosines, list + at, some, 0, concepts, found);
        for (int64_t i = 0; i < some; i++)
            terms[at + i] = term_of(clip, found + i * concepts, unit->label, target);
    }
    cosines_close(cosines);
    memory_free(found);
    return ok;
}

// The standard deviation of the activations of the listed images; 1 where they are all the same.
static float spread_of(const float *q, const int64_t *list, int count)
{
    double mean = 0, squares = 0;
    for (int k = 0; k < count; k++)
        mean += (double)q[list[k]] / count;
    for (int k = 0; k < count; k++)
        squares += ((double)q[list[k]] - mean) * ((double)q[list[k]] - mean);
    return squares > 0 ? (float)sqrt(squares / count) : 1;
}

// Gains of the images that may be perturbed; 0 for all others.
static bool find_gains(const Explainer *explainer, const UnitRecord *unit, int32_t target,
                       WordAim *aim, Aim *out, Error *error)
{
    const Clip  *clip   = explainer->state;
    int          top    = clip->similarity->top;
    int64_t      images = explainer->inputs.probe->image_count, count = out->image_count;
    const float *q     = clip->clean.activations + unit->unit * images;
    int64_t     *list  = memory_new((size_t)(top + count), sizeof *list, error);
    double      *terms = memory_new((size_t)(top + count), sizeof *terms, error), mean = 0;
    bool         ok =
        list && terms && (aim->gain = memory_new((size_t)images, sizeof *aim->gain, error)) != NULL;
    if (ok) {
        images_top(q, images, top, list);
        memcpy(list + top, out->images, (size_t)count * sizeof *list);
        out->gain     = aim->gain;
        out->level    = q[list[top - 1]];
        out->softness = spread_of(q, list, top);
        out->pool     = pool;
        ok            = find_terms(explainer, list, top + count, unit, target, terms, error);
    }
    for (int k = 0; ok && k < top; k++)
        mean += terms[k] / top;
    for (int64_t i = 0; ok && i < count; i++)
        aim->gain[out->images[i]] = (float)(terms[top + i] - mean);
    memory_free(list);
    memory_free(terms);
    return ok;
}

/* ---- the aim --------------------------------------------------------------------------------- */

bool clip_aim(const Explainer *explainer, const UnitRecord *unit, AimTarget target, Aim *out,
              Error *error)
{
    const Clip *clip   = explainer->state;
    int64_t     images = explainer->inputs.probe->image_count, count = 0;
    if (!clip->clean.images)
        return fail(error, ERROR_INTERNAL, "no clean run of CLIP-Dissect was read");
    WordAim *aim = memory_new(1, sizeof *aim, error);
    if (!aim)
        return false;
    aim->cells     = explainer->inputs.layer.height * explainer->inputs.layer.width;
    aim->pools_max = clip->pools_max;
    aim->images    = memory_new((size_t)images, sizeof *aim->images, error);
    aim->source    = memory_new((size_t)images, sizeof *aim->source, error);
    aim->target    = memory_new((size_t)images, sizeof *aim->target, error);
    if (!aim->images || !aim->source || !aim->target ||
        !rank_closest(clip, images, unit->label, aim->source, error) ||
        (target.label && !rank_closest(clip, images, target.label, aim->target, error))) {
        close_aim(aim);
        return false;
    }
    part_shared(aim, images);
    for (int64_t image = 0; image < images; image++)
        if (aim->source[image] || aim->target[image])
            aim->images[count++] = image;
    Aim made = {.images      = aim->images,
                .image_count = count,
                .mask_count  = aim->cells,
                .masks       = fill_masks,
                .self        = aim,
                .close       = close_aim};
    if (clip->similarity->top && !find_gains(explainer, unit, target.label, aim, &made, error)) {
        close_aim(aim);
        return false;
    }
    *out = made;
    return true;
}

bool clip_candidates(const Explainer *explainer, bool *present, Error *error)
{
    (void)error;
    memset(present + 1, true, (size_t)explainer->labels->count - 1);
    return true;
}
