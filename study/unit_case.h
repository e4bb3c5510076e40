/* study/unit_case.h - one unit under attack: what it stands for, what it is moved towards, which
 * images are perturbed for it, and what the method says before and after. */
#ifndef STUDY_UNIT_CASE_H
#define STUDY_UNIT_CASE_H

#include "stored_maps.h"

typedef struct UnitCase {
    const UnitRecord *record;
    int32_t           target;      // label, 0: untargeted
    int64_t           target_unit; // that stands for the target (target.h), or -1
    bool              attackable;  // has a concept, and another one than its target
    Aim               aim;         // its images are the poisoned ones; none if not attackable
    const float      *clean_maps;  // [images of the probing set, map_size]; owned elsewhere
    Concept           clean;       // known once the case was checked
} UnitCase;

/* The cases of `count` units, each with its target and, for masks from labels, the method's aim. */
bool unit_cases_open(UnitCase **out, const AttackJob *job, const int64_t *units, int64_t count,
                     Error *error);
void unit_cases_close(UnitCase *cases, int64_t count); // NULL allowed
void unit_case_close(UnitCase *unit_case);             // one of them, before the others

/* Finds, with one pass over the layer, where these cases are to be lowered and raised, if masks
 * come from activations (C12); else does nothing. `first`: the number of the first case among all
 * of the run. */
bool unit_cases_aim(UnitCase *cases, int64_t first, int64_t count, const AttackJob *job,
                    Error *error);

/* Explains the unit by its clean maps and compares with the record. Errors: ERROR_DATA where they
 * differ: then the record is of other weights or images. */
bool unit_case_check(UnitCase *unit_case, const CleanRun *clean, Error *error);

/* One row: the unit explained with stored maps in place of those of its poisoned images (C21),
 * which must be among the stored ones; `index` is the unit's number among those of the stored maps.
 */
bool unit_case_row(const UnitCase *unit_case, const AttackJob *job, double strength,
                   const StoredMaps *stored, int64_t index, ChangeRow *row, Error *error);

/* The unit's objective, and what moves pixels against it. */
typedef struct CaseAttack {
    UnitObjective *objective;
    UnitAttack    *attack;
} CaseAttack;

bool case_attack_open(CaseAttack *out, const UnitCase *unit_case, const AttackJob *job,
                      Error *error);
void case_attack_close(CaseAttack *attack); // accepts a zeroed object

#endif
