/* cli/manipulation_files.c - what a case of `manipulate` leaves: the image before and after, and
 * its maps. */
#include "../base/file.h"
#include "../format/npy.h"
#include "manipulation.h"
#include "map_files.h"

#include <string.h>

/* ---- names ----------------------------------------------------------------------------------- */

static const char pair_folder[] = "pair-";

// attacked.npy, map_after.png and the like.
static bool is_plain_case_file(const char *name)
{
    static const char *const files[] = {"original", "attacked", "map_before", "map_target",
                                        "map_after"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t length = strlen(files[i]);
        if (strncmp(name, files[i], length) == 0 &&
            (strcmp(name + length, ".npy") == 0 || strcmp(name + length, ".png") == 0))
            return true;
    }
    return false;
}

// The same, also with METHOD- before it.
static bool is_case_file(const char *name)
{
    const MapMethod *method;
    for (int i = 0; (method = map_method_at(i)); i++) {
        size_t length = strlen(method->name);
        if (strncmp(name, method->name, length) == 0 && name[length] == '-' &&
            is_plain_case_file(name + length + 1))
            return true;
    }
    return is_plain_case_file(name);
}

static bool is_part(const char *name)
{
    static const char *const files[] = {"measures.csv", "smoothing.csv", "steps.csv",
                                        "summary.csv"};
    size_t                   digits  = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(name, files[i]) == 0)
            return true;
    if (is_run_work(name))
        return true;
    if (strncmp(name, pair_folder, sizeof pair_folder - 1) != 0)
        return is_case_file(name);
    name += sizeof pair_folder - 1;
    digits = strspn(name, "0123456789");
    return digits >= 3 &&
           (!name[digits] || (name[digits] == '/' && is_case_file(name + digits + 1)));
}

const ResultKind manipulation_result = {"run.json", is_part};

/* ---- files ----------------------------------------------------------------------------------- */

typedef struct CaseFiles {
    const Manipulation *manipulation;
    char                folder[LIMIT_PATH], prefix[64];
} CaseFiles;

static bool name_files(CaseFiles *out, const Manipulation *manipulation, const MapCase *result,
                       Error *error)
{
    const MapStudy *study = &manipulation->study;
    char            name[32];
    *out = (CaseFiles){.manipulation = manipulation};
    if (study->method_count > 1)
        snprintf(out->prefix, sizeof out->prefix, "%.60s-", study->methods[result->method]->name);
    if (!manipulation->order) {
        snprintf(out->folder, LIMIT_PATH, "%s", manipulation->run.folder.path);
        return true;
    }
    snprintf(name, sizeof name, "%s%03d", pair_folder, result->pair);
    return path_join(out->folder, manipulation->run.folder.path, name, error) &&
           folder_create(out->folder, error) && temporaries_remove(out->folder, error);
}

static bool write_map(const CaseFiles *files, const char *name, const float *map, Error *error)
{
    const MapStudy *study = &files->manipulation->study;
    char            whole[96];
    snprintf(whole, sizeof whole, "%s%s", files->prefix, name);
    MapFiles out = {.folder = files->folder,
                    .name   = whole,
                    .map    = map,
                    .height = study->height,
                    .width  = study->width};
    return map_files_write(&out, error);
}

// The array as it is, and the picture as the arm png8 stores it.
static bool write_image(const CaseFiles *files, const char *name, const real *image, Error *error)
{
    const MapStudy *study = &files->manipulation->study;
    int64_t         h = study->height, w = study->width;
    char            path[LIMIT_PATH], array[LIMIT_PATH];
    float          *values = memory_new(3 * (size_t)(h * w), sizeof *values, error);
    bool            ok     = values && path_join(path, files->folder, name, error);
    if (ok && snprintf(array, sizeof array, "%s.npy", path) >= LIMIT_PATH)
        ok = fail(error, ERROR_CREATE, "%s: the path is longer than %d bytes", path, LIMIT_PATH);
    for (int64_t i = 0; ok && i < 3 * h * w; i++)
        values[i] = (float)image[i];
    ok = ok && npy_write(array, values, shape_4d(1, 3, h, w), error);
    if (ok) {
        pixels_restore(blob_preparation(files->manipulation->blob), image, h * w, values);
        ok = store_image(STORE_PNG8, h, w, values, path, error);
    }
    memory_free(values);
    return ok;
}

bool manipulation_files(void *self, const MapCase *result, Error *error)
{
    Manipulation *manipulation = self;
    CaseFiles     files;
    char          attacked[96];
    // From now on what is in the folder is of this run, and stays.
    return run_folder_start(&manipulation->run.folder, &manipulation->run.identity, error) &&
           name_files(&files, manipulation, result, error) &&
           snprintf(attacked, sizeof attacked, "%sattacked", files.prefix) > 0 &&
           write_image(&files, "original", result->clean, error) &&
           write_image(&files, attacked, result->attacked, error) &&
           write_map(&files, "map_before", result->before, error) &&
           write_map(&files, "map_target", result->target, error) &&
           write_map(&files, "map_after", result->after, error);
}
