/* attack/unit_attack.c - PGD over the poisoned images of one unit, by the loss the job asks for. */
#include "unit_attack.h"
#include "mean_attack.h"
#include "soft_attack.h"

struct UnitAttack {
    MeanAttack *mean; // one of the two
    SoftAttack *soft;
};

bool unit_attack_open(UnitAttack **out, const AttackJob *job, int64_t unit,
                      UnitObjective *objective, Error *error)
{
    UnitAttack *attack = memory_new(1, sizeof *attack, error);
    if (!attack)
        return false;
    bool done = job->loss == LOSS_MEAN
                    ? mean_attack_open(&attack->mean, job, unit, objective, error)
                    : soft_attack_open(&attack->soft, job, unit, objective, error);
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
    mean_attack_close(attack->mean);
    soft_attack_close(attack->soft);
    memory_free(attack);
}

bool unit_attack_run(UnitAttack *attack, const PgdRule *rule, const int64_t *images, int64_t count,
                     const PerturbedSink *sink, Error *error)
{
    return attack->mean ? mean_attack_run(attack->mean, rule, images, count, sink, error)
                        : soft_attack_run(attack->soft, rule, images, count, sink, error);
}
