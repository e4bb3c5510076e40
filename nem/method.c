/* nem/method.c - what all methods have in common. */
#include "method.h"

#include <math.h>
#include <string.h>

/* ---- opening --------------------------------------------------------------------------------- */

bool explainer_open(Explainer *out, const Method *method, const Mode *mode, const Inputs *inputs,
                    const char *const *values, Error *error)
{
    Explainer explainer = {.method = method, .mode = mode, .inputs = *inputs, .values = values};
    explainer.labels    = memory_new(1, sizeof *explainer.labels, error);
    if (!explainer.labels)
        return false;
    if (!method->open(&explainer, error)) {
        explainer_close(&explainer);
        return false;
    }
    *out = explainer;
    return true;
}

void explainer_close(Explainer *explainer)
{
    if (explainer->method)
        explainer->method->close(explainer);
    labels_close(explainer->labels);
    memory_free(explainer->labels);
    *explainer = (Explainer){0};
}

const char *method_value(const Explainer *explainer, const char *name)
{
    const Method *method = explainer->method;
    for (int i = 0; i < method->option_count; i++)
        if (strcmp(method->options[i].name, name) == 0)
            return explainer->values ? explainer->values[i] : method->options[i].initial;
    return NULL;
}

const Method *method_named(const char *name)
{
    const Method *method = NULL;
    for (int i = 0; (method = method_at(i)) && strcmp(method->name, name) != 0; i++)
        continue;
    return method;
}

const Mode *mode_named(const Method *method, const char *name)
{
    for (int i = 0; i < method->mode_count; i++)
        if (!name || strcmp(method->modes[i].name, name) == 0)
            return &method->modes[i];
    return NULL;
}

/* ---- descriptions ---------------------------------------------------------------------------- */

bool is_detector(const Method *method, double score)
{
    return score >= method->detector_score;
}

Change description_change(const Method *method, const char *before, const char *after)
{
    bool same = strcmp(before, after) == 0;
    return method->compare ? method->compare(before, after)
                           : (Change){.changed = !same, .similarity = same};
}

bool explainer_change(const Explainer *explainer, const char *before, const char *after,
                      Change *out, Error *error)
{
    const Likeness *likeness = explainer->likeness;
    Change          change   = description_change(explainer->method, before, after);
    if (likeness && !likeness->measure(likeness->self, before, after, &change.similarity, error))
        return false;
    *out = change;
    return true;
}

/* ---- clean runs ------------------------------------------------------------------------------ */

void run_record_close(RunRecord *record)
{
    for (int64_t i = 0; record->units && i < record->unit_count; i++) {
        memory_free(record->units[i].label_name);
        memory_free(record->units[i].category_name);
    }
    memory_free(record->units);
    *record = (RunRecord){0};
}

// Relative; instruction sets round differently, other weights or images are far apart.
static const float SAME_THRESHOLD = 1e-4f;

static bool same_threshold(float now, float before)
{
    return fabsf(now - before) <= SAME_THRESHOLD * fabsf(now);
}

bool record_check(const Explainer *explainer, const UnitRecord *record, const Evidence *evidence,
                  int64_t row, Error *error)
{
    const Method *method    = explainer->method;
    int32_t       label     = method->explain(explainer, evidence, row).label;
    float         threshold = method->threshold ? method->threshold(evidence, row) : 0;
    return (label == record->label && same_threshold(threshold, record->threshold)) ||
           fail(error, ERROR_DATA,
                "unit %lld: the clean run found '%.60s' at threshold %.6g, these weights and "
                "images give '%.60s' at %.6g",
                (long long)record->unit, record->label_name, (double)record->threshold,
                explainer->labels->text[label], (double)threshold);
}

/* ---- attacks --------------------------------------------------------------------------------- */

void aim_close(Aim *aim)
{
    if (aim->close)
        aim->close(aim->self);
    *aim = (Aim){0};
}
