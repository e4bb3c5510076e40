/* cli/map_files.c - see map_files.h. */
#include "map_files.h"
#include "../attack/attack.h"
#include "../attribution/attribution.h"
#include "../base/file.h"
#include "../format/npy.h"
#include "../image/image.h"
#include "../probe/pass.h"
#include "palette.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char photo_ending[] = "-photo.png";

enum { PICTURE_SIDE = 256 }; // small pictures grow towards it by whole pixels

/* ---- the folder ------------------------------------------------------------------------------ */

static bool ends_with(const char *name, size_t length, const char *ending)
{
    size_t own = strlen(ending);
    return length > own && memcmp(name + length - own, ending, own) == 0;
}

// NAME-photo.png; NAME-METHOD.npy and the like, also with -betaB behind the method.
static bool is_map_part(const char *name)
{
    static const char *const endings[] = {"-raw.npy", ".npy", "-overlay.png", ".png"};
    size_t                   length    = strlen(name);
    if (strcmp(name, "maps.csv") == 0 || strcmp(name, "conservation.csv") == 0 ||
        is_run_work(name) || ends_with(name, length, photo_ending))
        return true;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with(name, length, endings[i])) {
            const MapMethod *method;
            length -= strlen(endings[i]);
            for (size_t at = length; at > 5; at--)
                if (memcmp(name + at - 5, "-beta", 5) == 0 &&
                    strspn(name + at, "0123456789.e+-") >= length - at) {
                    length = at - 5;
                    break;
                }
            for (int k = 0; (method = map_method_at(k)); k++) {
                size_t own = strlen(method->name);
                if (ends_with(name, length, method->name) && name[length - own - 1] == '-')
                    return true;
            }
            return false;
        }
    return false;
}

const ResultKind map_result = {"run.json", is_map_part};

static bool file_name(char out[LIMIT_PATH], const MapFiles *files, const char *ending, Error *error)
{
    char name[LIMIT_PATH];
    if (snprintf(name, sizeof name, "%s%s", files->name, ending) >= LIMIT_PATH)
        return fail(error, ERROR_CREATE, "the name of a map has more than %d bytes",
                    LIMIT_PATH - 1);
    return path_join(out, files->folder, name, error);
}

/* ---- arrays ---------------------------------------------------------------------------------- */

static bool write_arrays(const MapFiles *files, Error *error)
{
    char    path[LIMIT_PATH];
    int64_t count = files->channels * files->height * files->width;
    if (!file_name(path, files, ".npy", error) ||
        !npy_write(path, files->map, shape_2d(files->height, files->width), error))
        return false;
    if (!files->raw)
        return true;
    float *raw = memory_new((size_t)count, sizeof *raw, error);
    for (int64_t i = 0; raw && i < count; i++)
        raw[i] = (float)files->raw[i];
    bool ok = raw && file_name(path, files, "-raw.npy", error) &&
              npy_write(path, raw, shape_3d(files->channels, files->height, files->width), error);
    memory_free(raw);
    return ok;
}

/* ---- pictures -------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

// The size that 99 of 100 values do not exceed, or the largest where that is zero.
static bool reach_of(const float *map, int64_t cells, float *out, Error *error)
{
    float *sizes = memory_new((size_t)cells, sizeof *sizes, error);
    if (!sizes)
        return false;
    for (int64_t i = 0; i < cells; i++)
        sizes[i] = fabsf(map[i]);
    qsort(sizes, (size_t)cells, sizeof *sizes, by_size);
    float reach = sizes[(cells - 1) * 99 / 100];
    reach       = reach > 0 ? reach : sizes[cells - 1];
    *out        = reach > 0 ? reach : 1;
    memory_free(sizes);
    return true;
}

typedef struct Painting {
    const MapFiles *files;
    float           reach;
    bool            has_signs;
    const float    *planes; // the photo for an overlay, or NULL
} Painting;

// The photo in gray, and over it the map's colour, as opaque as the map is large.
static void paint(const Painting *painting, int64_t cell, uint8_t rgb[3])
{
    int64_t cells = painting->files->height * painting->files->width;
    float   share = painting->files->map[cell] / painting->reach;
    if (painting->has_signs)
        palette_signs(share, rgb);
    else
        palette_heat(share, rgb);
    if (!painting->planes)
        return;
    const float *photo  = painting->planes + cell;
    float        gray   = 0.3f * photo[0] + 0.6f * photo[cells] + 0.1f * photo[2 * cells];
    float        opaque = 0.9f * fminf(fabsf(share), 1);
    for (int c = 0; c < 3; c++)
        rgb[c] = palette_level((1 - opaque) * (0.2f + 0.8f * gray) + opaque * (float)rgb[c] / 255);
}

static bool write_picture(const Painting *painting, const char *ending, Error *error)
{
    const MapFiles *files = painting->files;
    int64_t         side  = files->height > files->width ? files->height : files->width;
    int64_t         scale = side < PICTURE_SIDE ? PICTURE_SIDE / side : 1;
    Image           image = {.width       = (int)(files->width * scale),
                             .height      = (int)(files->height * scale),
                             .channels    = 3,
                             .orientation = 1};
    char            path[LIMIT_PATH];
    uint8_t        *bytes = NULL;
    size_t          size  = 0;
    if (!image_size_is_fine(image.width, image.height))
        return fail(error, ERROR_DATA, "%s: %lldx%lld is too large a picture", files->name,
                    (long long)files->width, (long long)files->height);
    image.pixels = memory_new(3 * (size_t)image.width * (size_t)image.height, 1, error);
    if (!image.pixels)
        return false;
    for (int64_t y = 0; y < image.height; y++)
        for (int64_t x = 0; x < image.width; x++)
            paint(painting, y / scale * files->width + x / scale,
                  image.pixels + 3 * (y * image.width + x));
    bool ok = file_name(path, files, ending, error) && png_encode(&image, &bytes, &size, error) &&
              file_publish(path, bytes, size, error);
    memory_free(bytes);
    image_free(&image);
    return ok;
}

static bool write_overlay(Painting *painting, Error *error)
{
    const MapFiles *files = painting->files;
    int64_t         cells = files->height * files->width;
    if (!files->preparation)
        return true;
    float *planes = memory_new(3 * (size_t)cells, sizeof *planes, error);
    if (!planes)
        return false;
    pixels_restore(files->preparation, files->image, cells, planes);
    painting->planes = planes;
    bool ok          = write_picture(painting, "-overlay.png", error);
    memory_free(planes);
    return ok;
}

bool map_files_write(const MapFiles *files, Error *error)
{
    Painting painting = {.files = files};
    int64_t  cells    = files->height * files->width;
    for (int64_t i = 0; i < cells; i++)
        painting.has_signs |= files->map[i] < 0;
    return write_arrays(files, error) && reach_of(files->map, cells, &painting.reach, error) &&
           write_picture(&painting, ".png", error) && write_overlay(&painting, error);
}

bool map_photo_write(const MapFiles *files, Error *error)
{
    char    path[LIMIT_PATH];
    int64_t cells = files->height * files->width;
    if (!files->preparation)
        return true;
    float *planes = memory_new(3 * (size_t)cells, sizeof *planes, error);
    bool   ok     = planes && file_name(path, files, "-photo", error);
    if (ok) {
        pixels_restore(files->preparation, files->image, cells, planes);
        ok = store_image(STORE_PNG8, files->height, files->width, planes, path, error);
    }
    memory_free(planes);
    return ok;
}
