/* attack/group_attack.h - attacks whose objective must be weighed anew before each step (soft-iou,
 * C11): all images of a group move together, step by step. */
#ifndef ATTACK_GROUP_ATTACK_H
#define ATTACK_GROUP_ATTACK_H

#include "unit_attack.h"

typedef struct GroupAttack GroupAttack;

bool group_attack_open(GroupAttack **out, const AttackSetup *setup, int64_t unit,
                       UnitObjective *objective, Error *error);
void group_attack_close(GroupAttack *attack); // NULL allowed

bool group_attack_run(GroupAttack *attack, const PgdRule *rule, const int64_t *images,
                      int64_t count, const PerturbedSink *sink, const StateWatch *watch,
                      Error *error); // see unit_attack_run

#endif
