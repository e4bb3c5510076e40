/* training/units.h - units that a captioner learns to describe: features of their exemplars. */
#ifndef TRAINING_UNITS_H
#define TRAINING_UNITS_H

#include "../engine/blob.h"

typedef struct UnitSet {
    int64_t  count, exemplars, features;
    real    *values; // [count, exemplars, features], see models/pyramid.h
    real    *random; // the same photos under masks that know nothing; NULL: not there
    int64_t *claims; // [count]: what each unit is of
} UnitSet;

bool unit_set_new(UnitSet **out, int64_t count, int64_t exemplars, int64_t features,
                  bool has_random, Error *error);
void unit_set_free(UnitSet *set); // NULL allowed

#endif
