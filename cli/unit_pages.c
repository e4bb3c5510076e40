/* cli/unit_pages.c - the pages of runs of units: the clean run, its noise or its attack is computed
 * again for the units that are shown. */
#include "../report/report.h"
#include "clean_run.h"
#include "commands.h"
#include "outputs.h"
#include "pages_run.h"

#include <string.h>

typedef struct UnitPages {
    PagesRun     *pages;
    const char   *clean_run;         // folder of the baseline, or of the run itself
    char          found[LIMIT_PATH]; // the baseline
    CleanRunFiles clean;
    Changes       changes;
    LayerRunner   raw;
    BlobLayer     layer;
    Noise         noise;
    AttackJob     attack;
    int64_t       film; // unit; where --film names one
    ReportJob     job;
    // Of runs that are shown beside it.
    MapReportJob maps;
    RobustPages  robust;
} UnitPages;

static int setting_choice(const UnitPages *units, const char *path, const char *choices)
{
    const char *text = json_member_text(&units->pages->json, path);
    return text ? word_index(choices, text, strlen(text)) : -1;
}

static bool setting_whole(const UnitPages *units, const char *path, uint64_t most, uint64_t *out,
                          Error *error)
{
    const char *text;
    return run_need(&units->pages->json, units->pages->told, path, &text, error) &&
           ((whole_parse(text, out) && *out <= most) ||
            fail(error, ERROR_DATA, "%s/run.json: %s is '%.40s', expected a whole number",
                 units->pages->told, path, text));
}

static bool read_noise(UnitPages *units, Error *error)
{
    Noise      *noise = &units->noise;
    const char *type, *fraction;
    if (!run_need(&units->pages->json, units->pages->told, "settings.type", &type, error) ||
        !run_need(&units->pages->json, units->pages->told, "settings.fraction", &fraction, error) ||
        !noise_type_parse(type, &noise->type, error) ||
        !setting_whole(units, "settings.seed", UINT64_MAX, &noise->seed, error))
        return false;
    units->job.noise = noise;
    return number_parse(fraction, &noise->fraction) ||
           fail(error, ERROR_DATA, "%s/run.json: fraction is '%.40s', expected a number",
                units->pages->told, fraction);
}

static bool read_attack(UnitPages *units, Error *error)
{
    AttackJob  *job     = &units->attack;
    int         variant = setting_choice(units, "settings.method", PGD_NAMES);
    int         loss    = setting_choice(units, "settings.loss", LOSS_NAMES);
    int         masks   = setting_choice(units, "settings.masks", MASKS_NAMES);
    const char *target;
    uint64_t    steps;
    if (variant < 0 || loss < 0 || masks < 0)
        return fail(error, ERROR_DATA, "%s/run.json: a setting has an unknown value",
                    units->pages->told);
    if (!setting_whole(units, "settings.steps", 100000, &steps, error) ||
        !setting_whole(units, "settings.seed", UINT64_MAX, &job->seed, error) ||
        !run_need(&units->pages->json, units->pages->told, "settings.target", &target, error) ||
        (strcmp(target, "(none)") != 0 &&
         !target_parse(target, units->clean.inputs.explainer.labels, &units->clean.record,
                       &job->target, error)))
        return false;
    job->variant      = (PgdVariant)variant;
    job->loss         = (AttackLoss)loss;
    job->masks        = (AttackMasks)masks;
    job->steps        = (int)steps;
    job->clean        = units->job.clean;
    job->builder      = unit_builder(&units->layer);
    units->job.attack = job;
    return job->masks == MASKS_LABELS || !units->clean.inputs.request.mode->raw_masks ||
           run_inputs_unprepared(&units->clean.inputs, &units->raw, &job->unprepared, error);
}

// Where --baseline says, where the run says, or by that name beside the run.
static bool find_baseline(UnitPages *units, Error *error)
{
    const char *typed = json_member_text(&units->pages->json, "baseline"), *slash;
    Error       gone  = {0};
    char        beside[LIMIT_PATH], name[LIMIT_PATH];
    units->clean_run = units->found;
    if (units->pages->settings.baseline) {
        units->clean_run = units->pages->settings.baseline;
        return true;
    }
    if (run_locate(&units->pages->json, units->pages->told, "baseline", "clean run", "--baseline",
                   units->found, &gone))
        return true;
    slash = typed ? strrchr(typed, '/') : NULL;
    if (typed && path_join(beside, units->pages->told, "..", NULL) &&
        path_join(name, beside, slash ? slash + 1 : typed, NULL) && file_exists(name)) {
        memcpy(units->found, name, sizeof name);
        return true;
    }
    return fail(error, gone.code, "%s", gone.message);
}

// What decides the results of both must be the same, or the rows are not of this clean run: all
// that a clean run has, but for what every run says of itself and what a run made from it may
// choose.
static bool check_baseline(const UnitPages *units, Error *error)
{
    static const char *const own[] = {"version", "verb", "method", "store", "conv", "top", NULL};
    const Json              *told = &units->pages->json, *clean = &units->clean.json;
    Differences              found = {0};
    differences_find(&found, told, clean, own);
    differences_add(&found, "method", setting_text(told, "nem"), setting_text(clean, "method"));
    differences_add_files(&found, told, clean);
    if (found.count > 0)
        return fail(error, ERROR_USAGE,
                    "%s was made from another clean run than %s: its %s is '%.40s', there it is "
                    "'%.40s'",
                    units->pages->told, units->clean_run, found.list[0].name, found.list[0].a,
                    found.list[0].b);
    return verb_is_clean(units->pages->verb) ||
           clean_run_is_baseline(&units->clean, units->clean_run, error);
}

static bool open_clean_run(UnitPages *units, Error *error)
{
    RunInputs *inputs = &units->clean.inputs;
    ReportJob *job    = &units->job;
    if (!clean_run_load(&units->clean, units->clean_run, &units->pages->run.pass, error))
        return false;
    units->layer =
        (BlobLayer){inputs->blob, inputs->layer, inputs->post_relu, inputs->request.conv};
    job->network = blob_architecture(inputs->blob);
    job->layer   = inputs->request.layer;
    job->clean   = units->clean.clean;
    return true;
}

static bool read_changes(UnitPages *units, Error *error)
{
    const char *verb = units->pages->verb;
    if (verb_is_clean(verb))
        return true;
    if (!changes_read(&units->changes, units->pages->told, &units->clean.inputs.explainer, error) ||
        !(strcmp(verb, "noise") == 0 ? read_noise(units, error) : read_attack(units, error)))
        return false;
    for (int64_t i = 0; i < units->changes.count; i++)
        if (units->changes.rows[i].unit >= units->clean.record.unit_count)
            return fail(error, ERROR_DATA, "%s/changes.csv: unit %lld does not exist",
                        units->pages->told, (long long)units->changes.rows[i].unit);
    if (units->changes.count)
        units->job.changes = &units->changes;
    return true;
}

// The unit of --film. Whether it was attacked is known once the changes are read.
static bool read_film(UnitPages *units, Error *error)
{
    const char *typed = units->pages->settings.film;
    uint64_t    unit;
    if (!typed)
        return true;
    if (!whole_parse(typed, &unit) || unit > LIMIT_UNITS)
        return fail(error, ERROR_USAGE, "--film: '%.40s' is not a unit", typed);
    units->film          = (int64_t)unit;
    units->job.film_unit = &units->film;
    return true;
}

static bool find_clean_run(UnitPages *units, Error *error)
{
    units->clean_run = units->pages->told;
    return (verb_is_clean(units->pages->verb) || find_baseline(units, error)) &&
           clean_run_open(&units->clean, units->clean_run, &units->pages->settings, error) &&
           check_baseline(units, error);
}

// Runs of maps beside it are sections of the page.
static bool add_maps(UnitPages *units, Error *error)
{
    const PagesRun *pages = units->pages;
    if (!pages->maps.told)
        return true;
    if (!map_pages_job(&pages->maps.json, pages->maps.told, &units->maps, error))
        return false;
    units->maps.folder = pages->run.folder.path;
    units->job.maps    = &units->maps;
    return true;
}

static bool add_robustness(UnitPages *units, Error *error)
{
    const PagesRun *pages = units->pages;
    if (!pages->robust[0].told)
        return true;
    if (!robust_pages_open(&units->robust, &pages->robust[0], &pages->robust[1], error))
        return false;
    units->robust.job.folder = pages->run.folder.path;
    units->job.robust        = &units->robust.job;
    return true;
}

static bool write_pages(UnitPages *units, Error *error)
{
    PagesRun  *pages = units->pages;
    ReportJob *job   = &units->job;
    job->verb        = pages->verb;
    job->seed        = fact_text(&pages->json, "seed");
    job->facts       = pages->facts.list;
    job->fact_count  = pages->facts.count;
    job->folder      = pages->run.folder.path;
    return add_maps(units, error) && add_robustness(units, error) && report_write(job, error);
}

bool pages_of_units(PagesRun *pages, Error *error)
{
    UnitPages *units = memory_new(1, sizeof *units, error);
    if (!units)
        return false;
    units->pages          = pages;
    bool           ok     = read_film(units, error) && find_clean_run(units, error);
    const UsedPath used[] = {{"the baseline", units->clean_run},
                             {"the probing set", units->clean.inputs.request.data},
                             {"the weight blob", units->clean.inputs.request.model}};
    ok = ok && pages_begin(pages, used, 3, error) && open_clean_run(units, error) &&
         read_changes(units, error) && write_pages(units, error);
    robust_pages_close(&units->robust);
    layer_runner_close(&units->raw);
    changes_close(&units->changes);
    clean_run_close(&units->clean);
    memory_free(units);
    return ok;
}
