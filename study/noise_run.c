/* study/noise_run.c - noise sweeps: one full dissection for each storage arm and strength. */
#include "changes.h"
#include "../base/file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHANNELS = 3 };

/* A source around a source: noise, then storage, of the poisoned images. */
typedef struct NoisySource {
    const NoiseJob *job;
    Noise           noise;
    StoreArm        arm;
    char            keep[LIMIT_PATH];         // folder of the stored images, or ""
    float          *linf;                     // [2, images]: of both of the following
    float          *linf_before, *linf_after; // [images], written by the load of each
} NoisySource;

static bool corrupt_planes(NoisySource *noisy, int64_t image, float *planes, float *clean,
                           Error *error)
{
    const ActivationSource *layer      = &noisy->job->clean.layer;
    size_t                  plane_size = (size_t)(layer->image_height * layer->image_width);
    size_t                  size       = CHANNELS * plane_size;
    char                    name[32], keep[LIMIT_PATH];
    memcpy(clean, planes, size * sizeof *planes);
    if (noisy->noise.strength > 0)
        noise_add(&noisy->noise, image, (int64_t)plane_size, planes);
    noisy->linf_before[image] = planes_distance(clean, planes, size);
    snprintf(name, sizeof name, "%06lld", (long long)image);
    if ((noisy->keep[0] && !path_join(keep, noisy->keep, name, error)) ||
        !store_image(noisy->arm, layer->image_height, layer->image_width, planes,
                     noisy->keep[0] ? keep : NULL, error))
        return false;
    noisy->linf_after[image] = planes_distance(clean, planes, size);
    return true;
}

static bool noisy_load(void *self, int64_t image, float *planes, Error *error)
{
    NoisySource            *noisy  = self;
    const ImageSource      *images = &noisy->job->clean.images;
    const ActivationSource *layer  = &noisy->job->clean.layer;
    if (!images->load(images->self, image, planes, error))
        return false;
    if (!noise_poisons(&noisy->noise, image))
        return true;
    size_t size  = (size_t)(CHANNELS * layer->image_height * layer->image_width);
    float *clean = memory_new(size, sizeof *clean, error);
    bool   done  = clean && corrupt_planes(noisy, image, planes, clean, error);
    memory_free(clean);
    return done;
}

static bool noisy_open(NoisySource *out, const NoiseJob *job, double strength, StoreArm arm,
                       Error *error)
{
    int64_t images = job->clean.probe->image_count;
    *out           = (NoisySource){
                  .job = job, .noise = {job->type, strength, job->fraction, job->seed}, .arm = arm};
    if (job->keep_folder) {
        char name[96];
        snprintf(name, sizeof name, "%s_%.6g_%s", noise_type_name(job->type), strength,
                 store_arm_name(arm));
        if (!path_join(out->keep, job->keep_folder, name, error) ||
            !folder_create(out->keep, error) || !temporaries_remove(out->keep, error))
            return false;
    }
    out->linf = memory_new((size_t)images, 2 * sizeof(float), error);
    if (!out->linf)
        return false;
    out->linf_before = out->linf;
    out->linf_after  = out->linf + images;
    return true;
}

static void noisy_close(NoisySource *noisy)
{
    memory_free(noisy->linf);
}

/* ---- rows ------------------------------------------------------------------------------------ */

// What every row of a setting has in common.
static ChangeRow setting_row(const NoisySource *noisy)
{
    int64_t   images = noisy->job->clean.probe->image_count;
    ChangeRow row    = {.strength = noisy->noise.strength, .store = noisy->arm};
    snprintf(row.method, sizeof row.method, "%s", noise_type_name(noisy->noise.type));
    for (int64_t image = 0; image < images; image++) {
        double before = (double)noisy->linf_before[image];
        double after  = (double)noisy->linf_after[image];
        row.poisoned += noise_poisons(&noisy->noise, image);
        row.linf_before = before > row.linf_before ? before : row.linf_before;
        row.linf_after  = after > row.linf_after ? after : row.linf_after;
    }
    row.fraction = (double)row.poisoned / (double)images;
    return row;
}

static bool add_units(const NoisySource *noisy, const Dissection *dissection, Changes *out,
                      Error *error)
{
    const RunRecord *record = noisy->job->clean.record;
    ChangeRow        row    = setting_row(noisy);
    for (int64_t unit = 0; unit < record->unit_count; unit++) {
        const UnitRecord *clean = &record->units[unit];
        row.unit                = unit;
        row.clean               = (Concept){clean->label, clean->category, clean->score};
        row.now                 = dissect_concept(dissection, unit);
        row.clean_label_iou     = clean->label ? dissect_iou(dissection, unit, clean->label) : 0;
        row.changed             = row.now.label != clean->label;
        if (!changes_add(out, &row, error))
            return false;
    }
    return true;
}

static bool take_earlier(const NoiseJob *job, double strength, StoreArm arm, Changes *out,
                         bool *taken, Error *error)
{
    ChangeRow like = {.strength = strength, .store = arm};
    snprintf(like.method, sizeof like.method, "%s", noise_type_name(job->type));
    int64_t units = job->clean.record->unit_count;
    *taken        = false;
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
    const DissectSettings *settings;
    int64_t                setting, count; // dissections before this one; of all
} SweepProgress;

static void sweep_progress(void *self, int64_t done, int64_t total)
{
    const SweepProgress *sweep = self;
    sweep->settings->progress(sweep->settings->progress_self, sweep->setting * total + done,
                              sweep->count * total);
}

static bool run_setting(const NoiseJob *job, double strength, StoreArm arm, SweepProgress *sweep,
                        Changes *out, Error *error)
{
    const CleanRun *clean      = &job->clean;
    DissectSettings settings   = *clean->settings;
    Dissection      dissection = {0};
    NoisySource     noisy      = {0};
    ImageSource     source     = {noisy_load, &noisy};
    PassCheckpoint  keep;
    char            stage[96];
    settings.progress          = settings.progress ? sweep_progress : NULL;
    settings.progress_self     = sweep;
    bool done                  = noisy_open(&noisy, job, strength, arm, error);
    if (settings.keep) {
        snprintf(stage, sizeof stage, "%s %.17g %s", noise_type_name(job->type), strength,
                 store_arm_name(arm));
        keep            = *settings.keep;
        keep.stage      = stage;
        keep.extra      = noisy.linf;
        keep.extra_size = (size_t)clean->probe->image_count * 2 * sizeof *noisy.linf;
        settings.keep   = &keep;
    }
    done = done &&
           dissect_layer(&dissection, &settings, clean->probe, clean->label_planes, &source,
                         &clean->layer, error) &&
           add_units(&noisy, &dissection, out, error);
    dissection_close(&dissection);
    noisy_close(&noisy);
    return done;
}

static bool job_check(const NoiseJob *job, Error *error)
{
    const CleanRun *clean = &job->clean;
    if (!(job->fraction >= 0 && job->fraction <= 1))
        return fail(error, ERROR_USAGE, "fraction is %g, expected 0 to 1", job->fraction);
    for (int i = 0; i < job->strength_count; i++) {
        if (!(job->strengths[i] > 0 && isfinite(job->strengths[i])))
            return fail(error, ERROR_USAGE, "std is %g, expected more than 0", job->strengths[i]);
    }
    if (clean->record->unit_count != clean->layer.units)
        return fail(error, ERROR_DATA, "the clean run has %lld units, the layer has %lld",
                    (long long)clean->record->unit_count, (long long)clean->layer.units);
    return true;
}

bool noise_run(const NoiseJob *job, Changes *out, Error *error)
{
    const ChangeObserver *observer = &job->observer;
    int64_t               settings = job->arm_count * (1 + (int64_t)job->strength_count);
    SweepProgress         sweep    = {.settings = job->clean.settings, .count = settings};
    *out                           = (Changes){0};
    if (!job_check(job, error))
        return false;
    for (int arm = 0; arm < job->arm_count; arm++) {
        for (int i = -1; i < job->strength_count; i++, sweep.setting++) {
            double strength = i < 0 ? 0 : job->strengths[i];
            bool   taken;
            if (!take_earlier(job, strength, job->arms[arm], out, &taken, error) ||
                (!taken && !run_setting(job, strength, job->arms[arm], &sweep, out, error)) ||
                (observer->finished && !observer->finished(observer->self, out, error)))
                return false;
        }
    }
    return true;
}
