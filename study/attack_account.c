/* study/attack_account.c - rows and progress of an attack run. */
#include "attack_run.h"
#include "changes.h"

void attack_progress(AttackRun *run, int64_t amount)
{
    run->done += amount;
    pass_progress(run->job->clean.pass, run->done, run->total);
}

int64_t cost_of_image(const AttackJob *job)
{
    int64_t steps = job->method == PGD_FGSM ? 1 : job->steps;
    return 3 * steps + job->arm_count;
}

int64_t images_of_set(const AttackRun *run)
{
    return run->job->clean.explainer->inputs.probe->image_count;
}

bool take_earlier(const AttackRun *run, int64_t unit, double strength, ChangeRow *rows)
{
    const AttackJob *job = run->job;
    for (int arm = 0; arm < job->arm_count; arm++) {
        ChangeRow like =
            setting_row(word_text(PGD_NAMES, (int)job->method), strength, job->arms[arm]);
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
