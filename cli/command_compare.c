/* cli/command_compare.c - two clean runs of the same units, unit by unit. */
#include "../format/csv.h"
#include "clean_run.h"
#include "commands.h"
#include "bert_options.h"
#include "compare_robustness.h"
#include "compare_text.h"
#include "differences.h"
#include "output.h"
#include "outputs.h"

#include <math.h>
#include <string.h>

enum { SHOWN_UNITS = 10 };

typedef struct Comparison {
    const Method     *method; // of the first run: says what counts as changed
    const UnitRecord *a, *b;  // unit by unit
    int64_t           count, changed, detectors, detectors_changed;
    double            low, high;
} Comparison;

static bool is_changed(const Comparison *comparison, int64_t i)
{
    return description_change(comparison->method, comparison->a[i].label_name,
                              comparison->b[i].label_name)
        .changed;
}

/* ---- what is compared ------------------------------------------------------------------------ */

typedef struct Runs {
    Json          json[2]; // run.json; empty for a folder that has none
    const Method *method[2];
    Differences   differences;
} Runs;

static bool refuse_verb(const Json *json, const char *folder, Error *error)
{
    const char *verb = json_member_text(json, "verb");
    if (!verb || verb_is_clean(verb))
        return true;
    return fail(error, ERROR_USAGE, "%s is a run of %.40s; compare takes two clean runs%s", folder,
                verb,
                strcmp(verb, "noise") == 0 || strcmp(verb, "attack") == 0
                    ? "; its changes.csv already compares with the baseline"
                    : "");
}

// A folder without run.json may still have the files of a method: then of the first.
static bool open_run(const Settings *settings, int index, Json *json, const Method **method,
                     Error *error)
{
    const char *folder = settings->inputs[index];
    char        name[LIMIT_PATH];
    *method = method_at(0);
    run_folder_note_next(folder, settings);
    if (!swap_settle(folder, &run_result, error) || !path_join(name, folder, "run.json", error))
        return false;
    return !file_exists(name) ||
           (run_folder_read(folder, json, error) && refuse_verb(json, folder, error) &&
            run_method(json, folder, method, error));
}

// Runs of earlier versions do not name it: they saw photos as they are.
static const char *store_text(const Json *json)
{
    const char *store = setting_text(json, "store");
    return store ? store : store_arm_name(STORE_FLOAT);
}

// Units of other weights or layers are other units; what else differs is told.
static bool find_differences(const Settings *settings, Runs *runs, Error *error)
{
    static const char *const refused[] = {"weights_sha256", "layer", "method"};
    const Json              *a = &runs->json[0], *b = &runs->json[1];
    if (!a->nodes || !b->nodes)
        return true;
    for (int i = 0; i < 3; i++) {
        const char *one = setting_text(a, refused[i]), *other = setting_text(b, refused[i]);
        if (one && other && strcmp(one, other) != 0)
            return fail(error, ERROR_USAGE,
                        "%s and %s cannot be compared unit by unit: %s is '%.40s' and '%.40s'%s",
                        settings->inputs[0], settings->inputs[1], refused[i], one, other,
                        i == 2 ? " (--text compares what they say)" : "");
    }
    differences_find(&runs->differences, a, b, (const char *const[]){"verb", "store", NULL});
    differences_add(&runs->differences, "store", store_text(a), store_text(b));
    differences_add_files(&runs->differences, a, b);
    differences_tell(&runs->differences, settings);
    return true;
}

static bool open_runs(const Settings *settings, Runs *runs, Error *error)
{
    return open_run(settings, 0, &runs->json[0], &runs->method[0], error) &&
           open_run(settings, 1, &runs->json[1], &runs->method[1], error) &&
           find_differences(settings, runs, error);
}

static bool compare(const Settings *settings, const Method *method, const RunRecord *a,
                    const RunRecord *b, Comparison *out, Error *error)
{
    if (a->unit_count != b->unit_count)
        return fail(error, ERROR_DATA, "%s has %lld units and %s has %lld, expected the same",
                    settings->inputs[0], (long long)a->unit_count, settings->inputs[1],
                    (long long)b->unit_count);
    *out = (Comparison){.method = method, .a = a->units, .b = b->units, .count = a->unit_count};
    for (int64_t i = 0; i < out->count; i++) {
        const UnitRecord *before = &a->units[i], *after = &b->units[i];
        if (before->unit != after->unit)
            return fail(error, ERROR_DATA, "%s has no unit %lld", settings->inputs[1],
                        (long long)before->unit);
        bool changed  = is_changed(out, i);
        bool detector = *before->label_name && is_detector(method, before->score);
        out->changed += changed;
        out->detectors += detector;
        out->detectors_changed += detector && changed;
    }
    wilson_interval(out->changed, out->count, &out->low, &out->high);
    return true;
}

static bool write_csv(const Comparison *comparison, const char *path, Error *error)
{
    Writer *writer = NULL;
    if (!writer_open(&writer, path, error))
        return false;
    writer_text(writer, "unit0,category_a,label_a,iou_a,threshold_a,"
                        "category_b,label_b,iou_b,threshold_b,changed\n");
    for (int64_t i = 0; i < comparison->count; i++) {
        const UnitRecord *pair[2] = {&comparison->a[i], &comparison->b[i]};
        writer_text(writer, "%lld,", (long long)pair[0]->unit);
        for (int k = 0; k < 2; k++) {
            csv_write_text(writer, pair[k]->category_name);
            writer_text(writer, ",");
            csv_write_text(writer, pair[k]->label_name);
            writer_text(writer, ",%.9g,%.9g,", pair[k]->score, (double)pair[k]->threshold);
        }
        writer_text(writer, "%d\n", is_changed(comparison, i));
    }
    return writer_publish(writer, error);
}

static double percent(int64_t part, int64_t whole)
{
    return whole ? 100 * (double)part / (double)whole : 0;
}

static bool print_text(const Comparison *c, Error *error)
{
    Table             table     = {.columns = 5, .alignment = "rlrlr"};
    const char *const score     = c->method->score_name;
    const char *const headers[] = {"unit", "before", score, "after", score};
    printf("changed: %lld of %lld units, %.1f %% (95 %%: %.1f-%.1f)\n", (long long)c->changed,
           (long long)c->count, percent(c->changed, c->count), 100 * c->low, 100 * c->high);
    if (isfinite(c->method->detector_score))
        printf("of detectors (%s >= %.2f): %lld of %lld, %.1f %%\n", score,
               c->method->detector_score, (long long)c->detectors_changed, (long long)c->detectors,
               percent(c->detectors_changed, c->detectors));
    for (int i = 0; i < 5 && c->changed; i++)
        table_cell(&table, "%s", headers[i]);
    int shown = 0;
    for (int64_t i = 0; i < c->count && shown < SHOWN_UNITS; i++) {
        if (!is_changed(c, i))
            continue;
        table_cell(&table, "%lld", (long long)c->a[i].unit);
        table_cell(&table, "%s", c->a[i].label_name);
        table_cell(&table, "%.4f", c->a[i].score);
        table_cell(&table, "%s", c->b[i].label_name);
        table_cell(&table, "%.4f", c->b[i].score);
        shown++;
    }
    if (shown)
        printf("\n");
    bool ok = table_print(&table, stdout, error);
    if (shown < c->changed)
        printf("... and %lld more (-o FILE.csv has all)\n", (long long)c->changed - shown);
    return ok;
}

static bool print_json(const Settings *settings, const Runs *runs, const Comparison *c,
                       Error *error)
{
    JsonWriter json = {0};
    json_open_object(&json, NULL);
    json_text(&json, "a", settings->inputs[0]);
    json_text(&json, "b", settings->inputs[1]);
    json_whole(&json, "units", c->count);
    json_whole(&json, "changed", c->changed);
    json_number(&json, "share", percent(c->changed, c->count) / 100);
    json_number(&json, "low", c->low);
    json_number(&json, "high", c->high);
    json_whole(&json, "detectors", c->detectors);
    json_whole(&json, "detectors_changed", c->detectors_changed);
    differences_json(&runs->differences, &json);
    json_close(&json);
    return json_print(&json, error);
}

static bool compare_units(const Settings *settings, Error *error)
{
    RunRecord  a = {0}, b = {0};
    Runs       runs       = {0};
    Comparison comparison = {0};
    UsedPath   used[]     = {{"the first run", settings->inputs[0]},
                             {"the second run", settings->inputs[1]}};
    bool       ok         = inputs_check(used, 2, error) &&
              (!settings->out || output_file_check(settings->out, used, 2, error)) &&
              open_runs(settings, &runs, error) &&
              record_read(&a, runs.method[0], settings->inputs[0], NULL, error) &&
              record_read(&b, runs.method[1], settings->inputs[1], NULL, error) &&
              compare(settings, runs.method[0], &a, &b, &comparison, error) &&
              (!settings->out || write_csv(&comparison, settings->out, error)) &&
              (settings->json ? print_json(settings, &runs, &comparison, error)
                              : print_text(&comparison, error));
    double changed = percent(comparison.changed, comparison.count);
    if (ok && settings->fail_over >= 0 && changed > settings->fail_over)
        ok = fail(error, ERROR_CHECK, "%.2f %% of the units changed, at most %g %% were allowed",
                  changed, settings->fail_over);
    json_free(&runs.json[0]);
    json_free(&runs.json[1]);
    run_record_close(&a);
    run_record_close(&b);
    return ok;
}

static bool check(const Settings *settings, Error *error)
{
    const char *given = settings->idf             ? "idf"
                        : settings->bert_baseline ? "bert-baseline"
                        : settings->bert          ? "bert"
                                                  : NULL;
    return settings->text || !given ||
           fail(error, ERROR_USAGE, "--%s compares descriptions: say --text as well", given);
}

static bool run(const Settings *settings, Error *error)
{
    if (settings->text)
        return compare_text(settings, error);
    bool a = is_robustness_run(settings->inputs[0]), b = is_robustness_run(settings->inputs[1]);
    if (a != b)
        return fail(error, ERROR_USAGE, "%s is a run of robustness and %s is none; expected two",
                    settings->inputs[b], settings->inputs[a]);
    return a ? compare_robustness(settings, error) : compare_units(settings, error);
}

static const Option options[] = {
    {.name   = "out",
     .letter = 'o',
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, out),
     .value  = "FILE.csv",
     .help   = "every unit, before and after; or every row of two runs of "
               "robustness"},
    {.name   = "fail-over",
     .kind   = ARGUMENT_NUMBER,
     .offset = offsetof(Settings, fail_over),
     .value  = "P",
     .help   = "exit 1 when more than P percent of the units changed",
     .most   = 100},
    {.name   = "text",
     .kind   = ARGUMENT_FLAG,
     .offset = offsetof(Settings, text),
     .help   = "compare descriptions, of runs or CSV files, by how alike "
               "the texts are"},
    OPTIONS_BERT,
    {.name   = "idf",
     .kind   = ARGUMENT_FLAG,
     .offset = offsetof(Settings, idf),
     .help   = "in F1-BERT rare tokens of A's descriptions count more"},
    OPTION_END};

const Verb verb_compare = {
    .name        = "compare",
    .inputs      = "RUN_A RUN_B",
    .input_least = 2,
    .input_most  = 2,
    .summary     = "compare two clean runs unit by unit, or two runs of robustness",
    .details =
        "Joins two runs of the same layer by unit and counts the units that are "
        "described otherwise, with a Wilson 95 % interval. Runs of other weights, "
        "another layer or another method are refused; any other setting that differs is "
        "named. Of two runs of robustness on the same images, as of two trainings, it "
        "pairs what was measured of each image: the mean of the differences B - A with "
        "its 95 % interval over images, and the sign test's p. With --text A and B are runs of "
        "any method, files layer,unit,description, or tallies of Network Dissection "
        "(LAYER=tally.csv, or its name ends in _LAYER); several are joined by commas. "
        "Units in both are compared by equal texts, by their words and with --bert by "
        "F1-BERT; A is the reference.",
    .example = "nemesis compare runs/clean runs/other --fail-over 5",
    .options = options,
    .shared  = "threads|" SHARED_BY_ALL,
    .check   = check,
    .run     = run,
};
