/* cli/corruption_report.c - the results of noise and attack: files, summary table, JSON. */
#include "corruption.h"
#include "output.h"
#include "sharing.h"

#include <math.h>
#include <string.h>

static void write_share(JsonWriter *json, const char *key, const ChangeShare *share, bool targeted)
{
    json_open_object(json, key);
    json_whole(json, "units", share->units);
    json_whole(json, "changed", share->changed);
    json_number(json, "share", share->share);
    json_number(json, "low", share->low);
    json_number(json, "high", share->high);
    if (targeted) {
        json_whole(json, "targeted", share->targeted);
        json_whole(json, "hits", share->hits);
        json_number(json, "hit_share", share->hit_share);
        json_number(json, "hit_low", share->hit_low);
        json_number(json, "hit_high", share->hit_high);
    }
    json_close(json);
}

// What became of the detectors (C26).
static void write_outcomes(JsonWriter *json, const OutcomeCount *count)
{
    json_open_object(json, "outcomes");
    json_whole(json, "detectors", count->detectors);
    for (int i = 0; i < OUTCOMES; i++)
        json_whole(json, word_text(OUTCOME_NAMES, i), count->of[i]);
    json_number(json, "kept_iou", count->kept);
    json_close(json);
}

static void write_settings(const Corruption *corruption, const SettingList *settings, bool targeted,
                           JsonWriter *json)
{
    const Changes *changes = &corruption->changes;
    const Method  *method  = corruption->baseline.inputs.request.method;
    ChangeGroup    good    = group_detectors(method);
    json_open_array(json, "results");
    for (int i = 0; i < settings->count; i++) {
        ChangeShare  all       = changes_share(changes, settings->rows[i], group_all());
        ChangeShare  detectors = changes_share(changes, settings->rows[i], good);
        OutcomeCount outcomes  = outcomes_count(changes, settings->rows[i], method, -1);
        json_open_object(json, NULL);
        json_text(json, "method", settings->rows[i]->perturbation);
        json_number(json, "strength", settings->rows[i]->strength);
        json_text(json, "store", store_arm_name(settings->rows[i]->store));
        json_number(json, "poisoned_fraction", all.fraction);
        write_share(json, "all", &all, targeted);
        write_share(json, "detectors", &detectors, targeted);
        write_outcomes(json, &outcomes);
        json_close(json);
    }
    json_close(json);
}

// What a table counts: label changes of all units, those of detectors, or targets reached.
typedef enum Counted { COUNTED_ALL, COUNTED_DETECTORS, COUNTED_HITS } Counted;

static ChangeShare share_of(const Corruption *corruption, const ChangeRow *setting, Counted counted)
{
    ChangeGroup good = group_detectors(corruption->baseline.inputs.request.method);
    return changes_share(&corruption->changes, setting,
                         counted == COUNTED_DETECTORS ? good : group_all());
}

// One table for each thing counted, so that none is wider than 80 columns.
static bool print_counted(const Corruption *corruption, const SettingList *settings,
                          const char *title, Counted counted, Error *error)
{
    bool              hits      = counted == COUNTED_HITS;
    Table             table     = {.columns = 7, .alignment = "llrrrrr"};
    const char *const headers[] = {
        "method", "store", "strength", "poisoned", hits ? "hits" : "changed", "share", "95 %"};
    printf("\n%s\n", title);
    for (int i = 0; i < table.columns; i++)
        table_cell(&table, "%s", headers[i]);
    for (int i = 0; i < settings->count; i++) {
        const ChangeRow *setting = settings->rows[i];
        ChangeShare      share   = share_of(corruption, setting, counted);
        table_cell(&table, "%s", setting->strength > 0 ? setting->perturbation : "control");
        table_cell(&table, "%s", store_arm_name(setting->store));
        table_cell(&table, "%.6g", setting->strength);
        table_cell(&table, "%.1f %%", 100 * share_of(corruption, setting, COUNTED_ALL).fraction);
        table_cell(&table, "%lld/%lld", (long long)(hits ? share.hits : share.changed),
                   (long long)(hits ? share.targeted : share.units));
        table_cell(&table, "%.1f %%", 100 * (hits ? share.hit_share : share.share));
        table_cell(&table, "%.1f-%.1f", 100 * (hits ? share.hit_low : share.low),
                   100 * (hits ? share.hit_high : share.high));
    }
    return table_print(&table, stdout, error);
}

// Whether every unit of every setting is a detector: then their table says the same again.
static bool only_detectors(const Corruption *corruption, const SettingList *settings)
{
    bool same = true;
    for (int i = 0; same && i < settings->count; i++)
        same = share_of(corruption, settings->rows[i], COUNTED_ALL).units ==
               share_of(corruption, settings->rows[i], COUNTED_DETECTORS).units;
    return same;
}

static bool print_settings(const Corruption *corruption, const SettingList *settings, bool targeted,
                           Error *error)
{
    const RunInputs *inputs = &corruption->baseline.inputs;
    bool             same   = only_detectors(corruption, settings);
    printf("%s of ", corruption->run.verb);
    print_clean(stdout, inputs->request.layer);
    printf(": %lld images, baseline ", (long long)inputs->probe.image_count);
    print_clean(stdout, corruption->run.settings->baseline);
    printf(", seed %llu\n", (unsigned long long)corruption->run.settings->seed);
    return print_counted(corruption, settings, same ? "all units, each a detector" : "all units",
                         COUNTED_ALL, error) &&
           (same || print_counted(corruption, settings, "detectors", COUNTED_DETECTORS, error)) &&
           (!targeted ||
            print_counted(corruption, settings, "units with a target", COUNTED_HITS, error));
}

// A second table: what the changes of the detectors come to.
static bool print_outcomes(const Corruption *corruption, const SettingList *settings, Error *error)
{
    const Method     *method    = corruption->baseline.inputs.request.method;
    Table             table     = {.columns = 9, .alignment = "llrrrrrrr"};
    const char *const headers[] = {"method", "store", "strength", "detectors", "other",
                                   "none",   "tie",   "same",     "kept"};
    for (int i = 0; i < table.columns; i++)
        table_cell(&table, "%s", headers[i]);
    for (int i = 0; i < settings->count; i++) {
        const ChangeRow *row = settings->rows[i];
        OutcomeCount     now = outcomes_count(&corruption->changes, row, method, -1);
        table_cell(&table, "%s", row->strength > 0 ? row->perturbation : "control");
        table_cell(&table, "%s", store_arm_name(row->store));
        table_cell(&table, "%.6g", row->strength);
        table_cell(&table, "%lld", (long long)now.detectors);
        for (int k = 0; k < OUTCOMES; k++)
            table_cell(&table, "%lld", (long long)now.of[k]);
        if (now.detectors && !isnan(now.kept))
            table_cell(&table, "%.1f %%", 100 * now.kept);
        else
            table_cell(&table, "-");
    }
    printf("\ndetectors by outcome: now of another concept, of none, or a tie");
    if (method->score_is_share)
        printf(";\nkept: the mean part of the clean %s", method->score_name);
    printf("\n\n");
    return table_print(&table, stdout, error);
}

// How alike descriptions stayed (B16).
static bool print_similarities(const Corruption *corruption, const SettingList *settings,
                               Error *error)
{
    Table             table     = {.columns = 10, .alignment = "llrrrrrrrr"};
    const char *const headers[] = {"method", "store", "strength", "mean", "95 %"};
    const Explainer  *explainer = &corruption->baseline.inputs.explainer;
    char              told[128];
    if (!similarity_counts(explainer))
        return true;
    for (int i = 0; i < 5; i++)
        table_cell(&table, "%s", headers[i]);
    for (int cut = 0; cut < SIMILARITY_CUTS; cut++)
        table_cell(&table, "< %g", similarity_cuts[cut]);
    for (int i = 0; i < settings->count; i++) {
        const ChangeRow *row = settings->rows[i];
        SimilarityShare  share;
        if (!changes_similarity(&corruption->changes, row, group_all(), &share, error)) {
            table_print(&table, NULL, NULL); // releases it
            return false;
        }
        table_cell(&table, "%s", row->strength > 0 ? row->perturbation : "control");
        table_cell(&table, "%s", store_arm_name(row->store));
        table_cell(&table, "%.6g", row->strength);
        table_cell(&table, "%.3f", share.mean);
        table_cell(&table, "%.3f to %.3f", share.low, share.high);
        for (int cut = 0; cut < SIMILARITY_CUTS; cut++)
            table_cell(&table, "%.1f %%",
                       100 * (double)share.below[cut] / (double)(share.units ? share.units : 1));
    }
    if (corruption->bert)
        bert_told(corruption->bert, told);
    printf("\nsimilarity of descriptions before and after, all units (%s%s);\n"
           "< 0.3: the share of units below that\n\n",
           corruption->bert ? "F1-BERT, " : "", corruption->bert ? told : explainer->method->title);
    return table_print(&table, stdout, error);
}

// Publishes the rows and takes them back as written, so that every summary follows from the nine
// digits of changes.csv alone, whether a run was resumed or not.
static bool settle(Corruption *corruption, Error *error)
{
    Changes          written   = {0};
    const Explainer *explainer = &corruption->baseline.inputs.explainer;
    const char      *folder    = corruption->run.folder.path;
    if (!run_folder_start(&corruption->run.folder, &corruption->run.identity, error) ||
        !changes_write(&corruption->changes, explainer, folder, error) ||
        !changes_read(&written, folder, explainer, error))
        return false;
    changes_close(&corruption->changes);
    corruption->changes = written;
    return changes_write(&written, explainer, folder, error);
}

static bool save_piece(Corruption *corruption, Error *error)
{
    Pieces pieces = sharing_pieces(&corruption->run);
    return rows_share(&corruption->changes, corruption->baseline.inputs.explainer.labels, &pieces,
                      error);
}

bool corruption_publish(Corruption *corruption, Error *error)
{
    if (sharing_is(corruption->run.settings, SHARING_PIECE))
        return save_piece(corruption, error);
    if (!settle(corruption, error))
        return false;
    const Run       *run       = &corruption->run;
    const RunInputs *inputs    = &corruption->baseline.inputs;
    bool             targeted  = run->settings->target != NULL;
    bool             is_attack = strcmp(run->verb, "attack") == 0;
    int64_t          untouched = 0;
    SettingList      settings  = {0};
    JsonWriter       json      = {0};
    bool             ok        = setting_list_open(&settings, &corruption->changes, error);
    if (ok) {
        if (is_attack && settings.count)
            untouched = share_of(corruption, settings.rows[0], COUNTED_ALL).untouched;
        run_document(run, inputs, &json);
        run_path(run, "baseline", run->settings->baseline, &json);
        bert_json(corruption->bert, run->settings, run, &json);
        json_open_object(&json, "counts");
        json_whole(&json, "images", inputs->probe.image_count);
        json_whole(&json, "settings", settings.count);
        json_whole(&json, "rows", corruption->changes.count);
        if (is_attack)
            json_whole(&json, "untouched_units", untouched);
        json_close(&json);
        write_settings(corruption, &settings, targeted, &json);
        ok = run_document_finish(run, inputs, &json, error);
    }
    ok = ok && (run->settings->json || (print_settings(corruption, &settings, targeted, error) &&
                                        print_outcomes(corruption, &settings, error) &&
                                        print_similarities(corruption, &settings, error)));
    if (ok && untouched)
        note(run->settings,
             "note: units with no image to perturb (no concept, or their own as the target): %lld. "
             "They count as unchanged because nothing was tried, not because they are robust",
             (long long)untouched);
    json_discard(&json);
    setting_list_close(&settings);
    return ok;
}
