/* study/attack_chunk.c - units that share one clean pass and one pass for each control. */
#include "attack_run.h"
#include "changes.h"
#include "part.h"
#include "../attack/rows.h"

#include <stdio.h>

typedef struct Chunk {
    UnitCase     *cases;
    int64_t       first, count; // among all units of the run
    int64_t      *units;     // [count]
    float        *maps;      // [count, set_size]
    const float **unit_maps; // [count]
    ChangeRow    *controls;  // [count, arms]
} Chunk;

/* ---- rows ------------------------------------------------------------------------------------ */

static const ChangeRow *earlier_row(const AttackRun *run, int64_t unit, double strength,
                                    StoreArm arm)
{
    ChangeRow like = {.strength = strength, .store = arm, .unit = unit};
    snprintf(like.method, sizeof like.method, "%s", run->method);
    return changes_find(run->job->earlier, &like);
}

// Adds the rows of a unit and strength if an earlier run has them for every arm.
static bool take_earlier(AttackRun *run, int64_t unit, double strength, ChangeRow *rows)
{
    for (int arm = 0; arm < run->job->arm_count; arm++) {
        const ChangeRow *row = earlier_row(run, unit, strength, run->job->arms[arm]);
        if (!row)
            return false;
        rows[arm] = *row;
    }
    return true;
}

static bool has_earlier(AttackRun *run, const Chunk *chunk)
{
    ChangeRow rows[STORE_ARMS];
    for (int64_t i = 0; i < chunk->count; i++) {
        bool all = take_earlier(run, chunk->units[i], 0, rows);
        for (int e = 0; e < run->job->eps_count; e++)
            all = all && take_earlier(run, chunk->units[i], run->job->eps[e], rows);
        if (!all)
            return false;
    }
    return true;
}

static bool add_rows(AttackRun *run, const ChangeRow *rows, Error *error)
{
    const ChangeObserver *observer = &run->job->observer;
    for (int arm = 0; arm < run->job->arm_count; arm++) {
        if (!changes_add(run->out, &rows[arm], error))
            return false;
    }
    return !observer->finished || observer->finished(observer->self, run->out, error);
}

/* ---- controls: no perturbation, the same storage --------------------------------------------- */

// The next images without maps, at most `batch`, looked for from *at on.
static int64_t next_images(const Part *part, const int64_t *images, int64_t count, int64_t batch,
                           int64_t *at, int64_t *list)
{
    int64_t found = 0;
    for (; *at < count && found < batch; ++*at)
        if (!part_has(part, images[*at]))
            list[found++] = images[*at];
    return found;
}

static bool fill_control(AttackRun *run, const Chunk *chunk, const Part *part, Error *error)
{
    const CleanRun *clean  = &run->job->clean;
    Replacement    *out    = part->arms;
    int64_t         batch  = clean->layer.batch;
    RowLoader       loader = {0};
    int64_t         images[LIMIT_BATCH], at = 0, before = 0;
    real *planes = memory_new((size_t)batch * run->replacer.image_size, sizeof *planes, error);
    bool  done =
        planes && row_loader_open(&loader, &clean->images, batch, run->replacer.image_size, error);
    for (int64_t rows; done; before = at) {
        rows = next_images(part, out->images, out->count, batch, &at, images);
        progress_add(run, at - before);
        if (rows == 0)
            break;
        done = row_loader_load(&loader, images, rows, planes, error) &&
               replacer_fill(&run->replacer, out, images, rows, planes, planes, chunk->unit_maps,
                             error) &&
               part_pause(part, error) && !attack_cancelled(clean, error);
    }
    row_loader_close(&loader);
    memory_free(planes);
    return done;
}

static int64_t union_of_images(const Chunk *chunk, int64_t total, int64_t *list, bool *marked)
{
    int64_t count = 0;
    for (int64_t i = 0; i < chunk->count; i++) {
        for (int64_t k = 0; k < chunk->cases[i].image_count; k++)
            marked[chunk->cases[i].images[k]] = true;
    }
    for (int64_t image = 0; image < total; image++) {
        if (marked[image])
            list[count++] = image;
    }
    return count;
}

static bool control_arm(AttackRun *run, Chunk *chunk, int arm, const int64_t *images,
                        int64_t count, Error *error)
{
    const AttackJob *job     = run->job;
    Replacement      control = {0};
    Part             part    = {.clean = &job->clean, .arms = &control, .arm_count = 1};
    char             name[64];
    snprintf(name, sizeof name, "control_%s", store_arm_name(job->arms[arm]));
    snprintf(part.stage, sizeof part.stage, "%s of %lld from %lld", name, (long long)chunk->count,
             (long long)chunk->first);
    bool done = replacement_open(&control, job->arms[arm], chunk->units, chunk->count, images,
                                 count, run->map_size, job->keep_folder, name, error) &&
                part_load(&part, error) && fill_control(run, chunk, &part, error);
    for (int64_t i = 0; done && i < chunk->count; i++)
        done = unit_case_row(&chunk->cases[i], &job->clean, run->method, 0, &control, i,
                             &chunk->controls[i * job->arm_count + arm], error);
    replacement_close(&control);
    return done;
}

static const char controls_file[] = "controls.checkpoint";

static bool controls_keep(const Chunk *chunk, const PassCheckpoint *keep, int arms,
                          const char *stage, Error *error)
{
    SnapshotPart rows = {chunk->controls, (size_t)(chunk->count * arms) * sizeof *chunk->controls};
    return checkpoint_save(keep->checkpoint, controls_file, stage, &rows, 1, error);
}

static bool controls_load(const Chunk *chunk, const PassCheckpoint *keep, const AttackJob *job,
                          const char *stage, bool *found, Error *error)
{
    Snapshot snapshot = {0};
    *found            = false;
    if (!keep)
        return true;
    if (!checkpoint_load(keep->checkpoint, controls_file, stage, &snapshot, found, error))
        return false;
    int64_t rows = chunk->count * job->arm_count;
    size_t  size = (size_t)rows * sizeof *chunk->controls;
    bool    fits = !*found || (snapshot.count == 1 &&
                            snapshot_copy(&snapshot, 0, chunk->controls, size));
    for (int64_t i = 0; *found && fits && i < rows; i++)
        fits = change_row_fits(&chunk->controls[i], job->clean.probe);
    snapshot_close(&snapshot);
    return fits || checkpoint_refuse(keep->checkpoint, controls_file, error);
}

static bool control_rows(AttackRun *run, Chunk *chunk, Error *error)
{
    const AttackJob      *job   = run->job;
    const PassCheckpoint *keep  = job->clean.settings->keep;
    int64_t               total = job->clean.probe->image_count;
    char                  stage[64];
    bool                  found;
    snprintf(stage, sizeof stage, "%lld from %lld", (long long)chunk->count,
             (long long)chunk->first);
    if (!controls_load(chunk, keep, job, stage, &found, error))
        return false;
    if (found) {
        progress_add(run, total * job->arm_count);
        return true;
    }
    int64_t *images = memory_new((size_t)total, sizeof *images, error);
    bool    *marked = memory_new((size_t)total, sizeof *marked, error);
    bool     done   = images && marked;
    int64_t  count  = done ? union_of_images(chunk, total, images, marked) : 0;
    for (int arm = 0; done && arm < job->arm_count; arm++) {
        done = control_arm(run, chunk, arm, images, count, error);
        progress_add(run, total - count);
    }
    memory_free(images);
    memory_free(marked);
    return done && (!keep || controls_keep(chunk, keep, job->arm_count, stage, error));
}

/* ---- one unit -------------------------------------------------------------------------------- */

typedef struct ArmSink {
    AttackRun   *run;
    UnitCase    *unit_case;
    Part         part;
} ArmSink;

static bool sink_has(void *self, int64_t image)
{
    const ArmSink *sink = self;
    return part_has(&sink->part, image);
}

static bool sink_take(void *self, const int64_t *images, int64_t count, const real *clean,
                      const real *perturbed, Error *error)
{
    ArmSink   *sink = self;
    AttackRun *run  = sink->run;
    for (int arm = 0; arm < run->job->arm_count; arm++) {
        if (!replacer_fill(&run->replacer, &sink->part.arms[arm], images, count, clean, perturbed,
                           &sink->unit_case->clean_maps, error))
            return false;
    }
    progress_add(run, count * cost_of_image(run->job));
    return part_pause(&sink->part, error) && !attack_cancelled(&run->job->clean, error);
}

static void count_filled(AttackRun *run, const ArmSink *sink)
{
    int64_t filled = 0;
    for (int64_t i = 0; i < sink->unit_case->image_count; i++)
        filled += part_has(&sink->part, sink->unit_case->images[i]);
    progress_add(run, filled * cost_of_image(run->job));
}

static bool attack_once(AttackRun *run, UnitCase *unit_case, UnitAttack *attack, double eps,
                        ChangeRow *rows, Error *error)
{
    const AttackJob *job              = run->job;
    const CleanRun  *clean            = &job->clean;
    Replacement      arms[STORE_ARMS] = {0};
    ArmSink          armed            = {run, unit_case, {clean, arms, job->arm_count, ""}};
    PerturbedSink    sink             = {sink_has, sink_take, &armed};
    PgdRule          rule             = {job->method, (real)eps, job->steps};
    bool             done             = true;
    for (int arm = 0; done && arm < job->arm_count; arm++) {
        char name[96];
        snprintf(name, sizeof name, "unit%lld_%.6g_%s", (long long)unit_case->record->unit, eps,
                 store_arm_name(job->arms[arm]));
        done = replacement_open(&arms[arm], job->arms[arm], &unit_case->record->unit, 1,
                                unit_case->images, unit_case->image_count, run->map_size,
                                job->keep_folder, name, error);
    }
    snprintf(armed.part.stage, sizeof armed.part.stage, "unit %lld eps %.17g",
             (long long)unit_case->record->unit, eps);
    done = done && part_load(&armed.part, error);
    if (done && unit_case->image_count) {
        count_filled(run, &armed);
        done =
            unit_attack_run(attack, &rule, unit_case->images, unit_case->image_count, &sink, error);
        if (!done)
            part_pause(&armed.part, error); // cancelled within a batch: those before it are kept
    }
    for (int arm = 0; done && arm < job->arm_count; arm++)
        done = unit_case_row(unit_case, clean, run->method, eps, &arms[arm], 0, &rows[arm], error);
    for (int arm = 0; arm < job->arm_count; arm++)
        replacement_close(&arms[arm]);
    return done;
}

// Every eps of one unit, after its control rows.
static bool attack_unit(AttackRun *run, UnitCase *unit_case, const ChangeRow *controls,
                        Error *error)
{
    const AttackJob *job       = run->job;
    int64_t          unit      = unit_case->record->unit;
    bool             coupled   = job->clean.settings->mode == COMPAT_CORRUPT23;
    UnitMasks        masks     = unit_case_masks(unit_case, job, run->resampler);
    UnitObjective    objective = {0};
    UnitAttack      *attack    = NULL;
    bool             done      = add_rows(run, controls, error);
    for (int e = 0; done && e < job->eps_count; e++) {
        ChangeRow rows[STORE_ARMS];
        if (take_earlier(run, unit, job->eps[e], rows)) {
            progress_add(run, unit_case->image_count * cost_of_image(job));
        } else {
            if (!attack && unit_case->image_count)
                done = unit_objective_open(&objective, &masks, job->loss, coupled,
                                           unit_case->record->threshold, error) &&
                       unit_attack_open(&attack, job, unit, &objective, error);
            done = done && attack_once(run, unit_case, attack, job->eps[e], rows, error);
        }
        done = done && add_rows(run, rows, error);
    }
    unit_attack_close(attack);
    unit_objective_close(&objective);
    return done;
}

/* ---- a chunk of units ------------------------------------------------------------------------ */

static bool chunk_open(AttackRun *run, Chunk *chunk, Error *error)
{
    size_t count = (size_t)chunk->count, floats;
    if (!size_mul(count, run->set_size, &floats))
        return fail(error, ERROR_MEMORY, "maps of %lld units do not fit", (long long)chunk->count);
    chunk->units     = memory_new(count, sizeof *chunk->units, error);
    chunk->unit_maps = memory_new(count, sizeof *chunk->unit_maps, error);
    chunk->controls  = memory_new(count * STORE_ARMS, sizeof *chunk->controls, error);
    if (!chunk->units || !chunk->unit_maps || !chunk->controls)
        return false;
    for (int64_t i = 0; i < chunk->count; i++)
        chunk->units[i] = chunk->cases[i].record->unit;
    return true;
}

static bool chunk_collect(AttackRun *run, Chunk *chunk, Error *error)
{
    const AttackJob *job      = run->job;
    const CleanRun  *clean    = &job->clean;
    DissectSettings  settings = *clean->settings;
    PassCheckpoint   keep;
    char             stage[64];
    settings.progress = NULL;
    if (settings.keep) {
        snprintf(stage, sizeof stage, "clean maps of %lld from %lld", (long long)chunk->count,
                 (long long)chunk->first);
        keep          = (PassCheckpoint){settings.keep->checkpoint, "clean.checkpoint", stage, NULL, 0};
        settings.keep = &keep;
    }
    chunk->maps = memory_new((size_t)chunk->count * run->set_size, sizeof *chunk->maps, error);
    if (!chunk->maps || !dissect_collect(&settings, clean->probe, &clean->images, &clean->layer,
                                         chunk->units, chunk->count, chunk->maps, error))
        return false;
    progress_add(run, clean->probe->image_count);
    for (int64_t i = 0; i < chunk->count; i++) {
        chunk->unit_maps[i]        = chunk->maps + (size_t)i * run->set_size;
        chunk->cases[i].clean_maps = chunk->unit_maps[i];
        if (!unit_case_check(&chunk->cases[i], clean, error))
            return false;
    }
    return job->masks == MASKS_LABELS ||
           unit_cases_find_masks(chunk->cases, chunk->first, chunk->count, job, error);
}

static void chunk_close(Chunk *chunk)
{
    memory_free(chunk->units);
    memory_free(chunk->maps);
    memory_free(chunk->unit_maps);
    memory_free(chunk->controls);
    for (int64_t i = 0; i < chunk->count; i++)
        unit_case_close(&chunk->cases[i]);
}

static bool copy_chunk(AttackRun *run, const Chunk *chunk, Error *error)
{
    ChangeRow rows[STORE_ARMS];
    for (int64_t i = 0; i < chunk->count; i++) {
        for (int e = -1; e < run->job->eps_count; e++) {
            if (!take_earlier(run, chunk->units[i], e < 0 ? 0 : run->job->eps[e], rows) ||
                !add_rows(run, rows, error))
                return false;
        }
    }
    return true;
}

bool chunk_run(AttackRun *run, UnitCase *cases, int64_t count, Error *error)
{
    Chunk chunk = {.cases = cases, .first = cases - run->cases, .count = count};
    bool  done  = chunk_open(run, &chunk, error);
    if (done && has_earlier(run, &chunk)) {
        done = copy_chunk(run, &chunk, error);
    } else {
        done = done && chunk_collect(run, &chunk, error) && control_rows(run, &chunk, error);
        for (int64_t i = 0; done && i < count; i++)
            done = attack_unit(run, &cases[i], &chunk.controls[i * run->job->arm_count], error);
    }
    chunk_close(&chunk);
    return done;
}
