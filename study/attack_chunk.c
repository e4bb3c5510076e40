/* study/attack_chunk.c - units that share one clean pass and the passes of their controls. */
#include "attack_run.h"

#include <stdio.h>

/* ---- one unit -------------------------------------------------------------------------------- */

/* Stores what comes from an attack in every arm. */
typedef struct ArmSink {
    AttackRun   *run;
    UnitCase    *unit_case;
    SavedSetting setting;
} ArmSink;

static bool sink_has(void *self, int64_t image)
{
    const ArmSink *sink = self;
    return saved_setting_has(&sink->setting, image);
}

static int64_t cost_in(const ArmSink *sink, int64_t image)
{
    const AttackRun *run = sink->run;
    return cost_of_image(run->job, run->shares[stored_maps_place(&sink->setting.arms[0], image)]);
}

static bool sink_take(void *self, const int64_t *images, int64_t count, const real *clean,
                      const real *perturbed, Error *error)
{
    ArmSink   *sink = self;
    AttackRun *run  = sink->run;
    for (int arm = 0; arm < run->job->arm_count; arm++) {
        if (!stored_layer_fill(&run->layer, &sink->setting.arms[arm], images, count, clean,
                               perturbed, &sink->unit_case->clean_maps, error))
            return false;
    }
    int64_t cost = 0;
    for (int64_t i = 0; i < count; i++)
        cost += cost_in(sink, images[i]);
    attack_progress(run, cost);
    return saved_setting_save(&sink->setting, error) &&
           !attack_cancelled(run->job->clean.pass, error);
}

// Images that a checkpoint has are not run again.
static void discount_filled(const ArmSink *sink)
{
    const Aim *aim = &sink->unit_case->aim;
    for (int64_t i = 0; i < aim->image_count; i++)
        if (saved_setting_has(&sink->setting, aim->images[i]))
            attack_discount(sink->run, cost_in(sink, aim->images[i]));
}

static bool open_arms(StoredMaps arms[STORE_ARMS], const AttackRun *run, const UnitCase *unit_case,
                      double eps, Error *error)
{
    const AttackJob *job = run->job;
    for (int arm = 0; arm < job->arm_count; arm++) {
        char name[96];
        snprintf(name, sizeof name, "unit%lld_%.6g_%s", (long long)unit_case->record->unit, eps,
                 store_arm_name(job->arms[arm]));
        arms[arm] = (StoredMaps){.units      = &unit_case->record->unit,
                                 .unit_count = 1,
                                 .images     = unit_case->aim.images,
                                 .count      = unit_case->aim.image_count};
        if (!stored_maps_open(&arms[arm], job->arms[arm], run->layer.layer, job->stored_folder,
                              name, error) ||
            (job->clean.explainer->method->sees_pixels &&
             !stored_maps_keep_pixels(&arms[arm], run->layer.layer, error)))
            return false;
    }
    return true;
}

// `attack` may be NULL if the unit has no images to perturb.
static bool attack_once(AttackRun *run, UnitCase *unit_case, UnitAttack *attack, double eps,
                        ChangeRow *rows, Error *error)
{
    const AttackJob *job              = run->job;
    const Aim       *aim              = &unit_case->aim;
    StoredMaps       arms[STORE_ARMS] = {0};
    ArmSink          armed = {run, unit_case, {job->clean.pass, arms, job->arm_count, ""}};
    PerturbedSink    sink  = {sink_has, sink_take, &armed};
    PgdRule          rule  = {job->variant, (real)eps, job->steps};
    snprintf(armed.setting.phase, sizeof armed.setting.phase, "unit %lld eps %.17g",
             (long long)unit_case->record->unit, eps);
    bool done =
        open_arms(arms, run, unit_case, eps, error) && saved_setting_load(&armed.setting, error);
    if (done && attack) {
        attack_begun(run, unit_case);
        discount_filled(&armed);
        done = unit_attack_run(attack, &rule, aim->images, aim->image_count, &sink, NULL, error);
        if (!done) // cancelled within a batch: those before it are saved
            saved_setting_save(&armed.setting, error);
    }
    for (int arm = 0; done && arm < job->arm_count; arm++)
        done = unit_case_row(unit_case, job, eps, &arms[arm], 0, &rows[arm], error);
    for (int arm = 0; arm < job->arm_count; arm++)
        stored_maps_close(&arms[arm]);
    return done;
}

// Every eps of one unit, after its control rows.
static bool attack_unit(AttackRun *run, UnitCase *unit_case, const ChangeRow *controls,
                        Error *error)
{
    const AttackJob *job    = run->job;
    int64_t          images = unit_case->aim.image_count;
    CaseAttack       attack = {0};
    bool             done   = add_rows(run, controls, error);
    for (int e = 0; done && e < job->eps_count; e++) {
        ChangeRow rows[STORE_ARMS];
        if (!attack_is_shared(run, unit_case, e))
            continue;
        if (take_earlier(run, unit_case->record->unit, job->eps[e], rows))
            attack_found(run, cost_of_eps(run, unit_case));
        else
            done = (!images || attack.attack ||
                    (case_attack_open(&attack, unit_case, job, error) &&
                     attack_opened(run, unit_case, attack.attack, error))) &&
                   attack_once(run, unit_case, attack.attack, job->eps[e], rows, error);
        done = done && add_rows(run, rows, error);
    }
    case_attack_close(&attack);
    return done;
}

/* ---- a chunk of units ------------------------------------------------------------------------ */

static bool chunk_open(const AttackRun *run, Chunk *chunk, Error *error)
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

static void chunk_close(Chunk *chunk)
{
    memory_free(chunk->units);
    memory_free(chunk->maps);
    memory_free(chunk->unit_maps);
    memory_free(chunk->controls);
    for (int64_t i = 0; i < chunk->count; i++)
        unit_case_close(&chunk->cases[i]);
}

static bool chunk_collect(AttackRun *run, Chunk *chunk, Error *error)
{
    const CleanRun *clean = &run->job->clean;
    char            phase[64];
    snprintf(phase, sizeof phase, "clean maps of %lld from %lld", (long long)chunk->count,
             (long long)chunk->first);
    Pass pass   = counted_pass(run, "clean.checkpoint", phase);
    chunk->maps = memory_new((size_t)chunk->count * run->set_size, sizeof *chunk->maps, error);
    if (!chunk->maps || !maps_collect(&clean->explainer->inputs, chunk->units, chunk->count, &pass,
                                      chunk->maps, error))
        return false;
    attack_progress(run, images_of_set(run));
    for (int64_t i = 0; i < chunk->count; i++) {
        chunk->unit_maps[i]        = chunk->maps + (size_t)i * run->set_size;
        chunk->cases[i].clean_maps = chunk->unit_maps[i];
        if (!unit_case_check(&chunk->cases[i], clean, error))
            return false;
    }
    if (!unit_cases_aim(chunk->cases, chunk->first, chunk->count, run->job, error))
        return false;
    attack_aimed(run, chunk->cases, chunk->count);
    return true;
}

static bool has_earlier(const AttackRun *run, const Chunk *chunk)
{
    ChangeRow rows[STORE_ARMS];
    for (int64_t i = 0; i < chunk->count; i++)
        for (int e = -1; e < run->job->eps_count; e++)
            if (attack_is_shared(run, &chunk->cases[i], e) &&
                !take_earlier(run, chunk->units[i], e < 0 ? 0 : run->job->eps[e], rows))
                return false;
    return true;
}

static bool copy_chunk(AttackRun *run, const Chunk *chunk, Error *error)
{
    ChangeRow rows[STORE_ARMS];
    for (int64_t i = 0; i < chunk->count; i++)
        for (int e = -1; e < run->job->eps_count; e++)
            if (attack_is_shared(run, &chunk->cases[i], e) &&
                (!take_earlier(run, chunk->units[i], e < 0 ? 0 : run->job->eps[e], rows) ||
                 !add_rows(run, rows, error)))
                return false;
    return true;
}

bool chunk_run(AttackRun *run, UnitCase *cases, int64_t count, Error *error)
{
    Chunk chunk = {.cases = cases, .first = cases - run->cases, .count = count};
    bool  done  = chunk_open(run, &chunk, error);
    if (done && has_earlier(run, &chunk)) {
        attack_found_chunk(run, cases, count);
        done = copy_chunk(run, &chunk, error);
    } else {
        done = done && chunk_collect(run, &chunk, error) && control_rows(run, &chunk, error);
        for (int64_t i = 0; done && i < count; i++)
            done = attack_unit(run, &cases[i], &chunk.controls[i * run->job->arm_count], error);
    }
    chunk_close(&chunk);
    return done;
}
