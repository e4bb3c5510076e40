/* nem/clip/unit.c - one unit again, from its maps and the changed images alone. D is the clean
 * run's, or, with --coupling anew, computed again from the answers of all units to the changed
 * images (L11). */
#include "../../probe/rows.h"
#include "../../probe/stream.h"
#include "clip_private.h"

#include <math.h>
#include <string.h>

static const Pass no_pass = {0};

/* One unit of a set of which some images are changed. */
typedef struct UnitScoring {
    const Explainer *explainer;
    const Clip      *clip;
    const UnitView  *view;
    Embeddings       images;
    float           *changed_rows; // [changed, width]
} UnitScoring;

static bool embed_changed(UnitScoring *self, Error *error)
{
    const UnitView *view = self->view;
    size_t          size = (size_t)(view->changed_count * self->clip->width);
    self->changed_rows   = memory_new(size, sizeof *self->changed_rows, error);
    self->images         = (Embeddings){.count         = self->explainer->inputs.probe->image_count,
                                        .width         = self->clip->width,
                                        .rows          = self->clip->clean.images,
                                        .changed       = view->changed,
                                        .changed_rows  = self->changed_rows,
                                        .changed_count = view->changed_count};
    return self->changed_rows &&
           clip_embed_images(self->explainer, view->images, view->changed, view->changed_count,
                             &no_pass, self->changed_rows, error);
}

// Activations [images] of the unit, from its maps.
static bool pool_maps(const UnitScoring *self, float *out, Error *error)
{
    const Inputs *inputs = &self->explainer->inputs;
    int64_t       cells  = inputs->layer.height * inputs->layer.width;
    for (int64_t image = 0; image < inputs->probe->image_count; image++) {
        out[image] = clip_pooled(self->clip, self->view->maps[image], cells);
        if (!map_check(inputs->probe, image, self->view->unit, isfinite(out[image]), error))
            return false;
    }
    return true;
}

static bool score_units(const UnitScoring *self, const float *activations, int64_t first,
                        int64_t count, float *scores, Error *error)
{
    ScoreJob job = {.images        = &self->images,
                    .concepts      = self->clip->concept_rows,
                    .concept_count = self->clip->concepts.count,
                    .activations   = activations,
                    .unit_count    = count,
                    .first_unit    = first,
                    .pass          = &no_pass};
    return self->clip->similarity->score(self->clip->similarity, &job, scores, error);
}

/* ---- D computed anew (L11) ------------------------------------------------------------------- */

// Activations of all units on the changed images, put in their places of all [units, images].
static bool run_changed(const UnitScoring *self, float *all, Error *error)
{
    const UnitView         *view   = self->view;
    const Inputs           *inputs = &self->explainer->inputs;
    const ActivationSource *layer  = &inputs->layer;
    int64_t   cells = layer->height * layer->width, total = inputs->probe->image_count;
    size_t    pixels = 3 * (size_t)(layer->image_height * layer->image_width);
    real     *planes = memory_new((size_t)layer->batch * pixels, sizeof *planes, error);
    real     *maps = memory_new((size_t)(layer->batch * layer->units * cells), sizeof *maps, error);
    float    *room = memory_new((size_t)cells, sizeof *room, error);
    RowLoader loader = {0};
    bool      ok = planes && maps && room && row_loader_open(&loader, view->images, pixels, error);
    for (int64_t at = 0; ok && at < view->changed_count; at += layer->batch) {
        int64_t rest = view->changed_count - at, count = rest < layer->batch ? rest : layer->batch;
        ok = row_loader_load(&loader, view->changed + at, count, planes, error);
        if (ok)
            layer->run(layer->self, planes, count, maps);
        for (int64_t i = 0; ok && i < count * layer->units; i++)
            all[i % layer->units * total + view->changed[at + i / layer->units]] =
                clip_pooled(self->clip, map_floats(maps + i * cells, cells, room), cells);
    }
    row_loader_close(&loader);
    memory_free(planes);
    memory_free(maps);
    memory_free(room);
    return ok;
}

// Whether one of the images that count for a unit is changed; room [top].
static bool counts_changed(const UnitScoring *self, const float *q, int64_t *room)
{
    const UnitView *view = self->view;
    images_top(q, self->images.count, self->clip->similarity->top, room);
    for (int k = 0; k < self->clip->similarity->top; k++)
        for (int64_t i = 0; i < view->changed_count; i++)
            if (view->changed[i] == room[k])
                return true;
    return false;
}

/* Rows of all units: new ones, in `scores`, where an image that counts is changed or was among
 * those that counted, else the clean run's. */
static bool score_others(const UnitScoring *self, float *all, const float **rows, float *scores,
                         int64_t *room, Error *error)
{
    const Clip *clip     = self->clip;
    int64_t     concepts = clip->concepts.count, images = self->images.count;
    int64_t     units = self->explainer->inputs.layer.units, count = 0;
    for (int64_t u = 0; u < units; u++) {
        float *q  = all + u * images;
        bool   is = counts_changed(self, q, room) ||
                  counts_changed(self, clip->clean.activations + u * images, room);
        rows[u] = is ? scores + count * concepts : clip->clean.scores + u * concepts;
        if (is)
            memmove(all + count++ * images, q, (size_t)images * sizeof *all);
    }
    return score_units(self, all, 0, count, scores, error);
}

static bool couple_anew(const UnitScoring *self, Evidence *evidence, Error *error)
{
    const Clip   *clip   = self->clip;
    size_t        units  = (size_t)self->explainer->inputs.layer.units;
    size_t        size   = units * (size_t)self->images.count;
    float        *all    = memory_new(size, sizeof *all, error);
    float        *scores = memory_new(units * (size_t)clip->concepts.count, sizeof *scores, error);
    const float **rows   = memory_new(units, sizeof *rows, error);
    int64_t      *room   = memory_new((size_t)clip->similarity->top, sizeof *room, error);
    bool          ok     = all && scores && rows && room;
    if (ok) {
        memcpy(all, clip->clean.activations, size * sizeof *all);
        ok = run_changed(self, all, error) && score_others(self, all, rows, scores, room, error);
    }
    if (ok)
        scores_common(rows, (int64_t)units, clip->concepts.count, evidence->common);
    memory_free(all);
    memory_free(scores);
    memory_free(rows);
    memory_free(room);
    return ok;
}

static bool score_unit(UnitScoring *self, Evidence *evidence, Error *error)
{
    const Clip *clip   = self->clip;
    size_t      images = (size_t)self->explainer->inputs.probe->image_count;
    float      *q      = memory_new(images, sizeof *q, error);
    bool        ok     = q && embed_changed(self, error) && pool_maps(self, q, error) &&
              score_units(self, q, self->view->unit, 1, evidence->scores, error);
    memory_free(q);
    if (!ok || !evidence->common)
        return ok;
    if (clip->is_anew && self->view->changed_count)
        return couple_anew(self, evidence, error);
    memcpy(evidence->common, clip->clean.common,
           (size_t)clip->concepts.count * sizeof *evidence->common);
    return true;
}

bool clip_collect_unit(const Explainer *explainer, const UnitView *view, Evidence **out,
                       Error *error)
{
    const Clip *clip     = explainer->state;
    Evidence   *evidence = NULL;
    UnitScoring self     = {.explainer = explainer, .clip = clip, .view = view};
    if (!clip->clean.images)
        return fail(error, ERROR_INTERNAL, "no clean run of CLIP-Dissect was read");
    if (!clip_clean_scores(explainer, error) || !clip_evidence(&evidence, clip, 1, error))
        return false;
    bool ok = score_unit(&self, evidence, error);
    memory_free(self.changed_rows);
    if (ok)
        *out = evidence;
    else
        clip_release(evidence);
    return ok;
}
