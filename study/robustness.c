/* study/robustness.c - every task of a study on every group of images, and its checkpoints. */
#include "robustness.h"
#include "robust_parts.h"

static const char rows_file[] = "robustness" PASS_FILE_ENDING;

static const RobustKind *kind_of(const RobustTask *task)
{
    switch (task->measure) {
    case ROBUST_RPS:
        return &robust_noise;
    case ROBUST_BOUND:
        return task->method < 0 ? &robust_gradient : &robust_noise;
    case ROBUST_AAM:
        return &robust_attack;
    case ROBUST_ACCURACY:
        return &robust_accuracy;
    default:
        return &robust_masks;
    }
}

/* ---- results --------------------------------------------------------------------------------- */

static bool open_results(RobustRun *run, RobustResults *results, Error *error)
{
    const RobustStudy *study = run->study;
    results->images          = study->images;
    results->shown           = study->images < ROBUST_SHOWN ? study->images : ROBUST_SHOWN;
    results->row_count       = run->tasks.rows;
    size_t rows = (size_t)results->row_count, images = (size_t)results->images,
           shown = (size_t)results->shown, values = 0;
    results->rows     = memory_new(rows, sizeof *results->rows, error);
    results->photos   = memory_new(shown * (size_t)run->values, sizeof *results->photos, error);
    results->maps     = memory_new((size_t)study->method_count * shown * 3 * (size_t)run->cells,
                                   sizeof *results->maps, error);
    results->attacked = memory_new((size_t)study->method_count * shown * (size_t)run->values,
                                   sizeof *results->attacked, error);
    if (!size_mul(rows, images, &values))
        return fail(error, ERROR_MEMORY, "the rows of %lld images are too many",
                    (long long)study->images);
    results->values = memory_new(values, sizeof *results->values, error);
    return results->rows && results->photos && results->maps && results->attacked &&
           results->values;
}

void robustness_close(RobustResults *results)
{
    memory_free(results->rows);
    memory_free(results->values);
    memory_free(results->maps);
    memory_free(results->photos);
    memory_free(results->attacked);
    *results = (RobustResults){0};
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

enum { PARTS = 6 };

static void list_parts(RobustRun *run, SnapshotPart parts[PARTS])
{
    const RobustResults *kept  = run->results;
    size_t               shown = (size_t)kept->shown, rows = (size_t)kept->row_count;
    parts[0] = (SnapshotPart){&run->place, sizeof run->place};
    parts[1] = (SnapshotPart){kept->values, rows * (size_t)kept->images * sizeof *kept->values};
    parts[2] = (SnapshotPart){kept->maps, (size_t)run->study->method_count * shown * 3 *
                                              (size_t)run->cells * sizeof *kept->maps};
    parts[3] = (SnapshotPart){kept->photos, shown * (size_t)run->values * sizeof *kept->photos};
    parts[4] = (SnapshotPart){kept->attacked, (size_t)run->study->method_count * shown *
                                                  (size_t)run->values * sizeof *kept->attacked};
    parts[5] = (SnapshotPart){run->group.attacked,
                              run->group.attacked_count * sizeof *run->group.attacked};
}

static bool load(RobustRun *run, Error *error)
{
    Checkpoint  *checkpoint = run->study->pass->checkpoint;
    SnapshotPart parts[PARTS];
    bool         found;
    list_parts(run, parts);
    if (!checkpoint_restore(checkpoint, rows_file, "rows", parts, PARTS, &found, error))
        return false;
    return !found ||
           (run->place.task >= 0 && run->place.task <= run->tasks.count && run->place.image >= 0 &&
            run->place.image < run->study->images && run->place.part >= 0) ||
           checkpoint_refuse(checkpoint, rows_file, error);
}

static bool save(RobustRun *run, Error *error)
{
    SnapshotPart parts[PARTS];
    list_parts(run, parts);
    return checkpoint_save(run->study->pass->checkpoint, rows_file, "rows", parts, PARTS, error);
}

bool robust_part_done(RobustRun *run, int64_t part, int64_t passes, Error *error)
{
    run->place.part = part;
    return robust_passed(run, passes) && (!pass_saves(run->study->pass, false) || save(run, error));
}

void robust_forget(RobustRun *run)
{
    for (int64_t r = 0; r < run->task->row_count; r++)
        for (int64_t i = 0; i < run->group.count; i++)
            robust_row(run, r)[i] = 0;
}

static bool stop(RobustRun *run, Error *error)
{
    const Pass *pass = run->study->pass;
    if (pass->checkpoint && !save(run, error))
        return false;
    return fail(error, ERROR_AGAIN, "interrupted after %lld of %lld passes%s",
                (long long)run->passed, (long long)(run->tasks.passes * (run->past - run->begin)),
                pass->checkpoint ? CHECKPOINT_HINT : "");
}

/* ---- tasks ----------------------------------------------------------------------------------- */

// Images are counted from 0, as in the files of the run.
static bool fail_in_group(const RobustRun *run, const Error *cause, Error *error)
{
    const RobustGroup *group  = &run->group;
    int                method = run->task->method;
    return fail(error, cause->code, "%s%s%simages %lld to %lld: %s", method < 0 ? "" : "method ",
                method < 0 ? "" : run->study->names[method], method < 0 ? "" : ", ",
                (long long)group->first, (long long)(group->first + group->count - 1),
                cause->message);
}

static bool run_groups(RobustRun *run, const RobustKind *kind, void *machine, Error *error)
{
    const RobustStudy *study = run->study;
    RobustPlace       *place = &run->place;
    place->image             = place->image < run->begin ? run->begin : place->image;
    while (place->image < run->past) {
        int64_t before = run->passed;
        if (!robust_group_load(run, place->image, error))
            return false;
        if (place->part == 0)
            robust_forget(run);
        Error cause = {0};
        if (!kind->measure(machine, run, &cause))
            return run->is_cancelled ? stop(run, error) : fail_in_group(run, &cause, error);
        run->passed = before + run->group.count * run->task->passes;
        place->image += run->group.count;
        place->part  = 0;
        bool is_last = place->image == run->past && place->task + 1 == run->tasks.count;
        if (place->image == run->past)
            break;
        if (!is_last && pass_saves(study->pass, false) && !save(run, error))
            return false;
    }
    return true;
}

static bool run_task(RobustRun *run, Error *error)
{
    Error             cause   = {0};
    const RobustKind *kind    = kind_of(run->task);
    void             *machine = NULL;
    if (!kind->open(&machine, run, &cause))
        return run->task->method < 0 ? fail(error, cause.code, "%s", cause.message)
                                     : fail(error, cause.code, "method %s: %s",
                                            run->study->names[run->task->method], cause.message);
    bool ok = run_groups(run, kind, machine, error);
    kind->close(machine);
    if (!ok)
        return false;
    run->place = (RobustPlace){.task = run->place.task + 1};
    return run->place.task == run->tasks.count || !pass_saves(run->study->pass, false) ||
           save(run, error);
}

static void measure_radius(RobustRun *run)
{
    static const double cifar[] = {0.2023, 0.1994, 0.2010};
    const Preparation  *p       = blob_preparation(run->study->blob);
    for (int c = 0; c < 3; c++)
        run->radius[c] =
            (double)p->scale / (run->study->mode->cifar_deviation ? cifar[c] : (double)p->std[c]);
}

bool robustness_classes(RobustStudy *study, Error *error)
{
    NetworkRequest request = {
        .batch = 1, .unit = -1, .raw_input = true, .height = study->height, .width = study->width};
    LayerRunner runner;
    if (!layer_runner_open(&runner, study->blob, &request, error))
        return false;
    study->classes = runner.units;
    layer_runner_close(&runner);
    return true;
}

bool robust_results_open(RobustRun *run, Error *error)
{
    const RobustStudy *study = run->study;
    run->cells               = study->height * study->width;
    run->values              = 3 * run->cells;
    run->room                = study->mode->group;
    share_range(study->share, study->images, run->room, &run->begin, &run->past);
    return robust_tasks(study, &run->tasks, NULL, error) &&
           open_results(run, run->results, error) &&
           robust_tasks(study, &run->tasks, run->results->rows, error);
}

bool robustness_run(const RobustStudy *study, RobustResults *out, Error *error)
{
    RobustResults results = {0};
    RobustRun     run     = {.study = study, .results = &results, .classes = study->classes};
    measure_radius(&run);
    bool ok =
        robust_results_open(&run, error) && robust_group_open(&run, error) && load(&run, error);
    for (int64_t t = 0; ok && t < run.place.task; t++)
        run.passed += run.tasks.task[t].passes * (run.past - run.begin);
    if (ok)
        pass_progress(study->pass, run.passed, run.tasks.passes * (run.past - run.begin));
    while (ok && run.place.task < run.tasks.count) {
        run.task = &run.tasks.task[run.place.task];
        if (run.place.image > run.begin)
            run.passed += run.task->passes * (run.place.image - run.begin);
        ok = run_task(&run, error);
    }
    robust_group_close(&run);
    if (!ok) {
        robustness_close(&results);
        return false;
    }
    *out = results;
    return true;
}
