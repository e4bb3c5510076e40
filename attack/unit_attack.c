/* attack/unit_attack.c - PGD over the images of one unit, as its objective allows. */
#include "group_attack.h"
#include "linear_attack.h"

struct UnitAttack {
    LinearAttack *linear; // one of the two
    GroupAttack  *group;
};

bool unit_attack_open(UnitAttack **out, const AttackSetup *setup, int64_t unit,
                      UnitObjective *objective, Error *error)
{
    UnitAttack *attack = memory_new(1, sizeof *attack, error);
    if (!attack)
        return false;
    bool done = unit_objective_is_linear(objective)
                    ? linear_attack_open(&attack->linear, setup, unit, objective, error)
                    : group_attack_open(&attack->group, setup, unit, objective, error);
    if (!done) {
        unit_attack_close(attack);
        return false;
    }
    *out = attack;
    return true;
}

void unit_attack_close(UnitAttack *attack)
{
    if (!attack)
        return;
    linear_attack_close(attack->linear);
    group_attack_close(attack->group);
    memory_free(attack);
}

bool unit_attack_shares(UnitAttack *attack, const int64_t *images, int64_t count, float *shares,
                        Error *error)
{
    if (attack->linear)
        return linear_attack_shares(attack->linear, images, count, shares, error);
    for (int64_t i = 0; i < count; i++)
        shares[i] = 1;
    return true;
}

bool unit_attack_run(UnitAttack *attack, const PgdRule *rule, const int64_t *images, int64_t count,
                     const PerturbedSink *sink, const StateWatch *watch, Error *error)
{
    return attack->linear
               ? linear_attack_run(attack->linear, rule, images, count, sink, watch, error)
               : group_attack_run(attack->group, rule, images, count, sink, watch, error);
}
