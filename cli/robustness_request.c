/* cli/robustness_request.c - what `robustness` was asked for, see robustness.h. */
#include "../base/digest.h"
#include "../base/words.h"
#include "output.h"
#include "outputs.h"
#include "robustness.h"
#include "version.h"

#include <string.h>

enum { MOST_DRAWS = 65535, TOP_SHARE = 10 };

/* ---- measures -------------------------------------------------------------------------------- */

// Those that are made from maps of moved or attacked images, which only the network can give.
static bool needs_methods(RobustMeasure measure)
{
    return measure != ROBUST_INSERTION && measure != ROBUST_DELETION && measure != ROBUST_ACCURACY;
}

static bool choose_measures(Robustness *robustness, Error *error)
{
    const Settings   *settings = robustness->settings;
    RobustStudy      *study    = &robustness->study;
    const ChoiceList *asked    = &settings->measures;
    for (int i = 0; i < asked->count; i++) {
        RobustMeasure measure = (RobustMeasure)asked->value[i];
        if (settings->given_maps && needs_methods(measure))
            return fail(error, ERROR_USAGE,
                        "--measures %s: needs maps of images that are moved, which files of --maps "
                        "do not hold; with --maps: insertion, deletion, accuracy",
                        word_text(ROBUST_MEASURE_NAMES, (int)measure));
        study->measures[measure] = true;
    }
    for (int m = 0; m < ROBUST_MEASURES && asked->count == 0; m++)
        study->measures[m] = settings->given_maps ? !needs_methods((RobustMeasure)m)
                                                  : m != ROBUST_BOUND || robust_strength(study) > 0;
    return true;
}

static bool read_alike(const char *text, size_t length, const RobustStudy *study, Alike *out)
{
    const char *colon = memchr(text, ':', length);
    size_t      word  = colon ? (size_t)(colon - text) : length;
    int         kind  = word_index(ALIKE_NAMES, text, word);
    char        number[16];
    uint64_t    top   = 0;
    int64_t     cells = study->height * study->width;
    *out              = (Alike){.kind = (AlikeKind)kind};
    if (kind < 0 || (colon && kind != ALIKE_TOP) || length - word > 15)
        return false;
    if (kind != ALIKE_TOP)
        return true;
    out->top = cells > TOP_SHARE ? cells / TOP_SHARE : 1;
    if (!colon)
        return true;
    snprintf(number, sizeof number, "%.*s", (int)(length - word - 1), colon + 1);
    if (!whole_parse(number, &top) || top < 1 || top > (uint64_t)cells)
        return false;
    out->top = (int64_t)top;
    return true;
}

static bool choose_similarities(Robustness *robustness, Error *error)
{
    RobustStudy *study = &robustness->study;
    const char  *text  = robustness->settings->similarities;
    while (*text) {
        size_t length = strcspn(text, ",");
        if (study->alike_count == ROBUST_LIST ||
            !read_alike(text, length, study, &study->alike[study->alike_count]))
            return fail(error, ERROR_USAGE,
                        "--similarities: '%.*s' is not one of mse, cosine, pcc, ssim, mse-sum, "
                        "ssim-sum, topk, topk:K with 1 to %lld cells",
                        (int)(length < 40 ? length : 40), text,
                        (long long)(study->height * study->width));
        study->alike_count++;
        text += length + (text[length] == ',');
    }
    return study->alike_count > 0 || fail(error, ERROR_USAGE, "--similarities: expected a list");
}

/* ---- methods --------------------------------------------------------------------------------- */

static bool choose_methods(Robustness *robustness, Error *error)
{
    const Settings *settings = robustness->settings;
    RobustStudy    *study    = &robustness->study;
    if ((settings->given_maps != NULL) == (settings->maps.count > 0))
        return fail(error, ERROR_USAGE,
                    "expected --method NAME, or --maps DIR with maps of other programs");
    for (int i = 0; i < settings->maps.count; i++) {
        const MapMethod *method = map_method_at(settings->maps.value[i]);
        if (method->needs_patterns && !robustness->patterns)
            return fail(error, ERROR_USAGE, "method %s needs patterns: see --patterns",
                        method->name);
        if (!map_method_suits(method, robustness->blob, NULL, study->height, study->width, error))
            return false;
        study->methods[study->method_count] = method;
        study->names[study->method_count++] = method->name;
    }
    if (!settings->given_maps)
        return true;
    if (!given_maps_open(&robustness->given, settings->given_maps, study->images, study->height,
                         study->width, error))
        return false;
    for (int64_t m = 0; m < robustness->given.count; m++)
        study->names[study->method_count++] = robustness->given.methods[m];
    return true;
}

// A map that no attack moves is not robust.
static void warn_of_flat_maps(const Robustness *robustness)
{
    const RobustStudy *study = &robustness->study;
    for (int m = 0; m < robustness->settings->maps.count; m++)
        if (map_method_is_flat(study->methods[m]) &&
            (study->measures[ROBUST_AAM] || study->measures[ROBUST_ADV_INSERTION]))
            note(robustness->settings,
                 "warning: a map of method %s depends on the image through the choices of "
                 "max-pools alone, so aam and adv-insertion attack the outputs and not the map; "
                 "method guided has a slope",
                 study->methods[m]->name);
}

static bool choose_mode(Robustness *robustness, Error *error)
{
    const Settings *settings = robustness->settings;
    RobustStudy    *study    = &robustness->study;
    study->mode = settings->compat ? robust_mode_named(settings->compat) : robust_mode_at(0);
    if (!study->mode)
        return fail(error, ERROR_USAGE, "--compat %s: robustness has the modes aligned23, clean",
                    settings->compat);
    study->maps = *map_mode_named(study->mode->maps);
    // These scale a map, and no map is compared in its scale.
    study->maps.relevance_at_value = study->maps.gradient_at_value = false;
    study->maps.form = (MapForm){MAP_SIGN_ABS, MAP_SCALE_MAX};
    return true;
}

/* ---- images ---------------------------------------------------------------------------------- */

static bool load_image(void *self, int64_t image, RobustImage *out, Error *error)
{
    const Robustness  *robustness = self;
    const TrainingSet *set        = &robustness->set;
    int64_t            values     = 3 * set->height * set->width;
    (void)error;
    for (int64_t k = 0; k < values; k++)
        out->planes[k] = (float)set->pixels[image * values + k] / 255;
    out->label = set->labels[image];
    return true;
}

static bool given_map(void *self, int method, int64_t image, float *map, Error *error)
{
    const GivenMaps *given = &((const Robustness *)self)->given;
    (void)error;
    memcpy(map, given->maps + (method * given->images + image) * given->cells,
           (size_t)given->cells * sizeof *map);
    return true;
}

static bool open_images(Robustness *robustness, Error *error)
{
    const Settings *settings = robustness->settings;
    RobustStudy    *study    = &robustness->study;
    TrainingSet    *set      = &robustness->set;
    if (!training_data_open(set, settings->data, blob_preparation(robustness->blob), error))
        return false;
    study->images = settings->limit && settings->limit < set->count ? settings->limit : set->count;
    study->height = set->height;
    study->width  = set->width;
    study->load   = load_image;
    study->given_map = given_map;
    study->self      = robustness;
    study->batch     = batch_of(settings, LARGEST_BATCH);
    study->batch     = study->batch < study->images ? study->batch : study->images;
    // Of one image a plan takes the sum over a plane for that of a channel: in blocks of 1,024
    // cells (engine/channelwise.h), which rounds otherwise. So a run never has one image alone.
    study->batch = study->batch < 2 ? 2 : study->batch;
    return study->images > 0 || fail(error, ERROR_DATA, "%s: has no images", settings->data);
}

/* ---- identity -------------------------------------------------------------------------------- */

static void identify_images(Robustness *robustness)
{
    const RobustStudy *study = &robustness->study;
    Sha256             sha;
    char               text[65];
    sha256_start(&sha);
    sha256_add(&sha, robustness->set.pixels,
               3 * (size_t)(study->height * study->width * study->images));
    sha256_add(&sha, robustness->set.labels,
               (size_t)study->images * sizeof *robustness->set.labels);
    sha256_text(&sha, text);
    identity_text(&robustness->run.identity, "images_sha256", text);
}

static void identify(Robustness *robustness)
{
    const Settings    *settings      = robustness->settings;
    const RobustStudy *study         = &robustness->study;
    Identity          *identity      = &robustness->run.identity;
    char               methods[1200] = "", measures[128] = "";
    size_t             used = 0;
    for (int i = 0; i < study->method_count; i++)
        used += (size_t)snprintf(methods + used, sizeof methods - used, "%s%s", i ? "," : "",
                                 study->names[i]);
    used = 0;
    for (int i = 0; i < ROBUST_MEASURES; i++)
        if (study->measures[i])
            used += (size_t)snprintf(measures + used, sizeof measures - used, "%s%s",
                                     used ? "," : "", word_text(ROBUST_MEASURE_NAMES, i));
    identity_text(identity, "version", NEMESIS_VERSION);
    identity_text(identity, "verb", robustness->run.verb);
    identity_text(identity, "weights_sha256", blob_sha256(robustness->blob));
    identify_images(robustness);
    identity_whole(identity, "images", (uint64_t)study->images);
    identity_text(identity, "methods", methods);
    identity_text(identity, "maps_sha256", settings->given_maps ? robustness->given.digest : NULL);
    identity_text(identity, "patterns_sha256",
                  robustness->patterns ? blob_sha256(robustness->patterns) : NULL);
    identity_text(identity, "measures", measures);
    identity_numbers(identity, "eps", &settings->strengths);
    identity_whole(identity, "draws", (uint64_t)study->draws);
    identity_number(identity, "aam_eps", study->aam_eps);
    identity_whole(identity, "aam_steps", (uint64_t)study->aam_steps);
    identity_text(identity, "aam_rule", word_text(AAM_RULE_NAMES, settings->aam_rule));
    identity_text(identity, "aam_target", word_text(AAM_TARGET_NAMES, settings->aam_target));
    identity_text(identity, "similarities", settings->similarities);
    identity_text(identity, "conv", word_text(CONV_NAMES, settings->conv));
    identity_text(identity, "compat", study->mode->name);
    identity_whole(identity, "seed", settings->seed);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void take_numbers(Robustness *robustness)
{
    const Settings *settings = robustness->settings;
    RobustStudy    *study    = &robustness->study;
    study->blob              = robustness->blob;
    study->patterns          = robustness->patterns;
    study->eps_count         = settings->strengths.count;
    for (int i = 0; i < study->eps_count; i++)
        study->eps[i] = settings->strengths.value[i];
    study->draws         = settings->draws;
    study->aam_eps       = settings->aam_eps;
    study->aam_steps     = settings->aam_steps;
    study->aam_is_signed = settings->aam_rule == 1;
    study->aam_target    = (AamTarget)settings->aam_target;
    study->seed          = settings->seed;
    study->conv          = (ConvMethod)settings->conv;
    study->pass          = &robustness->run.pass;
}

static bool check_output(const Settings *settings, Error *error)
{
    char           labels[LIMIT_PATH];
    const UsedPath used[] = {
        {"the weight blob", settings->model},
        {"the patterns", settings->patterns},
        {"the data", settings->data},
        {"the labels of the data", training_data_labels(settings->data, labels)},
        {"the maps", settings->given_maps}};
    return output_folder_check(settings->out, used, 5, error);
}

bool robustness_request(Robustness *robustness, Error *error)
{
    const Settings *settings = robustness->settings;
    take_numbers(robustness);
    if (!choose_mode(robustness, error) || !choose_measures(robustness, error) ||
        !check_output(settings, error) ||
        !run_folder_claim(&robustness->run.folder, settings, &robustness_result, error) ||
        !blob_open(settings->model, &robustness->blob, error) ||
        !blob_takes_images(robustness->blob, error) ||
        (settings->patterns && !blob_open(settings->patterns, &robustness->patterns, error)) ||
        !open_images(robustness, error) || !choose_similarities(robustness, error) ||
        !choose_methods(robustness, error))
        return false;
    robustness->study.blob     = robustness->blob;
    robustness->study.patterns = robustness->patterns;
    identify(robustness);
    warn_of_flat_maps(robustness);
    return run_resume(&robustness->run, error);
}
