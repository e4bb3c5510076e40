/* study/target.h - which concept a unit is pushed to. */
#ifndef STUDY_TARGET_H
#define STUDY_TARGET_H

#include "study.h"

/* present [labels], zeroed before: what a target may be: the method's candidates or, for masks from
 * activations, clean concepts of units. Errors: ERROR_USAGE if the choice cannot be met. */
bool target_candidates(const AttackJob *job, bool *present, Error *error);

/* The target label of a unit, 0: none. The draw depends on seed, unit and candidates alone. */
int32_t target_of_unit(const AttackJob *job, const bool *present, int64_t unit,
                       int32_t clean_label);

/* The unit whose clean concept is `target` with the highest score, other than `unit`; -1: none. */
int64_t target_unit(const RunRecord *record, int64_t unit, int32_t target);

#endif
