/* study/unit_case.c - one unit of an attack, from its clean concept to a row of changes.csv. */
#include "unit_case.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// Relative; instruction sets round differently, other weights or images are far apart.
static const float SAME_THRESHOLD = 1e-4f;

// Appends the images that carry a label to `marked`, [images of the probing set].
static void mark_images_with(const CleanRun *clean, int32_t label, int64_t *list, bool *marked)
{
    int64_t count = planes_images_with(clean->label_planes, label, list);
    for (int64_t i = 0; i < count; i++)
        marked[list[i]] = true;
}

static void collect_marked(UnitCase *unit_case, const bool *marked, int64_t total)
{
    unit_case->image_count = 0;
    for (int64_t image = 0; image < total; image++) {
        if (marked[image])
            unit_case->images[unit_case->image_count++] = image;
    }
}

static bool find_images_by_label(UnitCase *unit_case, const CleanRun *clean, Error *error)
{
    int64_t total  = clean->probe->image_count;
    bool   *marked = memory_new((size_t)total, sizeof *marked, error);
    if (!marked)
        return false;
    mark_images_with(clean, unit_case->record->label, unit_case->images, marked);
    if (unit_case->target)
        mark_images_with(clean, unit_case->target, unit_case->images, marked);
    collect_marked(unit_case, marked, total);
    memory_free(marked);
    return true;
}

bool unit_case_open(UnitCase *out, const AttackJob *job, const bool *present, int64_t unit,
                    Error *error)
{
    const CleanRun   *clean  = &job->clean;
    const UnitRecord *record = &clean->record->units[unit];
    UnitCase          made   = {.record = record, .target_unit = -1};
    if (job->target.kind != TARGET_NONE)
        made.target = target_of_unit(job, present, unit, record->label);
    made.attackable = record->label != 0 && record->label != made.target;
    if (job->masks == MASKS_ACTIVATIONS && made.attackable && made.target) {
        made.target_unit = target_unit(clean->record, unit, made.target);
        if (made.target_unit < 0)
            return fail(error, ERROR_USAGE, "unit %lld: no other unit's clean concept is '%s'",
                        (long long)unit, clean->probe->labels[made.target].name);
    }
    made.images = memory_new((size_t)clean->probe->image_count, sizeof *made.images, error);
    if (!made.images || (made.attackable && job->masks == MASKS_LABELS &&
                         !find_images_by_label(&made, clean, error))) {
        unit_case_close(&made);
        return false;
    }
    *out = made;
    return true;
}

void unit_case_close(UnitCase *unit_case)
{
    memory_free(unit_case->images);
    memory_free(unit_case->source_maps);
    memory_free(unit_case->target_maps);
    *unit_case = (UnitCase){0};
}

/* ---- masks from activations ------------------------------------------------------------------ */

// 1 where the map of `unit` exceeds its clean threshold; marks the images where it does anywhere.
static bool cut_maps(const CleanRun *clean, const float *maps, int64_t unit, bool *marked,
                     uint8_t **out, Error *error)
{
    size_t   size      = (size_t)(clean->layer.height * clean->layer.width);
    size_t   total     = (size_t)clean->probe->image_count;
    float    threshold = clean->record->units[unit].threshold;
    uint8_t *masks     = memory_new(total * size, 1, error);
    if (!masks)
        return false;
    for (size_t i = 0; i < total * size; i++) {
        masks[i] = maps[i] > threshold;
        if (masks[i])
            marked[i / size] = true;
    }
    *out = masks;
    return true;
}

bool unit_cases_find_masks(UnitCase *cases, int64_t first, int64_t count, const AttackJob *job,
                           Error *error)
{
    const CleanRun         *clean    = &job->clean;
    bool                    raw      = clean->settings->mode == COMPAT_CORRUPT23;
    const ActivationSource *source   = raw ? &job->unprepared : &clean->layer;
    DissectSettings         settings = *clean->settings;
    int64_t                 total = clean->probe->image_count, used = 0;
    size_t                  set    = (size_t)(total * clean->layer.height * clean->layer.width);
    int64_t                *units  = memory_new((size_t)count, 2 * sizeof *units, error);
    float                  *maps   = memory_new((size_t)count, 2 * set * sizeof *maps, error);
    bool                   *marked = memory_new((size_t)total, sizeof *marked, error);
    PassCheckpoint          keep;
    char                    stage[64];
    settings.progress = NULL;
    if (settings.keep) {
        snprintf(stage, sizeof stage, "masks of %lld from %lld", (long long)count,
                 (long long)first);
        keep          = (PassCheckpoint){settings.keep->checkpoint, "masks.checkpoint", stage, NULL, 0};
        settings.keep = &keep;
    }
    for (int64_t i = 0; units && i < count; i++) {
        if (!cases[i].attackable)
            continue;
        units[used++] = cases[i].record->unit;
        if (cases[i].target_unit >= 0)
            units[used++] = cases[i].target_unit;
    }
    bool done = units && maps && marked &&
                (used == 0 || dissect_collect(&settings, clean->probe, &clean->images, source,
                                              units, used, maps, error));
    used = 0;
    for (int64_t i = 0; done && i < count; i++) {
        UnitCase *unit_case = &cases[i];
        if (!unit_case->attackable)
            continue;
        memset(marked, 0, (size_t)total * sizeof *marked);
        done = cut_maps(clean, maps + (size_t)used++ * set, unit_case->record->unit, marked,
                        &unit_case->source_maps, error);
        if (done && unit_case->target_unit >= 0)
            done = cut_maps(clean, maps + (size_t)used++ * set, unit_case->target_unit, marked,
                            &unit_case->target_maps, error);
        if (done)
            collect_marked(unit_case, marked, total);
    }
    memory_free(units);
    memory_free(maps);
    memory_free(marked);
    return done;
}

UnitMasks unit_case_masks(const UnitCase *unit_case, const AttackJob *job,
                          const Resampler *resampler)
{
    const ProbeSet *probe = job->clean.probe;
    UnitMasks       masks = {.map_count = job->clean.layer.height * job->clean.layer.width};
    if (job->masks == MASKS_ACTIVATIONS) {
        masks.source_maps = unit_case->source_maps;
        masks.target_maps = unit_case->target_maps;
        masks.mask_count  = masks.map_count;
        return masks;
    }
    masks.label_planes = job->clean.label_planes;
    masks.resampler    = resampler;
    masks.source_label = unit_case->record->label;
    masks.target_label = unit_case->target;
    masks.mask_count   = probe->map_height * probe->map_width;
    return masks;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static bool dissect_case(const UnitCase *unit_case, const CleanRun *clean,
                         const Replacement *replacement, int64_t index, Dissection *out,
                         Error *error)
{
    const ActivationSource *layer    = &clean->layer;
    DissectSettings         settings = *clean->settings;
    int64_t                 total    = clean->probe->image_count;
    size_t                  size     = (size_t)(layer->height * layer->width);
    const float           **maps     = memory_new((size_t)total, sizeof *maps, error);
    if (!maps)
        return false;
    settings.progress = NULL;
    for (int64_t image = 0; image < total; image++)
        maps[image] = unit_case->clean_maps + (size_t)image * size;
    int64_t at = 0;
    for (int64_t i = 0; replacement && i < unit_case->image_count; i++) {
        while (replacement->images[at] != unit_case->images[i])
            at++;
        size_t map                 = (size_t)(index * replacement->count + at);
        maps[unit_case->images[i]] = replacement->maps + map * size;
    }
    bool done = dissect_unit(out, &settings, clean->probe, clean->label_planes, layer->height,
                             layer->width, maps, error);
    memory_free(maps);
    return done;
}

bool unit_case_check(UnitCase *unit_case, const CleanRun *clean, Error *error)
{
    const UnitRecord *record     = unit_case->record;
    Dissection        dissection = {0};
    if (!dissect_case(unit_case, clean, NULL, 0, &dissection, error))
        return false;
    unit_case->clean = dissect_concept(&dissection, 0);
    float threshold  = dissection.threshold[0];
    dissection_close(&dissection);
    float apart = fabsf(threshold - record->threshold);
    if (unit_case->clean.label != record->label || apart > SAME_THRESHOLD * fabsf(threshold))
        return fail(error, ERROR_DATA,
                    "unit %lld: the clean run found '%s' at threshold %.6g, these weights and "
                    "images give '%s' at %.6g",
                    (long long)record->unit, record->label_name, (double)record->threshold,
                    clean->probe->labels[unit_case->clean.label].name, (double)threshold);
    return true;
}

bool unit_case_row(const UnitCase *unit_case, const CleanRun *clean, const char *method,
                   double strength, const Replacement *replacement, int64_t index, ChangeRow *row,
                   Error *error)
{
    Dissection dissection = {0};
    if (!dissect_case(unit_case, clean, replacement, index, &dissection, error))
        return false;
    *row = (ChangeRow){.strength = strength,
                       .store    = replacement->arm,
                       .unit     = unit_case->record->unit,
                       .clean    = unit_case->clean,
                       .now      = dissect_concept(&dissection, 0),
                       .target   = unit_case->target,
                       .poisoned = unit_case->image_count};
    snprintf(row->method, sizeof row->method, "%s", method);
    row->clean_label_iou = row->clean.label ? dissect_iou(&dissection, 0, row->clean.label) : 0;
    row->target_iou      = row->target ? dissect_iou(&dissection, 0, row->target) : 0;
    row->fraction        = (double)row->poisoned / (double)clean->probe->image_count;
    row->changed         = row->now.label != row->clean.label;
    row->hit             = row->target && row->poisoned && row->now.label == row->target;
    int64_t at           = 0;
    for (int64_t i = 0; i < unit_case->image_count; i++) {
        while (replacement->images[at] != unit_case->images[i])
            at++;
        double before    = (double)replacement->linf_before[at];
        double after     = (double)replacement->linf_after[at];
        row->linf_before = before > row->linf_before ? before : row->linf_before;
        row->linf_after  = after > row->linf_after ? after : row->linf_after;
    }
    dissection_close(&dissection);
    return true;
}
