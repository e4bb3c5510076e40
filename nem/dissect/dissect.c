/* nem/dissect/dissect.c - images through a layer, thresholds, tally.
 *
 * One forward pass serves both: while maps stream by (probe/stream.c), each unit keeps its largest
 * values (threshold.c) and the cells that may still matter (cells.c); survey.c drives these. When
 * the kept cells outgrow their room they are dropped and a second forward pass feeds the tally. */
#include "dissect_private.h"

#include "../../base/parallel.h"

enum { TALLY_BLOCK = 64 }; // images whose planes are held at a time

/* ---- a dissection without counts ------------------------------------------------------------- */

bool dissection_open(Dissection *out, const DissectRules *rules, const ProbeSet *probe,
                     int64_t unit_count, Error *error)
{
    *out                  = (Dissection){.probe = probe, .epsilon = rules->epsilon};
    ConceptTally *tally   = &out->tally;
    size_t        both    = 0;
    tally->unit_count     = unit_count;
    tally->label_count    = probe->label_count;
    tally->category_count = probe->category_count;
    if (unit_count < 1 || unit_count > LIMIT_UNITS ||
        !size_mul((size_t)unit_count, (size_t)probe->label_count, &both))
        return fail(error, ERROR_USAGE,
                    "a layer of %lld units cannot be dissected, the limit is %d",
                    (long long)unit_count, LIMIT_UNITS);
    out->threshold  = memory_new((size_t)unit_count, sizeof *out->threshold, error);
    tally->truth    = memory_new((size_t)probe->label_count, sizeof *tally->truth, error);
    tally->both     = memory_new(both, sizeof *tally->both, error);
    tally->activity = memory_new((size_t)unit_count * (size_t)probe->category_count,
                                 sizeof *tally->activity, error);
    return out->threshold && tally->truth && tally->both && tally->activity;
}

void dissection_close(Dissection *dissection)
{
    memory_free(dissection->threshold);
    memory_free(dissection->tally.truth);
    memory_free(dissection->tally.both);
    memory_free(dissection->tally.activity);
    *dissection = (Dissection){0};
}

/* ---- tally: from the kept cells, or from maps passing by a second time ----------------------- */

typedef struct KeptMaps {
    const Survey *survey;
    CellCursor   *cursors; // [units]
} KeptMaps;

static const float *kept_map(void *self, int64_t unit, int64_t image, float *room)
{
    KeptMaps *kept = self;
    return cells_next(&kept->survey->stores[unit], &kept->survey->shape, image,
                      &kept->cursors[unit], room)
               ? room
               : NULL;
}

// Images from `start` on; dissecting may be NULL.
static bool tally_all(TallyRun *tally, int64_t start, int64_t images, MapOf *map_of, void *self,
                      Dissecting *dissecting, Error *error)
{
    for (int64_t first = start; first < images; first += TALLY_BLOCK) {
        int64_t count = images - first < TALLY_BLOCK ? images - first : TALLY_BLOCK;
        if (!tally_block(tally, first, count, map_of, self, error) ||
            (dissecting && !dissecting_pause(dissecting, first + count, error)))
            return false;
    }
    return true;
}

static bool tally_kept(Dissecting *dissecting, Error *error)
{
    const Survey *survey = &dissecting->survey;
    KeptMaps      kept   = {.survey = survey};
    kept.cursors         = memory_new((size_t)survey->unit_count, sizeof *kept.cursors, error);
    for (int64_t unit = 0; kept.cursors && unit < survey->unit_count; unit++)
        kept.cursors[unit] = cells_seek(&survey->stores[unit], dissecting->next);
    bool ok =
        kept.cursors && tally_all(dissecting->tally, dissecting->next, survey->probe->image_count,
                                  kept_map, &kept, dissecting, error);
    memory_free(kept.cursors);
    return ok;
}

typedef struct PassingMaps {
    TallyRun   *tally;
    const real *maps;
    int64_t     first, unit_count, cells;
} PassingMaps;

static const float *passing_map(void *self, int64_t unit, int64_t image, float *room)
{
    const PassingMaps *passing = self;
    int64_t            slot    = (image - passing->first) * passing->unit_count + unit;
    return map_floats(passing->maps + slot * passing->cells, passing->cells, room);
}

static bool passing_batch(void *self, const real *maps, int64_t first, int64_t count, Error *error)
{
    PassingMaps *passing = self;
    passing->maps        = maps;
    passing->first       = first;
    return tally_block(passing->tally, first, count, passing_map, passing, error);
}

/* ---- a layer --------------------------------------------------------------------------------- */

static void find_threshold(void *data, int64_t unit, int thread)
{
    Dissecting   *dissecting = data;
    const Survey *survey     = &dissecting->survey;
    (void)thread;
    dissecting->dissection.threshold[unit] = top_quantile(&survey->top[unit], survey->rank);
}

bool dissecting_survey(Dissecting *dissecting, int runs, Error *error)
{
    return stream_run(&dissecting->stream, runs, dissecting->next, survey_batch,
                      &dissecting->survey, dissecting_pause, dissecting, error);
}

bool dissecting_second(Dissecting *dissecting, int runs, Error *error)
{
    const Survey *survey  = &dissecting->survey;
    PassingMaps   passing = {.tally      = dissecting->tally,
                             .unit_count = survey->unit_count,
                             .cells      = survey->shape.height * survey->shape.width};
    return stream_run(&dissecting->stream, runs, dissecting->next, passing_batch, &passing,
                      dissecting_pause, dissecting, error);
}

static bool run_phases(Dissecting *dissecting, Error *error)
{
    Survey     *survey = &dissecting->survey;
    Dissection *out    = &dissecting->dissection;
    if (!dissecting_load(dissecting, error))
        return false;
    if (dissecting->phase == PHASE_SURVEY) {
        if (!dissecting_survey(dissecting, 1, error))
            return false;
        parallel_for(survey->unit_count, find_threshold, dissecting);
        dissecting->phase = survey->stores ? PHASE_KEPT : PHASE_SECOND;
        dissecting->next  = 0;
    } else {
        dissecting->stream.done = survey->probe->image_count;
    }
    out->peak_store_bytes = survey->peak_bytes;
    out->passes           = dissecting->phase == PHASE_KEPT ? 1 : 2;
    return dissecting->phase == PHASE_KEPT ? tally_kept(dissecting, error)
                                           : dissecting_second(dissecting, 2, error);
}

bool dissecting_open(Dissecting *out, const DissectRules *rules, const Inputs *inputs,
                     const ImageSource *images, const Pass *pass, Error *error)
{
    const ActivationSource *layer = &inputs->layer;
    int64_t                 block = layer->batch > TALLY_BLOCK ? layer->batch : TALLY_BLOCK;
    *out                          = (Dissecting){.pass   = pass,
                                                 .survey = {.rules      = rules,
                                                            .probe      = inputs->probe,
                                                            .unit_count = layer->units,
                                                            .shape      = {.height = layer->height, .width = layer->width}}};
    return dissection_open(&out->dissection, rules, inputs->probe, layer->units, error) &&
           resampler_open(&out->resampler, rules, inputs->probe, layer->height, layer->width,
                          error) &&
           stream_open(&out->stream, inputs, images, pass, error) &&
           survey_open(&out->survey, out->resampler, error) &&
           tally_open(&out->tally, rules, inputs, out->resampler, &out->dissection, block, error);
}

void dissecting_close(Dissecting *dissecting)
{
    tally_close(dissecting->tally);
    survey_close(&dissecting->survey);
    stream_close(&dissecting->stream);
    resampler_close(dissecting->resampler);
}

bool dissect_layer(Dissection *out, const DissectRules *rules, const Inputs *inputs,
                   const ImageSource *images, const Pass *pass, Error *error)
{
    Dissecting dissecting;
    bool       ok = dissecting_open(&dissecting, rules, inputs, images, pass, error) &&
              run_phases(&dissecting, error);
    dissecting_close(&dissecting);
    if (ok)
        *out = dissecting.dissection;
    else
        dissection_close(&dissecting.dissection);
    return ok;
}

/* ---- one unit, from maps at hand ------------------------------------------------------------- */

typedef struct MapsAtHand {
    const float *const *maps;
} MapsAtHand;

static const float *map_at_hand(void *self, int64_t unit, int64_t image, float *room)
{
    const MapsAtHand *hand = self;
    (void)unit;
    (void)room;
    return hand->maps[image];
}

static bool unit_threshold(const DissectRules *rules, const Inputs *inputs,
                           const float *const *maps, float *threshold, Error *error)
{
    int64_t      images = inputs->probe->image_count;
    int64_t      cells  = inputs->layer.height * inputs->layer.width;
    QuantileRank rank =
        quantile_rank(rules->quantile_entry, rules->quantile_entries, images * cells);
    TopValues top    = {0};
    bool      finite = true, ok = top_open(&top, rank.keep, images * cells, error);
    for (int64_t image = 0; ok && image < images; image++) {
        if (values_maximum(maps[image], cells, &finite) > top.bound)
            top_add(&top, maps[image], cells);
        ok = map_check(inputs->probe, image, 0, finite, error);
    }
    if (ok)
        *threshold = top_quantile(&top, rank);
    top_close(&top);
    return ok;
}

// All images of the set are counted again, so a row equals that of a full run (C21).
bool dissect_unit(Dissection *out, const DissectRules *rules, const Inputs *inputs,
                  const float *const *maps, Error *error)
{
    const ProbeSet *probe     = inputs->probe;
    Dissection      result    = {0};
    Resampler      *resampler = NULL;
    TallyRun       *tally     = NULL;
    MapsAtHand      hand      = {.maps = maps};
    bool            ok        = dissection_open(&result, rules, probe, 1, error) &&
              resampler_open(&resampler, rules, probe, inputs->layer.height, inputs->layer.width,
                             error) &&
              unit_threshold(rules, inputs, maps, result.threshold, error) &&
              tally_open(&tally, rules, inputs, resampler, &result, TALLY_BLOCK, error) &&
              tally_all(tally, 0, probe->image_count, map_at_hand, &hand, NULL, error);
    tally_close(tally);
    resampler_close(resampler);
    if (ok)
        *out = result;
    else
        dissection_close(&result);
    return ok;
}
