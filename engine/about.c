/* engine/about.c - see about.h. */
#include "about.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 16, MOST_LINES = 256 };

const char *about_value(const About *about, const char *key)
{
    for (int i = 0; i < about->count; i++)
        if (strcmp(about->lines[i].key, key) == 0)
            return about->lines[i].value;
    return NULL;
}

static bool split_lines(About *about, const char *path, Error *error)
{
    for (char *line = about->text; *line;) {
        char *end = strchr(line, '\n'), *equals = strchr(line, '=');
        if (!end || !equals || equals > end || equals == line)
            return fail(error, ERROR_DATA, "%s: 'about' has a line that is not key=value", path);
        *equals = *end = 0;
        if (about->count == MOST_LINES)
            return fail(error, ERROR_DATA, "%s: 'about' has more than %d lines", path, MOST_LINES);
        if (about_value(about, line))
            return fail(error, ERROR_DATA, "%s: 'about' has the key '%.64s' twice", path, line);
        about->lines[about->count++] = (AboutLine){line, equals + 1};
        line                         = end + 1;
    }
    return true;
}

bool about_parse(About *about, const void *bytes, size_t size, const char *path, Error *error)
{
    if (size > MOST_BYTES)
        return fail(error, ERROR_DATA, "%s: 'about' has %zu bytes, the limit is %d", path, size,
                    MOST_BYTES);
    about->text  = memory_new(size + 1, 1, error);
    about->lines = memory_new(MOST_LINES, sizeof *about->lines, error);
    if (!about->text || !about->lines)
        return false;
    memcpy(about->text, bytes, size);
    for (size_t i = 0; i < size; i++) {
        unsigned byte = (unsigned char)about->text[i];
        if ((byte < ' ' && byte != '\n') || byte == 0x7f)
            return fail(error, ERROR_DATA, "%s: 'about' holds byte 0x%02x, expected text", path,
                        byte);
    }
    return split_lines(about, path, error);
}

void about_close(About *about)
{
    memory_free(about->text);
    memory_free(about->lines);
    *about = (About){0};
}

/* ---- preparation ----------------------------------------------------------------------------- */

typedef struct Reader {
    const About *about;
    const char  *path;
    Error       *error;
} Reader;

// `count` comma-separated numbers, each in [low, high].
static bool numbers(const Reader *reader, const char *key, int count, double low, double high,
                    double *out)
{
    const char *value = about_value(reader->about, key), *text = value;
    char       *end = NULL;
    if (!value)
        return fail(reader->error, ERROR_DATA, "%s: 'about' has no %s", reader->path, key);
    for (int i = 0; i < count; i++, text = end + 1) {
        out[i]            = strtod(text, &end);
        bool is_separated = *end == (i + 1 < count ? ',' : 0);
        if (end == text || !is_separated || !(out[i] >= low && out[i] <= high))
            return fail(reader->error, ERROR_DATA,
                        "%s: 'about' has %s=%.64s, expected %d number%s in %g to %g", reader->path,
                        key, value, count, count > 1 ? "s" : "", low, high);
    }
    return true;
}

bool about_number(const About *about, const char *path, const char *key, double low, double high,
                  double *value, Error *error)
{
    Reader reader = {about, path, error};
    return !about_value(about, key) || numbers(&reader, key, 1, low, high, value);
}

static bool side(const Reader *reader, const char *key, double low, int64_t *out)
{
    double value = 0;
    if (!numbers(reader, key, 1, low, LIMIT_IMAGE_SIDE, &value))
        return false;
    if (value != floor(value))
        return fail(reader->error, ERROR_DATA, "%s: 'about' has %s=%g, which is not whole",
                    reader->path, key, value);
    *out = (int64_t)value;
    return true;
}

const char *crop_geometry_name(CropGeometry geometry)
{
    static const char *const names[] = {"torchvision", "rounded"};
    return names[geometry];
}

// Optional: blobs without it were made for torchvision's crop.
static bool geometry(const Reader *reader, CropGeometry *out)
{
    const char *torchvision = crop_geometry_name(CROP_TORCHVISION);
    const char *rounded     = crop_geometry_name(CROP_ROUNDED);
    const char *value       = about_value(reader->about, "geometry");
    bool        is_rounded  = value && strcmp(value, rounded) == 0;
    if (value && !is_rounded && strcmp(value, torchvision) != 0)
        return fail(reader->error, ERROR_DATA, "%s: 'about' has geometry=%.64s, expected %s or %s",
                    reader->path, value, torchvision, rounded);
    *out = is_rounded ? CROP_ROUNDED : CROP_TORCHVISION;
    return true;
}

// Optional: blobs without it were made for a bilinear filter.
static bool filter(const Reader *reader, bool *is_bicubic)
{
    const char *value = about_value(reader->about, "filter");
    *is_bicubic       = value && strcmp(value, "bicubic") == 0;
    return !value || *is_bicubic || strcmp(value, "bilinear") == 0 ||
           fail(reader->error, ERROR_DATA,
                "%s: 'about' has filter=%.64s, expected bilinear or bicubic", reader->path, value);
}

// One key of a preparation calls for all that are required.
static bool has_preparation(const About *about)
{
    static const char *const keys[] = {"width",  "height", "resize_short", "geometry",
                                       "filter", "scale",  "mean",         "std"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (about_value(about, keys[i]))
            return true;
    return false;
}

bool about_preparation(const About *about, const char *path, Preparation *out, bool *has_any,
                       Error *error)
{
    Reader reader = {about, path, error};
    double scale  = 0, mean[3], std[3];
    if (!about_value(about, "architecture"))
        return fail(error, ERROR_DATA, "%s: 'about' has no architecture", path);
    *has_any = has_preparation(about);
    if (!*has_any)
        return true;
    if (!side(&reader, "width", 1, &out->width) || !side(&reader, "height", 1, &out->height) ||
        !side(&reader, "resize_short", 0, &out->resize_short) ||
        !numbers(&reader, "scale", 1, 1e-6, 1e6, &scale) ||
        !numbers(&reader, "mean", 3, -1e6, 1e6, mean) ||
        !numbers(&reader, "std", 3, 1e-6, 1e6, std) || !geometry(&reader, &out->geometry) ||
        !filter(&reader, &out->is_bicubic))
        return false;
    out->scale = (real)scale;
    for (int c = 0; c < 3; c++) {
        out->mean[c] = (real)mean[c];
        out->std[c]  = (real)std[c];
    }
    return true;
}
