/* cli/compare_robustness.c - see compare_robustness.h. */
#include "compare_robustness.h"
#include "../format/csv.h"
#include "../study/robustness.h"
#include "differences.h"
#include "output.h"
#include "outputs.h"
#include "run_folder.h"

#include <string.h>

typedef struct Comparison {
    const Settings *settings;
    Json            json[2];
    RobustRecord    run[2];
    Differences     differences;
    RobustPair     *pairs;
    int64_t         count;
} Comparison;

bool is_robustness_run(const char *folder)
{
    char path[LIMIT_PATH];
    return path_join(path, folder, "robustness.csv", NULL) && file_exists(path);
}

/* ---- reading --------------------------------------------------------------------------------- */

bool robustness_runs_pair(const Json *a, const char *name_a, const Json *b, const char *name_b,
                          Differences *differences, Error *error)
{
    const char *images_a = setting_text(a, "images_sha256"),
               *images_b = setting_text(b, "images_sha256");
    if (!images_a || !images_b || strcmp(images_a, images_b) != 0)
        return fail(error, ERROR_USAGE,
                    "%s and %s cannot be compared image by image: they are of other images", name_a,
                    name_b);
    differences_find(differences, a, b, (const char *const[]){"weights_sha256", NULL});
    return true;
}

static bool open(Comparison *c, Error *error)
{
    for (int i = 0; i < 2; i++) {
        run_folder_note_next(c->settings->inputs[i], c->settings);
        if (!run_folder_read(c->settings->inputs[i], &c->json[i], error) ||
            !robust_record_read(&c->run[i], c->settings->inputs[i], error))
            return false;
    }
    if (!robustness_runs_pair(&c->json[0], c->settings->inputs[0], &c->json[1],
                              c->settings->inputs[1], &c->differences, error))
        return false;
    differences_tell(&c->differences, c->settings);
    return robust_compare(&c->run[0], &c->run[1], &c->pairs, &c->count, error) &&
           (c->count > 0 || fail(error, ERROR_DATA, "the runs have no measure in common"));
}

/* ---- writing --------------------------------------------------------------------------------- */

static const char *const names[] = {"method", "measure", "setting", "similarity"};

static bool write_csv(const Comparison *c, Error *error)
{
    Writer *writer = NULL;
    if (!writer_open(&writer, c->settings->out, error))
        return false;
    writer_text(writer, "method,measure,setting,similarity,value_a,value_b,difference,low,high,"
                        "above,below,p,count\n");
    for (int64_t i = 0; i < c->count; i++) {
        const RobustPair *pair = &c->pairs[i];
        for (int k = 0; k < 4; k++) {
            csv_write_text(writer, robust_record_text(&c->run[0], pair->row_a, names[k]));
            writer_text(writer, ",");
        }
        writer_text(writer, "%.9g,%.9g,%.9g,%.9g,%.9g,%lld,%lld,%.9g,%lld\n", pair->value_a,
                    pair->value_b, pair->difference, pair->low, pair->high, (long long)pair->above,
                    (long long)pair->below, pair->p, (long long)pair->count);
    }
    return writer_publish(writer, error);
}

static bool print_text(const Comparison *c, Error *error)
{
    static const char *const heads[] = {"A", "B", "B - A", "low", "high", "up", "down", "p"};
    Table                    table   = {.columns = 12, .alignment = "llllrrrrrrrr"};
    for (int k = 0; k < 12; k++)
        table_cell(&table, "%s", k < 4 ? names[k] : heads[k - 4]);
    for (int64_t i = 0; i < c->count; i++) {
        const RobustPair *pair = &c->pairs[i];
        if (!robust_row_is_main(robust_record_text(&c->run[0], pair->row_a, "measure"),
                                robust_record_text(&c->run[0], pair->row_a, "setting")))
            continue;
        for (int k = 0; k < 4; k++)
            table_cell(&table, k == 2 ? "%.7s" : "%s",
                       robust_record_text(&c->run[0], pair->row_a, names[k]));
        const double numbers[] = {pair->value_a, pair->value_b, pair->difference, pair->low,
                                  pair->high};
        for (int k = 0; k < 5; k++)
            table_cell(&table, "%.4g", numbers[k]);
        table_cell(&table, "%lld", (long long)pair->above);
        table_cell(&table, "%lld", (long long)pair->below);
        table_cell(&table, "%.2g", pair->p);
    }
    printf("%lld images in both runs\n", (long long)c->run[0].images);
    if (!table_print(&table, stdout, error))
        return false;
    printf("low, high: 95 %% of B - A over images; up, down: images above and below 0; p: sign "
           "test.\nThey say nothing of other seeds or trainings.\n");
    return true;
}

static bool print_json(const Comparison *c, Error *error)
{
    JsonWriter json = {0};
    json_open_object(&json, NULL);
    json_text(&json, "a", c->settings->inputs[0]);
    json_text(&json, "b", c->settings->inputs[1]);
    json_whole(&json, "images", c->run[0].images);
    json_open_array(&json, "rows");
    for (int64_t i = 0; i < c->count; i++) {
        const RobustPair *pair = &c->pairs[i];
        json_open_object(&json, NULL);
        for (int k = 0; k < 4; k++)
            json_text(&json, names[k], robust_record_text(&c->run[0], pair->row_a, names[k]));
        json_number(&json, "value_a", pair->value_a);
        json_number(&json, "value_b", pair->value_b);
        json_number(&json, "difference", pair->difference);
        json_number(&json, "low", pair->low);
        json_number(&json, "high", pair->high);
        json_whole(&json, "above", pair->above);
        json_whole(&json, "below", pair->below);
        json_number(&json, "p", pair->p);
        json_close(&json);
    }
    json_close(&json);
    differences_json(&c->differences, &json);
    json_close(&json);
    return json_print(&json, error);
}

bool compare_robustness(const Settings *settings, Error *error)
{
    Comparison     c      = {.settings = settings};
    const UsedPath used[] = {{"the first run", settings->inputs[0]},
                             {"the second run", settings->inputs[1]}};
    if (settings->fail_over >= 0)
        return fail(error, ERROR_USAGE, "--fail-over counts units; runs of robustness have none");
    bool ok = (!settings->out || output_file_check(settings->out, used, 2, error)) &&
              open(&c, error) && (!settings->out || write_csv(&c, error)) &&
              (settings->json ? print_json(&c, error) : print_text(&c, error));
    memory_free(c.pairs);
    for (int i = 0; i < 2; i++) {
        robust_record_close(&c.run[i]);
        json_free(&c.json[i]);
    }
    return ok;
}
