/* cli/labelled_images.c - see labelled_images.h. */
#include "labelled_images.h"
#include "../base/digest.h"
#include "../base/file.h"
#include "../base/loop_errors.h"
#include "../base/parallel.h"
#include "../mini/mini.h"
#include "../probe/picture.h"

#include <string.h>

/* ---- digests --------------------------------------------------------------------------------- */

typedef struct Digesting {
    const ImageSource *source;
    size_t             size;   // values of an image
    float             *planes; // [threads, size]
    char              *out;
    LoopErrors         errors;
} Digesting;

static void digest_one(void *data, int64_t image, int thread)
{
    Digesting *digesting = data;
    float     *planes    = digesting->planes + (size_t)thread * digesting->size;
    Sha256     sha;
    Error      failure = {0};
    sha256_start(&sha);
    if (digesting->source->load(digesting->source->self, image, planes, &failure))
        sha256_add(&sha, planes, digesting->size * sizeof *planes);
    else
        loop_errors_add(&digesting->errors, image, thread, &failure);
    sha256_text(&sha, digesting->out + image * DIGEST_TEXT);
}

bool images_digests(const ImageSource *source, int64_t count, int64_t height, int64_t width,
                    char *out, Error *error)
{
    Digesting digesting = {.source = source, .size = (size_t)(3 * height * width), .out = out};
    size_t    floats    = 0;
    if (!size_mul((size_t)parallel_threads(), digesting.size, &floats))
        return fail(error, ERROR_MEMORY, "images of %lld x %lld do not fit into memory",
                    (long long)width, (long long)height);
    digesting.planes = memory_new(floats, sizeof *digesting.planes, error);
    bool ok          = digesting.planes && loop_errors_open(&digesting.errors, error);
    if (ok) {
        parallel_for(count, digest_one, &digesting);
        ok = loop_errors_check(&digesting.errors, error);
    }
    loop_errors_close(&digesting.errors);
    memory_free(digesting.planes);
    return ok;
}

/* ---- sources --------------------------------------------------------------------------------- */

static bool load_drawn(void *self, int64_t image, float *planes, Error *error)
{
    const TrainingSet *set    = self;
    int64_t            values = 3 * set->height * set->width;
    (void)error;
    for (int64_t i = 0; i < values; i++)
        planes[i] = (float)set->pixels[image * values + i] / 255.0f;
    return true;
}

static bool load_picture(void *self, int64_t image, float *planes, Error *error)
{
    const LabelledImages *images = self;
    int32_t class;
    char path[LIMIT_PATH];
    return class_folders_picture(&images->folders, image, &class, path, error) &&
           picture_planes(path, images->fit, planes, error);
}

static bool open_drawn(LabelledImages *images, Error *error)
{
    TrainingSet *set = &images->drawn;
    if (!training_data_open(set, images->data, images->fit, error))
        return false;
    images->count   = set->count;
    images->height  = set->height;
    images->width   = set->width;
    images->classes = set->classes;
    images->source  = (ImageSource){load_drawn, set};
    images->labels  = memory_new((size_t)set->count, sizeof *images->labels, error);
    if (images->labels)
        memcpy(images->labels, set->labels, (size_t)set->count * sizeof *images->labels);
    return images->labels != NULL;
}

static bool open_folders(LabelledImages *images, Error *error)
{
    ClassFolders *folders = &images->folders;
    char          path[LIMIT_PATH];
    if (!class_folders_open(folders, images->data, error))
        return false;
    images->count   = folders->total;
    images->height  = images->fit->height;
    images->width   = images->fit->width;
    images->classes = (int32_t)folders->classes;
    images->source  = (ImageSource){load_picture, images};
    images->labels  = memory_new((size_t)images->count, sizeof *images->labels, error);
    bool ok         = images->labels != NULL;
    for (int64_t i = 0; ok && i < images->count; i++)
        ok = class_folders_picture(folders, i, &images->labels[i], path, error);
    return ok;
}

// Photos without labels, of tables in Broden's layout or of a folder that has no folders in it.
static bool open_probing_set(LabelledImages *images, Error *error)
{
    ProbeSet *probe = &images->probe;
    bool      ok    = probe_is_tables(images->data)
                          ? probe_open(probe, images->data, NULL, error)
                          : probe_open_photos(probe, images->data, images->fit, 0, error);
    if (!ok)
        return false;
    images->count  = probe->image_count;
    images->height = probe->image_height;
    images->width  = probe->image_width;
    images->source = probe_images(probe);
    return true;
}

static bool open_folder(LabelledImages *images, Error *error)
{
    Error none = {0};
    if (probe_is_tables(images->data))
        return open_probing_set(images, error);
    return open_folders(images, &none) ||
           (none.code == ERROR_DATA ? open_probing_set(images, error)
                                    : fail(error, none.code, "%s", none.message));
}

bool labelled_images_open(LabelledImages *out, const char *data, const Preparation *fit,
                          int64_t limit, Error *error)
{
    *out    = (LabelledImages){.data = data, .fit = fit};
    bool ok = folder_exists(data) ? open_folder(out, error) : open_drawn(out, error);
    if (!ok)
        return false;
    if (limit && limit < out->count)
        out->count = limit;
    if (out->count == 0)
        return fail(error, ERROR_DATA, "%s: has no images", data);
    out->digests = memory_new((size_t)out->count, DIGEST_TEXT, error);
    return out->digests &&
           images_digests(&out->source, out->count, out->height, out->width, out->digests, error);
}

void labelled_images_close(LabelledImages *images)
{
    training_set_free(&images->drawn);
    class_folders_close(&images->folders);
    probe_close(&images->probe);
    memory_free(images->labels);
    memory_free(images->class_name);
    memory_free(images->digests);
    *images = (LabelledImages){0};
}

/* ---- classes --------------------------------------------------------------------------------- */

// The class that a folder is of: the line of its name.
static bool find_class(const LabelledImages *images, const ClassNames *names, const char *folder,
                       int32_t *out, Error *error)
{
    int64_t found = -1;
    for (int64_t i = 0; i < names->count; i++)
        if (strcmp(names->lines[i], folder) == 0) {
            if (found >= 0)
                return fail(error, ERROR_DATA,
                            "%s: classes %lld and %lld are both named '%.80s' in --names",
                            images->data, (long long)found, (long long)i, folder);
            found = i;
        }
    *out = (int32_t)found;
    return found >= 0 ||
           fail(error, ERROR_DATA, "%s: the folder '%.80s' is no class of the network in --names",
                images->data, folder);
}

static bool match_folders(LabelledImages *images, const ClassNames *names, Error *error)
{
    const ClassFolders *folders  = &images->folders;
    int32_t            *class_of = memory_new((size_t)folders->classes, sizeof *class_of, error);
    bool                ok       = class_of != NULL;
    for (int64_t k = 0; ok && k < folders->classes; k++) {
        class_of[k] = (int32_t)k;
        ok = names->count == 0 || find_class(images, names, folders->names[k], &class_of[k], error);
        if (ok)
            images->class_name[class_of[k]] = folders->names[k];
    }
    for (int64_t i = 0; ok && images->labels && i < images->count; i++)
        images->labels[i] = class_of[images->labels[i]];
    memory_free(class_of);
    return ok;
}

bool labelled_images_match(LabelledImages *images, int64_t classes, const ClassNames *names,
                           Error *error)
{
    bool has_folders = images->folders.classes > 0;
    if (names->count > 0 && !has_folders)
        return fail(error, ERROR_USAGE, "--names: %s has no class folders to be named",
                    images->data);
    if (names->count == 0 && images->labels && images->classes != classes)
        return fail(error, ERROR_DATA, "%s: has %d classes, the network %lld%s", images->data,
                    (int)images->classes, (long long)classes,
                    has_folders ? "; --names FILE, a class on each line, says which each folder is"
                                : "");
    if (!has_folders)
        return true;
    images->class_name = memory_new((size_t)classes, sizeof *images->class_name, error);
    return images->class_name && match_folders(images, names, error);
}
