/* nem/milan/method.c - MILAN as a row of the table of methods. */
#include "milan_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES_AT_ONCE = 8 }; // through the encoder

/* ---- opening --------------------------------------------------------------------------------- */

static const MethodOption options[] = {
    {.name  = "captioner",
     .kind  = METHOD_FILE,
     .value = "FILE.nw",
     .help =
         "what describes units: encoder, decoder, words (default: the built-in one, which knows "
         "the mini world)"},
    {.name  = "beam",
     .kind  = METHOD_COUNT,
     .value = "N",
     .help  = "sentences a captioner keeps; its own, 50 as published"},
};
enum { OPTIONS = sizeof options / sizeof *options };

static void close_milan(Explainer *explainer)
{
    Milan *milan = explainer->state;
    if (!milan)
        return;
    decoder_close(milan->decoder);
    pyramid_close(&milan->pyramid);
    resampler_close(milan->upward);
    resampler_close(milan->smooth);
    resampler_close(milan->shown);
    milan_clean_close(&milan->clean);
    blob_close(milan->captioner);
    memory_free(milan);
    explainer->state = NULL;
}

static bool open_captioner(Milan *milan, const Explainer *explainer, Error *error)
{
    const char *path = method_value(explainer, "captioner"),
               *beam = method_value(explainer, "beam");
    DecodeRules rules;
    if (!blob_open_or_embedded(path, "captioner", &milan->captioner, error) ||
        !decode_rules(&rules, milan->captioner, beam ? strtoll(beam, NULL, 10) : 0, error) ||
        !pyramid_open(&milan->pyramid, milan->captioner, IMAGES_AT_ONCE, error))
        return false;
    rules.extra_stop = milan->rules->extra_stop;
    if (!decoder_open(&milan->decoder, milan->captioner, &rules, milan->exemplar_count, error))
        return false;
    milan->height = milan->pyramid.runner.image_height;
    milan->width  = milan->pyramid.runner.image_width;
    return decoder_features(milan->decoder) == milan->pyramid.features ||
           fail(error, ERROR_DATA,
                "%s: its encoder gives %lld features of an image, its decoder reads %lld",
                blob_path(milan->captioner), (long long)milan->pyramid.features,
                (long long)decoder_features(milan->decoder));
}

static bool open_milan(Explainer *explainer, Error *error)
{
    const Inputs           *inputs = &explainer->inputs;
    const ActivationSource *layer  = &inputs->layer;
    const ProbeSet         *probe  = inputs->probe;
    Milan                  *milan  = memory_new(1, sizeof *milan, error);
    if (!milan)
        return false;
    explainer->state = milan;
    milan->rules     = explainer->mode->rules;
    milan->exemplar_count =
        probe->image_count < MILAN_EXEMPLARS ? probe->image_count : MILAN_EXEMPLARS;
    return open_captioner(milan, explainer, error) &&
           resampler_half_pixel(&milan->upward, layer->height, layer->width, milan->height,
                                milan->width, AXIS_ZEROS, error) &&
           resampler_half_pixel(&milan->smooth, layer->height, layer->width, milan->height,
                                milan->width, AXIS_CLAMPED, error) &&
           resampler_half_pixel(&milan->shown, layer->height, layer->width, probe->map_height,
                                probe->map_width, AXIS_ZEROS, error) &&
           labels_open_free(explainer->labels, "caption", error);
}

/* ---- what it found --------------------------------------------------------------------------- */

static Concept explain(const Explainer *explainer, const Evidence *evidence, int64_t row)
{
    (void)explainer;
    return (Concept){.label = evidence->label[row], .score = evidence->score[row]};
}

static float threshold(const Evidence *evidence, int64_t row)
{
    return evidence->exemplars[row].level;
}

// As an exemplar's (N3), at the size that pages show.
static int64_t mask(const Explainer *explainer, const float *map, float level, float *room,
                    uint8_t *mask)
{
    const Milan    *milan = explainer->state;
    const ProbeSet *probe = explainer->inputs.probe;
    int64_t         count = 0;
    resampler_map(milan->shown, map, room);
    for (int64_t i = 0; i < probe->map_height * probe->map_width; i++) {
        mask[i] = room[i] > level;
        count += mask[i];
    }
    return count;
}

static const char *const files[] = {MILAN_FILE, NULL};

const Method method_milan = {
    .name       = "milan",
    .title      = "MILAN",
    .score_name = "PMI",
    .score_says =
        "How much likelier the captioner finds a caption when it sees the unit\xe2\x80\x99s "
        "exemplars than a language model that sees nothing, in logarithms.",
    .detector_score = -(double)INFINITY, // every unit with a caption has one
    .sees_pixels    = true,
    .modes          = milan_modes,
    .mode_count     = MILAN_MODES,
    .options        = options,
    .option_count   = OPTIONS,
    .open           = open_milan,
    .close          = close_milan,
    .collect        = milan_collect,
    .phases         = milan_phases,
    .phase_count    = 2,
    .collect_piece  = milan_piece,
    .collect_pieces = milan_pieces,
    .collect_unit   = milan_collect_unit,
    .baseline       = milan_baseline,
    .release        = milan_release,
    .explain        = explain,
    .threshold      = threshold,
    .files          = files,
    .write          = milan_write,
    .read           = units_read,
    .describe_mode  = milan_describe_mode,
    .aim            = milan_aim,
    .candidates     = milan_candidates,
    .mask           = mask,
    .story          = milan_story,
    .story_close    = milan_story_close,
    .story_json     = milan_story_json,
    .story_text     = milan_story_text,
    .story_page     = milan_story_page,
    .story_caption  = milan_story_caption,
};
