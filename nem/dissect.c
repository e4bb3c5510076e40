/* nem/dissect.c - images through a layer, thresholds, tally (6.1 to 6.5).
 *
 * One forward pass serves both: while maps stream by, each unit keeps its largest values (threshold.c)
 * and the cells that may still matter (cells.c). When the kept cells outgrow their room they are
 * dropped and a second forward pass feeds the tally. */
#include "parts.h"

#include "../engine/parallel.h"

#include <string.h>

enum { TALLY_BLOCK = 64 }; // images whose planes are held at a time

/* ---- a dissection without counts --------------------------------------------------------------- */

bool dissection_open(Dissection *out, const DissectSettings *settings, const ProbeSet *probe,
                     int64_t unit_count, Error *error)
{
    *out = (Dissection){.probe = probe, .epsilon = settings->epsilon};
    ConceptTally *tally   = &out->tally;
    size_t        both    = 0;
    tally->unit_count     = unit_count;
    tally->label_count    = probe->label_count;
    tally->category_count = probe->category_count;
    if (unit_count < 1 || unit_count > LIMIT_UNITS ||
        !size_mul((size_t)unit_count, (size_t)probe->label_count, &both))
        return fail(error, ERROR_USAGE, "a layer of %lld units cannot be dissected, the limit is %d",
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

static bool check_finite(const ProbeSet *probe, int64_t image, int64_t unit, bool finite,
                         Error *error)
{
    return finite || fail(error, ERROR_DATA, "image '%s': unit %lld has an activation that is not a "
                          "finite number", probe_image_path(probe, image), (long long)unit);
}

/* ---- images through the layer ------------------------------------------------------------------ */

typedef bool Consume(void *self, const real *maps, int64_t first, int64_t count, Error *error);

typedef struct Stream {
    const DissectSettings  *settings;
    const ProbeSet         *probe;
    const ImageSource      *images;
    const ActivationSource *source;
    size_t                  pixel_count; // of one image
    float                  *planes;      // [batch, 3, h, w]
    real                   *pixels;      // [batch, 3, h, w]
    real                   *maps;        // [batch, units, h, w]
    int64_t                 first, done; // of the batch at hand; images over all passes
    LoopErrors              errors;
} Stream;

static bool stream_open(Stream *stream, Error *error)
{
    const ActivationSource *source = stream->source;
    const ProbeSet         *probe  = stream->probe;
    size_t pixels = 0, maps = 0;
    if (source->image_height != probe->image_height || source->image_width != probe->image_width)
        return fail(error, ERROR_DATA, "%s/index.csv: photos are %lld x %lld, the network takes "
                    "%lld x %lld (width x height)", probe->folder, (long long)probe->image_width,
                    (long long)probe->image_height, (long long)source->image_width,
                    (long long)source->image_height);
    stream->pixel_count = 3 * (size_t)probe->image_height * (size_t)probe->image_width;
    if (!size_mul(stream->pixel_count, (size_t)source->batch, &pixels) ||
        !size_mul((size_t)source->height * (size_t)source->width, (size_t)source->units, &maps) ||
        !size_mul(maps, (size_t)source->batch, &maps))
        return fail(error, ERROR_MEMORY, "a batch of %lld images does not fit into memory",
                    (long long)source->batch);
    stream->planes = memory_new(sizeof(real) == sizeof(float) ? 0 : pixels, sizeof(float), error);
    stream->pixels = memory_new(pixels, sizeof(real), error);
    stream->maps   = memory_new(maps, sizeof(real), error);
    return stream->planes && stream->pixels && stream->maps &&
           loop_errors_open(&stream->errors, error);
}

static void stream_close(Stream *stream)
{
    memory_free(stream->planes);
    memory_free(stream->pixels);
    memory_free(stream->maps);
    loop_errors_close(&stream->errors);
}

static void stream_load(void *data, int64_t slot, int thread)
{
    Stream *stream = data;
    Error   error  = {0};
    real   *pixels = stream->pixels + (size_t)slot * stream->pixel_count;
    float  *planes = sizeof(real) == sizeof(float)
                         ? (float *)(void *)pixels
                         : stream->planes + (size_t)slot * stream->pixel_count;
    if (!stream->images->load(stream->images->self, stream->first + slot, planes, &error))
        loop_errors_add(&stream->errors, slot, thread, &error);
    else if (planes != (float *)(void *)pixels)
        for (size_t i = 0; i < stream->pixel_count; i++)
            pixels[i] = (real)planes[i];
}

// Every image through the layer once, batch by batch.
static bool stream_run(Stream *stream, int passes, Consume *consume, void *self, Error *error)
{
    const DissectSettings *settings = stream->settings;
    int64_t                total    = stream->probe->image_count;
    for (int64_t first = 0; first < total; first += stream->source->batch) {
        int64_t left = total - first, batch = stream->source->batch;
        int64_t count = left < batch ? left : batch;
        if (settings->cancel && *settings->cancel)
            return fail(error, ERROR_AGAIN, "interrupted after %lld of %lld images",
                        (long long)stream->done, (long long)(total * passes));
        stream->first = first;
        parallel_for(count, stream_load, stream);
        if (!loop_errors_check(&stream->errors, error))
            return false;
        stream->source->run(stream->source->self, stream->pixels, count, stream->maps);
        if (!consume(self, stream->maps, first, count, error))
            return false;
        stream->done += count;
        if (settings->progress)
            settings->progress(settings->progress_self, stream->done, total * passes);
    }
    return true;
}

// A map as floats: itself, or converted into room in the build where real is double.
static const float *as_floats(const real *map, int64_t count, float *room)
{
    if (sizeof(real) == sizeof(float))
        return (const float *)(const void *)map;
    for (int64_t i = 0; i < count; i++)
        room[i] = (float)map[i];
    return room;
}

/* ---- first pass: thresholds, and the cells worth keeping ---------------------------------------- */

typedef struct Survey {
    const DissectSettings *settings;
    const ProbeSet        *probe;
    int64_t                unit_count;
    CellShape              shape;
    QuantileRank           rank;
    TopValues             *top;     // [units]
    CellStore             *stores;  // [units], NULL once they outgrew their room
    CellScratch           *scratch; // [threads]
    int                    threads;
    size_t                 peak_bytes;
    const real            *maps; // of the batch at hand
    int64_t                first, count;
    LoopErrors             errors;
} Survey;

static void survey_drop(Survey *survey)
{
    for (int64_t unit = 0; survey->stores && unit < survey->unit_count; unit++)
        cells_close(&survey->stores[unit]);
    memory_free(survey->stores);
    survey->stores = NULL;
}

static bool survey_open(Survey *survey, const Resampler *resampler, Error *error)
{
    int64_t images = survey->probe->image_count;
    int64_t values = images * survey->shape.height * survey->shape.width;
    size_t  units  = (size_t)survey->unit_count;
    resampler_reach(resampler, &survey->shape.reach_rows, &survey->shape.reach_columns);
    survey->rank = quantile_rank(survey->settings->quantile_entry,
                                 survey->settings->quantile_entries, values);
    survey->threads = parallel_threads();
    survey->top     = memory_new(units, sizeof *survey->top, error);
    survey->stores  = memory_new(units, sizeof *survey->stores, error);
    survey->scratch = memory_new((size_t)survey->threads, sizeof *survey->scratch, error);
    bool ok = survey->top && survey->stores && survey->scratch &&
              loop_errors_open(&survey->errors, error);
    for (int64_t unit = 0; ok && unit < survey->unit_count; unit++)
        ok = top_open(&survey->top[unit], survey->rank.keep, values, error) &&
             cells_open(&survey->stores[unit], images, error);
    for (int i = 0; ok && i < survey->threads; i++)
        ok = cell_scratch_open(&survey->scratch[i], &survey->shape, error);
    if (ok && (!cells_fit(&survey->shape) || survey->settings->store_bytes == 0))
        survey_drop(survey);
    return ok;
}

static void survey_close(Survey *survey)
{
    survey_drop(survey);
    for (int64_t unit = 0; survey->top && unit < survey->unit_count; unit++)
        top_close(&survey->top[unit]);
    for (int i = 0; survey->scratch && i < survey->threads; i++)
        cell_scratch_close(&survey->scratch[i]);
    memory_free(survey->top);
    memory_free(survey->scratch);
    loop_errors_close(&survey->errors);
}

static bool survey_map(Survey *survey, int64_t unit, int64_t image, const float *map,
                       CellScratch *scratch, Error *error)
{
    TopValues *top    = &survey->top[unit];
    int64_t    cells  = survey->shape.height * survey->shape.width;
    bool       finite = true;
    float      largest = values_maximum(map, cells, &finite);
    if (!check_finite(survey->probe, image, unit, finite, error))
        return false;
    if (largest > top->bound)
        top_add(top, map, cells);
    return !survey->stores || cells_add(&survey->stores[unit], &survey->shape, map, largest,
                                        top->bound, scratch, error);
}

static void survey_unit(void *data, int64_t unit, int thread)
{
    Survey *survey = data;
    int64_t cells  = survey->shape.height * survey->shape.width;
    for (int64_t i = 0; i < survey->count; i++) {
        Error        error = {0};
        const float *map   = as_floats(survey->maps + (i * survey->unit_count + unit) * cells, cells,
                                       survey->scratch[thread].map);
        if (!survey_map(survey, unit, survey->first + i, map, &survey->scratch[thread], &error)) {
            loop_errors_add(&survey->errors, i * survey->unit_count + unit, thread, &error);
            return;
        }
    }
}

static bool survey_batch(void *self, const real *maps, int64_t first, int64_t count, Error *error)
{
    Survey *survey = self;
    size_t  bytes  = 0;
    survey->maps   = maps;
    survey->first  = first;
    survey->count  = count;
    parallel_for(survey->unit_count, survey_unit, survey);
    if (!loop_errors_check(&survey->errors, error))
        return false;
    for (int64_t unit = 0; survey->stores && unit < survey->unit_count; unit++)
        bytes += cells_bytes(&survey->stores[unit]);
    survey->peak_bytes = bytes > survey->peak_bytes ? bytes : survey->peak_bytes;
    if (bytes > survey->settings->store_bytes)
        survey_drop(survey);
    return true;
}

/* ---- tally: from the kept cells, or from maps passing by a second time ------------------------- */

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

static bool tally_all(TallyRun *tally, int64_t images, MapOf *map_of, void *self, Error *error)
{
    for (int64_t first = 0; first < images; first += TALLY_BLOCK) {
        int64_t count = images - first < TALLY_BLOCK ? images - first : TALLY_BLOCK;
        if (!tally_block(tally, first, count, map_of, self, error))
            return false;
    }
    return true;
}

static bool tally_kept(TallyRun *tally, const Survey *survey, Error *error)
{
    KeptMaps kept = {.survey = survey};
    kept.cursors  = memory_new((size_t)survey->unit_count, sizeof *kept.cursors, error);
    bool ok = kept.cursors &&
              tally_all(tally, survey->probe->image_count, kept_map, &kept, error);
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
    return as_floats(passing->maps + slot * passing->cells, passing->cells, room);
}

static bool passing_batch(void *self, const real *maps, int64_t first, int64_t count, Error *error)
{
    PassingMaps *passing = self;
    passing->maps        = maps;
    passing->first       = first;
    return tally_block(passing->tally, first, count, passing_map, passing, error);
}

/* ---- a layer ----------------------------------------------------------------------------------- */

static bool dissect_stream(Dissection *out, Stream *stream, Survey *survey, TallyRun *tally,
                           Error *error)
{
    if (!stream_run(stream, 1, survey_batch, survey, error))
        return false;
    for (int64_t unit = 0; unit < survey->unit_count; unit++)
        out->threshold[unit] = top_quantile(&survey->top[unit], survey->rank);
    out->peak_store_bytes = survey->peak_bytes;
    out->passes           = survey->stores ? 1 : 2;
    if (survey->stores)
        return tally_kept(tally, survey, error);
    PassingMaps passing = {.tally = tally, .unit_count = survey->unit_count,
                           .cells = survey->shape.height * survey->shape.width};
    return stream_run(stream, 2, passing_batch, &passing, error);
}

bool dissect_layer(Dissection *out, const DissectSettings *settings, const ProbeSet *probe,
                   const PlaneCache *planes, const ImageSource *images,
                   const ActivationSource *source, Error *error)
{
    Dissection result    = {0};
    Resampler *resampler = NULL;
    TallyRun  *tally     = NULL;
    Stream     stream    = {.settings = settings, .probe = probe, .images = images,
                            .source = source};
    Survey     survey    = {.settings = settings, .probe = probe, .unit_count = source->units,
                            .shape = {.height = source->height, .width = source->width}};
    int64_t    block     = source->batch > TALLY_BLOCK ? source->batch : TALLY_BLOCK;
    bool ok = dissection_open(&result, settings, probe, source->units, error) &&
              resampler_open(&resampler, settings, probe, source->height, source->width, error) &&
              stream_open(&stream, error) && survey_open(&survey, resampler, error) &&
              tally_open(&tally, settings, planes, resampler, &result,
                         source->height * source->width, block, error) &&
              dissect_stream(&result, &stream, &survey, tally, error);
    tally_close(tally);
    survey_close(&survey);
    stream_close(&stream);
    resampler_close(resampler);
    if (ok)
        *out = result;
    else
        dissection_close(&result);
    return ok;
}

/* ---- one unit, from maps at hand ---------------------------------------------------------------- */

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

static bool unit_threshold(const DissectSettings *settings, const ProbeSet *probe, int64_t cells,
                           const float *const *maps, float *threshold, Error *error)
{
    int64_t      values = probe->image_count * cells;
    QuantileRank rank   = quantile_rank(settings->quantile_entry, settings->quantile_entries, values);
    TopValues    top    = {0};
    bool         finite = true, ok = top_open(&top, rank.keep, values, error);
    for (int64_t image = 0; ok && image < probe->image_count; image++) {
        if (values_maximum(maps[image], cells, &finite) > top.bound)
            top_add(&top, maps[image], cells);
        ok = check_finite(probe, image, 0, finite, error);
    }
    if (ok)
        *threshold = top_quantile(&top, rank);
    top_close(&top);
    return ok;
}

bool dissect_unit(Dissection *out, const DissectSettings *settings, const ProbeSet *probe,
                  const PlaneCache *planes, int64_t height, int64_t width,
                  const float *const *maps, Error *error)
{
    Dissection result    = {0};
    Resampler *resampler = NULL;
    TallyRun  *tally     = NULL;
    MapsAtHand hand      = {.maps = maps};
    bool ok = dissection_open(&result, settings, probe, 1, error) &&
              resampler_open(&resampler, settings, probe, height, width, error) &&
              unit_threshold(settings, probe, height * width, maps, result.threshold, error) &&
              tally_open(&tally, settings, planes, resampler, &result, height * width, TALLY_BLOCK,
                         error) &&
              tally_all(tally, probe->image_count, map_at_hand, &hand, error);
    tally_close(tally);
    resampler_close(resampler);
    if (ok)
        *out = result;
    else
        dissection_close(&result);
    return ok;
}

/* ---- maps of some units ------------------------------------------------------------------------- */

typedef struct Collector {
    const ActivationSource *source;
    const int64_t          *units;
    int64_t                 unit_count, image_count;
    float                  *maps;
} Collector;

static bool collect_batch(void *self, const real *maps, int64_t first, int64_t count, Error *error)
{
    const Collector *collector = self;
    int64_t          cells     = collector->source->height * collector->source->width;
    (void)error;
    for (int64_t i = 0; i < collector->unit_count; i++)
        for (int64_t image = 0; image < count; image++) {
            const real *from = maps + (image * collector->source->units + collector->units[i]) * cells;
            float      *to   = collector->maps + (i * collector->image_count + first + image) * cells;
            for (int64_t cell = 0; cell < cells; cell++)
                to[cell] = (float)from[cell];
        }
    return true;
}

bool dissect_collect(const DissectSettings *settings, const ProbeSet *probe,
                     const ImageSource *images, const ActivationSource *source,
                     const int64_t *units, int64_t unit_count, float *maps, Error *error)
{
    Stream    stream    = {.settings = settings, .probe = probe, .images = images, .source = source};
    Collector collector = {.source = source, .units = units, .unit_count = unit_count,
                           .image_count = probe->image_count, .maps = maps};
    for (int64_t i = 0; i < unit_count; i++)
        if (units[i] < 0 || units[i] >= source->units)
            return fail(error, ERROR_USAGE, "there is no unit %lld, the layer has 0 to %lld",
                        (long long)units[i], (long long)source->units - 1);
    bool ok = stream_open(&stream, error) &&
              stream_run(&stream, 1, collect_batch, &collector, error);
    stream_close(&stream);
    return ok;
}
