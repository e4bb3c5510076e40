/* cli/describe.c - how clean runs begin and end: their folders, results and summaries. */
#include "describe.h"
#include "next.h"
#include "output.h"

#include <math.h>
#include <string.h>

static const char *const result_files[] = {"units.csv", "run.json", NULL}; // beside the method's

/* ---- methods without a summary of their own -------------------------------------------------- */

static int64_t count_detectors(const Explainer *explainer, const Evidence *evidence)
{
    const Method *method    = explainer->method;
    int64_t       detectors = 0;
    for (int64_t unit = 0; unit < explainer->inputs.layer.units; unit++) {
        Concept found = method->explain(explainer, evidence, unit);
        detectors += found.label && is_detector(method, found.score);
    }
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
    const Labels *labels = explainer->labels;
    int64_t       count  = explainer->inputs.layer.units;
    Table         table  = {.columns = 3, .alignment = "rlr"};
    RankedUnit   *units  = units_rank(explainer, evidence, error);
    if (!units)
        return false;
    if (isinf(method->detector_score)) // every unit is one
        printf("%lld of %lld units have a description; the highest %s:\n\n",
               (long long)count_detectors(explainer, evidence), (long long)count,
               method->score_name);
    else
        printf("detectors (%s >= %g): %lld of %lld units\n\n", method->score_name,
               method->detector_score, (long long)count_detectors(explainer, evidence),
               (long long)count);
    table_cell(&table, "unit");
    table_cell(&table, "description");
    table_cell(&table, "%s", method->score_name);
    for (int64_t i = 0; i < count && i < RANK_SHOWN; i++) {
        table_cell(&table, "%lld", (long long)units[i].unit);
        table_cell(&table, "%s", units[i].found.label ? labels->text[units[i].found.label] : "-");
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
    printf(": %lld units, ", (long long)inputs->explainer.inputs.layer.units);
    run_inputs_print(inputs);
    return explainer->method->summary_text
               ? explainer->method->summary_text(explainer, evidence, stdout, error)
               : print_units(explainer, evidence, error);
}

/* ---- the run --------------------------------------------------------------------------------- */

bool describe_publish(const Run *run, const RunInputs *inputs, const Evidence *evidence,
                      Error *error)
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

bool describe_begin(Run *run, RunInputs *inputs, const DescribeRequest *wanted,
                    const RunInputs *first, Error *error)
{
    const Settings *settings = wanted->settings;
    const Method   *method   = wanted->method;
    InputsRequest   request  = {.model      = settings->model,
                                .layer      = settings->layer,
                                .data       = settings->data,
                                .categories = settings->categories,
                                .method     = method,
                                .readout    = (Readout)settings->readout,
                                .conv       = (ConvMethod)settings->conv,
                                .store      = (StoreArm)settings->store,
                                .limit      = settings->limit,
                                .batch      = batch_of(settings, DEFAULT_BATCH)};
    UsedPath        used[USED_INPUTS];
    run_open(run, wanted->verb->name, settings);
    if (!mode_choose(method, settings->compat, &request.mode, error) ||
        !method_values_given(method, settings, &request.values, error) ||
        !output_folder_check(settings->out, used, run_inputs_used(&request, used), error) ||
        !run_folder_claim(&run->folder, settings, &run_result, error))
        return false;
    if (!(first ? run_inputs_share(inputs, first, settings->layer, error)
                : run_inputs_open(inputs, &request, error)))
        return false;
    run_identify(run, inputs);
    identity_text(&run->identity, "method", method->name);
    identity_text(&run->identity, "store", store_arm_name(request.store));
    return run_resume(run, error);
}

bool describe_tell(const DescribeRequest *wanted, Error *error)
{
    return tell_results(wanted->settings, wanted->method->files, result_files, error);
}
