/* cli/command_manipulate.c - images whose explanation map becomes another one. */
#include "commands.h"
#include "manipulation.h"
#include "map_options.h"
#include "next.h"
#include "output.h"
#include "outputs.h"
#include "sharing.h"

#include <string.h>

enum { DEFAULT_POINTS = 4 };

static bool check_output(const Settings *settings, Error *error)
{
    const char    *target  = settings->target;
    bool           is_word = target && strncmp(target, "text:", 5) == 0;
    const UsedPath used[]  = {{"the weight blob", settings->model},
                              {"the patterns", settings->patterns},
                              {"the data", settings->data},
                              {"the input", settings->input_count ? settings->inputs[0] : NULL},
                              {"the target", is_word ? NULL : target}};
    return output_folder_check(settings->out, used, 5, error);
}

/* ---- results --------------------------------------------------------------------------------- */

static bool show(const Manipulation *manipulation, const MapResults *results, Error *error)
{
    static const char *const heads[] = {"method", "network", "store", "image", "target",
                                        "ssim",   "own",     "photo", "class"};
    static const char *const shown[] = {"map_pcc_target", "map_ssim_target", "map_pcc_original",
                                        "image_pcc", "class_kept"};
    enum { WORDS = 4, NUMBERS = sizeof shown / sizeof *shown };
    const MapStudy *study  = &manipulation->study;
    Table           table  = {.columns = WORDS + NUMBERS, .alignment = "llllrrrrr"};
    double         *values = memory_new((size_t)study->pairs, sizeof *values, error);
    if (!values)
        return false;
    for (int i = 0; i < WORDS + NUMBERS; i++)
        table_cell(&table, "%s", heads[i]);
    for (int64_t i = 0; i < results->measure_count; i++) {
        const MapMeasure *row = &results->measures[i];
        if (row->pair)
            continue;
        table_cell(&table, "%s", study->methods[row->method]->name);
        table_cell(&table, "%s", row->is_softplus ? "softplus" : manipulation->activation.name);
        table_cell(&table, "%s", store_arm_name(row->store));
        table_cell(&table, "%s", row->is_control ? "clean" : "attacked");
        for (int k = 0; k < NUMBERS; k++)
            for (int c = 0; map_measure_name(c); c++)
                if (strcmp(map_measure_name(c), shown[k]) == 0)
                    table_cell(&table, "%.3f", map_results_median(results, row, c, values));
    }
    memory_free(values);
    if (manipulation->settings->json)
        return table_print(&table, NULL, error);
    if (study->pairs > 1)
        printf("medians of %lld pairs\n", (long long)study->pairs);
    if (!table_print(&table, stdout, error))
        return false;
    printf("target, ssim: correlation and SSIM of the map with the one aimed at; own: with\n"
           "that of the clean photo; photo: of both photos; class: 1 where it stayed\n");
    return true;
}

static void rules_json(const MapStudy *study, JsonWriter *json)
{
    json_open_array(json, "attacks");
    for (int i = 0; i < study->method_count; i++) {
        const MapAttackRule *rule = &study->rules[i];
        json_open_object(json, NULL);
        json_text(json, "method", study->methods[i]->name);
        json_whole(json, "steps", rule->steps);
        json_number(json, "rate", rule->rate);
        json_number(json, "map_factor", rule->map_factor);
        json_number(json, "output_factor", rule->output_factor);
        json_text(json, "output_term", word_text(OUTPUT_TERM_NAMES, (int)rule->output_term));
        json_number(json, "beta_first", rule->beta_first);
        json_number(json, "beta_last", rule->beta_last);
        json_close(json);
    }
    json_close(json);
    json_open_object(json, "ssim");
    json_whole(json, "window", ssim_default.window);
    json_text(json, "range", "of the pair");
    json_number(json, "k1", ssim_default.k1);
    json_number(json, "k2", ssim_default.k2);
    json_text(json, "variance", "n - 1");
    json_close(json);
}

static bool finish(Manipulation *manipulation, const MapResults *results, Error *error)
{
    Run            *run   = &manipulation->run;
    const MapStudy *study = &manipulation->study;
    JsonWriter      json  = {0};
    run_document_start(run, &json);
    run_weights(run, manipulation->blob, &json);
    run_preparation(blob_preparation(manipulation->blob), &json);
    map_options_mode_json(&study->mode, &json);
    map_options_activation_json(&manipulation->activation, &json);
    rules_json(study, &json);
    if (manipulation->order) {
        json_open_array(&json, "pairs");
        for (int64_t i = 0; i < 2 * study->pairs; i++)
            json_whole(&json, NULL, manipulation->order[i]);
        json_close(&json);
    }
    json_open_object(&json, "counts");
    json_whole(&json, "pairs", study->pairs);
    json_whole(&json, "cases", results->cases);
    json_close(&json);
    bool ok = run_document_end(run, study->batch, &json, error);
    json_discard(&json);
    return ok;
}

/* ---- the verb -------------------------------------------------------------------------------- */

// Of each case two prepared images and three maps, as arrays and as pictures.
static int64_t result_bytes(const MapStudy *study)
{
    int64_t cells = study->height * study->width;
    return study->pairs * study->method_count * cells * (2 * (12 + 3) + 3 * (4 + 1)) + 8192;
}

static bool keep_nothing(void *self, const MapCase *result, Error *error)
{
    (void)self;
    (void)result;
    (void)error;
    return true;
}

// Of a piece, whose files are written where pieces meet.
static bool keep_case(void *self, const MapCase *result, Error *error)
{
    Manipulation *manipulation = self;
    return map_case_keep(&manipulation->study, result, &manipulation->run.checkpoint, error);
}

static void share(Manipulation *manipulation)
{
    const Settings *settings = manipulation->settings;
    MapStudy       *study    = &manipulation->study;
    study->share             = sharing_share(settings);
    if (sharing_is(settings, SHARING_PIECE))
        study->done = keep_case;
    sharing_cases(settings, study->pairs * study->method_count, "cases");
}

static bool manipulate(Manipulation *manipulation, Error *error)
{
    Run        *run     = &manipulation->run;
    MapStudy   *study   = &manipulation->study;
    MapResults  results = {0};
    const char *folder  = run->folder.path;
    study->blob         = manipulation->blob;
    study->patterns     = manipulation->patterns;
    study->pass         = &run->pass;
    study->done         = run->settings->dry_run ? keep_nothing : manipulation_files;
    study->batch        = batch_of(manipulation->settings, DEFAULT_POINTS);
    manipulation_warn(manipulation);
    share(manipulation);
    Pieces pieces = sharing_pieces(run);
    bool   ok     = sharing_is(run->settings, SHARING_MERGE)
                        ? map_results_join(study, &pieces, &results, error)
                        : map_study_run(study, &results, error);
    progress_end(&run->progress);
    if (sharing_is(run->settings, SHARING_PIECE)) {
        ok = ok && map_results_save(study, &results, &run->checkpoint, &pieces, error);
        map_results_close(&results);
        return ok;
    }
    if (run->settings->dry_run) {
        map_results_close(&results);
        return run_rehearsed(run, ok, &(RehearsedWork){.result_bytes = result_bytes(study)}, error);
    }
    ok = ok && map_results_write(study, &results, folder, error) &&
         map_summary_write(study, &results, folder, error) &&
         finish(manipulation, &results, error) && show(manipulation, &results, error);
    map_results_close(&results);
    return ok;
}

static bool open_manipulation(Manipulation *manipulation, Error *error)
{
    const Settings *settings = manipulation->settings;
    if (!check_output(settings, error) ||
        !run_folder_claim(&manipulation->run.folder, settings, &manipulation_result, error) ||
        !blob_open(settings->model, &manipulation->blob, error) ||
        (settings->patterns && !blob_open(settings->patterns, &manipulation->patterns, error)) ||
        !manipulation_rules(manipulation, error) || !manipulation_images(manipulation, error))
        return false;
    manipulation_identify(manipulation);
    return run_resume(&manipulation->run, error);
}

static void close_manipulation(Manipulation *manipulation)
{
    training_set_free(&manipulation->set);
    memory_free(manipulation->order);
    memory_free(manipulation->planes);
    memory_free(manipulation->image);
    memory_free(manipulation->target);
    memory_free(manipulation->target_map);
    blob_close(manipulation->patterns);
    blob_close(manipulation->blob);
    run_close(&manipulation->run);
    memory_free(manipulation);
}

static bool run(const Settings *settings, Error *error)
{
    static const char *const files[]      = {"measures.csv", "summary.csv", "smoothing.csv",
                                             "steps.csv",    "run.json",    NULL};
    static const char *const images[]     = {"attacked.png", "map_after.png", NULL};
    static const char *const pairs[]      = {"pair-000", NULL};
    Manipulation            *manipulation = memory_new(1, sizeof *manipulation, error);
    if (!manipulation)
        return false;
    manipulation->settings = settings;
    run_open(&manipulation->run, "manipulate", settings);
    progress_start(&manipulation->run.progress, "manipulate", "passes", settings);
    bool ok = open_manipulation(manipulation, error);
    if (ok)
        ok = manipulation->run.folder.is_done
                 ? run_folder_show_done(&manipulation->run.folder, settings, error)
                 : manipulate(manipulation, error);
    ok = ok && tell_results(settings, files, settings->pairs ? pairs : images, error);
    if (ok)
        tell_next_report(settings);
    close_manipulation(manipulation);
    return ok;
}

static const char *preset_word(int index)
{
    static const char *const words[] = {"table1", "table2", "table3", "table4", "table5", NULL};
    return words[index];
}

static const char *output_term_word(int index)
{
    static const char *const words[] = {"probabilities", "logits", NULL};
    return words[index];
}

static const Option options[] = {
    OPTION_MODEL,
    {.name   = "target",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, target),
     .value  = "INPUT|MAP.npy|text:WORD",
     .help   = "what the map is to become: the map of another image, an array [h, w] without "
               "negative values, or a word of letters and digits"},
    {.name   = "pairs",
     .kind   = ARGUMENT_WHOLE,
     .offset = offsetof(Settings, pairs),
     .value  = "N",
     .help   = "in place of INPUT and --target: N disjoint pairs of the images of -d, drawn by lot",
     .least  = 1,
     .most   = 100000},
    {.name   = "data",
     .letter = 'd',
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, data),
     .value  = "DATA",
     .help   = "images of the pairs: a probing set, a folder of class folders, a CIFAR picture, or "
               "mini:COUNT:SEED"},
    {.name     = "method",
     .kind     = ARGUMENT_CHOICES,
     .offset   = offsetof(Settings, maps),
     .value    = MAP_METHOD_NAMES,
     .shown    = "NAME[,NAME...]",
     .help     = "method of the map, one of those of `nemesis attribute`; with --pairs a list",
     .required = true},
    OPTION_OUT("RUN", "run folder to write"),
    {.name   = "preset",
     .kind   = ARGUMENT_NAME,
     .offset = offsetof(Settings, preset),
     .value  = "TABLE",
     .word   = preset_word,
     .help = "published settings: plain maps, other networks, CIFAR-10, SmoothGrad maps, softplus "
             "maps (default: table1)"},
    {.name   = "steps",
     .kind   = ARGUMENT_WHOLE,
     .offset = offsetof(Settings, steps),
     .value  = "N",
     .help   = "steps of Adam (default: the table's)",
     .least  = 1,
     .most   = 1000000},
    {.name   = "rate",
     .kind   = ARGUMENT_NUMBER,
     .offset = offsetof(Settings, rate),
     .value  = "R",
     .help   = "rate of Adam, in units of the prepared image (default: the table's)",
     .least  = 1e-9,
     .most   = 10},
    {.name   = "factors",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, factors),
     .value  = "F1,F2",
     .help   = "weights of the map term and of the output term (default: the table's)"},
    {.name   = "output-term",
     .kind   = ARGUMENT_NAME,
     .offset = offsetof(Settings, output_term),
     .value  = "WHAT",
     .word   = output_term_word,
     .help   = "outputs that stay as they were (default: the table's)"},
    {.name   = "beta",
     .kind   = ARGUMENT_NUMBERS,
     .offset = offsetof(Settings, betas),
     .value  = "B",
     .help   = "attack the maps of softplus with this beta; 0: of the ReLU network",
     .least  = 0,
     .most   = 1e6},
    {.name   = "beta-growth",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, beta_growth),
     .value  = "B0:B1",
     .help   = "attack the ReLU network's maps by way of softplus, whose beta grows"},
    {.name   = "smooth",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, smooth),
     .value  = "N:LEVEL",
     .help   = "attack SmoothGrad maps: the mean over N copies with normal noise, its deviation a "
               "share of the range of pixels"},
    {.name    = "noise",
     .kind    = ARGUMENT_CHOICE,
     .offset  = offsetof(Settings, noise),
     .value   = NOISE_RULE_NAMES,
     .initial = "frozen",
     .help    = "its noise: the same in all steps, or drawn anew"},
    OPTION_PATTERNS,
    OPTION_STORES("float"),
    OPTION_CONV_EXACT,
    OPTION_END};

const Verb verb_manipulate = {
    .name        = "manipulate",
    .inputs      = "[INPUT]",
    .input_least = 0,
    .input_most  = 1,
    .summary     = "an image whose explanation map becomes another one",
    .details =
        "INPUT is a photo, prepared as the weight blob says, or an .npy array [1, 3, h, w] that is "
        "the prepared input. It is changed a little in every pixel, until its map is that of the "
        "target, while the network's answer stays. RUN gets the image (original and attacked, "
        ".npy and .png), its maps before and after and the target's (map_*.npy, .png), and tables: "
        "measures.csv (how alike maps and images are, on the ReLU network and with softplus, after "
        "each way of --store, with the clean image as control), summary.csv, "
        "steps.csv, and smoothing.csv (the attacked image explained again with softplus and "
        "SmoothGrad).",
    .example = "nemesis manipulate -m vgg16.nw a.jpg --target b.jpg --method lrp -o runs/a",
    .options = options,
    .shared  = "threads|batch|seed|limit|max-pixels|compat|progress|overwrite|resume|dry-"
               "run|" SHARED_BY_ALL,
    .is_cut  = true,
    .run     = run,
};
