/* cli/command_explain.c - the numbers behind one description and behind one activation. */
#include "../report/report.h"
#include "clean_run.h"
#include "commands.h"
#include "explain.h"
#include "output.h"

#include <string.h>

/* ---- one unit -------------------------------------------------------------------------------- */

static bool show_json(const RunInputs *inputs, const UnitStory *story, Error *error)
{
    const Explainer *explainer = &inputs->explainer;
    JsonWriter       json      = {0};
    json_open_object(&json, NULL);
    json_text(&json, "layer", inputs->request.layer);
    json_whole(&json, "unit0", story->unit);
    explainer->method->story_json(explainer, story->story, &json);
    json_close(&json);
    return json_print(&json, error);
}

static bool show_text(const RunInputs *inputs, const UnitStory *story, Error *error)
{
    const Explainer *explainer = &inputs->explainer;
    printf("unit %lld of ", (long long)story->unit);
    print_clean(stdout, inputs->request.layer);
    printf(": ");
    run_inputs_print(inputs);
    return explainer->method->story_text(explainer, story->story, stdout, error);
}

static bool tell_unit(const CleanRun *clean, int64_t unit, UnitStory *out, Error *error)
{
    const Inputs           *inputs = &clean->explainer->inputs;
    const ActivationSource *layer  = &inputs->layer;
    if (unit >= layer->units)
        return fail(error, ERROR_USAGE, "unit %lld does not exist, the layer has units 0 to %lld",
                    (long long)unit, (long long)layer->units - 1);
    size_t count = (size_t)(inputs->probe->image_count * layer->height * layer->width);
    float *maps  = memory_new(count, sizeof *maps, error);
    bool   ok    = maps && maps_collect(inputs, &unit, 1, clean->pass, maps, error) &&
              unit_story_tell(clean, unit, maps, out, error);
    memory_free(maps);
    return ok;
}

static bool explain_unit(const Settings *settings, Error *error)
{
    CleanRunFiles files = {0};
    UnitStory     story = {0};
    uint64_t      unit  = 0;
    Run           run;
    whole_parse(settings->inputs[1], &unit); // checked
    run_open(&run, verb_explain.name, settings);
    bool          ok     = clean_run_open(&files, settings->baseline, settings, error);
    const Method *method = files.inputs.request.method;
    if (ok && !method->story)
        ok = fail(error, ERROR_USAGE,
                  "explain unit: %s does not tell how a unit came by its "
                  "description",
                  method->title);
    ok = ok && clean_run_load(&files, settings->baseline, &run.pass, error) &&
         tell_unit(&files.clean, (int64_t)unit, &story, error);
    progress_end(&run.progress);
    if (ok)
        ok = settings->json ? show_json(&files.inputs, &story, error)
                            : show_text(&files.inputs, &story, error);
    unit_story_close(&story, method);
    clean_run_close(&files);
    run_close(&run);
    return ok;
}

/* ---- the verb -------------------------------------------------------------------------------- */

// Options of the other kind, which would be ignored, and what this kind lacks.
static bool refuse_kind(const char *kind, const char *extra, const char *missing, Error *error)
{
    if (extra)
        return fail(error, ERROR_USAGE, "explain %s: does not take %s", kind, extra);
    return fail(error, ERROR_USAGE, "explain %s: needs %s", kind, missing);
}

static bool check_unit(const Settings *settings, Error *error)
{
    uint64_t    unit;
    const char *extra = settings->layer                     ? "--layer"
                        : settings->units                   ? "--units"
                        : settings->at                      ? "--at"
                        : settings->readout != READOUT_AUTO ? "--readout"
                                                            : NULL;
    if (extra || !settings->baseline)
        return refuse_kind("unit", extra, "RUN", error);
    return (whole_parse(settings->inputs[1], &unit) && unit <= LIMIT_UNITS) ||
           fail(error, ERROR_USAGE, "explain unit: '%s' is not a unit", settings->inputs[1]);
}

static bool check_pixel(const Settings *settings, Error *error)
{
    const char *extra = settings->baseline ? "a run"
                        : settings->data   ? "--data"
                        : settings->compat ? "--compat"
                        : settings->limit  ? "--limit"
                        : settings->batch  ? "--batch"
                                           : NULL;
    const struct {
        const char *given, *title;
    } needed[]          = {{settings->model, "--model FILE.nw"},
                           {settings->layer, "--layer LAYER"},
                           {settings->units, "--units U"},
                           {settings->at, "--at Y,X"}};
    char   missing[128] = "";
    size_t used         = 0;
    for (int i = 0; i < 4; i++)
        if (!needed[i].given)
            used += (size_t)snprintf(missing + used, sizeof missing - used, "%s%s",
                                     used ? ", " : "", needed[i].title);
    return (!extra && !*missing) || refuse_kind("pixel", extra, missing, error);
}

static bool check(const Settings *settings, Error *error)
{
    if (strcmp(settings->inputs[0], "unit") == 0)
        return check_unit(settings, error);
    if (strcmp(settings->inputs[0], "pixel") == 0)
        return check_pixel(settings, error);
    return fail(error, ERROR_USAGE, "explain: '%s' is neither unit nor pixel", settings->inputs[0]);
}

static bool run_explain(const Settings *settings, Error *error)
{
    return strcmp(settings->inputs[0], "unit") == 0 ? explain_unit(settings, error)
                                                    : explain_pixel(settings, error);
}

static const Option options[] = {
    {.name   = "baseline",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, baseline),
     .value  = "RUN",
     .help   = "unit: the same as RUN, the finished clean run the label is from"},
    {.name   = "model",
     .letter = 'm',
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, model),
     .value  = "FILE.nw",
     .help   = "pixel: weight blob; unit: where the run's is now, if it moved"},
    {.name   = "data",
     .letter = 'd',
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, data),
     .value  = "PROBE",
     .help   = "unit: where the run's probing set is now, if it moved"},
    {.name   = "layer",
     .letter = 'l',
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, layer),
     .value  = "LAYER",
     .help   = "pixel: layer by the network's own name"},
    {.name   = "units",
     .letter = 'u',
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, units),
     .value  = "U",
     .help   = "pixel: the unit, 0-based"},
    {.name   = "at",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, at),
     .value  = "Y,X",
     .help   = "pixel: row and column of the unit's map, 0-based"},
    OPTION_READOUT("pixel: convolutions before or after their ReLU; auto: before"),
    OPTION_END};

const Verb verb_explain = {
    .name        = "explain",
    .inputs      = "unit U RUN | pixel IMAGE",
    .input_least = 2,
    .input_most  = 3,
    .spelled     = "baseline",
    .check       = check,
    .summary     = "show the sums behind a label or an activation",
    .details =
        "`unit U RUN` tells how a unit of a clean run came by its label: threshold and rank, the "
        "integers of the IoU, runners-up, the margin and the top images. `pixel IMAGE` lists "
        "every product of the convolution that makes one activation, highest first, with bias "
        "and total.",
    .example    = "nemesis explain unit 89 runs/clean",
    .options    = options,
    .of_methods = METHOD_OPTIONS_FILES,
    .shared     = "threads|batch|limit|max-pixels|compat|progress|" SHARED_BY_ALL,
    .run        = run_explain,
};
