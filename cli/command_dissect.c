/* cli/command_dissect.c - clean dissection of one layer. */
#include "../attack/attack.h"
#include "commands.h"
#include "experiment.h"
#include "output.h"

#include <stdlib.h>

enum { SHOWN_UNITS = 10 };

typedef struct UnitScore {
    int64_t unit;
    Concept concept;
} UnitScore;

static int by_score(const void *a, const void *b)
{
    const UnitScore *first = a, *second = b;
    if (first->concept.score != second->concept.score)
        return first->concept.score < second->concept.score ? 1 : -1;
    return first->unit < second->unit ? -1 : first->unit > second->unit;
}

typedef struct Findings {
    UnitScore     *units; // best first
    int64_t        unit_count;
    DetectorCounts counts;
    int64_t        detectors_of[PROBE_MAX_CATEGORIES]; // by category of the unit's concept
} Findings;

static bool find(const Dissection *dissection, Findings *out, Error *error)
{
    int64_t count = dissection->tally.unit_count;
    *out          = (Findings){.unit_count = count};
    out->units    = memory_new((size_t)count, sizeof *out->units, error);
    if (!out->units || !dissect_detectors(dissection, &out->counts, error))
        return false;
    for (int64_t unit = 0; unit < count; unit++) {
        Concept concept  = dissect_concept(dissection, unit);
        out->units[unit] = (UnitScore){unit, concept};
        if (concept.score >= DETECTOR_SCORE)
            out->detectors_of[concept.category]++;
    }
    qsort(out->units, (size_t)count, sizeof *out->units, by_score);
    return true;
}

static void write_findings(const Dissection *dissection, const Findings *findings, JsonWriter *json)
{
    const ProbeSet *probe = dissection->probe;
    json_open_object(json, "counts");
    json_whole(json, "images", probe->image_count);
    json_whole(json, "units", findings->unit_count);
    json_whole(json, "labels", probe->label_count - 1);
    json_whole(json, "detectors", findings->counts.detectors);
    json_whole(json, "unique_detectors", findings->counts.unique);
    json_whole(json, "figure_unique_detectors", findings->counts.figure_unique);
    json_whole(json, "forward_passes", dissection->passes);
    json_whole(json, "peak_store_bytes", (int64_t)dissection->peak_store_bytes);
    json_close(json);
    json_open_array(json, "detectors");
    for (int g = 0; g < probe->category_count; g++) {
        json_open_object(json, NULL);
        json_text(json, "category", probe->category[g]);
        json_whole(json, "units", findings->detectors_of[g]);
        json_whole(json, "concepts", findings->counts.unique_of_category[g]);
        json_close(json);
    }
    json_close(json);
    json_open_array(json, "top_units");
    for (int64_t i = 0; i < findings->unit_count && i < SHOWN_UNITS; i++) {
        const UnitScore *best = &findings->units[i];
        json_open_object(json, NULL);
        json_whole(json, "unit0", best->unit);
        json_text(json, "category", probe->category[best->concept.category]);
        json_text(json, "label", probe->labels[best->concept.label].name);
        json_number(json, "iou", best->concept.score);
        json_number(json, "threshold", (double)dissection->threshold[best->unit]);
        json_close(json);
    }
    json_close(json);
}

static bool print_findings(const Experiment *experiment, const Dissection *dissection,
                           const Findings *findings, Error *error)
{
    const ProbeSet *probe      = dissection->probe;
    Table           categories = {.columns = 3, .alignment = "lrr"};
    Table           units      = {.columns = 5, .alignment = "rllrr"};
    print_clean(stdout, experiment->request.layer);
    printf(" of ");
    print_clean(stdout, blob_architecture(experiment->blob));
    printf(": %lld units, %lld images, compat %s\n", (long long)findings->unit_count,
           (long long)probe->image_count, experiment->rules.mode_name);
    printf("detectors (IoU >= %.2f): %lld of %lld units, %lld concepts\n\n", DETECTOR_SCORE,
           (long long)findings->counts.detectors, (long long)findings->unit_count,
           (long long)findings->counts.unique);
    table_cell(&categories, "category");
    table_cell(&categories, "detectors");
    table_cell(&categories, "concepts");
    for (int g = 0; g < probe->category_count; g++) {
        table_cell(&categories, "%s", probe->category[g]);
        table_cell(&categories, "%lld", (long long)findings->detectors_of[g]);
        table_cell(&categories, "%lld", (long long)findings->counts.unique_of_category[g]);
    }
    const char *const headers[] = {"unit", "category", "label", "IoU", "threshold"};
    for (int i = 0; i < 5; i++)
        table_cell(&units, "%s", headers[i]);
    for (int64_t i = 0; i < findings->unit_count && i < SHOWN_UNITS; i++) {
        const UnitScore *best = &findings->units[i];
        table_cell(&units, "%lld", (long long)best->unit);
        table_cell(&units, "%s", probe->category[best->concept.category]);
        table_cell(&units, "%s", probe->labels[best->concept.label].name);
        table_cell(&units, "%.4f", best->concept.score);
        table_cell(&units, "%.6g", (double)dissection->threshold[best->unit]);
    }
    bool ok = table_print(&categories, stdout, error);
    printf("\n");
    return table_print(&units, stdout, error) && ok;
}

// Writes the results, run.json last, and shows them.
static bool publish(const RunFolder *folder, const Experiment *experiment,
                    const Dissection *dissection, const Settings *settings,
                    const Identity *identity, Error *error)
{
    Findings   findings = {0};
    JsonWriter json     = {0};
    bool       ok       = find(dissection, &findings, error) && run_folder_begin(folder, error) &&
              dissection_write(dissection, NULL, folder->path, error);
    if (ok) {
        experiment_document(experiment, verb_dissect.name, settings, identity, &json);
        write_findings(dissection, &findings, &json);
        experiment_document_end(experiment, &json);
        ok = json_finish(&json, error) && run_folder_finish(folder, &json, error);
    }
    if (ok && settings->json)
        fwrite(json.text, 1, json.length, stdout);
    else if (ok)
        ok = print_findings(experiment, dissection, &findings, error);
    json_discard(&json);
    memory_free(findings.units);
    return ok;
}

static bool run(const Settings *settings, Error *error)
{
    ExperimentRequest request    = {.model      = settings->model,
                                    .layer      = settings->layer,
                                    .data       = settings->data,
                                    .categories = settings->categories,
                                    .mode       = settings->compat < 0 ? COMPAT_CORRUPT23
                                                                       : (CompatMode)settings->compat,
                                    .readout    = settings->readout,
                                    .conv       = (ConvMethod)settings->conv,
                                    .limit      = settings->limit,
                                    .batch      = settings->batch};
    RunFolder         folder     = {0};
    Experiment        experiment = {0};
    Identity          identity   = {0};
    Dissection        dissection = {0};
    if (!run_folder_claim(&folder, settings, error))
        return false;
    bool ok = experiment_open(&experiment, &request, settings, "dissect", error);
    if (ok) {
        experiment_identify(&experiment, verb_dissect.name, &identity);
        ok = run_folder_compare(&folder, settings, &identity, error);
    }
    if (ok && folder.is_done) {
        ok = run_folder_show_done(&folder, settings, error);
    } else if (ok) {
        ok = experiment_load(&experiment, error) &&
             experiment_keep(&experiment, &folder, &identity, settings, error) &&
             dissect_layer(&dissection, &experiment.rules, &experiment.probe, experiment.planes,
                           &experiment.images, &experiment.source, error);
        progress_end(&experiment.progress);
        ok = ok && publish(&folder, &experiment, &dissection, settings, &identity, error);
    }
    run_folder_close(&folder);
    dissection_close(&dissection);
    identity_free(&identity);
    experiment_close(&experiment);
    return ok;
}

static const Option options[] = {
    OPTION_MODEL,
    OPTION_LAYER,
    OPTION_DATA,
    OPTION_OUT("RUN", "run folder to make"),
    {.name = "readout", .kind = ARGUMENT_CHOICE, .offset = offsetof(Settings, readout),
     .value = READOUT_CHOICES, .initial = "auto",
     .help = "read convolutions before or after their ReLU; auto: as the compat mode does"},
    {.name = "categories", .kind = ARGUMENT_TEXT, .offset = offsetof(Settings, categories),
     .value = "NAME[,NAME...]", .help = "only these categories of concepts"},
    OPTION_CONV,
    OPTION_END};

const Verb verb_dissect = {
    .name    = "dissect",
    .inputs  = "",
    .summary = "find the concept of every unit of one layer",
    .details = "Runs the network over the probing set, cuts every unit's activation maps at the unit's "
               "own threshold and compares them with the concept masks. Writes tally.csv, quantile.npy "
               "and run.json into RUN and a summary to stdout.",
    .example = "nemesis dissect -m vgg16.nw -l conv3_3 -d broden1_224 -o runs/clean",
    .options = options,
    .run     = run,
};
