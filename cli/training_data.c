/* cli/training_data.c - see training_data.h. */
#include "training_data.h"

#include "../base/file.h"
#include "../base/parallel.h"
#include "../image/image.h"
#include "../mini/mini.h"
#include "../probe/picture.h"
#include "arguments.h"
#include "class_folders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Interleaved pixels to planes.
static void keep_pixels(TrainingSet *set, int64_t index, const uint8_t *pixels)
{
    int64_t  cells  = set->height * set->width;
    uint8_t *planes = set->pixels + index * 3 * cells;
    for (int64_t i = 0; i < 3 * cells; i++)
        planes[i % 3 * cells + i / 3] = pixels[i];
}

/* ---- the mini world -------------------------------------------------------------------------- */

typedef struct Drawing {
    TrainingSet *set;
    uint64_t     seed;
} Drawing;

static void draw_one(void *data, int64_t i, int thread)
{
    const Drawing *drawing = data;
    MiniImage      image;
    (void)thread;
    mini_draw(drawing->seed, i, &image);
    keep_pixels(drawing->set, i, image.pixels);
    drawing->set->labels[i] = image.kind;
}

bool training_data_mini(const char *name, int64_t *images, uint64_t *seed, Error *error)
{
    char        count_text[24] = "";
    uint64_t    count          = 0;
    const char *middle = strchr(name, ':') + 1, *colon = strchr(middle, ':');
    size_t      length = colon ? (size_t)(colon - middle) : sizeof count_text;
    if (length < sizeof count_text)
        memcpy(count_text, middle, length);
    if (!whole_parse(count_text, &count) || !whole_parse(colon + 1, seed) || count < 1 ||
        count > 1000000)
        return fail(error, ERROR_USAGE, "'%s' is not mini:COUNT:SEED with 1 to 1000000 images",
                    name);
    *images = (int64_t)count;
    return true;
}

static bool open_mini(TrainingSet *out, const char *name, Error *error)
{
    int64_t  count = 0;
    uint64_t seed  = 0;
    if (!training_data_mini(name, &count, &seed, error) ||
        !training_set_new(out, count, MINI_SIDE, MINI_SIDE, mini_kind_count(), error))
        return false;
    parallel_for(count, draw_one, &(Drawing){out, seed});
    return true;
}

/* ---- CIFAR ----------------------------------------------------------------------------------- */

enum { CIFAR_SIDE = 32, CIFAR_PIXELS = CIFAR_SIDE * CIFAR_SIDE, CIFAR_ROWS = 1000 };

static bool read_labels(TrainingSet *set, const char *path, int64_t first, Error *error)
{
    Bytes file = {0};
    if (!file_read(path, LIMIT_TEXT_FILE, &file, error))
        return false;
    const char *text = strchr((const char *)file.data, '[');
    bool        ok   = text != NULL;
    for (int64_t i = 0; ok && i < first + set->count; i++) {
        char *end   = NULL;
        long  label = strtol(text + 1, &end, 10);
        ok          = end != text + 1 && label >= 0 && label < set->classes;
        if (i >= first)
            set->labels[i - first] = (int32_t)label;
        text = end;
    }
    bytes_close(&file);
    return ok || fail(error, ERROR_DATA, "%s: lacks labels 0 to %d for images %lld and on", path,
                      (int)set->classes - 1, (long long)first);
}

const char *training_data_labels(const char *path, char out[LIMIT_PATH])
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!path)
        return NULL;
    snprintf(out, LIMIT_PATH, "%.*scifar10_labels.js", slash ? (int)(slash - path) + 1 : 0, path);
    return out;
}

bool training_data_is_cifar(const char *path)
{
    char        labels[LIMIT_PATH];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return strncmp(name, "cifar10_batch_", strlen("cifar10_batch_")) == 0 &&
           file_exists(training_data_labels(path, labels));
}

static bool keep_rows(TrainingSet *out, const char *path, const Image *picture, int64_t batch,
                      Error *error)
{
    char labels[LIMIT_PATH];
    if (picture->width != CIFAR_PIXELS || picture->height > CIFAR_ROWS)
        return fail(error, ERROR_DATA, "%s: is %d x %d, expected rows of %d pixels, at most %d",
                    path, picture->width, picture->height, CIFAR_PIXELS, CIFAR_ROWS);
    training_data_labels(path, labels);
    if (!training_set_new(out, picture->height, CIFAR_SIDE, CIFAR_SIDE, 10, error))
        return false;
    for (int64_t i = 0; i < out->count; i++)
        keep_pixels(out, i, picture->pixels + i * 3 * CIFAR_PIXELS);
    return read_labels(out, labels, CIFAR_ROWS * batch, error);
}

static bool read_picture(const char *path, Image *out, Error *error)
{
    Bytes file  = {0};
    Image image = {0};
    bool  ok    = file_read(path, LIMIT_IMAGE_FILE, &file, error) &&
              image_decode(file.data, file.size, path, &image, error) &&
              image_to_rgb(&image, out, error);
    image_free(&image);
    bytes_close(&file);
    return ok;
}

static bool open_cifar(TrainingSet *out, const char *path, Error *error)
{
    const char *number  = strrchr(path, '_');
    Image       picture = {0};
    int64_t     batch   = number ? strtoll(number + 1, NULL, 10) : 0;
    bool ok = read_picture(path, &picture, error) && keep_rows(out, path, &picture, batch, error);
    image_free(&picture);
    return ok;
}

/* ---- a folder of folders --------------------------------------------------------------------- */

bool training_data_picture(TrainingSet *set, int64_t index, const char *path,
                           const Preparation *fit, Error *error)
{
    Image picture = {0};
    bool  ok      = picture_fitted(path, fit, &picture, error);
    if (ok)
        keep_pixels(set, index, picture.pixels);
    image_free(&picture);
    return ok;
}

static bool open_folder(TrainingSet *out, const char *name, const Preparation *fit, Error *error)
{
    ClassFolders folders = {0};
    char         path[LIMIT_PATH];
    bool         ok = class_folders_open(&folders, name, error) &&
              training_set_new(out, folders.total, fit->height, fit->width,
                               (int32_t)folders.classes, error);
    for (int64_t i = 0; ok && i < folders.total; i++)
        ok = class_folders_picture(&folders, i, &out->labels[i], path, error) &&
             training_data_picture(out, i, path, fit, error);
    class_folders_close(&folders);
    return ok;
}

static bool same_folders(const ClassFolders *a, const ClassFolders *b, Error *error)
{
    for (int64_t k = 0; k < a->classes && k < b->classes; k++)
        if (strcmp(a->names[k], b->names[k]) != 0)
            return fail(error, ERROR_DATA,
                        "%s: class %lld is the folder '%.80s', in %s '%.80s'; both need the same",
                        b->folder, (long long)k, b->names[k], a->folder, a->names[k]);
    return a->classes == b->classes ||
           fail(error, ERROR_DATA, "%s: has %lld class folders, %s has %lld; both need the same",
                b->folder, (long long)b->classes, a->folder, (long long)a->classes);
}

bool training_data_agree(const char *name, const char *other, Error *error)
{
    ClassFolders a = {0}, b = {0};
    if (!folder_exists(name) || !folder_exists(other))
        return true;
    bool ok = class_folders_open(&a, name, error) && class_folders_open(&b, other, error) &&
              same_folders(&a, &b, error);
    class_folders_close(&a);
    class_folders_close(&b);
    return ok;
}

bool training_data_open(TrainingSet *out, const char *name, const Preparation *fit, Error *error)
{
    size_t      length = strlen(name);
    TrainingSet set    = {0};
    bool        ok;
    if (strncmp(name, "mini:", 5) == 0)
        ok = open_mini(&set, name, error);
    else if (length > 4 && strcmp(name + length - 4, ".png") == 0)
        ok = open_cifar(&set, name, error);
    else
        ok = open_folder(&set, name, fit, error);
    if (ok)
        *out = set;
    else
        training_set_free(&set);
    return ok;
}
