/* cli/poisoned.c - see poisoned.h. */
#include "poisoned.h"
#include "../base/digest.h"
#include "../base/file.h"
#include "../format/npy.h"
#include "../probe/picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void poisoned_close(Poisoned *poisoned)
{
    for (int i = 0; poisoned->settings && i < poisoned->count; i++) {
        memory_free(poisoned->settings[i].images);
        memory_free(poisoned->settings[i].numbers);
        memory_free(poisoned->settings[i].folders);
    }
    memory_free(poisoned->settings);
    memory_free(poisoned->image_of);
    names_free(poisoned->folders, poisoned->folder_count);
    probe_close(&poisoned->probe);
    json_free(&poisoned->json);
    *poisoned = (Poisoned){0};
}

/* ---- one stored image ------------------------------------------------------------------------ */

static const char *const endings[STORE_ARMS] = {
    [STORE_JPEG75] = ".jpg", [STORE_PNG8] = ".png", [STORE_FLOAT] = ".npy"};

static bool wrong_size(const char *path, const Poisoned *run, int64_t height, int64_t width,
                       Error *error)
{
    return fail(error, ERROR_DATA, "%s: is %lld x %lld, the images of the data are %lld x %lld",
                path, (long long)width, (long long)height, (long long)run->width,
                (long long)run->height);
}

static bool load_array(const char *path, const Poisoned *run, float *planes, Error *error)
{
    size_t count  = (size_t)(3 * run->height * run->width);
    float *values = NULL;
    Shape  shape  = {0};
    if (!npy_read(path, &values, &shape, error))
        return false;
    bool ok = shape.rank == 3 && shape.dim[0] == 3;
    if (!ok)
        fail(error, ERROR_DATA, "%s: is %s, expected [3, h, w]", path, SHAPE_TEXT(shape));
    else if (shape.dim[1] != run->height || shape.dim[2] != run->width)
        ok = wrong_size(path, run, shape.dim[1], shape.dim[2], error);
    for (size_t i = 0; ok && i < count; i++)
        if (!(values[i] >= 0 && values[i] <= 1))
            ok = fail(error, ERROR_DATA, "%s: element %zu is %g, expected 0 to 1", path, i,
                      (double)values[i]);
    if (ok)
        memcpy(planes, values, count * sizeof *planes);
    memory_free(values);
    return ok;
}

static bool load_picture(const char *path, const Poisoned *run, float *planes, Error *error)
{
    Image picture = {0}, rgb = {0};
    bool  ok = picture_open(path, &picture, error) && image_to_rgb(&picture, &rgb, error);
    if (ok && (rgb.height != run->height || rgb.width != run->width))
        ok = wrong_size(path, run, rgb.height, rgb.width, error);
    if (ok)
        image_to_planes(&rgb, planes);
    image_free(&rgb);
    image_free(&picture);
    return ok;
}

bool poisoned_load(void *self, int64_t index, float *planes, Error *error)
{
    const PoisonedSetting *setting = self;
    const Poisoned        *run     = setting->run;
    char                   all[LIMIT_PATH], folder[LIMIT_PATH], path[LIMIT_PATH], name[32];
    snprintf(name, sizeof name, "%06lld%s", (long long)setting->numbers[index],
             endings[setting->store]);
    return path_join(all, run->path, "poisoned", error) &&
           path_join(folder, all, run->folders[setting->folders[index]], error) &&
           path_join(path, folder, name, error) &&
           (setting->store == STORE_FLOAT ? load_array(path, run, planes, error)
                                          : load_picture(path, run, planes, error));
}

/* ---- which image of the data a photo is ------------------------------------------------------ */

typedef struct Known {
    const char *digest;
    int64_t     image;
} Known;

static int by_digest(const void *a, const void *b)
{
    const Known *one = a, *other = b;
    int          order = strcmp(one->digest, other->digest);
    return order ? order : (one->image > other->image) - (one->image < other->image);
}

// The first image of these pixels, -1 if there is none.
static int64_t find_image(const Known *known, int64_t count, const char *digest)
{
    int64_t low = 0, high = count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (strcmp(known[middle].digest, digest) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && strcmp(known[low].digest, digest) == 0 ? known[low].image : -1;
}

static bool match_photos(Poisoned *poisoned, const LabelledImages *images, Error *error)
{
    int64_t     photos  = poisoned->probe.image_count;
    ImageSource source  = probe_images(&poisoned->probe);
    char       *digests = memory_new((size_t)photos, DIGEST_TEXT, error);
    Known      *known   = memory_new((size_t)images->count, sizeof *known, error);
    poisoned->image_of  = memory_new((size_t)photos, sizeof *poisoned->image_of, error);
    bool ok             = digests && known && poisoned->image_of &&
              images_digests(&source, photos, poisoned->probe.image_height,
                             poisoned->probe.image_width, digests, error);
    for (int64_t i = 0; ok && i < images->count; i++)
        known[i] = (Known){images->digests + i * DIGEST_TEXT, i};
    if (ok)
        qsort(known, (size_t)images->count, sizeof *known, by_digest);
    for (int64_t i = 0; ok && i < photos; i++)
        poisoned->image_of[i] = find_image(known, images->count, digests + i * DIGEST_TEXT);
    memory_free(digests);
    memory_free(known);
    return ok;
}

/* ---- the folders ----------------------------------------------------------------------------- */

static bool is_ours(const char *name, size_t length, bool is_attack)
{
    static const char unit[]  = "unit";
    size_t            letters = sizeof unit - 1;
    return is_attack ? length > letters && strncmp(name, unit, letters) == 0 &&
                           strspn(name + letters, "0123456789") == length - letters
                     : word_index(NOISE_NAMES, name, length) >= 0;
}

// What a folder below poisoned/ holds: NAME_STRENGTH_STORE. False for controls and for others.
static bool parse_folder(const Poisoned *poisoned, const char *name, PoisonedSetting *out)
{
    size_t      word     = strcspn(name, "_");
    const char *strength = name + word + (name[word] == '_');
    size_t      length   = strcspn(strength, "_");
    const char *store    = strength + length + (strength[length] == '_');
    char        number[32];
    if (length >= sizeof number || !is_ours(name, word, poisoned->attack != NULL))
        return false;
    *out = (PoisonedSetting){.run = poisoned};
    snprintf(number, sizeof number, "%.*s", (int)length, strength);
    if (poisoned->attack)
        snprintf(out->kind, sizeof out->kind, "%s", poisoned->attack);
    else
        snprintf(out->kind, sizeof out->kind, "%.*s", (int)word, name);
    return store_arm_parse(store, &out->store, NULL) && number_parse(number, &out->strength) &&
           out->strength > 0;
}

static PoisonedSetting *setting_of(Poisoned *poisoned, const PoisonedSetting *like)
{
    for (int i = 0; i < poisoned->count; i++) {
        PoisonedSetting *other = &poisoned->settings[i];
        if (other->store == like->store && other->strength >= like->strength &&
            other->strength <= like->strength && strcmp(other->kind, like->kind) == 0)
            return other;
    }
    poisoned->settings[poisoned->count] = *like;
    return &poisoned->settings[poisoned->count++];
}

static bool grow(PoisonedSetting *setting, Error *error)
{
    size_t   old = (size_t)setting->count, room = old ? 2 * old : 64;
    int64_t *images = memory_grow(setting->images, old, room, sizeof *images, error);
    int64_t *numbers =
        images ? memory_grow(setting->numbers, old, room, sizeof *numbers, error) : NULL;
    int *folders =
        numbers ? memory_grow(setting->folders, old, room, sizeof *folders, error) : NULL;
    setting->images  = images ? images : setting->images;
    setting->numbers = numbers ? numbers : setting->numbers;
    setting->folders = folders ? folders : setting->folders;
    setting->room    = folders ? (int64_t)room : setting->room;
    return folders != NULL;
}

// The number in the name of a stored image, -1 if it is none.
static int64_t number_of(const char *file, const char *ending)
{
    size_t digits = strspn(file, "0123456789");
    return digits >= 6 && digits < 16 && strcmp(file + digits, ending) == 0
               ? strtoll(file, NULL, 10)
               : -1;
}

static bool add_image(Poisoned *poisoned, PoisonedSetting *setting, int folder, int64_t number,
                      Error *error)
{
    if (number >= poisoned->probe.image_count)
        return fail(error, ERROR_DATA, "%s/poisoned/%s: has an image %lld, the run has %lld photos",
                    poisoned->path, poisoned->folders[folder], (long long)number,
                    (long long)poisoned->probe.image_count);
    if (poisoned->image_of[number] < 0)
        return true;
    if (setting->count == setting->room && !grow(setting, error))
        return false;
    setting->images[setting->count]    = poisoned->image_of[number];
    setting->numbers[setting->count]   = number;
    setting->folders[setting->count++] = folder;
    return true;
}

static bool add_folder(Poisoned *poisoned, int folder, const char *all, Error *error)
{
    PoisonedSetting like, *setting;
    char            path[LIMIT_PATH];
    char          **files = NULL;
    int64_t         count = 0;
    if (!parse_folder(poisoned, poisoned->folders[folder], &like))
        return true;
    setting = setting_of(poisoned, &like);
    bool ok = path_join(path, all, poisoned->folders[folder], error) &&
              folder_list(path, &files, &count, error);
    for (int64_t i = 0; ok && i < count; i++) {
        int64_t number = number_of(files[i], endings[like.store]);
        if (number >= 0) {
            poisoned->photos++;
            ok = add_image(poisoned, setting, folder, number, error);
        }
    }
    names_free(files, count);
    return ok;
}

static int by_strength(const void *a, const void *b)
{
    const PoisonedSetting *one = a, *other = b;
    int                    kind = strcmp(one->kind, other->kind);
    if (kind || one->store != other->store)
        return kind ? kind : (int)one->store - (int)other->store;
    return (one->strength > other->strength) - (one->strength < other->strength);
}

// A run perturbs the same images in every setting, so where another has others, some are missing.
static bool same_images(const Poisoned *poisoned, Error *error)
{
    const PoisonedSetting *first = poisoned->settings;
    for (int i = 1; i < poisoned->count; i++) {
        const PoisonedSetting *other = &poisoned->settings[i];
        if (other->count != first->count ||
            memcmp(other->images, first->images, (size_t)first->count * sizeof *first->images) != 0)
            return fail(error, ERROR_DATA,
                        "%s/poisoned: images are missing: %g as %s has %lld, %g as %s %lld",
                        poisoned->path, first->strength, store_arm_name(first->store),
                        (long long)first->count, other->strength, store_arm_name(other->store),
                        (long long)other->count);
    }
    return true;
}

static bool list_images(Poisoned *poisoned, const char *data, Error *error)
{
    char all[LIMIT_PATH];
    if (!path_join(all, poisoned->path, "poisoned", error) ||
        !folder_list(all, &poisoned->folders, &poisoned->folder_count, error))
        return false;
    poisoned->settings =
        memory_new((size_t)poisoned->folder_count, sizeof *poisoned->settings, error);
    bool ok = poisoned->settings != NULL;
    for (int64_t i = 0; ok && i < poisoned->folder_count; i++)
        ok = add_folder(poisoned, (int)i, all, error);
    if (!ok)
        return false;
    if (poisoned->photos == 0)
        return fail(error, ERROR_DATA, "%s/poisoned: has no perturbed images", poisoned->path);
    qsort(poisoned->settings, (size_t)poisoned->count, sizeof *poisoned->settings, by_strength);
    for (int i = 0; i < poisoned->count; i++)
        poisoned->found += poisoned->settings[i].count;
    return (poisoned->found > 0 ||
            fail(error, ERROR_DATA,
                 "none of the photos that %s perturbed is in %s: expected one of the same pixels",
                 poisoned->path, data)) &&
           same_images(poisoned, error);
}

static bool digest(Poisoned *poisoned, Error *error)
{
    Sha256 sha;
    bool   ok = true;
    sha256_start(&sha);
    for (int i = 0; ok && i < poisoned->count; i++) {
        PoisonedSetting *setting = &poisoned->settings[i];
        size_t           count   = (size_t)setting->count;
        char            *digests = memory_new(count, DIGEST_TEXT, error);
        ok = digests && images_digests(&(ImageSource){poisoned_load, setting}, setting->count,
                                       poisoned->height, poisoned->width, digests, error);
        if (ok) {
            sha256_add(&sha, digests, count * DIGEST_TEXT);
            sha256_add(&sha, setting->images, count * sizeof *setting->images);
        }
        memory_free(digests);
    }
    sha256_text(&sha, poisoned->digest);
    return ok;
}

/* ---- the run --------------------------------------------------------------------------------- */

// Where the run says it is; else the data, if that is a probing set.
static bool find_probing_set(const Poisoned *poisoned, const LabelledImages *images,
                             char out[LIMIT_PATH], Error *error)
{
    Error gone = {0};
    if (run_locate(&poisoned->json, poisoned->path, "data.path", "probing set", "-d", out, &gone))
        return true;
    snprintf(out, LIMIT_PATH, "%s", images->data);
    return images->probe.folder != NULL || fail(error, gone.code, "%s", gone.message);
}

static bool open_probing_set(Poisoned *poisoned, const LabelledImages *images, Error *error)
{
    InputsRequest request = {0};
    char          data[LIMIT_PATH];
    const char   *wanted;
    if (!run_request_read(&poisoned->json, poisoned->path, &request, error) ||
        !find_probing_set(poisoned, images, data, error) ||
        !run_need(&poisoned->json, poisoned->path, "data.index_sha256", &wanted, error))
        return false;
    request.data = data;
    if (!request_probe_open(&poisoned->probe, &request, images->fit, error))
        return false;
    const JsonNode *recrops = json_member(&poisoned->json, poisoned->json.nodes, "compat.recrops");
    if (recrops && recrops->kind == JSON_TRUE && !poisoned->probe.is_photos)
        return fail(
            error, ERROR_USAGE,
            "--poisoned %s: its images are enlarged and cropped, as mode clipdissect23 does "
            "with a probing set, so they cannot be compared with the photos; make it again "
            "with --compat clean",
            poisoned->path);
    return strcmp(poisoned->probe.index_sha256, wanted) == 0 ||
           fail(error, ERROR_DATA, "%s: SHA-256 is %.12s..., %s was made with %.12s...", data,
                poisoned->probe.index_sha256, poisoned->path, wanted);
}

static bool read_run(Poisoned *poisoned, Error *error)
{
    const char *path = poisoned->path, *verb, *kept;
    if (!run_folder_read(path, &poisoned->json, error) ||
        !run_need(&poisoned->json, path, "verb", &verb, error))
        return false;
    bool is_attack = strcmp(verb, "attack") == 0;
    if (!is_attack && strcmp(verb, "noise") != 0)
        return fail(error, ERROR_USAGE,
                    "--poisoned %s: is a run of '%.40s', expected one of noise, attack", path,
                    verb);
    if (!run_need(&poisoned->json, path, "settings.keep_images", &kept, error) ||
        (is_attack &&
         !run_need(&poisoned->json, path, "settings.method", &poisoned->attack, error)))
        return false;
    if (is_attack && word_index(PGD_NAMES, poisoned->attack, strlen(poisoned->attack)) < 0)
        return fail(error, ERROR_DATA, "%s/run.json: a setting has an unknown value", path);
    return strcmp(kept, "yes") == 0 ||
           fail(error, ERROR_USAGE,
                "--poisoned %s: has not kept its images; make it again with --keep-images", path);
}

bool poisoned_open(Poisoned *out, const char *path, const LabelledImages *images, Error *error)
{
    *out = (Poisoned){.path = path, .height = images->height, .width = images->width};
    return read_run(out, error) && open_probing_set(out, images, error) &&
           match_photos(out, images, error) && list_images(out, images->data, error) &&
           digest(out, error);
}
