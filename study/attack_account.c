/* study/attack_account.c - cost, progress and rows of an attack run. */
#include "attack_run.h"
#include "changes.h"

void attack_progress(AttackRun *run, int64_t amount)
{
    run->done += amount;
    pass_progress(run->job->clean.pass, run->done, run->total);
}

int64_t cost_of_image(const AttackJob *job)
{
    int64_t steps = job->variant == PGD_FGSM ? 1 : job->steps;
    return 3 * steps + job->arm_count;
}

int64_t images_of_set(const AttackRun *run)
{
    return run->job->clean.explainer->inputs.probe->image_count;
}

static int64_t cost_of_unit(const AttackRun *run, const UnitCase *unit_case)
{
    const AttackJob *job     = run->job;
    bool             unknown = unit_case->attackable && job->masks == MASKS_ACTIVATIONS;
    int64_t          images  = unknown ? images_of_set(run) : unit_case->aim.image_count;
    return images * job->eps_count * cost_of_image(job);
}

bool attack_plan(AttackRun *run, int64_t chunk, Error *error)
{
    const AttackJob *job   = run->job;
    int64_t          count = job->unit_count, chunks = (count + chunk - 1) / chunk;
    int64_t         *of_unit = memory_new((size_t)count, sizeof *of_unit, error);
    if (!of_unit)
        return false;
    AttackPlan plan = {.shared     = chunks * images_of_set(run) * (1 + job->arm_count),
                       .of_unit    = of_unit,
                       .unit_count = count,
                       .at_most    = job->masks == MASKS_ACTIVATIONS};
    plan.total      = plan.shared;
    for (int64_t i = 0; i < count; i++) {
        of_unit[i] = cost_of_unit(run, &run->cases[i]);
        plan.total += of_unit[i];
    }
    run->total = plan.total;
    if (job->planned)
        job->planned(job->planned_self, &plan);
    memory_free(of_unit);
    return true;
}

bool take_earlier(const AttackRun *run, int64_t unit, double strength, ChangeRow *rows)
{
    const AttackJob *job = run->job;
    for (int arm = 0; arm < job->arm_count; arm++) {
        ChangeRow like =
            setting_row(word_text(PGD_NAMES, (int)job->variant), strength, job->arms[arm]);
        like.unit            = unit;
        const ChangeRow *row = changes_find(job->earlier, &like);
        if (!row)
            return false;
        rows[arm] = *row;
    }
    return true;
}

bool add_rows(AttackRun *run, const ChangeRow *rows, Error *error)
{
    const ChangeObserver *observer = &run->job->observer;
    for (int arm = 0; arm < run->job->arm_count; arm++) {
        if (!changes_add(run->out, &rows[arm], error))
            return false;
    }
    return !observer->finished || observer->finished(observer->self, run->out, error);
}
