/* study/unit_case.h - one unit of an attack: what it stands for, what it is pushed to, which
 * images are poisoned for it, and what a dissection says before and after. */
#ifndef STUDY_UNIT_CASE_H
#define STUDY_UNIT_CASE_H

#include "replace.h"
#include "../attack/unit_attack.h"

typedef struct UnitCase {
    const UnitRecord *record;
    int32_t           target;      // label, 0: untargeted
    int64_t           target_unit; // that stands for the target with masks from activations, or -1
    bool              attackable;  // has a concept, and another one than its target
    int64_t          *images;      // [image_count] poisoned, increasing (9.4)
    int64_t           image_count;
    const float      *clean_maps; // [images of the probing set, map_size]; belongs to the chunk
    uint8_t          *source_maps, *target_maps; // masks from activations, [images, map_size]
    Concept           clean;
} UnitCase;

/* The case of a unit with its target; images come from labels here, or later from activations. */
bool unit_case_open(UnitCase *out, const AttackJob *job, const bool *present, int64_t unit,
                    Error *error);
void unit_case_close(UnitCase *unit_case); // accepts a zeroed object

/* Masks of some cases from one pass over the layer, and with them the poisoned images (9.6). `first`
 * is the number of the first case among all of the run. */
bool unit_cases_find_masks(UnitCase *cases, int64_t first, int64_t count, const AttackJob *job,
                           Error *error);

/* What the unit's objective is made of. The resampler is that of the layer; masks from activations
 * do without it. */
UnitMasks unit_case_masks(const UnitCase *unit_case, const AttackJob *job,
                          const Resampler *resampler);

/* Dissects the unit on the clean maps and compares with the record. Errors: ERROR_DATA where
 * concept or threshold differ: then the record is of other weights or images. */
bool unit_case_check(UnitCase *unit_case, const CleanRun *clean, Error *error);

/* One row: the unit dissected with `replacement` in place of its poisoned images, which must be
 * among the replacement's; `index` is its number among the replacement's units. */
bool unit_case_row(const UnitCase *unit_case, const CleanRun *clean, const char *method,
                   double strength, const Replacement *replacement, int64_t index, ChangeRow *row,
                   Error *error);

#endif
