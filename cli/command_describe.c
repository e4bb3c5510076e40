/* cli/command_describe.c - a clean run: what the units of one layer stand for. Two verbs: describe
 * takes any explanation method, dissect is describe by Network Dissection. */
#include "commands.h"
#include "next.h"
#include "output.h"
#include "outputs.h"
#include "rehearse_clean.h"

#include <string.h>

static const char *const result_files[] = {"units.csv", "run.json", NULL}; // beside the method's

/* ---- methods without a summary of their own -------------------------------------------------- */

static int64_t count_detectors(const Explainer *explainer, const Evidence *evidence)
{
    const Method *method    = explainer->method;
    int64_t       detectors = 0;
    for (int64_t unit = 0; unit < explainer->inputs.layer.units; unit++)
        detectors += is_detector(method, method->explain(explainer, evidence, unit).score);
    return detectors;
}

static void write_summary(const Explainer *explainer, const Evidence *evidence, JsonWriter *json)
{
    if (explainer->method->summary_json) {
        explainer->method->summary_json(explainer, evidence, json);
        return;
    }
    json_open_object(json, "counts");
    json_whole(json, "images", explainer->inputs.probe->image_count);
    json_whole(json, "units", explainer->inputs.layer.units);
    json_whole(json, "detectors", count_detectors(explainer, evidence));
    json_close(json);
}

static bool print_units(const Explainer *explainer, const Evidence *evidence, Error *error)
{
    const Method *method = explainer->method;
    const Labels *labels = &explainer->labels;
    int64_t       count  = explainer->inputs.layer.units;
    Table         table  = {.columns = 3, .alignment = "rlr"};
    RankedUnit   *units  = units_rank(explainer, evidence, error);
    if (!units)
        return false;
    printf("detectors (%s >= %g): %lld of %lld units\n\n", method->score_name,
           method->detector_score, (long long)count_detectors(explainer, evidence),
           (long long)count);
    table_cell(&table, "unit");
    table_cell(&table, "description");
    table_cell(&table, "%s", method->score_name);
    for (int64_t i = 0; i < count && i < RANK_SHOWN; i++) {
        table_cell(&table, "%lld", (long long)units[i].unit);
        table_cell(&table, "%s", labels->text[units[i].found.label]);
        table_cell(&table, "%.4f", units[i].found.score);
    }
    memory_free(units);
    return table_print(&table, stdout, error);
}

static bool print_summary(const RunInputs *inputs, const Evidence *evidence, Error *error)
{
    const Explainer *explainer = &inputs->explainer;
    print_clean(stdout, inputs->request.layer);
    printf(" of ");
    print_clean(stdout, blob_architecture(inputs->blob));
    printf(": %lld units, ", (long long)inputs->runner.units);
    run_inputs_print(inputs);
    return explainer->method->summary_text
               ? explainer->method->summary_text(explainer, evidence, stdout, error)
               : print_units(explainer, evidence, error);
}

/* ---- the run --------------------------------------------------------------------------------- */

// Writes the results, run.json last, and shows them.
static bool publish(const Run *run, const RunInputs *inputs, const Evidence *evidence, Error *error)
{
    const Explainer *explainer = &inputs->explainer;
    const Method    *method    = explainer->method;
    const char      *folder    = run->folder.path;
    JsonWriter       json      = {0};
    bool             ok        = run_folder_begin(&run->folder, error) &&
              (!method->write || method->write(explainer, evidence, folder, error)) &&
              units_write(explainer, evidence, inputs->request.layer, folder, error);
    if (ok) {
        run_document(run, inputs, &json);
        write_summary(explainer, evidence, &json);
        ok = run_document_finish(run, inputs, &json, error);
    }
    ok = ok && (run->settings->json || print_summary(inputs, evidence, error));
    json_discard(&json);
    return ok;
}

static bool collect(Run *run, RunInputs *inputs, Error *error)
{
    const Explainer *explainer = &inputs->explainer;
    const Method    *method    = inputs->request.method;
    Evidence        *evidence  = NULL;
    bool             ok        = run_inputs_load(inputs, error) &&
              method->collect(explainer, &explainer->inputs.images, &run->pass, &evidence, error);
    progress_end(&run->progress);
    ok = ok && publish(run, inputs, evidence, error);
    method->release(evidence);
    return ok;
}

static bool describe(const Verb *verb, const Method *method, const Settings *settings, Error *error)
{
    Run            run;
    RunInputs      inputs  = {0};
    InputsRequest  request = {.model      = settings->model,
                              .layer      = settings->layer,
                              .data       = settings->data,
                              .categories = settings->categories,
                              .method     = method,
                              .readout    = (Readout)settings->readout,
                              .conv       = (ConvMethod)settings->conv,
                              .store      = (StoreArm)settings->store,
                              .limit      = settings->limit,
                              .batch      = batch_of(settings, DEFAULT_BATCH)};
    const UsedPath used[]  = {{"the probing set", settings->data},
                              {"the weight blob", settings->model}};
    run_open(&run, verb->name, settings);
    bool ok = mode_choose(method, settings->compat, &request.mode, error) &&
              output_folder_check(settings->out, used, 2, error) &&
              run_folder_claim(&run.folder, settings, &run_result, error) &&
              run_inputs_open(&inputs, &request, error);
    if (ok) {
        run_identify(&run, &inputs);
        identity_text(&run.identity, "method", method->name);
        identity_text(&run.identity, "store", store_arm_name(request.store));
        ok = run_resume(&run, error);
    }
    if (ok)
        ok = run.folder.is_done  ? run_folder_show_done(&run.folder, settings, error)
             : settings->dry_run ? clean_run_rehearse(&run, &inputs, error)
                                 : collect(&run, &inputs, error);
    ok = ok && tell_results(settings, method->files, result_files, error);
    if (ok)
        tell_next_report(settings);
    run_close(&run);
    run_inputs_close(&inputs);
    return ok;
}

/* ---- the verbs ------------------------------------------------------------------------------- */

static const char *method_name_at(int index)
{
    const Method *method = method_at(index);
    return method ? method->name : NULL;
}

static bool run_describe(const Settings *settings, Error *error)
{
    return describe(&verb_describe, method_named(settings->method), settings, error);
}

static bool run_dissect(const Settings *settings, Error *error)
{
    return describe(&verb_dissect, method_named("dissection"), settings, error);
}

// clang-format off
#define CLEAN_RUN_OPTIONS                                                                          \
    OPTION_MODEL,                                                                                  \
    OPTION_LAYER,                                                                                  \
    OPTION_DATA("PROBE", "probing set, a folder in Broden's layout"),                                                                                   \
    OPTION_OUT("RUN", "run folder to make"),                                                       \
    OPTION_READOUT("read convolutions before or after their ReLU; auto: as the compat mode does"), \
    {.name = "categories", .kind = ARGUMENT_TEXT, .offset = offsetof(Settings, categories),        \
     .value = "NAME[,NAME...]", .help = "only these categories of concepts"},                      \
    {.name = "store", .kind = ARGUMENT_CHOICE, .offset = offsetof(Settings, store),                \
     .value = STORE_NAMES, .initial = "float",                                                     \
     .help = "how photos are stored and read again before the network sees them, a control of "    \
             "storage alone; float: as they are"},                                                 \
    OPTION_CONV,                                                                                   \
    OPTION_END
// clang-format on

static const Option describe_options[] = {{.name    = "method",
                                           .kind    = ARGUMENT_NAME,
                                           .offset  = offsetof(Settings, method),
                                           .value   = "NAME",
                                           .word    = method_name_at,
                                           .initial = "dissection",
                                           .help    = "how units are explained"},
                                          CLEAN_RUN_OPTIONS};
static const Option dissect_options[]  = {CLEAN_RUN_OPTIONS};

const Verb verb_describe = {
    .name    = "describe",
    .inputs  = "",
    .summary = "say what every unit of one layer stands for, by any method",
    .details = "Runs the network over the probing set and lets the method find a description of "
               "every unit. Writes units.csv, the method's own files and run.json into RUN and a "
               "summary to stdout.",
    .example = "nemesis describe -m vgg16.nw -l conv3_3 -d broden1_224 -o runs/described",
    .options = describe_options,
    .shared =
        "threads|batch|limit|max-pixels|compat|progress|overwrite|resume|dry-run|" SHARED_BY_ALL,
    .run = run_describe,
};

const Verb verb_dissect = {
    .name    = "dissect",
    .inputs  = "",
    .summary = "find the concept of every unit of one layer",
    .details = "Runs the network over the probing set, cuts every unit's activation maps at the "
               "unit's own threshold and compares them with the concept masks. Writes tally.csv, "
               "quantile.npy, units.csv and run.json into RUN and a summary to stdout.",
    .example = "nemesis dissect -m vgg16.nw -l conv3_3 -d broden1_224 -o runs/clean",
    .options = dissect_options,
    .shared =
        "threads|batch|limit|max-pixels|compat|progress|overwrite|resume|dry-run|" SHARED_BY_ALL,
    .run = run_dissect,
};
