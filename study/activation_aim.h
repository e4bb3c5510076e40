/* study/activation_aim.h - an aim at the places where units are active, instead of the method's. */
#ifndef STUDY_ACTIVATION_AIM_H
#define STUDY_ACTIVATION_AIM_H

#include "../nem/method.h"

/* A unit and its maps over all images of a set, [images, cells]. */
typedef struct UnitMaps {
    const UnitRecord *record;
    const float      *maps;
} UnitMaps;

/* The unit is lowered where its map exceeds its threshold in the clean run, and raised where
 * target's does; target NULL: it is not raised. All images with such a place may be perturbed.
 * Nothing is kept of what is handed in. */
bool activation_aim_open(Aim *out, const UnitMaps *source, const UnitMaps *target, int64_t images,
                         int64_t cells, Error *error);

#endif
