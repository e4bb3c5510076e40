/* study/map_study.c - every case of a study of maps, and its checkpoints: one with the rows of the
 * cases that are done, one in the middle of an attack. */
#include "map_case.h"

#include <stdio.h>

static const char cases_file[]  = "cases" PASS_FILE_ENDING,
                  attack_file[] = "attack" PASS_FILE_ENDING;

/* What is at hand. */
typedef struct StudyRun {
    const MapStudy *study;
    MapResults     *results;
    MapMachine     *machine;
    CaseRoom        room;
    int64_t         past;       // of the cases of this share; those before it count as done
    int64_t         steps_done; // of all cases before this one
    int64_t         passed;     // about so many forward passes of theirs
    double          saved;      // when the rows were
} StudyRun;

/* ---- results --------------------------------------------------------------------------------- */

int64_t map_study_steps(const MapStudy *study)
{
    int64_t steps = 0;
    for (int m = 0; m < study->method_count; m++)
        steps += study->pairs * study->rules[m].steps;
    return steps;
}

// About how many forward passes the first steps of an attack take.
static int64_t attack_passes(const MapStudy *study, int method, int64_t steps)
{
    int64_t copies = study->copies > 0 ? study->copies : 1;
    return map_method_step_passes(study->methods[method], &study->mode, steps * copies);
}

static int64_t passes_of(const MapStudy *study, int method)
{
    return attack_passes(study, method, study->rules[method].steps) + case_passes(study, method);
}

static void tell_progress(const StudyRun *run, int64_t passes)
{
    int64_t total = 0;
    for (int m = 0; m < run->study->method_count; m++)
        total += run->study->pairs * passes_of(run->study, m);
    pass_progress(run->study->pass, run->passed + passes, total);
}

RowCounts map_rows(const MapStudy *study, int64_t cases)
{
    RowCounts count = {0};
    for (int m = 0; m < study->method_count; m++)
        for (int64_t pair = 0; pair < study->pairs && count.cases < cases; pair++, count.cases++) {
            count.measures += case_measures(study, m);
            count.smoothings += case_smoothings();
            count.steps += study->rules[m].steps + 1;
        }
    return count;
}

static RowCounts count_rows(const MapStudy *study)
{
    return map_rows(study, INT64_MAX);
}

bool map_results_open(MapResults *out, const MapStudy *study, Error *error)
{
    RowCounts  count   = count_rows(study);
    MapResults results = {0};
    results.measures   = memory_new((size_t)count.measures, sizeof *results.measures, error);
    results.smoothings = memory_new((size_t)count.smoothings, sizeof *results.smoothings, error);
    results.steps      = memory_new((size_t)count.steps, sizeof *results.steps, error);
    *out               = results;
    return results.measures && results.smoothings && results.steps;
}

void map_results_close(MapResults *results)
{
    memory_free(results->measures);
    memory_free(results->smoothings);
    memory_free(results->steps);
    *results = (MapResults){0};
}

/* ---- checkpoints of rows --------------------------------------------------------------------- */

enum { ROW_PARTS = 4 };

static void list_rows(const StudyRun *run, int64_t counts[4], SnapshotPart parts[ROW_PARTS])
{
    MapResults *results = run->results;
    RowCounts   room    = count_rows(run->study);
    counts[0]           = results->cases;
    counts[1]           = results->measure_count;
    counts[2]           = results->smoothing_count;
    counts[3]           = results->step_count;
    parts[0]            = (SnapshotPart){counts, 4 * sizeof *counts};
    parts[1] = (SnapshotPart){results->measures, (size_t)room.measures * sizeof *results->measures};
    parts[2] =
        (SnapshotPart){results->smoothings, (size_t)room.smoothings * sizeof *results->smoothings};
    parts[3] = (SnapshotPart){results->steps, (size_t)room.steps * sizeof *results->steps};
}

// Whether counts are those after some cases of this study.
static bool counts_fit(const MapStudy *study, const int64_t counts[4])
{
    RowCounts rows = map_rows(study, counts[0]);
    return counts[0] == rows.cases && counts[1] == rows.measures && counts[2] == rows.smoothings &&
           counts[3] == rows.steps;
}

static void set_done(MapResults *results, RowCounts rows)
{
    results->cases           = rows.cases;
    results->measure_count   = rows.measures;
    results->smoothing_count = rows.smoothings;
    results->step_count      = rows.steps;
}

static bool load_rows(StudyRun *run, Error *error)
{
    Checkpoint  *checkpoint = run->study->pass->checkpoint;
    SnapshotPart parts[ROW_PARTS];
    int64_t      counts[4];
    bool         found;
    list_rows(run, counts, parts);
    if (!checkpoint_restore(checkpoint, cases_file, "cases", parts, ROW_PARTS, &found, error))
        return false;
    bool ok = !found || counts_fit(run->study, counts) ||
              checkpoint_refuse(checkpoint, cases_file, error);
    if (ok && found)
        set_done(run->results, (RowCounts){counts[0], counts[1], counts[2], counts[3]});
    return ok;
}

// Between two cases: if it is time, or if the run was cancelled.
static bool save_rows(StudyRun *run, Error *error)
{
    const Pass  *pass = run->study->pass;
    SnapshotPart parts[ROW_PARTS];
    int64_t      counts[4];
    if (!pass->checkpoint ||
        (!pass_cancelled(pass) && clock_seconds() - run->saved < checkpoint_interval()))
        return true;
    list_rows(run, counts, parts);
    run->saved = clock_seconds();
    return checkpoint_save(pass->checkpoint, cases_file, "cases", parts, ROW_PARTS, error);
}

/* ---- one attack, and its checkpoints --------------------------------------------------------- */

enum { ATTACK_PARTS = 5 };

static void list_attack(StudyRun *run, MapStep *steps, SnapshotPart parts[ATTACK_PARTS])
{
    MapAttackState *state = &run->machine->attack.state;
    size_t          size  = (size_t)state->values * sizeof(real);
    size_t          count = (size_t)run->machine->attack.rule.steps + 1;
    parts[0]              = (SnapshotPart){&state->step, sizeof state->step};
    parts[1]              = (SnapshotPart){state->image, size};
    parts[2]              = (SnapshotPart){state->first, size};
    parts[3]              = (SnapshotPart){state->second, size};
    parts[4]              = (SnapshotPart){steps, count * sizeof *steps};
}

static void phase_text(const StudyRun *run, int64_t pair, char out[96])
{
    snprintf(out, 96, "%.64s %lld", run->study->methods[run->machine->method]->name,
             (long long)pair);
}

static bool load_attack(StudyRun *run, int64_t pair, MapStep *steps, Error *error)
{
    Checkpoint  *checkpoint = run->study->pass->checkpoint;
    SnapshotPart parts[ATTACK_PARTS];
    bool         found;
    char         phase[96];
    phase_text(run, pair, phase);
    list_attack(run, steps, parts);
    if (!checkpoint_restore(checkpoint, attack_file, phase, parts, ATTACK_PARTS, &found, error))
        return false;
    const MapAttack *made = &run->machine->attack;
    return !found || (made->state.step >= 0 && made->state.step <= made->rule.steps) ||
           checkpoint_refuse(checkpoint, attack_file, error);
}

static bool stopped(StudyRun *run, Error *error)
{
    return fail(error, ERROR_AGAIN, "interrupted after %lld of %lld steps%s",
                (long long)(run->steps_done + run->machine->attack.state.step),
                (long long)map_study_steps(run->study),
                run->study->pass->checkpoint ? CHECKPOINT_HINT : "");
}

// Between two steps.
static bool save_attack(StudyRun *run, int64_t pair, MapStep *steps, Error *error)
{
    const Pass  *pass      = run->study->pass;
    bool         cancelled = pass_cancelled(pass);
    SnapshotPart parts[ATTACK_PARTS];
    char         phase[96];
    if (pass_saves(pass, cancelled)) {
        phase_text(run, pair, phase);
        list_attack(run, steps, parts);
        if (!checkpoint_save(pass->checkpoint, attack_file, phase, parts, ATTACK_PARTS, error))
            return false;
    }
    return !cancelled || stopped(run, error);
}

static bool attack(StudyRun *run, const CaseFacts *facts, Error *error)
{
    MapAttack      *made  = &run->machine->attack;
    MapAttackState *state = &made->state;
    MapStep        *steps = run->results->steps + run->results->step_count;
    uint64_t        draw  = (uint64_t)facts->index;
    map_attack_begin(made, facts->pair.image, run->room.wanted, facts->class, draw);
    if (!load_attack(run, facts->index, steps, error))
        return false;
    while (state->step <= made->rule.steps) {
        MapStep *row = &steps[state->step];
        *row         = (MapStep){.pair   = (int32_t)facts->index,
                                 .method = run->machine->method,
                                 .step   = (int32_t)state->step};
        if (state->step == made->rule.steps) {
            row->loss = map_attack_look(made, draw); // where it ended
            break;
        }
        Error cause = {0};
        if (!map_attack_step(made, draw, &row->loss, &cause))
            return fail(error, cause.code, "method %s, case %lld of %lld: %s",
                        run->study->methods[run->machine->method]->name,
                        (long long)facts->index + 1, (long long)run->study->pairs, cause.message);
        if (!save_attack(run, facts->index, steps, error))
            return false;
        tell_progress(run, attack_passes(run->study, run->machine->method, state->step));
    }
    run->results->step_count += made->rule.steps + 1;
    return true;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static bool run_case(StudyRun *run, int64_t pair, Error *error)
{
    const MapStudy *study = run->study;
    CaseFacts       facts = {.index = pair};
    if (!study->load(study->self, pair, &facts.pair, error))
        return false;
    case_begin(&facts, &run->room, run->machine);
    if (!attack(run, &facts, error) ||
        !case_measure(&facts, &run->room, run->machine, run->results, error))
        return false;
    case_smooth(&facts, &run->room, run->machine, run->results);
    MapCase result = {.pair     = (int)pair,
                      .method   = run->machine->method,
                      .clean    = facts.pair.image,
                      .attacked = run->machine->attack.state.image,
                      .before   = run->room.shown[0],
                      .target   = run->room.shown[1],
                      .after    = run->room.shown[2]};
    if (!study->done(study->self, &result, error))
        return false;
    run->results->cases++;
    return save_rows(run, error);
}

// All pairs by one method, but those that are done.
static bool run_method(StudyRun *run, int method, Error *error)
{
    const MapStudy *study = run->study;
    int64_t         first = method * study->pairs, done = run->results->cases - first;
    int64_t         earlier = done < study->pairs ? done : study->pairs;
    run->steps_done += earlier * study->rules[method].steps;
    run->passed += earlier * passes_of(study, method);
    if (done >= study->pairs || run->results->cases >= run->past)
        return true;
    bool ok = map_machine_open(run->machine, study, method, error) &&
              case_room_open(&run->room, run->machine, error);
    if (ok)
        tell_progress(run, 0);
    for (int64_t pair = done; ok && pair < study->pairs && run->results->cases < run->past;
         pair++) {
        ok = run_case(run, pair, error);
        run->steps_done += study->rules[method].steps;
        run->passed += passes_of(study, method);
        if (ok)
            tell_progress(run, 0);
        if (ok && pass_cancelled(study->pass) && run->results->cases < run->past) {
            run->machine->attack.state.step = 0;
            ok                              = stopped(run, error);
        }
    }
    case_room_close(&run->room);
    map_machine_close(run->machine);
    return ok;
}

bool map_study_run(const MapStudy *study, MapResults *out, Error *error)
{
    MapResults results = {0};
    MapMachine machine = {0};
    StudyRun   run     = {
              .study = study, .results = &results, .machine = &machine, .saved = clock_seconds()};
    int64_t first;
    share_range(study->share, study->method_count * study->pairs, 1, &first, &run.past);
    bool ok = map_results_open(&results, study, error);
    if (ok)
        set_done(&results, map_rows(study, first));
    ok = ok && load_rows(&run, error);
    for (int m = 0; ok && m < study->method_count; m++)
        ok = run_method(&run, m, error);
    if (!ok) {
        map_results_close(&results);
        return false;
    }
    *out = results;
    return true;
}
