/* nem/milan/gather.c - the pass over a layer's maps: each unit's exemplars with their maps, and its
 * level. Units are surveyed in parallel, each in the order of images, so that batches and threads
 * leave no trace. */
#include "milan_private.h"

#include "../../base/parallel.h"

#include <string.h>

enum { LEVEL_ENTRY = 99, LEVEL_ENTRIES = 101 }; // 99/100 (N2)

static bool unit_open(const Gathering *gathering, UnitGathering *unit, int64_t number,
                      int64_t values, Error *error)
{
    size_t maps = (size_t)gathering->exemplar_count * (size_t)gathering->cells;
    unit->maps  = memory_new(maps, sizeof *unit->maps, error);
    return unit->maps && (gathering->rules->is_sketched
                              ? sketch_open(&unit->sketch, SKETCH_RESOLUTION, number, error)
                              : top_open(&unit->top, gathering->rank.keep, values, error));
}

bool gather_open(Gathering *out, const Inputs *inputs, const MilanRules *rules, int64_t first_unit,
                 int64_t unit_count, Error *error)
{
    Gathering gathering = {
        .inputs = inputs, .rules = rules, .first_unit = first_unit, .unit_count = unit_count};
    int64_t images           = inputs->probe->image_count;
    gathering.cells          = inputs->layer.height * inputs->layer.width;
    gathering.exemplar_count = images < MILAN_EXEMPLARS ? images : MILAN_EXEMPLARS;
    gathering.rank           = quantile_rank(LEVEL_ENTRY, LEVEL_ENTRIES, images * gathering.cells);
    gathering.threads        = parallel_threads();
    gathering.units          = memory_new((size_t)unit_count, sizeof *gathering.units, error);
    gathering.rooms          = memory_new((size_t)gathering.threads * (size_t)gathering.cells,
                                          sizeof *gathering.rooms, error);
    bool ok = gathering.units && gathering.rooms && loop_errors_open(&gathering.errors, error);
    for (int64_t unit = 0; ok && unit < unit_count; unit++)
        ok = unit_open(&gathering, &gathering.units[unit], first_unit + unit,
                       images * gathering.cells, error);
    if (ok)
        *out = gathering;
    else
        gather_close(&gathering);
    return ok;
}

void gather_close(Gathering *gathering)
{
    for (int64_t unit = 0; gathering->units && unit < gathering->unit_count; unit++) {
        memory_free(gathering->units[unit].maps);
        top_close(&gathering->units[unit].top);
        sketch_close(&gathering->units[unit].sketch);
    }
    memory_free(gathering->units);
    memory_free(gathering->rooms);
    loop_errors_close(&gathering->errors);
    *gathering = (Gathering){0};
}

// Puts the next image where its peak belongs, if it is one of the highest.
static void keep_if_high(const Gathering *gathering, UnitGathering *unit, int64_t image, float peak,
                         const float *map)
{
    Exemplars *found = &unit->exemplars;
    int64_t    place = found->count;
    while (place > 0 && found->peak[place - 1] < peak)
        place--;
    if (place == gathering->exemplar_count)
        return;
    int64_t slot =
        found->count < gathering->exemplar_count ? found->count : unit->slot[found->count - 1];
    found->count += found->count < gathering->exemplar_count;
    for (int64_t i = found->count - 1; i > place; i--) {
        found->image[i] = found->image[i - 1];
        found->peak[i]  = found->peak[i - 1];
        unit->slot[i]   = unit->slot[i - 1];
    }
    found->image[place] = image;
    found->peak[place]  = peak;
    unit->slot[place]   = slot;
    memcpy(unit->maps + slot * gathering->cells, map, (size_t)gathering->cells * sizeof *map);
}

bool gather_map(Gathering *gathering, int64_t unit, int64_t image, const float *map, Error *error)
{
    UnitGathering *self   = &gathering->units[unit];
    bool           finite = true;
    float          peak   = values_maximum(map, gathering->cells, &finite);
    if (!map_check(gathering->inputs->probe, image, gathering->first_unit + unit, finite, error))
        return false;
    keep_if_high(gathering, self, image, peak, map);
    if (gathering->rules->is_sketched)
        return sketch_add(&self->sketch, map, gathering->cells, error);
    if (peak > self->top.bound)
        top_add(&self->top, map, gathering->cells);
    return true;
}

static void gather_unit(void *data, int64_t unit, int thread)
{
    Gathering *gathering = data;
    for (int64_t i = 0; i < gathering->count; i++) {
        Error        error = {0};
        int64_t      row   = i * gathering->unit_count + unit;
        const float *map   = map_floats(gathering->maps + row * gathering->cells, gathering->cells,
                                        gathering->rooms + thread * gathering->cells);
        if (!gather_map(gathering, unit, gathering->first + i, map, &error)) {
            loop_errors_add(&gathering->errors, row, thread, &error);
            return;
        }
    }
}

bool gather_batch(void *self, const real *maps, int64_t first, int64_t count, Error *error)
{
    Gathering *gathering = self;
    gathering->maps      = maps;
    gathering->first     = first;
    gathering->count     = count;
    parallel_for(gathering->unit_count, gather_unit, gathering);
    return loop_errors_check(&gathering->errors, error);
}

bool gather_levels(Gathering *gathering, Error *error)
{
    const double p = (double)LEVEL_ENTRY / (LEVEL_ENTRIES - 1);
    for (int64_t unit = 0; unit < gathering->unit_count; unit++) {
        UnitGathering *self = &gathering->units[unit];
        if (!gathering->rules->is_sketched)
            self->exemplars.level = top_quantile(&self->top, gathering->rank);
        else if (!sketch_quantile(&self->sketch, p, &self->exemplars.level, error))
            return false;
    }
    return true;
}

const float *gather_exemplar(const Gathering *gathering, int64_t unit, int64_t rank)
{
    const UnitGathering *self = &gathering->units[unit];
    return self->maps + self->slot[rank] * gathering->cells;
}
