/* study/activation_aim.h - where to lower and raise a unit when there are no label maps: where
 * units themselves are active (C12). */
#ifndef STUDY_ACTIVATION_AIM_H
#define STUDY_ACTIVATION_AIM_H

#include "../nem/method.h"

/* A unit and its maps over all images of a set, [images, cells]. */
typedef struct UnitMaps {
    const UnitRecord *record;
    const float      *maps;
} UnitMaps;

/* The unit is lowered where its map exceeds its threshold in the clean run, and raised where the
 * map of `target` exceeds that unit's; target NULL: it is not raised. All images with such a place
 * may be perturbed. What is handed in need not outlive the aim. */
bool activation_aim_open(Aim *out, const UnitMaps *source, const UnitMaps *target, int64_t images,
                         int64_t cells, Error *error);

#endif
