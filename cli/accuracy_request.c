/* cli/accuracy_request.c - what `accuracy` was asked for, see accuracy.h. */
#include "../base/digest.h"
#include "accuracy.h"
#include "outputs.h"
#include "version.h"

#include <string.h>

/* ---- noise ----------------------------------------------------------------------------------- */

// TYPE:STD, or STD of the type before it.
static bool read_noise(const char *item, NoiseType *type, double *std)
{
    const char *colon = strchr(item, ':');
    int         known = colon ? word_index(NOISE_NAMES, item, (size_t)(colon - item)) : (int)*type;
    if (known < 0)
        return false;
    *type = (NoiseType)known;
    return number_parse(colon ? colon + 1 : item, std) && *std >= 1e-6 && *std <= 10;
}

static bool choose_noises(Accuracy *accuracy, Error *error)
{
    const char *text = accuracy->settings->noises;
    NoiseType   type = (NoiseType)-1;
    while (text) {
        size_t length = strcspn(text, ",");
        char   item[48];
        Noise *noise = &accuracy->noises[accuracy->noise_count];
        if (accuracy->noise_count == ACCURACY_NOISES)
            return fail(error, ERROR_USAGE, "--noise: more than %d of them", ACCURACY_NOISES);
        snprintf(item, sizeof item, "%.*s", (int)(length < 47 ? length : 47), text);
        *noise = (Noise){.fraction = 1, .seed = accuracy->settings->seed};
        if (!read_noise(item, &type, &noise->strength))
            return fail(error, ERROR_USAGE,
                        "--noise: '%s' is not TYPE:STD with a type of " NOISE_NAMES
                        " and a std of 1e-06 to 10",
                        item);
        noise->type = type;
        accuracy->noise_count++;
        text = text[length] ? text + length + 1 : NULL;
    }
    return true;
}

/* ---- settings -------------------------------------------------------------------------------- */

static bool load_picked(void *self, int64_t row, float *planes, Error *error)
{
    const PickedImages *some = self;
    return some->images->load(some->images->self, some->picked[row], planes, error);
}

// The images of a source as they are after storage; `source` outlives it.
static AccuracySetting *add_stored(Accuracy *accuracy, StoreArm store, const ImageSource *source,
                                   int64_t count)
{
    int              place   = accuracy->study.count++;
    AccuracySetting *setting = &accuracy->list[place];
    StoredImages    *stored  = &accuracy->stored[place];
    *stored  = (StoredImages){source, store, accuracy->images.height, accuracy->images.width};
    *setting = (AccuracySetting){
        .text = "control", .store = store, .source = {stored_images_load, stored}, .count = count};
    return setting;
}

static void add_noises(Accuracy *accuracy, StoreArm store)
{
    const LabelledImages *images = &accuracy->images;
    add_stored(accuracy, store, &images->source, images->count);
    for (int i = 0; i < accuracy->noise_count; i++) {
        const Noise     *noise = &accuracy->noises[i];
        AccuracySetting *setting =
            add_stored(accuracy, store, &accuracy->noisy_source[i], images->count);
        snprintf(setting->text, sizeof setting->text, "%s:%.9g", noise_type_name(noise->type),
                 noise->strength);
    }
}

// Those of one storage, and before them the same images as they were before they were perturbed.
static void add_poisoned(Accuracy *accuracy)
{
    Poisoned *poisoned = &accuracy->poisoned;
    for (int i = 0; i < poisoned->count; i++) {
        PoisonedSetting *from = &poisoned->settings[i];
        AccuracySetting *setting;
        if (i == 0 || from->store != from[-1].store) {
            setting = add_stored(accuracy, from->store, &accuracy->picked_source, from->count);
            setting->images = from->images;
            snprintf(setting->text, sizeof setting->text, "poisoned:control");
        }
        setting  = &accuracy->list[accuracy->study.count++];
        *setting = (AccuracySetting){.store  = from->store,
                                     .source = {poisoned_load, from},
                                     .count  = from->count,
                                     .images = from->images};
        snprintf(setting->text, sizeof setting->text, "poisoned:%s:%.9g", from->kind,
                 from->strength);
    }
}

static bool list_settings(Accuracy *accuracy, Error *error)
{
    LabelledImages *images   = &accuracy->images;
    Poisoned       *poisoned = &accuracy->poisoned;
    if (poisoned->count > ACCURACY_POISONED)
        return fail(error, ERROR_DATA, "%s/poisoned: has %d settings, at most %d are compared",
                    poisoned->path, poisoned->count, ACCURACY_POISONED);
    for (int i = 0; i < accuracy->noise_count; i++) {
        accuracy->noisy[i] =
            (NoisyImages){&images->source, accuracy->noises[i], images->height * images->width};
        accuracy->noisy_source[i] = (ImageSource){noisy_images_load, &accuracy->noisy[i]};
    }
    add_stored(accuracy, STORE_FLOAT, &images->source, images->count);
    snprintf(accuracy->list[0].text, sizeof accuracy->list[0].text, "clean");
    for (int i = 0; i < accuracy->arm_count; i++)
        add_noises(accuracy, accuracy->arms[i]);
    if (poisoned->count > 0) {
        accuracy->picked        = (PickedImages){&images->source, poisoned->settings[0].images};
        accuracy->picked_source = (ImageSource){load_picked, &accuracy->picked};
        add_poisoned(accuracy);
    }
    return true;
}

static void choose_arms(Accuracy *accuracy)
{
    const ChoiceList *stores = &accuracy->settings->stores;
    accuracy->arm_count      = stores->count;
    for (int i = 0; i < stores->count; i++)
        accuracy->arms[i] = (StoreArm)stores->value[i];
}

/* ---- inputs ---------------------------------------------------------------------------------- */

static bool open_network(Accuracy *accuracy, Error *error)
{
    const Settings *settings = accuracy->settings;
    LabelledImages *images   = &accuracy->images;
    NetworkRequest  request  = {.batch  = batch_of(settings, DEFAULT_BATCH),
                                .unit   = -1,
                                .width  = images->width,
                                .height = images->height,
                                .conv   = (ConvMethod)settings->conv};
    if (!layer_runner_open(&accuracy->runner, accuracy->blob, &request, error))
        return false;
    accuracy->network = layer_source(&accuracy->runner);
    int64_t classes   = accuracy->network.units;
    return (!settings->names ||
            class_names_open(&accuracy->names, settings->names, settings->model, classes, error)) &&
           labelled_images_match(images, classes, &accuracy->names, error);
}

static bool check_paths(const Settings *settings, Error *error)
{
    char           labels[LIMIT_PATH];
    const UsedPath used[] = {
        {"the weight blob", settings->model},
        {"the data", settings->data},
        {"the labels of the data", training_data_labels(settings->data, labels)},
        {"the names", settings->names},
        {"the poisoned run", settings->poisoned}};
    return output_folder_check(settings->out, used, 5, error);
}

/* ---- identity -------------------------------------------------------------------------------- */

static void identify_images(Accuracy *accuracy)
{
    const LabelledImages *images = &accuracy->images;
    size_t                count  = (size_t)images->count;
    Sha256                sha;
    char                  text[DIGEST_TEXT];
    sha256_start(&sha);
    sha256_add(&sha, images->digests, count * DIGEST_TEXT);
    if (images->labels)
        sha256_add(&sha, images->labels, count * sizeof *images->labels);
    sha256_text(&sha, text);
    identity_text(&accuracy->run.identity, "images_sha256", text);
    identity_whole(&accuracy->run.identity, "images", count);
    identity_text(&accuracy->run.identity, "labels", images->labels ? "yes" : "no");
}

static void identify(Accuracy *accuracy)
{
    const Settings *settings  = accuracy->settings;
    Identity       *identity  = &accuracy->run.identity;
    char            store[64] = "";
    for (int i = 0; i < accuracy->arm_count; i++) {
        size_t used = strlen(store);
        snprintf(store + used, sizeof store - used, "%s%s", i ? "," : "",
                 store_arm_name(accuracy->arms[i]));
    }
    identity_text(identity, "version", NEMESIS_VERSION);
    identity_text(identity, "verb", accuracy->run.verb);
    identity_text(identity, "weights_sha256", blob_sha256(accuracy->blob));
    identify_images(accuracy);
    identity_text(identity, "noise", settings->noises);
    identity_text(identity, "store", store);
    identity_text(identity, "poisoned_sha256",
                  settings->poisoned ? accuracy->poisoned.digest : NULL);
    identity_text(identity, "conv", word_text(CONV_NAMES, settings->conv));
    identity_whole(identity, "seed", settings->seed);
}

/* ---- all of it ------------------------------------------------------------------------------- */

bool accuracy_request(Accuracy *accuracy, Error *error)
{
    const Settings *settings = accuracy->settings;
    choose_arms(accuracy);
    if (!choose_noises(accuracy, error) || !check_paths(settings, error) ||
        !run_folder_claim(&accuracy->run.folder, settings, &accuracy_result, error) ||
        !blob_open(settings->model, &accuracy->blob, error) ||
        !blob_takes_images(accuracy->blob, error) ||
        !labelled_images_open(&accuracy->images, settings->data, blob_preparation(accuracy->blob),
                              settings->limit, error) ||
        !open_network(accuracy, error) ||
        (settings->poisoned &&
         !poisoned_open(&accuracy->poisoned, settings->poisoned, &accuracy->images, error)) ||
        !list_settings(accuracy, error))
        return false;
    accuracy->study.network    = &accuracy->network;
    accuracy->study.settings   = accuracy->list;
    accuracy->study.labels     = accuracy->images.labels;
    accuracy->study.class_name = accuracy->images.class_name;
    accuracy->study.pass       = &accuracy->run.pass;
    identify(accuracy);
    return run_resume(&accuracy->run, error);
}
