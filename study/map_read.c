/* study/map_read.c - the tables of a study of maps, read back; see map_tables.c. */
#include "map_study.h"
#include "../format/csv.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PAIRS = 1000000 };

/* A table while it is read, row by row. The first error stays. */
typedef struct Reading {
    Csv        *csv;
    const char *path;
    int64_t     row;
    bool        ok;
    Error      *error;
} Reading;

static void open_table(Reading *out, const char *folder, const char *name, char path[LIMIT_PATH],
                       Error *error)
{
    *out    = (Reading){.path = path, .error = error};
    out->ok = path_join(path, folder, name, error) && csv_read(&out->csv, path, error);
}

static const char *text_of(Reading *reading, const char *name)
{
    int column  = 0;
    reading->ok = reading->ok && csv_need(reading->csv, name, &column, reading->error);
    return reading->ok ? csv_text(reading->csv, reading->row, column) : "";
}

static double number_of(Reading *reading, const char *name)
{
    int    column = 0;
    double value  = 0;
    reading->ok   = reading->ok && csv_need(reading->csv, name, &column, reading->error) &&
                  csv_number(reading->csv, reading->row, column, &value, reading->error);
    return value;
}

static int64_t whole_of(Reading *reading, const char *name, int64_t most)
{
    int     column = 0;
    int64_t value  = 0;
    reading->ok    = reading->ok && csv_need(reading->csv, name, &column, reading->error) &&
                  csv_whole(reading->csv, reading->row, column, 0, most, &value, reading->error);
    return value;
}

static void refuse(Reading *reading, const char *name, const char *expected)
{
    const char *found = text_of(reading, name);
    if (reading->ok)
        reading->ok =
            fail(reading->error, ERROR_DATA, "%s:%lld: %s is '%.40s', expected %s", reading->path,
                 (long long)csv_line(reading->csv, reading->row), name, found, expected);
}

// 0 for ReLU, which has none.
static double beta_of(Reading *reading)
{
    return *text_of(reading, "beta") ? number_of(reading, "beta") : 0;
}

// Its place in the study's list, where a new one is added.
static int32_t method_of(Reading *reading, MapStudy *study)
{
    const MapMethod *method = map_method_named(text_of(reading, "method"));
    for (int i = 0; i < study->method_count; i++)
        if (study->methods[i] == method)
            return i;
    if (!method || study->method_count == MAP_METHODS) {
        refuse(reading, "method", "a method of maps");
        return 0;
    }
    study->methods[study->method_count] = method;
    return study->method_count++;
}

static Similarity alike_of(Reading *reading, const char *mse, const char *ssim, const char *pcc)
{
    return (Similarity){.mse  = number_of(reading, mse),
                        .ssim = number_of(reading, ssim),
                        .pcc  = number_of(reading, pcc)};
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void read_measure(Reading *reading, MapStudy *study, MapMeasure *out)
{
    const char *store = text_of(reading, "store");
    int         arm   = word_index(STORE_NAMES, store, strlen(store));
    *out              = (MapMeasure){
                     .pair        = (int32_t)whole_of(reading, "pair", MOST_PAIRS),
                     .method      = method_of(reading, study),
                     .is_softplus = strcmp(text_of(reading, "network"), "softplus") == 0,
                     .is_control  = whole_of(reading, "control", 1) == 1,
                     .store       = arm < 0 ? STORE_FLOAT : (StoreArm)arm,
                     .beta        = beta_of(reading),
                     .target      = alike_of(reading, "map_mse_target", "map_ssim_target", "map_pcc_target"),
                     .original = alike_of(reading, "map_mse_original", "map_ssim_original", "map_pcc_original"),
                     .image    = alike_of(reading, "image_mse", "image_ssim", "image_pcc"),
                     .linf     = number_of(reading, "linf"),
                     .class_before       = whole_of(reading, "class_before", INT32_MAX),
                     .class_after        = whole_of(reading, "class_after", INT32_MAX),
                     .probability_before = number_of(reading, "probability_before"),
                     .probability_after  = number_of(reading, "probability_after"),
                     .output_change      = number_of(reading, "output_change")};
    if (arm < 0)
        refuse(reading, "store", STORE_NAMES);
}

// "10:0.05"
static void read_smooth(Reading *reading, MapSmoothing *out)
{
    const char *text = text_of(reading, "smooth");
    char       *colon, *end;
    if (!*text)
        return;
    long copies = strtol(text, &colon, 10);
    out->level  = *colon == ':' ? strtod(colon + 1, &end) : 0;
    out->copies = (int32_t)copies;
    if (*colon != ':' || *end || copies < 1 || copies > UINT16_MAX ||
        !(out->level > 0 && out->level <= 1))
        refuse(reading, "smooth", "N:LEVEL");
}

static void read_smoothing(Reading *reading, MapStudy *study, MapSmoothing *out)
{
    *out = (MapSmoothing){.pair     = (int32_t)whole_of(reading, "pair", MOST_PAIRS),
                          .method   = method_of(reading, study),
                          .beta     = beta_of(reading),
                          .target   = {.ssim = number_of(reading, "map_ssim_target"),
                                       .pcc  = number_of(reading, "map_pcc_target")},
                          .original = {.ssim = number_of(reading, "map_ssim_original"),
                                       .pcc  = number_of(reading, "map_pcc_original")}};
    read_smooth(reading, out);
}

static void read_step(Reading *reading, MapStudy *study, MapStep *out)
{
    *out = (MapStep){.pair   = (int32_t)whole_of(reading, "pair", MOST_PAIRS),
                     .method = method_of(reading, study),
                     .step   = (int32_t)whole_of(reading, "step", INT32_MAX),
                     .loss   = {.loss        = number_of(reading, "loss"),
                                .map_term    = number_of(reading, "map_term"),
                                .output_term = number_of(reading, "output_term"),
                                .beta        = beta_of(reading)}};
}

/* ---- tables ---------------------------------------------------------------------------------- */

// A row each, as many as the table has; NULL after an error.
static void *rows_of(Reading *reading, size_t bytes, int64_t *count)
{
    *count     = reading->ok ? csv_row_count(reading->csv) : 0;
    void *rows = reading->ok ? memory_new((size_t)*count, bytes, reading->error) : NULL;
    if (!rows) {
        reading->ok = false;
        *count      = 0;
    }
    return rows;
}

static bool close_table(Reading *reading)
{
    csv_close(reading->csv);
    return reading->ok;
}

bool map_results_read(const char *folder, MapStudy *study, MapResults *out, Error *error)
{
    char       path[LIMIT_PATH];
    Reading    reading;
    MapResults results = {0};
    open_table(&reading, folder, "measures.csv", path, error);
    results.measures = rows_of(&reading, sizeof *results.measures, &results.measure_count);
    for (; reading.ok && reading.row < results.measure_count; reading.row++) {
        read_measure(&reading, study, &results.measures[reading.row]);
        int64_t pair = results.measures[reading.row].pair;
        study->pairs = pair >= study->pairs ? pair + 1 : study->pairs;
    }
    bool ok = close_table(&reading);
    if (ok) {
        open_table(&reading, folder, "smoothing.csv", path, error);
        results.smoothings =
            rows_of(&reading, sizeof *results.smoothings, &results.smoothing_count);
        for (; reading.ok && reading.row < results.smoothing_count; reading.row++)
            read_smoothing(&reading, study, &results.smoothings[reading.row]);
        ok = close_table(&reading);
    }
    if (ok) {
        open_table(&reading, folder, "steps.csv", path, error);
        results.steps = rows_of(&reading, sizeof *results.steps, &results.step_count);
        for (; reading.ok && reading.row < results.step_count; reading.row++)
            read_step(&reading, study, &results.steps[reading.row]);
        ok = close_table(&reading);
    }
    results.cases = study->pairs * study->method_count;
    if (ok && !results.measure_count)
        ok = fail(error, ERROR_DATA, "%s/measures.csv: has no rows", folder);
    if (ok)
        *out = results;
    else
        map_results_close(&results);
    return ok;
}
