/* nem/dissect/summary.c - what a clean run found, in short: detectors and the best units. */
#include "dissect_private.h"

#include "../../format/table.h"

typedef struct Findings {
    RankedUnit    *units;
    int64_t        unit_count, shown; // all; those of the lists
    DetectorCounts counts;
    int64_t        detectors_of[PROBE_MAX_CATEGORIES]; // by category of the unit's concept
} Findings;

static bool find(const Explainer *explainer, const Evidence *evidence, Findings *out, Error *error)
{
    int64_t  count    = evidence->dissection.tally.unit_count;
    Findings findings = {.unit_count = count, .shown = count < RANK_SHOWN ? count : RANK_SHOWN};
    findings.units    = units_rank(explainer, evidence, error);
    if (!findings.units || !dissect_detectors(&evidence->dissection, &findings.counts, error)) {
        memory_free(findings.units);
        return false;
    }
    for (int64_t i = 0; i < count; i++) {
        const Concept *found = &findings.units[i].found;
        findings.detectors_of[found->category] += is_detector(&method_dissection, found->score);
    }
    *out = findings;
    return true;
}

static void write_counts(const Dissection *dissection, const Findings *findings, JsonWriter *json)
{
    json_open_object(json, "counts");
    json_whole(json, "images", dissection->probe->image_count);
    json_whole(json, "units", findings->unit_count);
    json_whole(json, "labels", dissection->probe->label_count - 1);
    json_whole(json, "detectors", findings->counts.detectors);
    json_whole(json, "unique_detectors", findings->counts.unique);
    json_whole(json, "figure_unique_detectors", findings->counts.figure_unique);
    json_whole(json, "forward_passes", dissection->passes);
    json_whole(json, "peak_store_bytes", (int64_t)dissection->peak_store_bytes);
    json_close(json);
}

void dissect_summary_json(const Explainer *explainer, const Evidence *evidence, JsonWriter *json)
{
    const Dissection *dissection = &evidence->dissection;
    const Labels     *labels     = explainer->labels;
    Findings          findings;
    if (!find(explainer, evidence, &findings, &json->error))
        return;
    write_counts(dissection, &findings, json);
    json_open_array(json, "detectors");
    for (int g = 0; g < labels->category_count; g++) {
        json_open_object(json, NULL);
        json_text(json, "category", labels->category[g]);
        json_whole(json, "units", findings.detectors_of[g]);
        json_whole(json, "concepts", findings.counts.unique_of_category[g]);
        json_close(json);
    }
    json_close(json);
    json_open_array(json, "top_units");
    for (int64_t i = 0; i < findings.shown; i++) {
        const RankedUnit *best = &findings.units[i];
        json_open_object(json, NULL);
        json_whole(json, "unit0", best->unit);
        json_text(json, "category", labels->category[best->found.category]);
        json_text(json, "label", labels->text[best->found.label]);
        json_number(json, "iou", best->found.score);
        json_number(json, "threshold", (double)dissection->threshold[best->unit]);
        json_close(json);
    }
    json_close(json);
    memory_free(findings.units);
}

static bool print_categories(const Labels *labels, const Findings *findings, FILE *stream,
                             Error *error)
{
    Table table = {.columns = 3, .alignment = "lrr"};
    table_cell(&table, "category");
    table_cell(&table, "detectors");
    table_cell(&table, "concepts");
    for (int g = 0; g < labels->category_count; g++) {
        table_cell(&table, "%s", labels->category[g]);
        table_cell(&table, "%lld", (long long)findings->detectors_of[g]);
        table_cell(&table, "%lld", (long long)findings->counts.unique_of_category[g]);
    }
    return table_print(&table, stream, error);
}

static bool print_units(const Labels *labels, const Dissection *dissection,
                        const Findings *findings, FILE *stream, Error *error)
{
    Table             table     = {.columns = 5, .alignment = "rllrr"};
    const char *const headers[] = {"unit", "category", "label", "IoU", "threshold"};
    for (int i = 0; i < table.columns; i++)
        table_cell(&table, "%s", headers[i]);
    for (int64_t i = 0; i < findings->shown; i++) {
        const RankedUnit *best = &findings->units[i];
        table_cell(&table, "%lld", (long long)best->unit);
        table_cell(&table, "%s", labels->category[best->found.category]);
        table_cell(&table, "%s", labels->text[best->found.label]);
        table_cell(&table, "%.4f", best->found.score);
        table_cell(&table, "%.6g", (double)dissection->threshold[best->unit]);
    }
    return table_print(&table, stream, error);
}

bool dissect_summary_text(const Explainer *explainer, const Evidence *evidence, FILE *stream,
                          Error *error)
{
    const Labels *labels = explainer->labels;
    Findings      findings;
    if (!find(explainer, evidence, &findings, error))
        return false;
    fprintf(stream, "detectors (IoU >= %.2f): %lld of %lld units, %lld concepts\n\n",
            method_dissection.detector_score, (long long)findings.counts.detectors,
            (long long)findings.unit_count, (long long)findings.counts.unique);
    bool ok = print_categories(labels, &findings, stream, error);
    fprintf(stream, "\n");
    ok = print_units(labels, &evidence->dissection, &findings, stream, error) && ok;
    memory_free(findings.units);
    return ok;
}
