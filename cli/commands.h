/* cli/commands.h - every verb; each lives in command_<name>.c with its options, help and work, and
 * stands in the table in verbs.c. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "arguments.h"

extern const Verb verb_inspect, verb_classify, verb_describe, verb_dissect, verb_noise, verb_attack,
    verb_compare, verb_activations, verb_image, verb_mini, verb_train, verb_verify, verb_report,
    verb_explain, verb_show, verb_attribute, verb_patterns, verb_manipulate, verb_curvature,
    verb_robustness, verb_accuracy, verb_agree, verb_status, verb_plan, verb_shard, verb_merge;

extern const char *const program_summary; // one line, no full stop

/* The index-th verb in the order help lists them, or NULL past the last. */
const Verb *verb_at(int index);
const Verb *verb_named(const char *name); // NULL if there is none

/* The whole program behind main(): returns the exit code. */
int nemesis_run(int count, const char *const *arguments);

/* Says on stderr what failed and returns the exit code. A failure without a cause is a defect. */
int nemesis_exit(bool ok, Error *error);

#endif
