/* study/noise_run.c - noise sweeps: the whole set explained again, from scratch, for each storage
 * arm and strength (C18). */
#include "changes.h"
#include "measure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHANNELS = 3 };

/* The clean photos with noise and storage put on the poisoned ones. */
typedef struct NoisySource {
    const ImageSource *photos;
    Noise              noise;
    Storage            storage;
    int64_t            image_count;
    float             *linf;                     // [2, images]: both of the following
    float             *linf_before, *linf_after; // [images], written by the load of each
} NoisySource;

static bool noisy_load(void *self, int64_t image, float *planes, Error *error)
{
    NoisySource *noisy      = self;
    int64_t      plane_size = noisy->storage.height * noisy->storage.width;
    size_t       size       = CHANNELS * (size_t)plane_size;
    if (!noisy->photos->load(noisy->photos->self, image, planes, error))
        return false;
    if (!noise_poisons(&noisy->noise, image))
        return true;
    float *clean = memory_new(size, sizeof *clean, error);
    if (!clean)
        return false;
    memcpy(clean, planes, size * sizeof *clean);
    if (noisy->noise.strength > 0)
        noise_add(&noisy->noise, image, plane_size, planes);
    bool done = storage_put(&noisy->storage, image, clean, planes, &noisy->linf_before[image],
                            &noisy->linf_after[image], error);
    memory_free(clean);
    return done;
}

static bool noisy_open(NoisySource *out, const NoiseJob *job, double strength, StoreArm arm,
                       Error *error)
{
    const Inputs *inputs = &job->clean.explainer->inputs;
    NoisySource   noisy  = {.photos      = &inputs->images,
                            .noise       = {job->type, strength, job->fraction, job->seed},
                            .image_count = inputs->probe->image_count};
    char          name[96];
    snprintf(name, sizeof name, "%s_%.6g_%s", noise_type_name(job->type), strength,
             store_arm_name(arm));
    if (!storage_open(&noisy.storage, arm, &inputs->layer, job->stored_folder, name, error))
        return false;
    noisy.linf = memory_new((size_t)noisy.image_count, 2 * sizeof(float), error);
    if (!noisy.linf)
        return false;
    noisy.linf_before = noisy.linf;
    noisy.linf_after  = noisy.linf + noisy.image_count;
    *out              = noisy;
    return true;
}

static void noisy_close(NoisySource *noisy)
{
    memory_free(noisy->linf);
    *noisy = (NoisySource){0};
}

/* ---- rows ------------------------------------------------------------------------------------ */

// All descriptions that are other ones now, for a likeness that reads many at once.
static bool prepare_likeness(const NoiseJob *job, const Evidence *evidence, Error *error)
{
    const Explainer *explainer = job->clean.explainer;
    const Likeness  *likeness  = explainer->likeness;
    const RunRecord *record    = job->clean.record;
    int64_t          count     = 0;
    if (!likeness || !likeness->prepare)
        return true;
    const char **texts = memory_new((size_t)record->unit_count * 2, sizeof *texts, error);
    for (int64_t unit = 0; texts && unit < record->unit_count; unit++) {
        int32_t before = record->units[unit].label,
                after  = explainer->method->explain(explainer, evidence, unit).label;
        if (before == after)
            continue;
        texts[count++] = explainer->labels->text[before];
        texts[count++] = explainer->labels->text[after];
    }
    bool ok = texts && likeness->prepare(likeness->self, texts, count, error);
    memory_free(texts);
    return ok;
}

static bool add_units(const NoiseJob *job, const NoisySource *noisy, const Evidence *evidence,
                      Changes *out, Error *error)
{
    const RunRecord *record = job->clean.record;
    ChangeRow        row =
        setting_row(noise_type_name(noisy->noise.type), noisy->noise.strength, noisy->storage.arm);
    for (int64_t image = 0; image < noisy->image_count; image++) {
        row.poisoned += noise_poisons(&noisy->noise, image);
        row_measure(&row, noisy->linf_before[image], noisy->linf_after[image]);
    }
    row.fraction = (double)row.poisoned / (double)noisy->image_count;
    if (!prepare_likeness(job, evidence, error))
        return false;
    for (row.unit = 0; row.unit < record->unit_count; row.unit++) {
        const UnitRecord *clean = &record->units[row.unit];
        row.clean               = (Concept){clean->label, clean->category, clean->score};
        if (!row_explain(&row, job->clean.explainer, evidence, row.unit, error) ||
            !changes_add(out, &row, error))
            return false;
    }
    return true;
}

static bool take_earlier(const NoiseJob *job, double strength, StoreArm arm, Changes *out,
                         bool *taken, Error *error)
{
    ChangeRow like  = setting_row(noise_type_name(job->type), strength, arm);
    int64_t   units = job->clean.record->unit_count;
    *taken          = false;
    for (like.unit = 0; like.unit < units; like.unit++) {
        if (!changes_find(job->earlier, &like))
            return true;
    }
    for (like.unit = 0; like.unit < units; like.unit++) {
        if (!changes_add(out, changes_find(job->earlier, &like), error))
            return false;
    }
    *taken = true;
    return true;
}

/* ---- the sweep ------------------------------------------------------------------------------- */

typedef struct SweepProgress {
    const Pass *pass;
    int64_t     setting, count; // settings before this one; all of them
} SweepProgress;

static void sweep_progress(void *self, int64_t done, int64_t total)
{
    const SweepProgress *sweep = self;
    pass_progress(sweep->pass, sweep->setting * total + done, sweep->count * total);
}

static bool run_setting(const NoiseJob *job, double strength, StoreArm arm, SweepProgress *sweep,
                        Changes *out, Error *error)
{
    const Explainer *explainer = job->clean.explainer;
    const Method    *method    = explainer->method;
    Evidence        *evidence  = NULL;
    NoisySource      noisy     = {0};
    ImageSource      source    = {noisy_load, &noisy};
    Pass             pass      = *job->clean.pass;
    char             phase[96];
    if (!noisy_open(&noisy, job, strength, arm, error))
        return false;
    snprintf(phase, sizeof phase, "%s %.17g %s", noise_type_name(job->type), strength,
             store_arm_name(arm));
    pass.progress      = sweep_progress;
    pass.progress_self = sweep;
    pass.phase         = phase;
    pass.extra         = noisy.linf;
    pass.extra_size    = (size_t)noisy.image_count * 2 * sizeof *noisy.linf;
    bool done          = method->collect(explainer, &source, &pass, &evidence, error) &&
                add_units(job, &noisy, evidence, out, error);
    method->release(evidence);
    noisy_close(&noisy);
    return done;
}

static bool job_check(const NoiseJob *job, Error *error)
{
    if (!(job->fraction >= 0 && job->fraction <= 1))
        return fail(error, ERROR_USAGE, "fraction is %g, expected 0 to 1", job->fraction);
    for (int i = 0; i < job->strength_count; i++) {
        if (!(job->strengths[i] > 0 && isfinite(job->strengths[i])))
            return fail(error, ERROR_USAGE, "std is %g, expected more than 0", job->strengths[i]);
    }
    return clean_run_check(&job->clean, error);
}

int64_t noise_settings(const NoiseJob *job)
{
    return job->arm_count * (1 + (int64_t)job->strength_count);
}

bool noise_run(const NoiseJob *job, Changes *out, Error *error)
{
    const ChangeObserver *observer = &job->observer;
    int64_t               at       = 0, first, past;
    SweepProgress         sweep    = {.pass = job->clean.pass};
    *out                           = (Changes){0};
    share_range(job->share, noise_settings(job), 1, &first, &past);
    sweep.count = past - first;
    if (!job_check(job, error))
        return false;
    for (int arm = 0; arm < job->arm_count; arm++) {
        for (int i = -1; i < job->strength_count; i++, at++) {
            double strength = i < 0 ? 0 : job->strengths[i];
            bool   taken;
            if (at < first || at >= past)
                continue;
            sweep.setting = at - first;
            if (!take_earlier(job, strength, job->arms[arm], out, &taken, error) ||
                (!taken && !run_setting(job, strength, job->arms[arm], &sweep, out, error)) ||
                (observer->finished && !observer->finished(observer->self, out, error)))
                return false;
        }
    }
    return true;
}
