/* study/accuracy.c - what a network says of the images of every setting, and its checkpoints. */
#include "accuracy.h"
#include "../probe/rows.h"

#include <string.h>

static const char answers_file[] = "accuracy" PASS_FILE_ENDING;

typedef struct AccuracyRun {
    const AccuracyStudy *study;
    int32_t            **answers; // [settings] into one array
    int64_t              total;   // images of all settings
    int64_t              next;    // the first one without an answer, settings one after another
    size_t               image_size;
    int64_t             *rows;            // [batch] of a setting
    real                *planes, *logits; // [batch, image_size], [batch, classes]
    RowLoader            loader;
} AccuracyRun;

void accuracy_free(int32_t **answers)
{
    if (answers)
        memory_free(answers[0]);
    memory_free(answers);
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

enum { PARTS = 2 };

static void list_parts(const AccuracyRun *run, SnapshotPart parts[PARTS])
{
    parts[0] = (SnapshotPart){&run->next, sizeof run->next};
    parts[1] = (SnapshotPart){run->answers[0], (size_t)run->total * sizeof **run->answers};
}

static bool are_classes(const AccuracyRun *run)
{
    for (int64_t i = 0; i < run->total; i++)
        if (run->answers[0][i] < 0 || run->answers[0][i] >= run->study->network->units)
            return false;
    return true;
}

static bool load(AccuracyRun *run, Error *error)
{
    Checkpoint  *checkpoint = run->study->pass->checkpoint;
    SnapshotPart parts[PARTS];
    bool         found;
    list_parts(run, parts);
    if (!checkpoint_restore(checkpoint, answers_file, "answers", parts, PARTS, &found, error))
        return false;
    return !found || (run->next >= 0 && run->next <= run->total && are_classes(run)) ||
           checkpoint_refuse(checkpoint, answers_file, error);
}

static bool save(const AccuracyRun *run, Error *error)
{
    const Pass  *pass = run->study->pass;
    bool         stop = pass_cancelled(pass);
    SnapshotPart parts[PARTS];
    list_parts(run, parts);
    if (pass_saves(pass, stop) &&
        !checkpoint_save(pass->checkpoint, answers_file, "answers", parts, PARTS, error))
        return false;
    return !stop || pass_interrupted(pass, run->next, run->total, error);
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool run_open(AccuracyRun *run, Error *error)
{
    const AccuracyStudy    *study   = run->study;
    const ActivationSource *network = study->network;
    size_t                  batch   = (size_t)network->batch;
    if (network->height != 1 || network->width != 1)
        return fail(error, ERROR_DATA, "the network gives maps of %lld x %lld, expected logits",
                    (long long)network->height, (long long)network->width);
    for (int i = 0; i < study->count; i++)
        run->total += study->settings[i].count;
    run->image_size = (size_t)(3 * network->image_height * network->image_width);
    run->rows       = memory_new(batch, sizeof *run->rows, error);
    run->planes     = memory_new(batch * run->image_size, sizeof *run->planes, error);
    run->logits     = memory_new(batch * (size_t)network->units, sizeof *run->logits, error);
    run->answers    = memory_new((size_t)study->count, sizeof *run->answers, error);
    if (!run->rows || !run->planes || !run->logits || !run->answers)
        return false;
    run->answers[0] = memory_new((size_t)run->total, sizeof **run->answers, error);
    for (int i = 1; run->answers[0] && i < study->count; i++)
        run->answers[i] = run->answers[i - 1] + study->settings[i - 1].count;
    return run->answers[0] != NULL;
}

static void run_close(AccuracyRun *run)
{
    accuracy_free(run->answers);
    memory_free(run->rows);
    memory_free(run->planes);
    memory_free(run->logits);
}

static bool answer_batch(AccuracyRun *run, int setting, int64_t first, int64_t count, Error *error)
{
    const ActivationSource *network = run->study->network;
    for (int64_t i = 0; i < count; i++)
        run->rows[i] = first + i;
    if (!row_loader_load(&run->loader, run->rows, count, run->planes, error))
        return false;
    network->run(network->self, run->planes, count, run->logits);
    for (int64_t i = 0; i < count; i++)
        run->answers[setting][first + i] =
            (int32_t)logits_predicted(run->logits + i * network->units, network->units);
    run->next += count;
    pass_progress(run->study->pass, run->next, run->total);
    return run->next == run->total || save(run, error);
}

// Of the images of a setting from `first` on.
static bool answer_setting(AccuracyRun *run, int setting, int64_t first, Error *error)
{
    const AccuracySetting *images = &run->study->settings[setting];
    int64_t                batch  = run->study->network->batch;
    bool done = row_loader_open(&run->loader, &images->source, run->image_size, error);
    while (done && first < images->count) {
        int64_t count = images->count - first < batch ? images->count - first : batch;
        done          = answer_batch(run, setting, first, count, error);
        first += count;
    }
    row_loader_close(&run->loader);
    return done;
}

bool accuracy_run(const AccuracyStudy *study, int32_t ***answers, Error *error)
{
    AccuracyRun run    = {.study = study};
    bool        done   = run_open(&run, error) && load(&run, error);
    int64_t     before = 0; // images of the settings before
    for (int i = 0; done && i < study->count; i++) {
        int64_t count = study->settings[i].count;
        if (run.next < before + count)
            done = answer_setting(&run, i, run.next - before, error);
        before += count;
    }
    if (done) {
        *answers    = run.answers;
        run.answers = NULL;
    }
    run_close(&run);
    return done;
}
