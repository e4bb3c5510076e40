/* nem/clip/collect.c - what units answer to a set, what the towers see in it, and the scores.
 *
 * A whole layer is explained from scratch: activations, embeddings, scores, and what a word has in
 * common with all units. One unit is explained from its maps and the changed images alone; D is
 * then the clean run's, or, with --coupling anew, computed again from the answers of all units to
 * the changed images (L11). */
#include "../../probe/stream.h"
#include "clip_private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- evidence -------------------------------------------------------------------------------- */

static bool evidence_open(Evidence **out, const Clip *clip, int64_t rows, Error *error)
{
    Evidence *evidence = memory_new(1, sizeof *evidence, error);
    size_t    concepts = (size_t)clip->concepts.count, numbers = 0;
    if (!evidence)
        return false;
    evidence->rows = rows;
    bool ok =
        size_mul((size_t)rows, concepts, &numbers) ||
        fail(error, ERROR_MEMORY, "scores of %lld units do not fit into memory", (long long)rows);
    ok = ok && (evidence->scores = memory_new(numbers, sizeof *evidence->scores, error)) != NULL;
    if (ok && clip->similarity->lambda > 0)
        ok = (evidence->common = memory_new(concepts, sizeof *evidence->common, error)) != NULL;
    if (ok)
        *out = evidence;
    else
        clip_release(evidence);
    return ok;
}

void clip_release(Evidence *evidence)
{
    if (!evidence)
        return;
    memory_free(evidence->scores);
    memory_free(evidence->common);
    memory_free(evidence->activations);
    memory_free(evidence->images);
    memory_free(evidence);
}

double clip_score(const Clip *clip, const Evidence *evidence, int64_t row, int32_t concept)
{
    double score = (double)evidence->scores[row * clip->concepts.count + concept];
    return evidence->common ? score - clip->similarity->lambda * evidence->common[concept] : score;
}

int clip_best(const Clip *clip, const Evidence *evidence, int64_t row, int count, int32_t *out)
{
    int used = 0;
    for (int32_t m = 0; m < clip->concepts.count; m++) {
        double score = clip_score(clip, evidence, row, m);
        int    place = used;
        while (place > 0 && score > clip_score(clip, evidence, row, out[place - 1]))
            place--;
        if (isnan(score) || place == count)
            continue;
        used += used < count;
        memmove(out + place + 1, out + place, (size_t)(used - place - 1) * sizeof *out);
        out[place] = m;
    }
    return used;
}

/* ---- a whole layer --------------------------------------------------------------------------- */

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

bool clip_score_layer(const Clip *clip, const Embeddings *images, const float *activations,
                      int64_t units, const Pass *pass, Evidence **out, Error *error)
{
    int64_t       concepts = clip->concepts.count;
    ScoreJob      job      = {.images        = images,
                              .concepts      = clip->concept_rows,
                              .concept_count = concepts,
                              .activations   = activations,
                              .unit_count    = units,
                              .pass          = pass};
    Evidence     *evidence = NULL;
    const float **rows     = memory_new((size_t)units, sizeof *rows, error);
    bool          ok       = rows && evidence_open(&evidence, clip, units, error) &&
              clip->similarity->score(clip->similarity, &job, evidence->scores, error);
    for (int64_t u = 0; ok && u < units; u++)
        rows[u] = evidence->scores + u * concepts;
    if (ok && evidence->common)
        scores_common(rows, units, concepts, evidence->common);
    memory_free(rows);
    if (ok)
        *out = evidence;
    else
        clip_release(evidence);
    return ok;
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

/* ---- one unit -------------------------------------------------------------------------------- */

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
    if (!clip_clean_scores(explainer, error) || !evidence_open(&evidence, clip, 1, error))
        return false;
    bool ok = score_unit(&self, evidence, error);
    memory_free(self.changed_rows);
    if (ok)
        *out = evidence;
    else
        clip_release(evidence);
    return ok;
}
