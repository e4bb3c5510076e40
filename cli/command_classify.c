/* cli/command_classify.c - the classes a network sees in photos. */
#include "../base/file.h"
#include "class_names.h"
#include "commands.h"
#include "../format/json.h"
#include "output.h"
#include "outputs.h"
#include "training_data.h"
#include "../models/models.h"
#include "../probe/picture.h"

#include <math.h>
#include <string.h>

enum { MOST_SHOWN = 100 };

// The best classes in order, ties to the lower number.
static void best_classes(const real *logits, int64_t count, int64_t wanted, int64_t *best)
{
    for (int64_t k = 0; k < wanted; k++) {
        int64_t place = -1;
        for (int64_t i = 0; i < count; i++) {
            bool taken = false;
            for (int64_t j = 0; j < k && !taken; j++)
                taken = best[j] == i;
            if (!taken && (place < 0 || logits[i] > logits[place]))
                place = i;
        }
        best[k] = place;
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

typedef struct Answer {
    JsonWriter json;
    Table      table;
    ClassNames names;
} Answer;

static void add_answer(const Settings *settings, const char *path, const real *logits,
                       int64_t classes, Answer *answer)
{
    int64_t best[MOST_SHOWN];
    int64_t shown = settings->top < classes ? settings->top : classes;
    best_classes(logits, classes, shown, best);
    json_open_object(&answer->json, NULL);
    json_text(&answer->json, "image", path);
    json_open_array(&answer->json, "top");
    for (int64_t k = 0; k < shown; k++) {
        double share = logits_probability(logits, classes, best[k]);
        json_open_object(&answer->json, NULL);
        json_whole(&answer->json, "class", best[k]);
        if (answer->names.count)
            json_text(&answer->json, "name", answer->names.lines[best[k]]);
        json_number(&answer->json, "probability", share);
        json_number(&answer->json, "logit", (double)logits[best[k]]);
        json_close(&answer->json);
        table_cell(&answer->table, "%s", k ? "" : path);
        table_cell(&answer->table, "%lld", (long long)best[k]);
        table_cell(&answer->table, "%.4f", share);
        table_cell(&answer->table, "%.5g", (double)logits[best[k]]);
        if (answer->names.count)
            table_cell(&answer->table, "%s", answer->names.lines[best[k]]);
    }
    json_close(&answer->json);
    json_close(&answer->json);
}

static bool read_photo(const char *path, const Preparation *preparation, real *pixels, Error *error)
{
    if (training_data_is_cifar(path))
        return fail(error, ERROR_DATA,
                    "%s: is a picture of many images, a row each, and classify takes photos; "
                    "`nemesis accuracy -m FILE.nw -d %s -o RUN` says how many are named right",
                    path, path);
    return picture_planes(path, preparation, pixels, error);
}

// One photo after another; one that cannot be read is reported, skipped and counted.
static bool classify(const Settings *settings, WeightBlob *blob, Answer *answer, int *skipped,
                     Error *error)
{
    LayerRunner    runner  = {0};
    NetworkRequest request = {.batch = 1, .unit = -1, .conv = (ConvMethod)settings->conv};
    real          *pixels = NULL, *logits = NULL;
    bool           ok = layer_runner_open(&runner, blob, &request, error);
    if (ok) {
        int64_t classes = runner.units * runner.height * runner.width;
        if (settings->names)
            ok = class_names_open(&answer->names, settings->names, settings->model, classes, error);
        pixels = memory_new((size_t)(3 * runner.image_height * runner.image_width), sizeof *pixels,
                            error);
        logits = memory_new((size_t)classes, sizeof *logits, error);
        ok     = ok && pixels && logits;
        for (int i = 0; ok && i < settings->input_count; i++) {
            Error problem = {0};
            if (read_photo(settings->inputs[i], blob_preparation(blob), pixels, &problem)) {
                layer_runner_run(&runner, pixels, 1, logits);
                add_answer(settings, settings->inputs[i], logits, classes, answer);
            } else if (settings->input_count == 1 || problem.code == ERROR_MEMORY) {
                ok = fail(error, problem.code, "%s", problem.message);
            } else {
                note(settings, "skipped: %s", problem.message);
                ++*skipped;
            }
        }
    }
    memory_free(pixels);
    memory_free(logits);
    layer_runner_close(&runner);
    return ok;
}

static bool run(const Settings *settings, Error *error)
{
    WeightBlob *blob    = NULL;
    Answer      answer  = {.table = {.columns = settings->names ? 5 : 4, .alignment = "lrrrl"}};
    int         skipped = 0;
    UsedPath    used[]  = {{"the weight blob", settings->model},
                           {"the names", settings->names},
                           {"the photo", settings->input_count == 1 ? settings->inputs[0] : NULL}};
    bool        ok      = inputs_check(used, 3, error) && blob_open(settings->model, &blob, error);
    if (!ok)
        return false;
    json_open_object(&answer.json, NULL);
    json_text(&answer.json, "architecture", blob_architecture(blob));
    json_text(&answer.json, "weights_sha256", blob_sha256(blob));
    json_open_array(&answer.json, "images");
    table_cell(&answer.table, "image");
    table_cell(&answer.table, "class");
    table_cell(&answer.table, "probability");
    table_cell(&answer.table, "logit");
    if (settings->names)
        table_cell(&answer.table, "name");
    ok = classify(settings, blob, &answer, &skipped, error);
    json_close(&answer.json);
    json_whole(&answer.json, "skipped", skipped);
    json_close(&answer.json);
    if (ok && settings->json)
        ok = json_print(&answer.json, error);
    ok = table_print(&answer.table, ok && !settings->json ? stdout : NULL, error) && ok;
    json_discard(&answer.json);
    class_names_close(&answer.names);
    blob_close(blob);
    if (ok && skipped)
        ok = fail(error, ERROR_SKIPPED, "%d of %d images were skipped", skipped,
                  settings->input_count);
    return ok;
}

static const Option options[] = {OPTION_MODEL,
                                 {.name    = "top",
                                  .kind    = ARGUMENT_WHOLE,
                                  .offset  = offsetof(Settings, top),
                                  .value   = "K",
                                  .initial = "5",
                                  .help    = "classes to show",
                                  .least   = 1,
                                  .most    = MOST_SHOWN},
                                 {.name   = "names",
                                  .kind   = ARGUMENT_TEXT,
                                  .offset = offsetof(Settings, names),
                                  .value  = "FILE",
                                  .help   = "class names to print beside the numbers, one a line"},
                                 OPTION_CONV,
                                 OPTION_END};

const Verb verb_classify = {
    .name        = "classify",
    .inputs      = "IMAGE...",
    .input_least = 1,
    .input_most  = 1 << 20,
    .summary     = "the classes a network sees in photos",
    .details = "Photos are prepared as the weight blob says. With several, one that cannot be read "
               "is reported and skipped (exit 3).",
    .example = "nemesis classify -m squeezenet.nw photo.jpg --names classes.txt",
    .options = options,
    .shared  = "threads|max-pixels|" SHARED_BY_ALL,
    .run     = run,
};
