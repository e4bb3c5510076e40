/* cli/given_maps.c - maps that other programs wrote, see robustness.h. */
#include "../base/digest.h"
#include "../format/npy.h"
#include "robustness.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ----------------------------------------------------------------------------------- */

typedef struct GivenName {
    int64_t image;
    char    method[ROBUST_TEXT];
} GivenName;

// "photo-0012-gradient.npy": the last number of four or more digits between hyphens.
static bool read_name(const char *name, GivenName *out)
{
    size_t      length = strlen(name);
    const char *found  = NULL;
    if (length < 5 || strcmp(name + length - 4, ".npy") != 0 ||
        (length > 8 && strcmp(name + length - 8, "-raw.npy") == 0))
        return false;
    for (const char *at = strchr(name, '-'); at; at = strchr(at + 1, '-')) {
        size_t digits = strspn(at + 1, "0123456789");
        if (digits >= 4 && digits <= 9 && at[1 + digits] == '-')
            found = at + 1;
    }
    if (!found)
        return false;
    const char *method = strchr(found, '-') + 1;
    size_t      size   = (size_t)(name + length - 4 - method);
    if (size == 0 || size >= sizeof out->method)
        return false;
    out->image = strtoll(found, NULL, 10);
    snprintf(out->method, sizeof out->method, "%.*s", (int)size, method);
    return true;
}

static int64_t method_index(const GivenMaps *maps, const char *method)
{
    for (int64_t m = 0; m < maps->count; m++)
        if (strcmp(maps->methods[m], method) == 0)
            return m;
    return -1;
}

static bool list_methods(GivenMaps *maps, char **names, int64_t count, const char *folder,
                         Error *error)
{
    GivenName name;
    for (int64_t i = 0; i < count; i++) {
        if (!read_name(names[i], &name) || name.image >= maps->images ||
            method_index(maps, name.method) >= 0)
            continue;
        if (maps->count == ROBUST_METHODS)
            return fail(error, ERROR_DATA, "%s: has maps of more than %d methods", folder,
                        ROBUST_METHODS);
        maps->methods[maps->count] = memory_text(name.method, error);
        if (!maps->methods[maps->count])
            return false;
        maps->count++;
    }
    return maps->count > 0 ||
           fail(error, ERROR_DATA, "%s: has no maps, expected files named NAME-0000-METHOD.npy",
                folder);
}

/* ---- maps ------------------------------------------------------------------------------------ */

static bool read_map(GivenMaps *maps, const char *path, const GivenName *name, int64_t height,
                     int64_t width, bool *seen, Error *error)
{
    float  *values = NULL;
    Shape   shape;
    int64_t place = method_index(maps, name->method) * maps->images + name->image;
    if (seen[place])
        return fail(error, ERROR_DATA, "%s: is a second map of image %lld by %s", path,
                    (long long)name->image, name->method);
    if (!npy_read(path, &values, &shape, error))
        return false;
    bool ok = (shape.rank == 2 && shape.dim[0] == height && shape.dim[1] == width) ||
              fail(error, ERROR_DATA, "%s: is %s, expected a map of %lldx%lld (rows x columns)",
                   path, SHAPE_TEXT(shape), (long long)height, (long long)width);
    for (int64_t i = 0; ok && i < maps->cells; i++)
        ok = isfinite(values[i]) ||
             fail(error, ERROR_DATA, "%s: element %lld is not a finite number", path, (long long)i);
    if (ok)
        memcpy(maps->maps + place * maps->cells, values, (size_t)maps->cells * sizeof *values);
    seen[place] = true;
    memory_free(values);
    return ok;
}

static bool read_maps(GivenMaps *maps, char **names, int64_t count, const char *folder,
                      int64_t height, int64_t width, Error *error)
{
    size_t all = (size_t)(maps->count * maps->images), values = 0;
    bool   ok = size_mul(all, (size_t)maps->cells, &values) ||
              fail(error, ERROR_MEMORY, "%s: too many maps", folder);
    bool *seen = ok ? memory_new(all, sizeof *seen, error) : NULL;
    maps->maps = seen ? memory_new(values, sizeof *maps->maps, error) : NULL;
    ok         = maps->maps != NULL;
    for (int64_t i = 0; ok && i < count; i++) {
        GivenName name;
        char      path[LIMIT_PATH];
        if (read_name(names[i], &name) && name.image < maps->images)
            ok = path_join(path, folder, names[i], error) &&
                 read_map(maps, path, &name, height, width, seen, error);
    }
    for (int64_t i = 0; ok && i < maps->count * maps->images; i++)
        ok = seen[i] || fail(error, ERROR_DATA, "%s: has no map of image %lld by %s", folder,
                             (long long)(i % maps->images), maps->methods[i / maps->images]);
    memory_free(seen);
    return ok;
}

static void digest(GivenMaps *maps)
{
    Sha256 sha;
    sha256_start(&sha);
    sha256_add(&sha, maps->maps,
               (size_t)(maps->count * maps->images * maps->cells) * sizeof *maps->maps);
    sha256_text(&sha, maps->digest);
}

bool given_maps_open(GivenMaps *out, const char *folder, int64_t images, int64_t height,
                     int64_t width, Error *error)
{
    GivenMaps maps  = {.images = images, .cells = height * width};
    char    **names = NULL;
    int64_t   count = 0;
    maps.methods    = memory_new(ROBUST_METHODS, sizeof *maps.methods, error);
    bool ok         = maps.methods && folder_list(folder, &names, &count, error) &&
              list_methods(&maps, names, count, folder, error) &&
              read_maps(&maps, names, count, folder, height, width, error);
    names_free(names, count);
    if (!ok) {
        given_maps_close(&maps);
        return false;
    }
    digest(&maps);
    *out = maps;
    return true;
}

void given_maps_close(GivenMaps *maps)
{
    for (int64_t m = 0; m < maps->count; m++)
        memory_free(maps->methods[m]);
    memory_free(maps->methods);
    memory_free(maps->maps);
    *maps = (GivenMaps){0};
}
