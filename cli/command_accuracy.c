/* cli/command_accuracy.c - how often a classifier is right: of images as they are, stored, with
 * noise, or poisoned to change what a unit is said to stand for. */
#include "accuracy.h"
#include "commands.h"
#include "next.h"
#include "output.h"

#include <string.h>

static bool is_part(const char *relative)
{
    static const char *const names[] = {"accuracy.csv", "unfinished.json",
                                        ("accuracy" PASS_FILE_ENDING)};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(relative, names[i]) == 0)
            return true;
    return false;
}

const ResultKind accuracy_result = {"run.json", is_part};

/* ---- results --------------------------------------------------------------------------------- */

static void add_share(Table *table, int64_t hits, int64_t count, double share, double low,
                      double high)
{
    table_cell(table, "%lld/%lld", (long long)hits, (long long)count);
    table_cell(table, "%.1f %%", 100 * share);
    table_cell(table, "%.1f-%.1f", 100 * low, 100 * high);
}

static bool show(const Accuracy *accuracy, int32_t *const *answers, Error *error)
{
    const AccuracyStudy *study   = &accuracy->study;
    bool                 right   = study->labels != NULL;
    Table                table   = {.columns = right ? 8 : 5, .alignment = "llrrrrrr"};
    const char *const    heads[] = {"setting", "store",     "right", "accuracy",
                                    "95 %",    "unchanged", "share", "95 %"};
    for (int i = 0; i < 8; i++)
        if (right || i < 2 || i > 4)
            table_cell(&table, "%s", heads[i]);
    for (int i = 0; i < study->count; i++) {
        AccuracyCount row = accuracy_count(study, answers, i, -1);
        table_cell(&table, "%s", study->settings[i].text);
        table_cell(&table, "%s", store_arm_name(study->settings[i].store));
        if (right)
            add_share(&table, row.correct, row.count, row.accuracy, row.low, row.high);
        add_share(&table, row.unchanged, row.count, row.agreement, row.agreement_low,
                  row.agreement_high);
    }
    if (accuracy->settings->json)
        return table_print(&table, NULL, error);
    printf("%lld images", (long long)accuracy->images.count);
    if (right)
        printf(" of %d classes", (int)accuracy->images.classes);
    else
        printf(" without labels");
    printf(", seed %llu\n", (unsigned long long)accuracy->settings->seed);
    if (accuracy->settings->poisoned)
        printf("poisoned: %lld of %lld images are of these photos\n",
               (long long)accuracy->poisoned.found, (long long)accuracy->poisoned.photos);
    if (!table_print(&table, stdout, error))
        return false;
    printf("unchanged: answered as the clean image is\n");
    return true;
}

static void results_json(const Accuracy *accuracy, int32_t *const *answers, JsonWriter *json)
{
    const AccuracyStudy *study = &accuracy->study;
    json_open_array(json, "results");
    for (int i = 0; i < study->count; i++) {
        AccuracyCount row = accuracy_count(study, answers, i, -1);
        json_open_object(json, NULL);
        json_text(json, "setting", study->settings[i].text);
        json_text(json, "store", store_arm_name(study->settings[i].store));
        json_whole(json, "count", row.count);
        if (study->labels) {
            json_whole(json, "correct", row.correct);
            json_number(json, "accuracy", row.accuracy);
            json_number(json, "low", row.low);
            json_number(json, "high", row.high);
        }
        json_whole(json, "unchanged", row.unchanged);
        json_number(json, "agreement", row.agreement);
        json_number(json, "agreement_low", row.agreement_low);
        json_number(json, "agreement_high", row.agreement_high);
        json_close(json);
    }
    json_close(json);
}

static bool finish(Accuracy *accuracy, int32_t *const *answers, Error *error)
{
    Run                  *run    = &accuracy->run;
    const LabelledImages *images = &accuracy->images;
    JsonWriter            json   = {0};
    run_document_start(run, &json);
    run_weights(run, accuracy->blob, &json);
    run_preparation(blob_preparation(accuracy->blob), &json);
    json_open_object(&json, "data");
    run_path(run, "path", images->data, &json);
    json_whole(&json, "images", images->count);
    json_whole(&json, "height", images->height);
    json_whole(&json, "width", images->width);
    json_whole(&json, "classes", images->classes);
    json_close(&json);
    if (accuracy->settings->names)
        run_path(run, "names", accuracy->settings->names, &json);
    if (accuracy->settings->poisoned) {
        json_open_object(&json, "poisoned");
        run_path(run, "path", accuracy->settings->poisoned, &json);
        json_whole(&json, "images", accuracy->poisoned.photos);
        json_whole(&json, "in_data", accuracy->poisoned.found);
        json_close(&json);
    }
    results_json(accuracy, answers, &json);
    bool ok = run_document_end(run, accuracy->network.batch, &json, error);
    json_discard(&json);
    return ok;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static bool measure(Accuracy *accuracy, Error *error)
{
    Run      *run     = &accuracy->run;
    int32_t **answers = NULL;
    bool      ok      = accuracy_run(&accuracy->study, &answers, error);
    progress_end(&run->progress);
    if (accuracy->settings->dry_run) {
        int64_t rows = accuracy->study.count * (1 + accuracy->images.classes);
        accuracy_free(answers);
        return run_rehearsed(run, ok, &(RehearsedWork){.result_bytes = 100 * rows + 8192}, error);
    }
    ok = ok && run_folder_begin(&run->folder, error) &&
         accuracy_write(&accuracy->study, answers, run->folder.path, error) &&
         finish(accuracy, answers, error) && show(accuracy, answers, error);
    accuracy_free(answers);
    return ok;
}

static bool run(const Settings *settings, Error *error)
{
    static const char *const files[]  = {"accuracy.csv", "run.json", NULL};
    Accuracy                *accuracy = memory_new(1, sizeof *accuracy, error);
    if (!accuracy)
        return false;
    accuracy->settings = settings;
    run_open(&accuracy->run, "accuracy", settings);
    bool ok = accuracy_request(accuracy, error);
    if (ok)
        ok = accuracy->run.folder.is_done
                 ? run_folder_show_done(&accuracy->run.folder, settings, error)
                 : measure(accuracy, error);
    ok = ok && tell_results(settings, files, NULL, error);
    poisoned_close(&accuracy->poisoned);
    labelled_images_close(&accuracy->images);
    class_names_close(&accuracy->names);
    layer_runner_close(&accuracy->runner);
    blob_close(accuracy->blob);
    run_close(&accuracy->run);
    memory_free(accuracy);
    return ok;
}

static const Option options[] = {
    OPTION_MODEL,
    OPTION_DATA("DATA", "images with labels: a folder of class folders, a CIFAR picture, or "
                        "mini:COUNT:SEED; or without: a probing set, a folder of photos"),
    {.name   = "noise",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, noises),
     .value  = "TYPE:STD[,...]",
     .help   = "noise on every image: a type of " NOISE_NAMES " and its strength in units of the "
               "0..1 pixel range; a number alone is of the type before it"},
    {.name   = "poisoned",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, poisoned),
     .value  = "RUN",
     .help = "a run of noise or attack with --keep-images: its images of photos that are in DATA"},
    {.name    = "store",
     .kind    = ARGUMENT_CHOICES,
     .offset  = offsetof(Settings, stores),
     .value   = STORE_NAMES,
     .initial = "jpeg75",
     .help = "how images are kept before they are seen, those with noise and the controls; a list "
             "gives a row each"},
    {.name   = "names",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, names),
     .value  = "FILE",
     .help   = "the network's class names, one a line, by which class folders are found"},
    OPTION_CONV,
    OPTION_OUT("RUN", "run folder to write"),
    OPTION_END};

const Verb verb_accuracy = {
    .name    = "accuracy",
    .inputs  = "",
    .summary = "how often a classifier is right about corrupted images",
    .details =
        "The share of right answers, over all images and in each class, with 95 % intervals: of "
        "images as they are (clean), as they are after storage (control), with noise, and of the "
        "perturbed images that a run of noise or attack has kept (poisoned), which stand beside "
        "the same images unperturbed (poisoned:control). And the share of images answered as the "
        "clean one is, which needs no labels. Class folders are the network's classes in the order "
        "of their names; where there are fewer, --names says which are which. A poisoned photo is "
        "found in DATA by its pixels.",
    .example = "nemesis accuracy -m demo/mini.nw -d mini:40:7 --noise uniform:0.1 -o runs/a",
    .options = options,
    .shared =
        "threads|batch|seed|limit|max-pixels|progress|overwrite|resume|dry-run|" SHARED_BY_ALL,
    .run = run,
};
