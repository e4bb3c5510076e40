/* study/target.c - which concept a unit is pushed to (section 9.5). */
#include "../attack/unit_attack.h"

#include <stdio.h>
#include <string.h>

bool target_parse(const char *text, const ProbeSet *probe, TargetChoice *out, Error *error)
{
    if (strcmp(text, "random") == 0) {
        *out = (TargetChoice){.kind = TARGET_RANDOM};
        return true;
    }
    const char *colon  = strchr(text, ':');
    size_t      length = colon ? (size_t)(colon - text) : 0;
    for (int category = 0; colon && category < probe->category_count; category++) {
        const char *name = probe->category[category];
        if (strlen(name) != length || strncmp(name, text, length) != 0)
            continue;
        int32_t label = probe_label_named(probe, colon + 1, category);
        if (!label)
            return fail(error, ERROR_USAGE, "target '%s': category %s has no such label", text,
                        name);
        *out = (TargetChoice){.kind = TARGET_LABEL, .label = label};
        return true;
    }
    return fail(error, ERROR_USAGE,
                "target '%s' names no category, expected CATEGORY:NAME or random", text);
}

bool target_candidates(const AttackJob *job, bool *present, Error *error)
{
    const CleanRun *clean = &job->clean;
    int64_t         total = 0;
    if (job->masks == MASKS_ACTIVATIONS) {
        for (int64_t i = 0; i < clean->record->unit_count; i++)
            present[clean->record->units[i].label] = true;
    } else {
        for (int64_t image = 0; image < clean->probe->image_count; image++) {
            int                count;
            const LabelPixels *labels = planes_labels(clean->label_planes, image, &count);
            for (int i = 0; i < count; i++)
                present[labels[i].label] = true;
        }
    }
    present[0] = false;
    for (int32_t label = 1; label < clean->probe->label_count; label++)
        total += present[label];
    if (job->target.kind == TARGET_RANDOM && total < 2)
        return fail(error, ERROR_USAGE, "a random target needs at least two concepts, found %lld",
                    (long long)total);
    if (job->target.kind == TARGET_LABEL && !present[job->target.label])
        return fail(error, ERROR_USAGE, "target '%s' %s",
                    clean->probe->labels[job->target.label].name,
                    job->masks == MASKS_ACTIVATIONS ? "is the clean concept of no unit of the layer"
                                                    : "occurs in no image of the probing set");
    return true;
}

int32_t target_of_unit(const AttackJob *job, const bool *present, int64_t unit, int32_t clean_label)
{
    if (job->target.kind != TARGET_RANDOM)
        return job->target.label;
    int32_t  label_count = job->clean.probe->label_count;
    uint32_t choices     = 0;
    for (int32_t label = 1; label < label_count; label++)
        choices += present[label] && label != clean_label;
    if (!choices)
        return 0;
    char purpose[48];
    snprintf(purpose, sizeof purpose, "target of unit %lld", (long long)unit);
    Random   random = random_stream(job->seed, purpose);
    uint32_t draw   = random_below(&random, choices);
    for (int32_t label = 1; label < label_count; label++) {
        if (present[label] && label != clean_label && draw-- == 0)
            return label;
    }
    return 0;
}

int64_t target_unit(const RunRecord *record, int64_t unit, int32_t target)
{
    int64_t best = -1;
    for (int64_t other = 0; target && other < record->unit_count; other++) {
        if (other != unit && record->units[other].label == target &&
            (best < 0 || record->units[other].score > record->units[best].score))
            best = other;
    }
    return best;
}
