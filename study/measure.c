/* study/measure.c - see measure.h. */
#include "measure.h"

#include <math.h>
#include <stdio.h>

enum { CHANNELS = 3 };

bool storage_open(Storage *out, StoreArm arm, const ActivationSource *layer,
                  const char *stored_folder, const char *name, Error *error)
{
    *out = (Storage){.arm = arm, .height = layer->image_height, .width = layer->image_width};
    return !stored_folder ||
           (path_join(out->folder, stored_folder, name, error) &&
            folder_create(out->folder, error) && temporaries_remove(out->folder, error));
}

bool storage_put(const Storage *storage, int64_t image, const float *clean, float *planes,
                 float *before, float *after, Error *error)
{
    size_t size = (size_t)(CHANNELS * storage->height * storage->width);
    char   name[32], file[LIMIT_PATH];
    *before = planes_distance(clean, planes, size);
    snprintf(name, sizeof name, "%06lld", (long long)image);
    if ((storage->folder[0] && !path_join(file, storage->folder, name, error)) ||
        !store_image(storage->arm, storage->height, storage->width, planes,
                     storage->folder[0] ? file : NULL, error))
        return false;
    *after = planes_distance(clean, planes, size);
    return true;
}

ChangeRow setting_row(const char *perturbation, double strength, StoreArm store)
{
    ChangeRow row = {.strength = strength, .store = store};
    snprintf(row.perturbation, sizeof row.perturbation, "%s", perturbation);
    return row;
}

// The largest distance of any image of the row, before storage and after it.
void row_measure(ChangeRow *row, float before, float after)
{
    row->linf_before = (double)before > row->linf_before ? (double)before : row->linf_before;
    row->linf_after  = (double)after > row->linf_after ? (double)after : row->linf_after;
}

// Of a label (0: none) by row `at`.
static double score_now(const Explainer *explainer, const Evidence *evidence, int64_t at,
                        int32_t label)
{
    const Method *method = explainer->method;
    if (!label)
        return 0;
    return method->score_of ? method->score_of(explainer, evidence, at, label) : (double)NAN;
}

// What the unit stands for now, whether that is a change (C19) and whether it is the target (C20).
bool row_explain(ChangeRow *row, const Explainer *explainer, const Evidence *evidence, int64_t at,
                 Error *error)
{
    const Method *method = explainer->method;
    const Labels *labels = explainer->labels;
    Change        change;
    row->now             = method->explain(explainer, evidence, at);
    row->clean_label_iou = score_now(explainer, evidence, at, row->clean.label);
    row->target_iou      = score_now(explainer, evidence, at, row->target);
    row->new_threshold   = method->threshold ? method->threshold(evidence, at) : NAN;
    row->hit             = row->target && row->poisoned && row->now.label == row->target;
    if (!explainer_change(explainer, labels->text[row->clean.label], labels->text[row->now.label],
                          &change, error))
        return false;
    row->changed    = change.changed;
    row->similarity = change.similarity;
    return true;
}

bool clean_run_check(const CleanRun *clean, Error *error)
{
    int64_t found = clean->record->unit_count, units = clean->explainer->inputs.layer.units;
    return found == units ||
           fail(error, ERROR_DATA, "the clean run has %lld units, the layer has %lld",
                (long long)found, (long long)units);
}
