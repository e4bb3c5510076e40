/* cli/command_explain.c - the sums behind one label and behind one activation. */
#include "../report/report.h"
#include "commands.h"
#include "explain.h"
#include "output.h"
#include "run_request.h"

#include <string.h>

/* ---- one label ---------------------------------------------------------------------------------
 */

static void write_rank(const ProbeSet *probe, const ConceptSum *sum, JsonWriter *json)
{
    json_open_object(json, NULL);
    json_text(json, "category", probe->category[sum->concept.category]);
    json_text(json, "label", probe->labels[sum->concept.label].name);
    json_natural(json, "intersect", sum->both);
    json_natural(json, "activation", sum->activity);
    json_natural(json, "truth", sum->truth);
    json_natural(json, "union", sum->either);
    json_number(json, "iou", sum->concept.score);
    json_close(json);
}

static bool show_json(const CleanRunFiles *run, const UnitStory *story, Error *error)
{
    const ProbeSet *probe = &run->experiment.probe;
    JsonWriter      json  = {0};
    json_open_object(&json, NULL);
    json_text(&json, "layer", run->experiment.request.layer);
    json_whole(&json, "unit0", story->unit);
    json_number(&json, "threshold", (double)story->threshold);
    json_whole(&json, "activations_above", story->above);
    json_whole(&json, "activations", story->values);
    json_whole(&json, "mask_pixels", story->mask);
    json_whole(&json, "mask_images", story->images);
    json_open_array(&json, "concepts");
    for (int i = 0; i < story->rank_count; i++)
        write_rank(probe, &story->rank[i], &json);
    json_close(&json);
    json_open_object(&json, "margin");
    json_natural(&json, "leave", story->leave);
    json_natural(&json, "join", story->join);
    json_close(&json);
    json_open_array(&json, "top_images");
    for (int i = 0; i < story->top_count; i++) {
        json_open_object(&json, NULL);
        json_whole(&json, "image", story->top[i].image);
        json_text(&json, "path", probe_image_path(probe, story->top[i].image));
        json_number(&json, "peak", (double)story->top[i].peak);
        json_whole(&json, "mask_pixels", story->top[i].mask);
        json_whole(&json, "on_label", story->top[i].both);
        json_close(&json);
    }
    json_close(&json);
    json_close(&json);
    return json_print(&json, error);
}

static bool print_ranks(const ProbeSet *probe, const UnitStory *story, Error *error)
{
    Table             table     = {.columns = 7, .alignment = "llrrrrr"};
    const char *const headers[] = {"label", "category", "intersect", "activation",
                                   "truth", "union",    "IoU"};
    for (int i = 0; i < table.columns; i++)
        table_cell(&table, "%s", headers[i]);
    for (int i = 0; i < story->rank_count; i++) {
        const ConceptSum *sum = &story->rank[i];
        table_cell(&table, "%s", probe->labels[sum->concept.label].name);
        table_cell(&table, "%s", probe->category[sum->concept.category]);
        table_cell(&table, "%llu", (unsigned long long)sum->both);
        table_cell(&table, "%llu", (unsigned long long)sum->activity);
        table_cell(&table, "%llu", (unsigned long long)sum->truth);
        table_cell(&table, "%llu", (unsigned long long)sum->either);
        table_cell(&table, "%.6f", sum->concept.score);
    }
    return table_print(&table, stdout, error);
}

static void print_margin(const ProbeSet *probe, const UnitStory *story)
{
    if (story->rank_count == 0) {
        printf("\nno label: the mask meets none\n");
        return;
    }
    const ConceptSum *best = &story->rank[0];
    printf("\nIoU = %llu / (%llu + %llu - %llu) = %.6f\n", (unsigned long long)best->both,
           (unsigned long long)best->activity, (unsigned long long)best->truth,
           (unsigned long long)best->both, best->concept.score);
    if (story->rank_count < 2)
        return;
    printf("margin: the label flips to ");
    print_name(stdout, probe->labels[story->rank[1].concept.label].name);
    printf(" once %llu of its pixels leave the mask", (unsigned long long)story->leave);
    if (story->join)
        printf(" or %llu of the other's come in", (unsigned long long)story->join);
    printf("\n");
}

static bool show_text(const CleanRunFiles *run, const UnitStory *story, Error *error)
{
    const ProbeSet   *probe     = &run->experiment.probe;
    Table             images    = {.columns = 4, .alignment = "rrrl"};
    const char *const headers[] = {"peak", "mask", "on label", "image"};
    printf("unit %lld of ", (long long)story->unit);
    print_clean(stdout, run->experiment.request.layer);
    printf(
        ": %lld images, compat %s\nthreshold %.9g: %lld of %lld activations are larger (%.3f %%)\n"
        "mask: %lld pixels in %lld images\n\n",
        (long long)probe->image_count, run->experiment.rules.mode_name, (double)story->threshold,
        (long long)story->above, (long long)story->values,
        100 * (double)story->above / (double)story->values, (long long)story->mask,
        (long long)story->images);
    bool ok = print_ranks(probe, story, error);
    print_margin(probe, story);
    printf("\n");
    for (int i = 0; i < images.columns; i++)
        table_cell(&images, "%s", headers[i]);
    for (int i = 0; i < story->top_count; i++) {
        table_cell(&images, "%.6g", (double)story->top[i].peak);
        table_cell(&images, "%lld", (long long)story->top[i].mask);
        table_cell(&images, "%lld", (long long)story->top[i].both);
        table_cell(&images, "%s", probe_image_path(probe, story->top[i].image));
    }
    return table_print(&images, stdout, error) && ok;
}

static bool explain_unit(const Settings *settings, Error *error)
{
    CleanRunFiles run   = {0};
    UnitStory     story = {0};
    float        *maps  = NULL;
    uint64_t      unit  = 0;
    if (!settings->baseline)
        return fail(error, ERROR_USAGE, "explain unit: needs --baseline");
    if (!whole_parse(settings->inputs[1], &unit) || unit > LIMIT_UNITS)
        return fail(error, ERROR_USAGE, "explain unit: '%s' is not a unit", settings->inputs[1]);
    bool ok = clean_run_open(&run, settings->baseline, settings, "explain", error);
    if (ok && (int64_t)unit >= run.clean.layer.units)
        ok = fail(error, ERROR_USAGE, "unit %llu does not exist, the layer has units 0 to %lld",
                  (unsigned long long)unit, (long long)run.clean.layer.units - 1);
    if (ok) {
        const CleanRun         *clean  = &run.clean;
        const ActivationSource *layer  = &clean->layer;
        int64_t                 number = (int64_t)unit;
        size_t count = (size_t)(clean->probe->image_count * layer->height * layer->width);
        maps         = memory_new(count, sizeof *maps, error);
        ok = maps &&
             dissect_collect(clean->settings, clean->probe, &clean->images, layer, &number, 1,
                             maps, error) &&
             unit_story_tell(clean, number, maps, &story, error);
        progress_end(&run.experiment.progress);
    }
    if (ok)
        ok = settings->json ? show_json(&run, &story, error) : show_text(&run, &story, error);
    memory_free(maps);
    clean_run_close(&run);
    return ok;
}

/* ---- the verb ----------------------------------------------------------------------------------
 */

static bool run_explain(const Settings *settings, Error *error)
{
    if (strcmp(settings->inputs[0], "unit") == 0)
        return explain_unit(settings, error);
    if (strcmp(settings->inputs[0], "pixel") == 0)
        return explain_pixel(settings, error);
    return fail(error, ERROR_USAGE, "explain: '%s' is neither unit nor pixel", settings->inputs[0]);
}

static const Option options[] = {
    {.name   = "baseline",
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, baseline),
     .value  = "RUN",
     .help   = "unit: finished clean run the label is from"},
    {.name   = "model",
     .letter = 'm',
     .kind   = ARGUMENT_TEXT,
     .offset = offsetof(Settings, model),
     .value  = "FILE.nw",
     .help   = "pixel: weight blob"},
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
    {.name    = "readout",
     .kind    = ARGUMENT_CHOICE,
     .offset  = offsetof(Settings, readout),
     .value   = READOUT_CHOICES,
     .initial = "auto",
     .help    = "pixel: convolutions before or after their ReLU; auto: before"},
    OPTION_END};

const Verb verb_explain = {
    .name        = "explain",
    .inputs      = "unit U | pixel IMAGE",
    .input_least = 2,
    .input_most  = 2,
    .summary     = "show the sums behind a label or an activation",
    .details =
        "`unit U` tells how a unit of a clean run came by its label: threshold and rank, the "
        "integers of the IoU, runners-up, the margin and the top images. `pixel IMAGE` lists "
        "every product of the convolution that makes one activation, highest first, with bias "
        "and total.",
    .example = "nemesis explain unit 89 --baseline runs/clean",
    .options = options,
    .run     = run_explain,
};
