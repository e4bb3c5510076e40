/* study/target.c - see target.h. */
#include "target.h"

#include "../base/words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What follows "unit:", where no category has that name.
static bool parse_unit(const char *text, const RunRecord *clean, TargetChoice *out, Error *error)
{
    char     *end   = NULL;
    long long last  = (long long)clean->unit_count - 1;
    errno           = 0;
    long long unit  = strtoll(text, &end, 10);
    bool      whole = *text >= '0' && *text <= '9' && !*end && errno == 0;
    if (!whole || unit > last)
        return fail(error, ERROR_USAGE,
                    "target 'unit:%s': no unit, expected a number from 0 to %lld", text, last);
    if (!clean->units[unit].label)
        return fail(error, ERROR_USAGE,
                    "target 'unit:%s': that unit has no concept in the clean run", text);
    *out = (TargetChoice){TARGET_UNIT, clean->units[unit].label, unit};
    return true;
}

// The label that was probably meant; 0: none.
static int32_t near_label(const Labels *labels, const char *name, int category)
{
    int     least = 0;
    int32_t found = 0;
    for (int32_t i = 1; i < labels->count; i++) {
        int slips = labels->category_of[i] == category
                        ? word_slips(name, strlen(name), labels->text[i])
                        : -1;
        if (slips >= 0 && (!found || slips < least)) {
            least = slips;
            found = i;
        }
    }
    return found;
}

// Where labels come from, and which one is near.
static bool refuse_label(const char *text, const char *name, const Labels *labels, int category,
                         Error *error)
{
    char        line[32] = "";
    int32_t     meant    = near_label(labels, name, category);
    const char *near     = meant ? labels->text[meant] : "";
    if (meant && labels->line)
        snprintf(line, sizeof line, " (line %d)", (int)labels->line[meant]);
    if (labels->source)
        return fail(error, ERROR_USAGE, "target '%s': %s has no line '%s'%s%s%s%s", text,
                    labels->source, name, meant ? ", did you mean '" : "", near, meant ? "'" : "",
                    line);
    return fail(error, ERROR_USAGE, "target '%s': category %s has no label '%s'%s%s%s", text,
                labels->category[category], name, meant ? ", did you mean '" : "", near,
                meant ? "'" : "");
}

bool target_parse(const char *text, const Labels *labels, const RunRecord *clean, TargetChoice *out,
                  Error *error)
{
    if (strcmp(text, "random") == 0) {
        *out = (TargetChoice){.kind = TARGET_RANDOM};
        return true;
    }
    const char *colon  = strchr(text, ':');
    size_t      length = colon ? (size_t)(colon - text) : 0;
    for (int category = 0; colon && category < labels->category_count; category++) {
        const char *name = labels->category[category];
        if (strlen(name) != length || strncmp(name, text, length) != 0)
            continue;
        int32_t label = labels_find(labels, colon + 1, category);
        if (!label)
            return refuse_label(text, colon + 1, labels, category, error);
        *out = (TargetChoice){.kind = TARGET_LABEL, .label = label};
        return true;
    }
    if (strncmp(text, "unit:", 5) == 0)
        return parse_unit(text + 5, clean, out, error);
    return fail(error, ERROR_USAGE,
                "target '%s' names no category, expected CATEGORY:NAME, unit:N or random", text);
}

bool target_candidates(const AttackJob *job, bool *present, Error *error)
{
    const CleanRun  *clean     = &job->clean;
    const Explainer *explainer = clean->explainer;
    const Labels    *labels    = explainer->labels;
    int64_t          total     = 0;
    if (job->masks == MASKS_ACTIVATIONS) {
        for (int64_t i = 0; i < clean->record->unit_count; i++)
            present[clean->record->units[i].label] = true;
    } else if (!explainer->method->candidates) {
        return fail(error, ERROR_USAGE,
                    "units that %s explains cannot be moved to a target by "
                    "its own masks; --masks activations can",
                    explainer->method->title);
    } else if (!explainer->method->candidates(explainer, present, error)) {
        return false;
    }
    present[0] = false;
    for (int32_t label = 1; label < labels->count; label++)
        total += present[label];
    if (job->target.kind == TARGET_RANDOM && total < 2)
        return fail(error, ERROR_USAGE, "a random target needs at least two concepts, found %lld",
                    (long long)total);
    if (job->target.kind != TARGET_RANDOM && !present[job->target.label])
        return fail(error, ERROR_USAGE, "target '%s' %s", labels->text[job->target.label],
                    job->masks == MASKS_ACTIVATIONS ? "is the clean concept of no unit of the layer"
                                                    : "occurs in no image of the probing set");
    return true;
}

int32_t target_of_unit(const AttackJob *job, const bool *present, int64_t unit, int32_t clean_label)
{
    if (job->target.kind != TARGET_RANDOM)
        return job->target.label;
    int32_t  label_count = job->clean.explainer->labels->count;
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

int64_t target_unit(const AttackJob *job, int64_t unit, int32_t target)
{
    const RunRecord *record = job->clean.record;
    int64_t          best   = -1;
    if (job->target.kind == TARGET_UNIT)
        return job->target.unit;
    for (int64_t other = 0; target && other < record->unit_count; other++) {
        if (other != unit && record->units[other].label == target &&
            (best < 0 || record->units[other].score > record->units[best].score))
            best = other;
    }
    return best;
}
