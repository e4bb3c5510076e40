/* attack/soft_attack.h - the soft-iou loss over the images of one unit (9.3). */
#ifndef ATTACK_SOFT_ATTACK_H
#define ATTACK_SOFT_ATTACK_H

#include "unit_attack.h"

typedef struct SoftAttack SoftAttack;

/* `objective` outlives it. */
bool soft_attack_open(SoftAttack **out, const AttackJob *job, int64_t unit,
                      UnitObjective *objective, Error *error);
void soft_attack_close(SoftAttack *attack); // NULL allowed

bool soft_attack_run(SoftAttack *attack, const PgdRule *rule, const int64_t *images, int64_t count,
                     const PerturbedSink *sink, Error *error);

#endif
