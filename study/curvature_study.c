/* study/curvature_study.c - see curvature_study.h. */
#include "curvature_study.h"
#include "../attribution/attribution.h"

#include <stdio.h>
#include <string.h>

static const char path_file[] = "path" PASS_FILE_ENDING;

/* What is at hand. */
typedef struct StudyRun {
    const CurvatureStudy *study;
    Graph                *graph;
    Curvature             curvature;
    CurvaturePath         path;
    CurvatureStep        *rows;
    int64_t               done; // points of all betas
} StudyRun;

/* ---- the network ----------------------------------------------------------------------------- */

static bool open_network(StudyRun *run, Error *error)
{
    const CurvatureStudy *study = run->study;
    if (!graph_create(&run->graph, error))
        return false;
    NodeId         beta    = op_scalar_input(run->graph, 1, "beta");
    PlanOptions    options = map_plan_options;
    NetworkRequest request = {.batch     = 1,
                              .unit      = -1,
                              .softplus  = &beta,
                              .raw_input = true,
                              .height    = study->height,
                              .width     = study->width};
    Network        network;
    options.conv = study->conv;
    if (!network_build(run->graph, study->blob, &request, &network, error))
        return false;
    CurvatureNodes nodes = {run->graph, network.pixels, network.layer, beta};
    return curvature_open(&run->curvature, &nodes, &options, error) &&
           curvature_path_open(&run->path, &run->curvature, study->end, study->steps, error);
}

static void close_run(StudyRun *run)
{
    curvature_path_close(&run->path);
    curvature_close(&run->curvature);
    graph_destroy(run->graph);
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

enum { PARTS = 7 };

static int64_t points_of(const CurvatureStudy *study)
{
    return study->beta_count * (study->steps + 1);
}

static void list_parts(StudyRun *run, SnapshotPart parts[PARTS])
{
    size_t size = (size_t)run->curvature.count * sizeof(real);
    parts[0]    = (SnapshotPart){&run->done, sizeof run->done};
    parts[1]    = (SnapshotPart){run->rows, (size_t)points_of(run->study) * sizeof *run->rows};
    parts[2]    = (SnapshotPart){run->curvature.image, size};
    parts[3]    = (SnapshotPart){run->curvature.direction, size};
    parts[4]    = (SnapshotPart){run->path.first_normal, size};
    parts[5]    = (SnapshotPart){run->path.course, size};
    parts[6]    = (SnapshotPart){run->curvature.choices,
                                 (size_t)run->curvature.choice_count * sizeof *run->curvature.choices};
}

static bool load(StudyRun *run, Error *error)
{
    Checkpoint  *checkpoint = run->study->pass->checkpoint;
    SnapshotPart parts[PARTS];
    bool         found;
    list_parts(run, parts);
    if (!checkpoint_restore(checkpoint, path_file, "path", parts, PARTS, &found, error))
        return false;
    return !found || (run->done >= 0 && run->done <= points_of(run->study)) ||
           checkpoint_refuse(checkpoint, path_file, error);
}

// Between two points: if it is time, or if the run was cancelled.
static bool save(StudyRun *run, Error *error)
{
    const Pass  *pass      = run->study->pass;
    bool         cancelled = pass_cancelled(pass) && run->done < points_of(run->study);
    SnapshotPart parts[PARTS];
    list_parts(run, parts);
    if (pass_saves(pass, cancelled) &&
        !checkpoint_save(pass->checkpoint, path_file, "path", parts, PARTS, error))
        return false;
    return !cancelled ||
           fail(error, ERROR_AGAIN, "interrupted after %lld of %lld points%s", (long long)run->done,
                (long long)points_of(run->study), pass->checkpoint ? CHECKPOINT_HINT : "");
}

/* ---- points ---------------------------------------------------------------------------------- */

static bool walk(StudyRun *run, Error *error)
{
    const CurvatureStudy *study = run->study;
    CurvaturePath        *path  = &run->path;
    while (run->done < points_of(study)) {
        int64_t step = run->done % (study->steps + 1), of = run->done / (study->steps + 1);
        curvature_choose(&run->curvature, study->class, study->betas[of]);
        if (step > 0) { // as it was left, also by an earlier process
            path->done  = step - 1;
            path->row   = run->rows[run->done - 1];
            path->level = run->rows[run->done - step].point.value;
        }
        Error cause = {0};
        if (step == 0 ? !curvature_path_begin(path, study->image, study->seed, &cause)
                      : !curvature_path_step(path, &cause))
            return fail(error, cause.code, "beta %g, step %lld: %s", study->betas[of],
                        (long long)step, cause.message);
        run->rows[run->done++] = path->row;
        if (!save(run, error))
            return false;
        pass_progress(study->pass, run->done, points_of(study));
    }
    return true;
}

bool curvature_study_run(const CurvatureStudy *study, CurvatureStep **out, Error *error)
{
    StudyRun run = {.study = study};
    run.rows     = memory_new((size_t)points_of(study), sizeof *run.rows, error);
    bool ok      = run.rows && open_network(&run, error);
    if (ok) // the line to the end begins here, whatever a checkpoint says
        memcpy(run.path.start, study->image, (size_t)run.curvature.count * sizeof(real));
    ok = ok && load(&run, error) && walk(&run, error);
    close_run(&run);
    if (ok)
        *out = run.rows;
    else
        memory_free(run.rows);
    return ok;
}

/* ---- rows ------------------------------------------------------------------------------------ */

bool curvature_study_write(const CurvatureStudy *study, const CurvatureStep *rows,
                           const char *folder, Error *error)
{
    Writer *writer = NULL;
    char    path[LIMIT_PATH];
    if (!path_join(path, folder, "curvature.csv", error) || !writer_open(&writer, path, error))
        return false;
    writer_text(writer, "step,path_length,lambda_max,integral,distance,residual,iterations,"
                        "switches,gradient,logit,beta\n");
    for (int64_t i = 0; i < points_of(study); i++) {
        const CurvatureStep *row = &rows[i];
        writer_text(writer, "%lld,%.9g,%.9g,%.9g,%.9g,%.9g,%lld,%lld,%.9g,%.9g,%.9g\n",
                    (long long)(i % (study->steps + 1)), row->path_length, row->point.lambda,
                    row->integral, row->distance, row->point.residual,
                    (long long)row->point.iterations, (long long)row->switches, row->point.slope,
                    row->point.value, study->betas[i / (study->steps + 1)]);
    }
    return writer_publish(writer, error);
}
