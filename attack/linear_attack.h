/* attack/linear_attack.h - attacks whose weights are known before the first step (the mean loss,
 * C9): each image takes all its steps by itself, in a window of its own (C16). */
#ifndef ATTACK_LINEAR_ATTACK_H
#define ATTACK_LINEAR_ATTACK_H

#include "unit_attack.h"

typedef struct LinearAttack LinearAttack;

bool linear_attack_open(LinearAttack **out, const AttackSetup *setup, int64_t unit,
                        UnitObjective *objective, Error *error);
void linear_attack_close(LinearAttack *attack); // NULL allowed

/* See unit_attack_shares. */
bool linear_attack_shares(LinearAttack *attack, const int64_t *images, int64_t count, float *shares,
                          Error *error);

/* See unit_attack_run. Batches reach the sink sorted by the size of their windows. */
bool linear_attack_run(LinearAttack *attack, const PgdRule *rule, const int64_t *images,
                       int64_t count, const PerturbedSink *sink, const StateWatch *watch,
                       Error *error);

#endif
