/* cli/manipulation_images.c - images whose maps are changed, and what they are to become. */
#include "../attack/map_target.h"
#include "../base/digest.h"
#include "../format/npy.h"
#include "manipulation.h"
#include "subjects.h"
#include "version.h"

#include <string.h>

/* ---- one input and its target ---------------------------------------------------------------- */

static bool give_one(void *self, int64_t pair, MapPair *out, Error *error)
{
    const Manipulation *manipulation = self;
    (void)pair, (void)error;
    *out = (MapPair){manipulation->image, manipulation->target, manipulation->target_map};
    return true;
}

static const char *word_of(const char *target)
{
    return target && strncmp(target, "text:", 5) == 0 ? target + 5 : NULL;
}

// Whether a file is an array of rank 2; whatever cannot be read is refused by its reader.
static bool read_map(Manipulation *manipulation, const char *path, bool *is_map, Error *error)
{
    MapStudy *study  = &manipulation->study;
    float    *values = NULL;
    Shape     shape;
    *is_map = false;
    if (!npy_is_name(path))
        return true;
    if (!npy_read(path, &values, &shape, error))
        return false;
    *is_map = shape.rank != 4;
    if (!*is_map) {
        memory_free(values);
        return true;
    }
    manipulation->target_map = values;
    return map_target_take(values, shape, study->height, study->width, path, error);
}

static bool read_target(Manipulation *manipulation, Error *error)
{
    MapStudy   *study  = &manipulation->study;
    const char *target = manipulation->settings->target, *word = word_of(target);
    bool        is_map = false;
    int64_t     height, width;
    if (word) {
        manipulation->target_map =
            memory_new((size_t)(study->height * study->width), sizeof(float), error);
        return manipulation->target_map &&
               map_target_word(word, study->height, study->width, manipulation->target_map, error);
    }
    if (!read_map(manipulation, target, &is_map, error))
        return false;
    if (is_map)
        return true;
    if (!subject_read(target, manipulation->blob, &manipulation->target, &height, &width, error))
        return false;
    return (height == study->height && width == study->width) ||
           fail(error, ERROR_DATA, "%s: is %lldx%lld, the input is %lldx%lld", target,
                (long long)width, (long long)height, (long long)study->width,
                (long long)study->height);
}

static bool open_one(Manipulation *manipulation, Error *error)
{
    const Settings *settings = manipulation->settings;
    MapStudy       *study    = &manipulation->study;
    study->pairs             = 1;
    study->load              = give_one;
    return subject_read(settings->inputs[0], manipulation->blob, &manipulation->image,
                        &study->height, &study->width, error) &&
           read_target(manipulation, error);
}

/* ---- pairs ----------------------------------------------------------------------------------- */

static bool give_pair(void *self, int64_t pair, MapPair *out, Error *error)
{
    Manipulation      *manipulation = self;
    const Preparation *preparation  = blob_preparation(manipulation->blob);
    const int64_t     *images       = manipulation->order + 2 * pair;
    (void)error;
    data_images_prepare(&manipulation->set, images[0], preparation, manipulation->planes,
                        manipulation->image);
    data_images_prepare(&manipulation->set, images[1], preparation, manipulation->planes,
                        manipulation->target);
    *out = (MapPair){manipulation->image, manipulation->target, NULL};
    return true;
}

// Images without replacement, so that pairs are disjoint; more pairs keep those of fewer.
static void draw_order(Manipulation *manipulation, int64_t count)
{
    Random random = random_stream(manipulation->settings->seed, "pairs");
    for (int64_t i = 0; i < count; i++)
        manipulation->order[i] = i;
    for (int64_t i = 0; i + 1 < count; i++) {
        int64_t other              = i + random_below(&random, (uint32_t)(count - i)),
                image              = manipulation->order[i];
        manipulation->order[i]     = manipulation->order[other];
        manipulation->order[other] = image;
    }
}

static bool open_pairs(Manipulation *manipulation, Error *error)
{
    const Settings    *settings = manipulation->settings;
    const TrainingSet *set      = &manipulation->set;
    MapStudy          *study    = &manipulation->study;
    if (!data_images_open(&manipulation->set, settings->data, manipulation->blob, error))
        return false;
    int64_t count = settings->limit && settings->limit < set->count ? settings->limit : set->count;
    if (settings->pairs > count / 2)
        return fail(error, ERROR_USAGE, "--pairs %lld: %s has %lld images, enough for %lld pairs",
                    (long long)settings->pairs, settings->data, (long long)count,
                    (long long)count / 2);
    study->pairs         = settings->pairs;
    study->height        = set->height;
    study->width         = set->width;
    study->load          = give_pair;
    size_t values        = 3 * (size_t)(set->height * set->width);
    manipulation->order  = memory_new((size_t)count, sizeof *manipulation->order, error);
    manipulation->planes = memory_new(values, sizeof *manipulation->planes, error);
    manipulation->image  = memory_new(values, sizeof *manipulation->image, error);
    manipulation->target = memory_new(values, sizeof *manipulation->target, error);
    if (!manipulation->order || !manipulation->planes || !manipulation->image ||
        !manipulation->target)
        return false;
    draw_order(manipulation, count);
    return true;
}

static bool check_words(const Settings *settings, Error *error)
{
    if (settings->pairs && (settings->input_count || settings->target || !settings->data))
        return fail(error, ERROR_USAGE, "--pairs: expected -d DATA, no INPUT and no --target");
    if (!settings->pairs && (!settings->input_count || !settings->target || settings->data))
        return fail(error, ERROR_USAGE,
                    "expected INPUT and --target, or --pairs N and -d DATA in their place");
    return true;
}

bool manipulation_images(Manipulation *manipulation, Error *error)
{
    MapStudy *study = &manipulation->study;
    study->self     = manipulation;
    return check_words(manipulation->settings, error) &&
           blob_takes_images(manipulation->blob, error) &&
           (manipulation->settings->pairs ? open_pairs(manipulation, error)
                                          : open_one(manipulation, error));
}

/* ---- identity -------------------------------------------------------------------------------- */

static void identify_arrays(Manipulation *manipulation)
{
    const MapStudy *study = &manipulation->study;
    size_t          cells = (size_t)(study->height * study->width);
    Sha256          sha;
    char            text[65];
    sha256_start(&sha);
    if (manipulation->set.pixels)
        sha256_add(&sha, manipulation->set.pixels, 3 * cells * (size_t)manipulation->set.count);
    else
        sha256_add(&sha, manipulation->image, 3 * cells * sizeof(real));
    if (!manipulation->set.pixels && manipulation->target)
        sha256_add(&sha, manipulation->target, 3 * cells * sizeof(real));
    if (manipulation->target_map)
        sha256_add(&sha, manipulation->target_map, cells * sizeof(float));
    sha256_text(&sha, text);
    identity_text(&manipulation->run.identity, "images_sha256", text);
}

static void identify_lists(Manipulation *manipulation)
{
    const MapStudy *study        = &manipulation->study;
    char            methods[512] = "", stores[64] = "";
    for (int i = 0; i < study->method_count; i++) {
        size_t used = strlen(methods);
        snprintf(methods + used, sizeof methods - used, "%s%s", i ? "," : "",
                 study->methods[i]->name);
    }
    for (int i = 0; i < study->arm_count; i++) {
        size_t used = strlen(stores);
        snprintf(stores + used, sizeof stores - used, "%s%s", i ? "," : "",
                 store_arm_name(study->arms[i]));
    }
    identity_text(&manipulation->run.identity, "methods", methods);
    identity_text(&manipulation->run.identity, "store", stores);
}

void manipulation_identify(Manipulation *manipulation)
{
    const Settings *settings = manipulation->settings;
    Identity       *identity = &manipulation->run.identity;
    identity_text(identity, "version", NEMESIS_VERSION);
    identity_text(identity, "verb", manipulation->run.verb);
    identity_text(identity, "weights_sha256", blob_sha256(manipulation->blob));
    identify_arrays(manipulation);
    identify_lists(manipulation);
    identity_text(identity, "patterns_sha256",
                  manipulation->patterns ? blob_sha256(manipulation->patterns) : NULL);
    identity_whole(identity, "pairs", (uint64_t)settings->pairs);
    identity_whole(identity, "limit", (uint64_t)settings->limit);
    identity_text(identity, "preset", settings->preset);
    identity_whole(identity, "steps", (uint64_t)settings->steps);
    identity_number(identity, "rate", settings->rate);
    identity_text(identity, "factors", settings->factors);
    identity_text(identity, "output_term", settings->output_term);
    identity_numbers(identity, "beta", &settings->betas);
    identity_text(identity, "beta_growth", settings->beta_growth);
    identity_text(identity, "smooth", settings->smooth);
    identity_text(identity, "noise", word_text(NOISE_RULE_NAMES, settings->noise));
    identity_text(identity, "conv", word_text(CONV_NAMES, settings->conv));
    identity_text(identity, "compat", manipulation->study.mode.name);
    identity_whole(identity, "seed", settings->seed);
}
