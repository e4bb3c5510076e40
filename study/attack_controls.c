/* study/attack_controls.c - control rows: no perturbation, the same storage (C22). What storage leaves
 * as it is keeps its clean maps. */
#include "attack_run.h"
#include "changes.h"
#include "../probe/rows.h"

#include <stdio.h>

/* ---- one arm --------------------------------------------------------------------------------- */

// The next images without maps, at most `batch`, looked for from *at on.
static int64_t next_images(const SavedSetting *setting, const int64_t *images, int64_t count,
                           int64_t batch, int64_t *at, int64_t *list)
{
    int64_t found = 0;
    for (; *at < count && found < batch; ++*at)
        if (!saved_setting_has(setting, images[*at]))
            list[found++] = images[*at];
    return found;
}

static bool fill_control(AttackRun *run, const Chunk *chunk, int arm, const SavedSetting *setting,
                         Error *error)
{
    const CleanRun *clean  = &run->job->clean;
    StoredMaps     *out    = setting->arms;
    int64_t         batch  = run->layer.layer->batch;
    RowLoader       loader = {0};
    int64_t         images[LIMIT_BATCH], at = 0, before = 0, rows = 1;
    real *planes = memory_new((size_t)batch * run->layer.image_size, sizeof *planes, error);
    bool  done   = planes && row_loader_open(&loader, &clean->explainer->inputs.images,
                                             run->layer.image_size, error);
    for (; done && rows; before = at) {
        int64_t ran = run->layer.ran;
        rows        = next_images(setting, out->images, out->count, batch, &at, images);
        done        = row_loader_load(&loader, images, rows, planes, error) &&
               stored_layer_fill(&run->layer, out, images, rows, planes, planes, chunk->unit_maps,
                                 error);
        ran = run->layer.ran - ran;
        if (control_runs(run->job, arm))
            attack_discount(run, at - before - ran);
        attack_progress(run, ran);
        done = done && saved_setting_save(setting, error) && !attack_cancelled(clean->pass, error);
    }
    row_loader_close(&loader);
    memory_free(planes);
    return done;
}

static bool control_arm(AttackRun *run, Chunk *chunk, int arm, const int64_t *images, int64_t count,
                        Error *error)
{
    const AttackJob *job     = run->job;
    StoredMaps       control = {
              .units = chunk->units, .unit_count = chunk->count, .images = images, .count = count};
    SavedSetting setting = {.pass = job->clean.pass, .arms = &control, .arm_count = 1};
    char         name[64];
    snprintf(name, sizeof name, "control_%s", store_arm_name(job->arms[arm]));
    snprintf(setting.phase, sizeof setting.phase, "%s of %lld from %lld", name,
             (long long)chunk->count, (long long)chunk->first);
    bool done = stored_maps_open(&control, job->arms[arm], run->layer.layer, job->stored_folder,
                                 name, error) &&
                saved_setting_load(&setting, error) &&
                fill_control(run, chunk, arm, &setting, error);
    for (int64_t i = 0; done && i < chunk->count; i++)
        done = unit_case_row(&chunk->cases[i], job, 0, &control, i,
                             &chunk->controls[i * job->arm_count + arm], error);
    stored_maps_close(&control);
    return done;
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

static const char controls_file[] = "controls.checkpoint";

static bool controls_save(const Chunk *chunk, const AttackJob *job, const char *phase, Error *error)
{
    Checkpoint *checkpoint = job->clean.pass->checkpoint;
    Changes     rows       = {.rows = chunk->controls, .count = chunk->count * job->arm_count};
    return !checkpoint ||
           rows_save(&rows, job->clean.explainer->labels, checkpoint, controls_file, phase, error);
}

static bool controls_load(const Chunk *chunk, const AttackJob *job, const char *phase, bool *found,
                          Error *error)
{
    Checkpoint *checkpoint = job->clean.pass->checkpoint;
    Changes     rows       = {0};
    int64_t     count      = chunk->count * job->arm_count;
    *found                 = false;
    if (!checkpoint)
        return true;
    bool ok = rows_load(&rows, job->clean.explainer->labels, checkpoint, controls_file, phase,
                        found, error);
    if (ok && *found && rows.count != count)
        ok = checkpoint_refuse(checkpoint, controls_file, error);
    for (int64_t i = 0; ok && *found && i < count; i++)
        chunk->controls[i] = rows.rows[i];
    changes_close(&rows);
    return ok;
}

/* ---- all arms -------------------------------------------------------------------------------- */

// Images that are poisoned for any unit of the chunk, and what it means for the account.
static int64_t list_poisoned(AttackRun *run, const Chunk *chunk, int64_t *list, bool *marked)
{
    int64_t total = images_of_set(run), listed = 0;
    int64_t count = poisoned_images(chunk->cases, chunk->count, total, marked);
    for (int64_t image = 0; image < total; image++)
        if (marked[image])
            list[listed++] = image;
    if (run->job->masks == MASKS_ACTIVATIONS)
        attack_discount(run, (total - count) * control_arms(run->job));
    return count;
}

bool control_rows(AttackRun *run, Chunk *chunk, Error *error)
{
    const AttackJob *job   = run->job;
    int64_t          total = images_of_set(run);
    char             phase[64];
    bool             found;
    snprintf(phase, sizeof phase, "%lld from %lld", (long long)chunk->count,
             (long long)chunk->first);
    if (!controls_load(chunk, job, phase, &found, error))
        return false;
    int64_t *images = memory_new((size_t)total, sizeof *images, error);
    bool    *marked = memory_new((size_t)total, sizeof *marked, error);
    bool     done   = images && marked;
    int64_t  count  = done ? list_poisoned(run, chunk, images, marked) : 0;
    for (int arm = 0; done && !found && arm < job->arm_count; arm++)
        done = control_arm(run, chunk, arm, images, count, error);
    if (done && found) // of an earlier run: nothing to do
        attack_discount(run, count * control_arms(job));
    memory_free(images);
    memory_free(marked);
    return done && (found || controls_save(chunk, job, phase, error));
}
