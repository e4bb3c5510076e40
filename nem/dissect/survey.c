/* nem/dissect/survey.c - the first pass over a layer's maps: each unit's largest values, from which
 * its threshold comes, and the cells worth keeping for the tally. Units are surveyed in parallel,
 * each in the order of images, so that batches and threads leave no trace. */
#include "dissect_private.h"

#include "../../base/parallel.h"

void survey_drop(Survey *survey)
{
    for (int64_t unit = 0; survey->stores && unit < survey->unit_count; unit++)
        cells_close(&survey->stores[unit]);
    memory_free(survey->stores);
    survey->stores = NULL;
}

bool survey_open(Survey *survey, const Resampler *resampler, Error *error)
{
    int64_t images = survey->probe->image_count;
    int64_t values = images * survey->shape.height * survey->shape.width;
    size_t  units  = (size_t)survey->unit_count;
    resampler_reach(resampler, &survey->shape.reach_rows, &survey->shape.reach_columns);
    survey->rank =
        quantile_rank(survey->rules->quantile_entry, survey->rules->quantile_entries, values);
    survey->threads = parallel_threads();
    survey->top     = memory_new(units, sizeof *survey->top, error);
    survey->stores  = memory_new(units, sizeof *survey->stores, error);
    survey->scratch = memory_new((size_t)survey->threads, sizeof *survey->scratch, error);
    bool ok         = survey->top && survey->stores && survey->scratch &&
              loop_errors_open(&survey->errors, error);
    for (int64_t unit = 0; ok && unit < survey->unit_count; unit++)
        ok = top_open(&survey->top[unit], survey->rank.keep, values, error) &&
             cells_open(&survey->stores[unit], images, error);
    for (int i = 0; ok && i < survey->threads; i++)
        ok = cell_scratch_open(&survey->scratch[i], &survey->shape, error);
    if (ok && (!cells_fit(&survey->shape) || survey->rules->store_bytes == 0))
        survey_drop(survey);
    return ok;
}

void survey_close(Survey *survey)
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

// One map of one unit; a value that is not finite ends the run (D1).
static bool survey_map(Survey *survey, int64_t unit, int64_t image, const float *map,
                       CellScratch *scratch, Error *error)
{
    TopValues *top     = &survey->top[unit];
    int64_t    cells   = survey->shape.height * survey->shape.width;
    bool       finite  = true;
    float      largest = values_maximum(map, cells, &finite);
    if (!map_check(survey->probe, image, unit, finite, error))
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
        const float *map = map_floats(survey->maps + (i * survey->unit_count + unit) * cells, cells,
                                      survey->scratch[thread].map);
        if (!survey_map(survey, unit, survey->first + i, map, &survey->scratch[thread], &error)) {
            loop_errors_add(&survey->errors, i * survey->unit_count + unit, thread, &error);
            return;
        }
    }
}

bool survey_batch(void *self, const real *maps, int64_t first, int64_t count, Error *error)
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
    if (bytes > survey->rules->store_bytes)
        survey_drop(survey);
    return true;
}
