/* study/attack_account.c - cost, progress and rows of an attack run. */
#include "attack_run.h"
#include "changes.h"

#include <math.h>
#include <string.h>

bool attack_is_shared(const AttackRun *run, const UnitCase *unit_case, int eps)
{
    int64_t at = (unit_case - run->cases) * run->job->eps_count + eps;
    return eps < 0 || (at >= run->first && at < run->past);
}

void attack_progress(AttackRun *run, int64_t amount)
{
    run->done += amount;
    pass_progress(run->job->clean.pass, run->done, run->total);
}

void attack_discount(AttackRun *run, int64_t amount)
{
    run->total -= amount;
}

static bool is_known(const AttackRun *run)
{
    return run->job->masks != MASKS_ACTIVATIONS;
}

void attack_found(AttackRun *run, int64_t amount)
{
    if (!is_known(run))
        attack_discount(run, amount);
}

static void pass_over_set(void *self, int64_t done, int64_t total)
{
    const AttackRun *run = self;
    (void)total;
    pass_progress(run->job->clean.pass, run->done + done, run->total);
}

Pass counted_pass(AttackRun *run, const char *file, const char *phase)
{
    Pass pass          = pass_within(run->job->clean.pass, file, phase);
    pass.progress      = pass_over_set;
    pass.progress_self = run;
    return pass;
}

int64_t cost_of_image(const AttackJob *job, float share)
{
    int64_t steps = job->variant == PGD_FGSM ? 1 : job->steps;
    return (int64_t)ceil(3 * (double)steps * (double)share) + job->arm_count;
}

int64_t images_of_set(const AttackRun *run)
{
    return run->job->clean.explainer->inputs.probe->image_count;
}

bool control_runs(const AttackJob *job, int arm)
{
    return job->arms[arm] != STORE_FLOAT;
}

int64_t control_arms(const AttackJob *job)
{
    int64_t count = 0;
    for (int arm = 0; arm < job->arm_count; arm++)
        count += control_runs(job, arm);
    return count;
}

int64_t poisoned_images(const UnitCase *cases, int64_t count, int64_t total, bool *marked)
{
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < cases[i].aim.image_count; k++)
            marked[cases[i].aim.images[k]] = true;
    for (int64_t image = 0; image < total; image++)
        found += marked[image];
    return found;
}

int64_t cost_of_eps(const AttackRun *run, const UnitCase *unit_case)
{
    return run->unit_cost[unit_case - run->cases];
}

int64_t cost_of_unit(const AttackRun *run, const UnitCase *unit_case)
{
    int64_t count = 0;
    for (int e = 0; e < run->job->eps_count; e++)
        count += attack_is_shared(run, unit_case, e);
    return count * cost_of_eps(run, unit_case);
}

// Of all of the unit's images, from some of them, which are spread evenly.
static bool sample_cost(const AttackRun *run, const UnitCase *unit_case, int64_t *cost,
                        Error *error)
{
    enum { SAMPLE = 16 };
    const Aim *aim   = &unit_case->aim;
    int64_t    taken = aim->image_count < SAMPLE ? aim->image_count : SAMPLE, sum = 0;
    CaseAttack attack = {0};
    int64_t    images[SAMPLE];
    float      shares[SAMPLE];
    *cost = 0;
    if (taken == 0)
        return true;
    for (int64_t i = 0; i < taken; i++)
        images[i] = aim->images[i * aim->image_count / taken];
    bool ok = case_attack_open(&attack, unit_case, run->job, error) &&
              unit_attack_shares(attack.attack, images, taken, shares, error);
    for (int64_t i = 0; ok && i < taken; i++)
        sum += cost_of_image(run->job, shares[i]);
    case_attack_close(&attack);
    *cost = sum * aim->image_count / taken;
    return ok;
}

static bool cost_units(AttackRun *run, Error *error)
{
    const AttackJob *job = run->job;
    run->unit_cost       = memory_new((size_t)job->unit_count, sizeof *run->unit_cost, error);
    bool ok              = run->unit_cost != NULL;
    for (int64_t i = 0; ok && i < job->unit_count; i++) {
        UnitCase *unit_case = &run->cases[i];
        if (unit_case->attackable && !is_known(run))
            run->unit_cost[i] = images_of_set(run) * cost_of_image(job, 1);
        else
            ok = sample_cost(run, unit_case, &run->unit_cost[i], error);
    }
    return ok;
}

bool attack_opened(AttackRun *run, const UnitCase *unit_case, UnitAttack *attack, Error *error)
{
    const Aim *aim = &unit_case->aim;
    memory_free(run->shares);
    run->shares = memory_new((size_t)aim->image_count, sizeof *run->shares, error);
    return run->shares &&
           unit_attack_shares(attack, aim->images, aim->image_count, run->shares, error);
}

void attack_begun(AttackRun *run, const UnitCase *unit_case)
{
    int64_t cost = 0;
    for (int64_t i = 0; i < unit_case->aim.image_count; i++)
        cost += cost_of_image(run->job, run->shares[i]);
    attack_discount(run, cost_of_eps(run, unit_case) - cost);
}

void attack_aimed(AttackRun *run, const UnitCase *cases, int64_t count)
{
    if (is_known(run))
        return;
    for (int64_t i = 0; i < count; i++) {
        int64_t before = cost_of_unit(run, &cases[i]);
        run->unit_cost[&cases[i] - run->cases] =
            cases[i].aim.image_count * cost_of_image(run->job, 1);
        attack_discount(run, before - cost_of_unit(run, &cases[i]));
    }
    attack_progress(run, images_of_set(run));
}

void attack_found_chunk(AttackRun *run, const UnitCase *cases, int64_t count)
{
    attack_found(run, images_of_set(run) * (2 + control_arms(run->job)));
    for (int64_t i = 0; i < count; i++)
        attack_found(run, cost_of_unit(run, &cases[i]));
}

// What the units of a chunk share: clean maps, masks if they come from activations, control rows.
static int64_t cost_of_chunk(const AttackRun *run, int64_t first, int64_t count, bool *marked)
{
    const AttackJob *job    = run->job;
    int64_t          images = images_of_set(run);
    if (!is_known(run))
        return images * (2 + control_arms(job));
    memset(marked, 0, (size_t)images * sizeof *marked);
    return images + control_arms(job) * poisoned_images(run->cases + first, count, images, marked);
}

// Passes whose rows an earlier run has, and with them nothing is run again.
static int64_t cost_of_earlier(const AttackRun *run, int64_t first, int64_t count, int64_t shared)
{
    const AttackJob *job    = run->job;
    bool             is_all = is_known(run);
    int64_t          found  = 0;
    ChangeRow        rows[STORE_ARMS];
    for (int64_t i = first; i < first + count; i++) {
        is_all = is_all && take_earlier(run, job->units[i], 0, rows);
        for (int e = 0; e < job->eps_count; e++) {
            if (!attack_is_shared(run, &run->cases[i], e))
                continue;
            bool has = take_earlier(run, job->units[i], job->eps[e], rows);
            is_all   = is_all && has;
            found += has && is_known(run) ? cost_of_eps(run, &run->cases[i]) : 0;
        }
    }
    return found + (is_all ? shared : 0);
}

bool attack_plan(AttackRun *run, int64_t chunk, Error *error)
{
    const AttackJob *job     = run->job;
    int64_t          count   = job->unit_count;
    int64_t         *of_unit = memory_new((size_t)count, sizeof *of_unit, error);
    bool            *marked  = memory_new((size_t)images_of_set(run), sizeof *marked, error);
    AttackPlan       plan    = {.of_unit = of_unit, .unit_count = count, .at_most = !is_known(run)};
    bool             ok      = of_unit && marked && cost_units(run, error);
    for (int64_t first = 0; ok && first < count; first += chunk) {
        int64_t length = count - first < chunk ? count - first : chunk;
        int64_t shared = cost_of_chunk(run, first, length, marked);
        plan.shared += shared;
        run->done += cost_of_earlier(run, first, length, shared);
    }
    plan.total = plan.shared;
    for (int64_t i = 0; ok && i < count; i++) {
        of_unit[i] = cost_of_unit(run, &run->cases[i]);
        plan.images += is_known(run) ? run->cases[i].aim.image_count : images_of_set(run);
        plan.total += of_unit[i];
    }
    run->total = plan.total;
    if (ok && job->planned)
        job->planned(job->planned_self, &plan);
    if (ok)
        attack_progress(run, 0);
    memory_free(of_unit);
    memory_free(marked);
    return ok;
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
