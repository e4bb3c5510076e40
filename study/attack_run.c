/* study/attack_run.c - designed attacks on several units, evaluated incrementally.
 *
 * Units go in chunks whose clean maps fit into memory. A chunk costs one clean pass, one pass over
 * its poisoned images for each storage arm but floats (the controls), and then, unit by unit and eps
 * by eps, PGD on the poisoned images and one run of each stored result. Everything else is
 * counting. */
#include "attack_run.h"

static bool job_check(const AttackJob *job, Error *error)
{
    const Explainer *explainer = job->clean.explainer;
    int64_t          units     = explainer->inputs.layer.units;
    if (!explainer->method->aim)
        return fail(error, ERROR_USAGE, "units that %s explains cannot be attacked",
                    explainer->method->title);
    for (int64_t i = 0; i < job->unit_count; i++) {
        if (job->units[i] < 0 || job->units[i] >= units)
            return fail(error, ERROR_USAGE, "there is no unit %lld, the layer has units 0 to %lld",
                        (long long)job->units[i], (long long)units - 1);
    }
    for (int i = 0; i < job->eps_count; i++) {
        if (!(job->eps[i] > 0 && job->eps[i] <= 1))
            return fail(error, ERROR_USAGE, "eps is %g, expected more than 0 and at most 1",
                        job->eps[i]);
    }
    if (job->arm_count < 1 || job->arm_count > STORE_ARMS)
        return fail(error, ERROR_USAGE, "found %d storage arms, expected 1 to %d", job->arm_count,
                    STORE_ARMS);
    if (job->steps < 1)
        return fail(error, ERROR_USAGE, "steps is %d, expected at least 1", job->steps);
    return clean_run_check(&job->clean, error);
}

static int64_t chunk_length(const AttackRun *run)
{
    const AttackJob *job   = run->job;
    size_t           room  = job->cache_bytes ? job->cache_bytes : ATTACK_CACHE_BYTES;
    size_t           sets  = job->masks == MASKS_ACTIVATIONS ? 5 : 2; // clean, control, masks
    size_t           bytes = sets * run->set_size * sizeof(float);
    int64_t          units = (int64_t)(room / bytes);
    return units < 1 ? 1 : units < job->unit_count ? units : job->unit_count;
}

// Of the job's units those that the share has an eps of.
static void take_share(AttackRun *run, AttackJob *job)
{
    int64_t eps = job->eps_count, first;
    share_range(job->share, job->unit_count * eps, 1, &run->first, &run->past);
    if (run->first == run->past) {
        job->unit_count = 0;
        return;
    }
    first           = run->first / eps;
    job->unit_count = (run->past + eps - 1) / eps - first;
    job->units += first;
    run->first -= first * eps;
    run->past -= first * eps;
}

static bool run_units(AttackRun *run, Error *error)
{
    const AttackJob        *job   = run->job;
    const ActivationSource *layer = &job->clean.explainer->inputs.layer;
    run->set_size                 = (size_t)(layer->height * layer->width * images_of_set(run));
    bool done                     = stored_layer_open(&run->layer, layer, error) &&
                unit_cases_open(&run->cases, job, job->units, job->unit_count, error);
    int64_t length = chunk_length(run);
    done           = done && attack_plan(run, length, error);
    for (int64_t first = 0; done && first < job->unit_count; first += length) {
        int64_t count = job->unit_count - first < length ? job->unit_count - first : length;
        done          = chunk_run(run, run->cases + first, count, error);
    }
    memory_free(run->unit_cost);
    memory_free(run->shares);
    unit_cases_close(run->cases, job->unit_count);
    stored_layer_close(&run->layer);
    return done;
}

bool attack_run(const AttackJob *job, Changes *out, Error *error)
{
    AttackJob ours = *job;
    AttackRun run  = {.job = &ours, .out = out};
    *out           = (Changes){0};
    if (!job_check(job, error))
        return false;
    take_share(&run, &ours);
    return ours.unit_count == 0 || run_units(&run, error);
}
