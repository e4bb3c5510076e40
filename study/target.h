/* study/target.h - which concept an attack moves a unit towards (C13). */
#ifndef STUDY_TARGET_H
#define STUDY_TARGET_H

#include "study.h"

/* Marks what a target may be in present [labels], zeroed before: the method's candidates or, for
 * masks from activations, the clean concepts of units. Errors: ERROR_USAGE if the choice cannot be
 * met. */
bool target_candidates(const AttackJob *job, bool *present, Error *error);

/* The target label of a unit, 0: none. The draw depends on seed, unit and candidates alone. */
int32_t target_of_unit(const AttackJob *job, const bool *present, int64_t unit,
                       int32_t clean_label);

/* The unit that stands for the target: the named one (unit:N) or, of those whose clean concept the
 * target is, other than `unit`, the one with the highest score (C12); -1: none. */
int64_t target_unit(const AttackJob *job, int64_t unit, int32_t target);

#endif
