/* cli/command_robustness.c - how far explanation maps move when images move a little. */
#include "../base/words.h"
#include "commands.h"
#include "map_options.h"
#include "next.h"
#include "output.h"
#include "sharing.h"
#include "robustness.h"

#include <string.h>

static bool is_part(const char *relative)
{
    static const char *const names[] = {"robustness.csv", "values.npy", "maps.npy", "photos.npy",
                                        "attacked.npy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(relative, names[i]) == 0)
            return true;
    return is_run_work(relative);
}

const ResultKind robustness_result = {"run.json", is_part};

/* ---- results --------------------------------------------------------------------------------- */

static bool show(const Robustness *robustness, const RobustResults *results, Error *error)
{
    static const char *const heads[] = {"method", "measure", "setting", "similarity",
                                        "value",  "low",     "high"};
    Table                    table   = {.columns = 7, .alignment = "llllrrr"};
    for (int i = 0; i < 7; i++)
        table_cell(&table, "%s", heads[i]);
    for (int64_t r = 0; r < results->row_count; r++) {
        const RobustRow *row = &results->rows[r];
        if (!robust_row_is_main(row->measure, row->setting))
            continue;
        RobustSummary sum =
            robust_summary(row, results->values + r * results->images, results->images);
        table_cell(&table, "%s", row->method);
        table_cell(&table, "%s", row->measure);
        table_cell(&table, "%.7s", row->setting);
        table_cell(&table, "%s", row->similarity);
        table_cell(&table, "%.4g", sum.value);
        table_cell(&table, "%.4g", sum.low);
        table_cell(&table, "%.4g", sum.high);
    }
    if (robustness->settings->json)
        return table_print(&table, NULL, error);
    printf("%lld images, compat %s, seed %llu\n", (long long)results->images,
           robustness->study.mode->name, (unsigned long long)robustness->study.seed);
    if (!table_print(&table, stdout, error))
        return false;
    printf("low, high: 95 %% over images; they do not cover other seeds or trainings\n");
    return true;
}

/* ---- run.json -------------------------------------------------------------------------------- */

static void mode_json(const RobustStudy *study, JsonWriter *json)
{
    const RobustMode *mode = study->mode;
    json_open_object(json, "compat");
    json_text(json, "mode", mode->name);
    json_whole(json, "group", mode->group);
    json_flag(json, "clamps_to_group", mode->clamps_to_group);
    json_flag(json, "ranges_by_group", mode->ranges_by_group);
    json_flag(json, "losses_by_group", mode->losses_by_group);
    json_flag(json, "pcc_is_biased", mode->pcc_is_biased);
    json_flag(json, "forgets_clean", mode->forgets_clean);
    json_flag(json, "cifar_deviation", mode->cifar_deviation);
    json_number(json, "inverse_deviation", mode->inverse_deviation);
    json_flag(json, "logs_hessian", mode->logs_hessian);
    json_open_object(json, "maps");
    map_options_mode_json(&study->maps, json);
    json_close(json);
    json_close(json);
    json_open_object(json, "ssim");
    json_whole(json, "window", ssim_gaussian.window);
    json_number(json, "sigma", ssim_gaussian.sigma);
    json_number(json, "k1", ssim_gaussian.k1);
    json_number(json, "k2", ssim_gaussian.k2);
    json_close(json);
}

static bool finish(Robustness *robustness, const RobustResults *results, Error *error)
{
    Run               *run   = &robustness->run;
    const RobustStudy *study = &robustness->study;
    JsonWriter         json  = {0};
    run_document_start(run, &json);
    run_weights(run, robustness->blob, &json);
    run_preparation(blob_preparation(robustness->blob), &json);
    json_open_object(&json, "data");
    run_path(run, "path", robustness->settings->data, &json);
    json_whole(&json, "images", study->images);
    json_whole(&json, "height", study->height);
    json_whole(&json, "width", study->width);
    json_close(&json);
    mode_json(study, &json);
    json_open_array(&json, "methods");
    for (int i = 0; i < study->method_count; i++)
        json_text(&json, NULL, study->names[i]);
    json_close(&json);
    json_open_object(&json, "counts");
    json_whole(&json, "rows", results->row_count);
    json_whole(&json, "shown", results->shown);
    json_whole(&json, "pgd_steps", ROBUST_PGD_STEPS);
    json_close(&json);
    bool ok = run_document_end(run, study->batch, &json, error);
    json_discard(&json);
    return ok;
}

/* ---- the verb -------------------------------------------------------------------------------- */

// Labels are numbers: a folder of the first few classes is fine, one of any others is not.
static bool find_classes(Robustness *robustness, Error *error)
{
    const Settings *settings = robustness->settings;
    RobustStudy    *study    = &robustness->study;
    if (!robustness_classes(study, error))
        return false;
    if (study->classes != robustness->set.classes)
        note(settings, "warning: %s has %d classes, the network %lld; class k is taken for class k",
             settings->data, (int)robustness->set.classes, (long long)study->classes);
    return true;
}

static bool measure(Robustness *robustness, Error *error)
{
    Run          *run     = &robustness->run;
    RobustResults results = {0};
    RobustStudy  *study   = &robustness->study;
    if (!sharing_is(run->settings, SHARING_MERGE) && !find_classes(robustness, error))
        return false;
    study->share  = sharing_share(run->settings);
    Pieces pieces = sharing_pieces(run);
    sharing_cases(run->settings, (study->images + study->mode->group - 1) / study->mode->group,
                  "groups of images");
    bool ok = sharing_is(run->settings, SHARING_MERGE)
                  ? robustness_join(study, &pieces, &results, error)
                  : robustness_run(study, &results, error);
    progress_end(&run->progress);
    if (sharing_is(run->settings, SHARING_PIECE)) {
        ok = ok && robustness_save(study, &results, &pieces, error);
        robustness_close(&results);
        return ok;
    }
    if (run->settings->dry_run) {
        robustness_close(&results);
        return run_rehearsed(run, ok, &(RehearsedWork){.result_bytes = -1}, error);
    }
    ok = ok && run_folder_begin(&run->folder, error) &&
         robustness_write(&robustness->study, &results, run->folder.path, error) &&
         finish(robustness, &results, error) && show(robustness, &results, error);
    robustness_close(&results);
    return ok;
}

static bool run(const Settings *settings, Error *error)
{
    static const char *const files[]    = {"robustness.csv", "values.npy", "maps.npy", "photos.npy",
                                           "attacked.npy",   "run.json",   NULL};
    Robustness              *robustness = memory_new(1, sizeof *robustness, error);
    if (!robustness)
        return false;
    robustness->settings = settings;
    run_open(&robustness->run, "robustness", settings);
    bool ok = robustness_request(robustness, error);
    if (ok)
        ok = robustness->run.folder.is_done
                 ? run_folder_show_done(&robustness->run.folder, settings, error)
                 : measure(robustness, error);
    ok = ok && tell_results(settings, files, NULL, error);
    training_set_free(&robustness->set);
    given_maps_close(&robustness->given);
    blob_close(robustness->patterns);
    blob_close(robustness->blob);
    run_close(&robustness->run);
    memory_free(robustness);
    return ok;
}

static const Option options[] = {
    OPTION_MODEL,
    OPTION_DATA("DATA", "images with labels: a folder of class folders, a CIFAR picture, or "
                        "mini:COUNT:SEED"),
    {.name   = "method",
     .kind   = ARGUMENT_CHOICES,
     .offset = offsetof(Settings, maps),
     .value  = MAP_METHOD_NAMES,
     .shown  = "NAME[,NAME...]",
     .help   = "methods of maps, those of `nemesis attribute`"},
    OPTION_OUT("RUN", "run folder to write"),
    {.name   = "measures",
     .kind   = ARGUMENT_CHOICES,
     .offset = offsetof(Settings, measures),
     .value  = ROBUST_MEASURE_NAMES,
     .help   = "what is measured (default: all, with --maps insertion,deletion,accuracy)"},
    {.name    = "eps",
     .kind    = ARGUMENT_NUMBERS,
     .offset  = offsetof(Settings, strengths),
     .value   = "E[,E...]",
     .initial = "4/255,8/255,16/255",
     .help    = "how far images are moved at random, in rps and bound, in units of 0..1",
     .least   = 0,
     .most    = 1},
    {.name    = "draws",
     .kind    = ARGUMENT_WHOLE,
     .offset  = offsetof(Settings, draws),
     .value   = "N",
     .initial = "10",
     .help    = "random draws of each image",
     .least   = 1,
     .most    = 65535},
    {.name    = "aam-eps",
     .kind    = ARGUMENT_NUMBER,
     .offset  = offsetof(Settings, aam_eps),
     .value   = "E",
     .initial = "4/255",
     .help    = "how far attacks move an image: aam, adv-insertion and PGD in accuracy",
     .least   = 1e-6,
     .most    = 1},
    {.name    = "aam-steps",
     .kind    = ARGUMENT_WHOLE,
     .offset  = offsetof(Settings, aam_steps),
     .value   = "N",
     .initial = "100",
     .help    = "steps of an attack on a map",
     .least   = 1,
     .most    = 100000},
    {.name    = "aam-rule",
     .kind    = ARGUMENT_CHOICE,
     .offset  = offsetof(Settings, aam_rule),
     .value   = AAM_RULE_NAMES,
     .initial = "adam",
     .help    = "its steps: Adam's, or of one size against the sign of the gradient"},
    {.name    = "aam-target",
     .kind    = ARGUMENT_CHOICE,
     .offset  = offsetof(Settings, aam_target),
     .value   = AAM_TARGET_NAMES,
     .initial = "frame",
     .help    = "what maps are to become: a frame, or anything far from what they are"},
    {.name    = "similarities",
     .kind    = ARGUMENT_TEXT,
     .offset  = offsetof(Settings, similarities),
     .value   = "S[,S...]",
     .initial = "mse,cosine,pcc,ssim,mse-sum,ssim-sum,topk",
     .help    = "how maps are compared: mse, cosine, pcc, ssim, mse-sum and ssim-sum (both maps "
                "over their sum), topk:K (the share of the K largest cells that both have; topk: "
                "a tenth of all cells)"},
    {.name   = "maps",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, given_maps),
     .value  = "DIR",
     .help   = "in place of --method: maps of other programs, files NAME-0000-METHOD.npy, where "
               "0000 counts the images of DATA; the network is still asked what it sees"},
    OPTION_PATTERNS,
    OPTION_CONV_EXACT,
    OPTION_END};

const Verb verb_robustness = {
    .name    = "robustness",
    .inputs  = "",
    .summary = "how far explanation maps move when images move a little",
    .details =
        "Explains each image for its label, moves it a little, and explains it again. rps: at "
        "random. aam: by an attack that aims at a frame. insertion, deletion: the probability of "
        "the label where only the largest cells of a map stay, or only the others; adv-insertion: "
        "by the map of the attacked image. bound: gradients, their products with the Hessian and "
        "the ratio of both. accuracy: as it is and after PGD. robustness.csv has a row for each "
        "measure with its mean over images and a 95 % interval, which does not cover seeds; rows "
        "with eps 0 are controls. values.npy has the values of single images, from which "
        "`nemesis compare` pairs two runs. insertion, deletion and accuracy need of a map method "
        "only its maps, so they can score those of other programs (--maps); all others explain "
        "moved images, which only this program can.",
    .example = "nemesis robustness -m demo/mini.nw -d mini:4:7 --method lrp -o runs/robust",
    .options = options,
    .shared  = "threads|batch|seed|limit|max-pixels|compat|progress|overwrite|resume|dry-"
               "run|" SHARED_BY_ALL,
    .is_cut  = true,
    .run     = run,
};
