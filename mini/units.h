/* mini/units.h - units as a captioner sees them, made up: photos of one claim, and masks of where
 * it is seen (V8).
 *
 * A unit that detects a thing is given by the photos that excite it most and, on each, the places
 * where it is active. A made-up unit has photos of which its claim is true, and masks as coarse as
 * those of a layer: the claim's cells, averaged to the unit's resolution, spread to pixels with
 * half-pixel bilinear weights and cut at the unit's own level, so that they are dilated. Half of
 * the units see only what is around one cell of each photo. One exemplar in ten is wrong: any
 * photo, and the mask of anything that is true of it. */
#ifndef MINI_UNITS_H
#define MINI_UNITS_H

#include "captions.h"

enum { MINI_UNIT_EXEMPLARS = 15 };

typedef struct MiniUnit {
    uint64_t seed;
    int64_t  number;
    int      claim;
} MiniUnit;

/* Whether this exemplar is one of the wrong ones; *word is a random number to choose its photo by,
 * or that of a right one. */
bool mini_unit_is_wrong(const MiniUnit *unit, int exemplar, uint32_t *word);

/* The mask of an exemplar, 0 or 1. is_random: of a disc anywhere, which knows nothing of the claim.
 * */
void mini_unit_mask(const MiniUnit *unit, int exemplar, const MiniImage *image, bool is_random,
                    uint8_t mask[MINI_PIXELS]);

#endif
