/* attack/mean_attack.h - the mean loss over the images of one unit (9.2, 9.3). */
#ifndef ATTACK_MEAN_ATTACK_H
#define ATTACK_MEAN_ATTACK_H

#include "unit_attack.h"

typedef struct MeanAttack MeanAttack;

/* `objective` outlives it. */
bool mean_attack_open(MeanAttack **out, const AttackJob *job, int64_t unit,
                      UnitObjective *objective, Error *error);
void mean_attack_close(MeanAttack *attack); // NULL allowed

/* Batches reach the sink sorted by the size of their windows. */
bool mean_attack_run(MeanAttack *attack, const PgdRule *rule, const int64_t *images, int64_t count,
                     const PerturbedSink *sink, Error *error);

#endif
