/* cli/verbs.c - the table of verbs. */
#include "commands.h"

#include <string.h>

static const Verb *const verbs[] = {
    &verb_inspect,   &verb_classify, &verb_describe,    &verb_dissect,   &verb_noise,
    &verb_attack,    &verb_compare,  &verb_activations, &verb_image,     &verb_mini,
    &verb_train,     &verb_verify,   &verb_report,      &verb_explain,   &verb_show,
    &verb_attribute, &verb_patterns, &verb_manipulate,  &verb_curvature, &verb_robustness,
    &verb_accuracy,  &verb_agree,    &verb_status,      &verb_plan,      &verb_shard,
    &verb_merge};

const char *const program_summary = "which concepts do the units of a network stand for, and how "
                                    "such explanations are corrupted";

const Verb *verb_at(int index)
{
    return index < (int)(sizeof verbs / sizeof *verbs) ? verbs[index] : NULL;
}

const Verb *verb_named(const char *name)
{
    for (int i = 0; verb_at(i); i++)
        if (strcmp(verb_at(i)->name, name) == 0)
            return verb_at(i);
    return NULL;
}
