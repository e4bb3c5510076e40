/* cli/command_report.c - a run as a folder of pages. */
#include "../report/report.h"
#include "clean_run.h"
#include "commands.h"
#include "next.h"
#include "output.h"
#include "map_pages.h"
#include "outputs.h"
#include "report_facts.h"

#include <string.h>

/* ---- the run again --------------------------------------------------------------------------- */

typedef struct Reported {
    Settings      settings;          // of this verb, with the folder that was not named
    char          out[LIMIT_PATH];   // that folder
    Run           run;               // of this verb
    const char   *told, *clean_run;  // folders: of the run to tell about, of its baseline or itself
    char          found[LIMIT_PATH]; // the baseline
    Json          json;              // run.json of `told`
    CleanRunFiles clean;
    Changes       changes;
    LayerRunner   raw;
    BlobLayer     layer;
    Noise         noise;
    AttackJob     attack;
    int64_t       film; // unit; where --film names one
    Facts         facts;
    ReportJob     job;
    Json          maps_json; // run.json of a second run, of maps
    MapReportJob  maps;      // of that run, or of `told`
} Reported;

static int setting_choice(const Reported *reported, const char *path, const char *choices)
{
    const char *text = json_member_text(&reported->json, path);
    return text ? word_index(choices, text, strlen(text)) : -1;
}

static bool setting_whole(const Reported *reported, const char *path, uint64_t most, uint64_t *out,
                          Error *error)
{
    const char *text;
    return run_need(&reported->json, reported->told, path, &text, error) &&
           ((whole_parse(text, out) && *out <= most) ||
            fail(error, ERROR_DATA, "%s/run.json: %s is '%.40s', expected a whole number",
                 reported->told, path, text));
}

static bool read_noise(Reported *reported, Error *error)
{
    Noise      *noise = &reported->noise;
    const char *type, *fraction;
    if (!run_need(&reported->json, reported->told, "settings.type", &type, error) ||
        !run_need(&reported->json, reported->told, "settings.fraction", &fraction, error) ||
        !noise_type_parse(type, &noise->type, error) ||
        !setting_whole(reported, "settings.seed", UINT64_MAX, &noise->seed, error))
        return false;
    reported->job.noise = noise;
    return number_parse(fraction, &noise->fraction) ||
           fail(error, ERROR_DATA, "%s/run.json: fraction is '%.40s', expected a number",
                reported->told, fraction);
}

static bool read_attack(Reported *reported, Error *error)
{
    AttackJob  *job     = &reported->attack;
    int         variant = setting_choice(reported, "settings.method", PGD_NAMES);
    int         loss    = setting_choice(reported, "settings.loss", LOSS_NAMES);
    int         masks   = setting_choice(reported, "settings.masks", MASKS_NAMES);
    const char *target;
    uint64_t    steps;
    if (variant < 0 || loss < 0 || masks < 0)
        return fail(error, ERROR_DATA, "%s/run.json: a setting has an unknown value",
                    reported->told);
    if (!setting_whole(reported, "settings.steps", 100000, &steps, error) ||
        !setting_whole(reported, "settings.seed", UINT64_MAX, &job->seed, error) ||
        !run_need(&reported->json, reported->told, "settings.target", &target, error) ||
        (strcmp(target, "(none)") != 0 &&
         !target_parse(target, &reported->clean.inputs.explainer.labels, &job->target, error)))
        return false;
    job->variant         = (PgdVariant)variant;
    job->loss            = (AttackLoss)loss;
    job->masks           = (AttackMasks)masks;
    job->steps           = (int)steps;
    job->clean           = reported->job.clean;
    job->builder         = unit_builder(&reported->layer);
    reported->job.attack = job;
    return job->masks == MASKS_LABELS || !reported->clean.inputs.request.mode->raw_masks ||
           run_inputs_unprepared(&reported->clean.inputs, &reported->raw, &job->unprepared, error);
}

// Where --baseline says, where the run says, or by that name beside the run.
static bool find_baseline(Reported *reported, Error *error)
{
    const char *typed = json_member_text(&reported->json, "baseline"), *slash;
    Error       gone  = {0};
    char        beside[LIMIT_PATH], name[LIMIT_PATH];
    reported->clean_run = reported->found;
    if (reported->settings.baseline) {
        reported->clean_run = reported->settings.baseline;
        return true;
    }
    if (run_locate(&reported->json, reported->told, "baseline", "clean run", "--baseline",
                   reported->found, &gone))
        return true;
    slash = typed ? strrchr(typed, '/') : NULL;
    if (typed && path_join(beside, reported->told, "..", NULL) &&
        path_join(name, beside, slash ? slash + 1 : typed, NULL) && file_exists(name)) {
        memcpy(reported->found, name, sizeof name);
        return true;
    }
    return fail(error, gone.code, "%s", gone.message);
}

// What decides the results of both must be the same, or the rows are not of this clean run.
static bool check_baseline(const Reported *reported, Error *error)
{
    static const char *const same[] = {
        "settings.weights_sha256", "settings.index_sha256", "settings.layer", "settings.compat",
        "settings.readout",        "settings.categories",   "settings.limit", "data.files_sha256"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        const char *a = json_member_text(&reported->json, same[i]);
        const char *b = json_member_text(&reported->clean.json, same[i]);
        if (a && b && strcmp(a, b) != 0)
            return fail(error, ERROR_USAGE,
                        "%s was made from another clean run than %s: its %s is '%.40s', there it "
                        "is '%.40s'",
                        reported->told, reported->clean_run, strchr(same[i], '.') + 1, a, b);
    }
    return verb_is_clean(reported->job.verb) ||
           clean_run_is_baseline(&reported->clean, reported->clean_run, error);
}

// A second run must be one of `manipulate`, beside a run of units.
static bool read_second(Reported *reported, Error *error)
{
    const Settings *settings = &reported->settings;
    const char     *verb;
    if (settings->input_count < 2)
        return true;
    if (!run_folder_read(settings->inputs[1], &reported->maps_json, error) ||
        !run_need(&reported->maps_json, settings->inputs[1], "verb", &verb, error))
        return false;
    if (verb_has_maps(reported->job.verb) || strcmp(verb, verb_manipulate.name) != 0)
        return fail(error, ERROR_USAGE,
                    "%s: is a run of '%.40s'; beside a run of units, one of manipulate may be "
                    "named",
                    settings->inputs[1], verb);
    return true;
}

// The unit of --film. Whether it was attacked is known once the changes are read.
static bool read_film(Reported *reported, const char *verb, Error *error)
{
    const char *typed = reported->settings.film;
    uint64_t    unit;
    if (!typed)
        return true;
    if (strcmp(verb, "attack") != 0)
        return fail(error, ERROR_USAGE, "--film: %s is a run of '%.40s', only an attack has a film",
                    reported->told, verb);
    if (!whole_parse(typed, &unit) || unit > LIMIT_UNITS)
        return fail(error, ERROR_USAGE, "--film: '%.40s' is not a unit", typed);
    reported->film          = (int64_t)unit;
    reported->job.film_unit = &reported->film;
    return true;
}

static bool read_runs(Reported *reported, Error *error)
{
    const char *verb;
    if (!run_folder_read(reported->told, &reported->json, error) ||
        !run_need(&reported->json, reported->told, "verb", &verb, error))
        return false;
    bool is_clean = verb_is_clean(verb), has_maps = verb_has_maps(verb);
    if (!is_clean && !has_maps && strcmp(verb, "noise") != 0 && strcmp(verb, "attack") != 0)
        return fail(error, ERROR_USAGE,
                    "%s: is a run of '%.40s', expected one of describe, dissect, noise, attack, "
                    "attribute, manipulate",
                    reported->told, verb);
    if (!is_clean) // else whoever opens the clean run does
        run_folder_note_next(reported->told, &reported->settings);
    reported->job.verb  = verb;
    reported->clean_run = reported->told;
    if (!read_film(reported, verb, error) || !read_second(reported, error))
        return false;
    if (!is_clean && !has_maps && !find_baseline(reported, error))
        return false;
    return facts_collect(&reported->json, &reported->facts, error);
}

// RUN-pages beside the run, where -o says nothing else. A run that is named by where it is ("..")
// has no name to add to.
static bool choose_folder(Reported *reported, Error *error)
{
    const char *run    = reported->told, *name;
    size_t      length = strlen(run);
    if (reported->settings.out)
        return true;
    while (length > 1 && run[length - 1] == '/')
        length--;
    if (snprintf(reported->out, LIMIT_PATH, "%.*s", (int)length, run) >= LIMIT_PATH - 8)
        return fail(error, ERROR_CREATE, "%.40s...: the path is too long", run);
    name = strrchr(reported->out, '/');
    name = name ? name + 1 : reported->out;
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return fail(error, ERROR_USAGE, "report: '%s' gives the pages no name; name them with -o",
                    run);
    length = strlen(reported->out);
    snprintf(reported->out + length, LIMIT_PATH - length, "-pages");
    reported->settings.out = reported->out;
    return true;
}

static bool claim_folder(Reported *reported, Error *error)
{
    const InputsRequest *request  = &reported->clean.inputs.request;
    const Settings      *settings = &reported->settings;
    const UsedPath       used[]   = {
                {"the run", reported->told},
                {"the second run", settings->input_count > 1 ? settings->inputs[1] : NULL},
                {"the baseline", reported->clean_run},
                {"the probing set", request->data},
                {"the weight blob", request->model}};
    return output_folder_check(settings->out, used, 5, error) &&
           run_folder_claim(&reported->run.folder, settings, &page_result, error);
}

static bool open_clean_run(Reported *reported, Error *error)
{
    RunInputs *inputs = &reported->clean.inputs;
    ReportJob *job    = &reported->job;
    if (!clean_run_load(&reported->clean, reported->clean_run, &reported->run.pass, error))
        return false;
    reported->layer =
        (BlobLayer){inputs->blob, inputs->request.layer, inputs->post_relu, inputs->request.conv};
    job->network = blob_architecture(inputs->blob);
    job->layer   = inputs->request.layer;
    job->clean   = reported->clean.clean;
    return true;
}

static bool read_changes(Reported *reported, Error *error)
{
    const char *verb = reported->job.verb;
    if (verb_is_clean(verb))
        return true;
    if (!changes_read(&reported->changes, reported->told, &reported->clean.inputs.explainer,
                      error) ||
        !(strcmp(verb, "noise") == 0 ? read_noise(reported, error) : read_attack(reported, error)))
        return false;
    for (int64_t i = 0; i < reported->changes.count; i++)
        if (reported->changes.rows[i].unit >= reported->clean.record.unit_count)
            return fail(error, ERROR_DATA, "%s/changes.csv: unit %lld does not exist",
                        reported->told, (long long)reported->changes.rows[i].unit);
    if (reported->changes.count)
        reported->job.changes = &reported->changes;
    return true;
}

static bool tell(const Settings *settings, const char *folder, Error *error)
{
    char       path[LIMIT_PATH];
    JsonWriter json = {0};
    if (!path_join(path, folder, "index.html", error))
        return false;
    if (!settings->json) {
        print_clean(stdout, path);
        printf("\n");
        return true;
    }
    json_open_object(&json, NULL);
    json_text(&json, "page", path);
    json_close(&json);
    return json_print(&json, error);
}

// Runs of maps have a page of their own; one beside another run is a section of its page.
static bool write_folder(Reported *reported, Error *error)
{
    const Settings *settings = &reported->settings;
    ReportJob      *job      = &reported->job;
    MapReportJob   *maps     = &reported->maps;
    if (verb_has_maps(job->verb)) {
        if (!map_pages_job(&reported->json, reported->told, job->folder, maps, error))
            return false;
        maps->facts      = job->facts;
        maps->fact_count = job->fact_count;
        return map_report_write(maps, error);
    }
    if (settings->input_count > 1) {
        if (!map_pages_job(&reported->maps_json, settings->inputs[1], job->folder, maps, error))
            return false;
        job->maps = maps;
    }
    return report_write(job, error);
}

static bool write_pages(Reported *reported, Error *error)
{
    ReportJob *job  = &reported->job;
    job->seed       = fact_text(&reported->json, "seed");
    job->facts      = reported->facts.list;
    job->fact_count = reported->facts.count;
    job->folder     = reported->run.folder.path;
    bool ok = run_folder_clear(&reported->run.folder, error) && write_folder(reported, error);
    progress_end(&reported->run.progress);
    return ok && run_folder_swap(&reported->run.folder, error) &&
           tell(&reported->settings, reported->run.folder.home, error);
}

static bool run(const Settings *settings, Error *error)
{
    Reported *reported = memory_new(1, sizeof *reported, error);
    if (!reported)
        return false;
    reported->settings = *settings;
    reported->told     = settings->inputs[0];
    run_open(&reported->run, verb_report.name, &reported->settings);
    bool ok = choose_folder(reported, error) && read_runs(reported, error) &&
              (verb_has_maps(reported->job.verb) ||
               (clean_run_open(&reported->clean, reported->clean_run, settings, error) &&
                check_baseline(reported, error))) &&
              claim_folder(reported, error) &&
              (verb_has_maps(reported->job.verb) ||
               (open_clean_run(reported, error) && read_changes(reported, error))) &&
              write_pages(reported, error);
    ok = ok && output_flush(error);
    if (ok) {
        char page[NEXT_WORD];
        note(settings, "next: open %s in a browser",
             shell_word(reported->settings.out, "/index.html", page));
    }
    run_close(&reported->run);
    layer_runner_close(&reported->raw);
    changes_close(&reported->changes);
    clean_run_close(&reported->clean);
    json_free(&reported->json);
    json_free(&reported->maps_json);
    facts_free(&reported->facts);
    memory_free(reported);
    return ok;
}

static const Option options[] = {{.name   = "out",
                                  .letter = 'o',
                                  .kind   = ARGUMENT_TEXT,
                                  .offset = offsetof(Settings, out),
                                  .value  = "DIR",
                                  .help   = "folder to make, with index.html in it (default: "
                                            "RUN-pages)"},
                                 OPTIONS_OF_RUN,
                                 {.name   = "baseline",
                                  .kind   = ARGUMENT_TEXT,
                                  .offset = offsetof(Settings, baseline),
                                  .value  = "RUN",
                                  .help = "where the clean run of a noise or attack is now, if it "
                                          "moved"},
                                 {.name   = "film",
                                  .kind   = ARGUMENT_TEXT,
                                  .offset = offsetof(Settings, film),
                                  .value  = "UNIT",
                                  .help = "the attacked unit that is shown step by step (default: "
                                          "the first on the page), 0-based"},
                                 OPTION_END};

const Verb verb_report = {
    .name        = "report",
    .inputs      = "RUN [MAPS]",
    .input_least = 1,
    .input_most  = 2,
    .summary     = "turn a run into pages that open from disk",
    .details =
        "Writes DIR/index.html with a style sheet and pictures: what was run, detectors by "
        "category, the share of labels that changed, and for the most telling units their "
        "images, sums, margins and the corruption once more, step by step. RUN is a run of "
        "describe, dissect, noise or attack; weights, probing set and clean run are looked "
        "for where it found them, or are named. Of a run of attribute or manipulate the "
        "page has photos, maps and what was measured, from the files of the run alone. MAPS is "
        "a run of manipulate that becomes a section of the page of a run of units.",
    .example = "nemesis report runs/attack",
    .options = options,
    .shared  = "threads|batch|limit|max-pixels|compat|progress|overwrite|" SHARED_BY_ALL,
    .run     = run,
};
