/* tests/published.c - see published.h. */
#include "published.h"

#include "../base/file.h"
#include "../text/unicode.h"
#include "program.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Where the data is; exact kernels are far too slow for whole networks.
static const char *data_of(const char *relative)
{
    const char *data = test_data(relative);
    bool        can  = sizeof(real) == sizeof(float) && data != NULL;
    return can && system("command -v python3 >/dev/null 2>&1") == 0 ? data : NULL;
}

WeightBlob *published_network(const char *relative, const char *options)
{
    WeightBlob *blob  = NULL;
    Error       error = {0};
    const char *data = data_of(relative), *path = in_folder("published.nw");
    char        command[8192];
    if (!data)
        return NULL;
    snprintf(command, sizeof command, "python3 weights/convert.py '%s' -o '%s' %s >/dev/null 2>&1",
             data, path, options);
    if (!CHECK(system(command) == 0) || !CHECK(blob_open(path, &blob, &error)))
        printf("  %s\n", error.message);
    return blob;
}

// One number of a .npy file by its type, or NaN where the type is another.
static double number_of(const char *type, const uint8_t *at)
{
    union {
        float   single;
        double  number;
        int16_t small;
        int32_t whole;
        int64_t large;
    } value = {0};
    memcpy(&value, at, type[2] == '8' ? 8 : type[2] == '4' ? 4 : 2);
    if (!strcmp(type, "<f4"))
        return (double)value.single;
    if (!strcmp(type, "<f8"))
        return value.number;
    if (!strcmp(type, "<i2"))
        return value.small;
    if (!strcmp(type, "<i4"))
        return value.whole;
    return !strcmp(type, "<i8") ? (double)value.large : (double)NAN;
}

// Numbers behind the header of a .npy file: magic, version, 2 bytes of length, a text.
static double *numbers_of(const Bytes *file, int64_t count)
{
    size_t start = file->size > 10 ? 10 + (size_t)file->data[8] + 256 * (size_t)file->data[9] : 0;
    const char *quote   = start ? strstr((const char *)file->data + 10, "'<") : NULL;
    char        type[4] = "";
    double     *out     = memory_new((size_t)count, sizeof *out, NULL);
    if (quote)
        memcpy(type, quote + 1, 3);
    size_t bytes = type[2] == '8' ? 8 : type[2] == '4' ? 4 : 2;
    bool   ok    = CHECK(quote != NULL && file->size == start + (size_t)count * bytes);
    for (int64_t i = 0; ok && i < count; i++) {
        out[i] = number_of(type, file->data + start + (size_t)i * bytes);
        ok     = CHECK(!isnan(out[i]));
    }
    if (ok)
        return out;
    memory_free(out);
    return NULL;
}

// The .npy file of one array of an archive, unpacked; false where there is no data.
static bool array_read(const char *archive, const char *name, Bytes *out)
{
    const char *data   = data_of(archive);
    const char *folder = strrchr(archive, '/') + 1; // one for each archive
    const char *path   = in_folder("%s/%s.npy", folder, name);
    char        command[8192];
    if (!data)
        return false;
    snprintf(command, sizeof command, "python3 -m zipfile -e '%s' '%s'", data,
             in_folder("%s", folder));
    return CHECK(file_exists(path) || system(command) == 0) &&
           CHECK(file_read(path, LIMIT_ARRAY_FILE, out, NULL));
}

double *published_numbers(const char *archive, const char *name, int64_t count)
{
    Bytes   file = {0};
    double *out  = array_read(archive, name, &file) ? numbers_of(&file, count) : NULL;
    bytes_close(&file);
    return out;
}

// Texts of `length` code points each, 32 bits a point, filled up with zeros.
static char **texts_of(const uint8_t *from, int64_t count, size_t length)
{
    size_t room = (size_t)count * sizeof(char *) + (size_t)count * (4 * length + 1);
    char **out  = memory_new(room, 1, NULL);
    char  *at   = (char *)(out + count);
    for (int64_t i = 0; i < count; i++) {
        out[i] = at;
        for (size_t k = 0; k < length; k++, from += 4) {
            uint32_t point = 0;
            memcpy(&point, from, 4);
            at += point ? point_write(point, (uint8_t *)at) : 0;
        }
        *at++ = 0;
    }
    return out;
}

char **published_texts(const char *archive, const char *name, int64_t count)
{
    Bytes  file = {0};
    char **out  = NULL;
    if (array_read(archive, name, &file)) {
        size_t      start  = 10 + (size_t)file.data[8] + 256 * (size_t)file.data[9];
        const char *type   = strstr((const char *)file.data + 10, "'<U");
        size_t      length = type ? (size_t)strtol(type + 3, NULL, 10) : 0;
        if (CHECK(type != NULL && file.size == start + 4 * length * (size_t)count))
            out = texts_of(file.data + start, count, length);
    }
    bytes_close(&file);
    return out;
}

double published_error(const real *found, const double *want, int64_t count)
{
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < count; i++) {
        double distance = fabs((double)found[i] - want[i]);
        worst           = distance > worst || isnan(distance) ? distance : worst;
        largest         = fmax(largest, fabs(want[i]));
    }
    return worst / largest;
}
