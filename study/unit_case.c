/* study/unit_case.c - see unit_case.h. */
#include "unit_case.h"
#include "activation_aim.h"
#include "target.h"

#include <stdio.h>

/* ---- opening --------------------------------------------------------------------------------- */

static bool open_case(UnitCase *out, const AttackJob *job, const bool *present, int64_t unit,
                      Error *error)
{
    const Explainer  *explainer = job->clean.explainer;
    const UnitRecord *record    = &job->clean.record->units[unit];
    UnitCase          made      = {.record = record, .target_unit = -1};
    AimTarget         aimed     = {0};
    if (job->target.kind != TARGET_NONE)
        made.target = target_of_unit(job, present, unit, record->label);
    made.attackable = record->label != 0 && record->label != made.target;
    if (made.attackable && made.target) {
        made.target_unit = target_unit(job, unit, made.target);
        aimed.label      = made.target;
        aimed.unit = made.target_unit < 0 ? NULL : &job->clean.record->units[made.target_unit];
        if (job->masks == MASKS_ACTIVATIONS && !aimed.unit)
            return fail(error, ERROR_USAGE, "unit %lld: no other unit's clean concept is '%s'",
                        (long long)unit, explainer->labels->text[made.target]);
    }
    if (job->masks == MASKS_LABELS && made.attackable &&
        !explainer->method->aim(explainer, record, aimed, &made.aim, error))
        return false;
    *out = made;
    return true;
}

bool unit_cases_open(UnitCase **out, const AttackJob *job, const int64_t *units, int64_t count,
                     Error *error)
{
    size_t    labels  = (size_t)job->clean.explainer->labels->count;
    bool     *present = memory_new(labels, sizeof *present, error);
    UnitCase *cases   = memory_new((size_t)count, sizeof *cases, error);
    bool      done    = present && cases &&
                (job->target.kind == TARGET_NONE || target_candidates(job, present, error));
    for (int64_t i = 0; done && i < count; i++)
        done = open_case(&cases[i], job, present, units[i], error);
    memory_free(present);
    if (!done) {
        unit_cases_close(cases, count);
        return false;
    }
    *out = cases;
    return true;
}

void unit_case_close(UnitCase *unit_case)
{
    aim_close(&unit_case->aim);
    *unit_case = (UnitCase){0};
}

void unit_cases_close(UnitCase *cases, int64_t count)
{
    for (int64_t i = 0; cases && i < count; i++)
        unit_case_close(&cases[i]);
    memory_free(cases);
}

/* ---- masks from activations ------------------------------------------------------------------ */

// Units whose maps are needed, case by case; a case's target comes behind its unit.
static int64_t list_units(const UnitCase *cases, int64_t count, int64_t *units)
{
    int64_t used = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!cases[i].attackable)
            continue;
        units[used++] = cases[i].record->unit;
        if (cases[i].target_unit >= 0)
            units[used++] = cases[i].target_unit;
    }
    return used;
}

static bool cut_aims(UnitCase *cases, int64_t count, const AttackJob *job, const float *maps,
                     Error *error)
{
    const Inputs *inputs = &job->clean.explainer->inputs;
    int64_t       images = inputs->probe->image_count;
    int64_t       cells  = inputs->layer.height * inputs->layer.width;
    for (int64_t i = 0; i < count; i++) {
        UnitCase *unit_case = &cases[i];
        if (!unit_case->attackable)
            continue;
        bool     is_raised = unit_case->target_unit >= 0;
        UnitMaps source = {unit_case->record, maps}, target = {0};
        if (is_raised)
            target = (UnitMaps){&job->clean.record->units[unit_case->target_unit],
                                maps + images * cells};
        maps += (is_raised ? 2 : 1) * images * cells;
        if (!activation_aim_open(&unit_case->aim, &source, is_raised ? &target : NULL, images,
                                 cells, error))
            return false;
    }
    return true;
}

bool unit_cases_aim(UnitCase *cases, int64_t first, int64_t count, const AttackJob *job,
                    Error *error)
{
    if (job->masks != MASKS_ACTIVATIONS)
        return true;
    Inputs   inputs = job->clean.explainer->inputs;
    size_t   set   = (size_t)(inputs.probe->image_count * inputs.layer.height * inputs.layer.width);
    int64_t *units = memory_new((size_t)count, 2 * sizeof *units, error);
    int64_t  used  = units ? list_units(cases, count, units) : 0;
    float   *maps  = memory_new((size_t)used, set * sizeof *maps, error);
    char     phase[64];
    snprintf(phase, sizeof phase, "masks of %lld from %lld", (long long)count, (long long)first);
    Pass pass = pass_within(job->clean.pass, "masks.checkpoint", phase);
    if (job->clean.explainer->mode->raw_masks)
        inputs.layer = job->unprepared;
    bool done = units && maps &&
                (used == 0 || maps_collect(&inputs, units, used, &pass, maps, error)) &&
                cut_aims(cases, count, job, maps, error);
    memory_free(units);
    memory_free(maps);
    return done;
}

/* ---- before and after ------------------------------------------------------------------------ */

static int64_t image_count(const CleanRun *clean)
{
    return clean->explainer->inputs.probe->image_count;
}

// Evidence of the unit, with stored maps (NULL: none) in place of clean ones.
static bool collect_case(const UnitCase *unit_case, const CleanRun *clean, const StoredMaps *stored,
                         int64_t index, Evidence **out, Error *error)
{
    const Explainer        *explainer = clean->explainer;
    const ActivationSource *layer     = &explainer->inputs.layer;
    int64_t                 images    = image_count(clean);
    size_t                  size      = (size_t)(layer->height * layer->width);
    const float           **maps      = memory_new((size_t)images, sizeof *maps, error);
    int64_t                *changed   = memory_new((size_t)images, sizeof *changed, error);
    SeenImages              seen      = {&explainer->inputs.images, stored, changed, 0};
    ImageSource             source    = {seen_images_load, &seen};
    UnitView                view      = {
                            .unit = unit_case->record->unit, .maps = maps, .images = &source, .changed = changed};
    bool done = maps && changed;
    for (int64_t image = 0; done && image < images; image++)
        maps[image] = unit_case->clean_maps + (size_t)image * size;
    for (int64_t i = 0; done && stored && i < unit_case->aim.image_count; i++) {
        int64_t image = unit_case->aim.images[i], place = stored_maps_place(stored, image);
        maps[image] = stored->maps + (size_t)(index * stored->count + place) * size;
        if (stored->linf_after[place] > 0)
            changed[view.changed_count++] = image;
    }
    seen.changed_count = view.changed_count;
    done               = done && explainer->method->collect_unit(explainer, &view, out, error);
    memory_free(maps);
    memory_free(changed);
    return done;
}

bool unit_case_check(UnitCase *unit_case, const CleanRun *clean, Error *error)
{
    const Explainer *explainer = clean->explainer;
    Evidence        *evidence  = NULL;
    if (!collect_case(unit_case, clean, NULL, 0, &evidence, error))
        return false;
    unit_case->clean = explainer->method->explain(explainer, evidence, 0);
    bool same        = record_check(explainer, unit_case->record, evidence, 0, error);
    explainer->method->release(evidence);
    return same;
}

bool unit_case_row(const UnitCase *unit_case, const AttackJob *job, double strength,
                   const StoredMaps *stored, int64_t index, ChangeRow *row, Error *error)
{
    const CleanRun  *clean     = &job->clean;
    const Explainer *explainer = clean->explainer;
    const Aim       *aim       = &unit_case->aim;
    Evidence        *evidence  = NULL;
    if (!collect_case(unit_case, clean, stored, index, &evidence, error))
        return false;
    *row      = setting_row(word_text(PGD_NAMES, (int)job->variant), strength, stored->storage.arm);
    row->unit = unit_case->record->unit;
    row->clean    = unit_case->clean;
    row->target   = unit_case->target;
    row->poisoned = aim->image_count;
    row->fraction = (double)row->poisoned / (double)image_count(clean);
    bool done     = row_explain(row, explainer, evidence, 0, error);
    for (int64_t i = 0; i < aim->image_count; i++) {
        int64_t place = stored_maps_place(stored, aim->images[i]);
        row_measure(row, stored->linf_before[place], stored->linf_after[place]);
    }
    explainer->method->release(evidence);
    return done;
}

/* ---- the attack ------------------------------------------------------------------------------ */

bool case_attack_open(CaseAttack *out, const UnitCase *unit_case, const AttackJob *job,
                      Error *error)
{
    const Explainer *explainer = job->clean.explainer;
    const Inputs    *inputs    = &explainer->inputs;
    AttackSetup      setup     = {inputs, job->builder, job->clean.pass, job->batch};
    CaseAttack       made      = {0};
    if (!unit_objective_open(&made.objective, &unit_case->aim, job->loss, explainer->mode->coupled,
                             inputs->layer.height * inputs->layer.width, error) ||
        !unit_attack_open(&made.attack, &setup, unit_case->record->unit, made.objective, error)) {
        case_attack_close(&made);
        return false;
    }
    *out = made;
    return true;
}

void case_attack_close(CaseAttack *attack)
{
    unit_attack_close(attack->attack);
    unit_objective_close(attack->objective);
    *attack = (CaseAttack){0};
}
