/* study/attack_run.c - designed attacks on several units, evaluated incrementally (14.6).
 *
 * Units go in chunks whose clean maps fit into memory. A chunk costs one clean pass, one pass over
 * its poisoned images for each storage arm (the controls), and then, unit by unit and eps by eps,
 * PGD on the poisoned images and one run of each stored result. Everything else is counting. */
#include "attack_run.h"

/* ---- checks and accounts --------------------------------------------------------------------- */

static bool job_check(const AttackJob *job, Error *error)
{
    const CleanRun *clean = &job->clean;
    if (clean->record->unit_count != clean->layer.units)
        return fail(error, ERROR_DATA, "the clean run has %lld units, the layer has %lld",
                    (long long)clean->record->unit_count, (long long)clean->layer.units);
    for (int64_t i = 0; i < job->unit_count; i++) {
        if (job->units[i] < 0 || job->units[i] >= clean->layer.units)
            return fail(error, ERROR_USAGE, "there is no unit %lld, the layer has units 0 to %lld",
                        (long long)job->units[i], (long long)clean->layer.units - 1);
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
    return true;
}

void progress_add(AttackRun *run, int64_t amount)
{
    const DissectSettings *settings = run->job->clean.settings;
    run->done += amount;
    if (settings->progress)
        settings->progress(settings->progress_self, run->done, run->total);
}

int64_t cost_of_image(const AttackJob *job)
{
    int64_t steps = job->method == PGD_FGSM ? 1 : job->steps;
    return 3 * steps + job->arm_count;
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

/* ---- the whole ------------------------------------------------------------------------------- */

static bool open_cases(AttackRun *run, Error *error)
{
    const AttackJob *job = run->job;
    bool *present = memory_new((size_t)job->clean.probe->label_count, sizeof *present, error);
    bool  done    = present != NULL;
    run->cases    = memory_new((size_t)job->unit_count, sizeof *run->cases, error);
    if (done && job->target.kind != TARGET_NONE)
        done = target_candidates(job, present, error);
    done = done && run->cases;
    for (int64_t i = 0; done && i < job->unit_count; i++)
        done = unit_case_open(&run->cases[i], job, present, job->units[i], error);
    memory_free(present);
    return done;
}

static void count_work(AttackRun *run, int64_t chunk)
{
    const AttackJob *job    = run->job;
    int64_t          images = job->clean.probe->image_count;
    int64_t          chunks = (job->unit_count + chunk - 1) / chunk;
    run->total              = chunks * images * (1 + job->arm_count);
    for (int64_t i = 0; i < job->unit_count; i++) {
        const UnitCase *unit_case = &run->cases[i];
        bool            unknown   = unit_case->attackable && job->masks == MASKS_ACTIVATIONS;
        int64_t         poisoned  = unknown ? images : unit_case->image_count;
        run->total += poisoned * job->eps_count * cost_of_image(job);
    }
}

bool attack_run(const AttackJob *job, Changes *out, Error *error)
{
    const CleanRun *clean = &job->clean;
    AttackRun       run   = {.job = job, .out = out};
    *out                  = (Changes){0};
    if (!job_check(job, error))
        return false;
    run.method   = job->method == PGD_FGSM ? "fgsm" : "pgd";
    run.map_size = (size_t)(clean->layer.height * clean->layer.width);
    run.set_size = run.map_size * (size_t)clean->probe->image_count;
    bool done    = replacer_open(&run.replacer, clean, error) &&
                resampler_open(&run.resampler, clean->settings, clean->probe, clean->layer.height,
                               clean->layer.width, error) &&
                open_cases(&run, error);
    int64_t length = chunk_length(&run);
    if (done)
        count_work(&run, length);
    for (int64_t first = 0; done && first < job->unit_count; first += length) {
        int64_t count = job->unit_count - first < length ? job->unit_count - first : length;
        done          = chunk_run(&run, run.cases + first, count, error);
    }
    for (int64_t i = 0; run.cases && i < job->unit_count; i++)
        unit_case_close(&run.cases[i]);
    memory_free(run.cases);
    resampler_close(run.resampler);
    replacer_close(&run.replacer);
    return done;
}

/* ---- the network of a weight blob ------------------------------------------------------------ */

static bool build_from_blob(void *self, Graph *graph, Shape pixels, int64_t unit, Network *out,
                            Error *error)
{
    const BlobLayer *layer   = self;
    NetworkRequest   request = {.batch     = pixels.dim[0],
                                .layer     = layer->layer,
                                .post_relu = layer->post_relu,
                                .unit      = unit,
                                .width     = pixels.dim[3],
                                .height    = pixels.dim[2]};
    return network_build(graph, layer->blob, &request, out, error);
}

UnitBuilder unit_builder(BlobLayer *layer)
{
    return (UnitBuilder){build_from_blob, layer};
}
