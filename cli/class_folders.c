/* cli/class_folders.c - see class_folders.h. */
#include "class_folders.h"
#include "../base/file.h"
#include "../probe/picture.h"

void class_folders_close(ClassFolders *folders)
{
    for (int64_t k = 0; folders->pictures && folders->counts && k < folders->classes; k++)
        names_free(folders->pictures[k], folders->counts[k]);
    memory_free(folders->pictures);
    memory_free(folders->counts);
    names_free(folders->names, folders->classes);
    *folders = (ClassFolders){0};
}

static bool is_picture(const char *folder, const char *name)
{
    (void)folder;
    return picture_is_named(name);
}

static bool is_class(const char *folder, const char *name)
{
    char path[LIMIT_PATH];
    return path_join(path, folder, name, NULL) && folder_exists(path);
}

// Names that are wanted come first; the others are forgotten.
static void keep_wanted(bool (*is_wanted)(const char *folder, const char *name), const char *folder,
                        char **names, int64_t *count)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < *count; i++)
        if (is_wanted(folder, names[i]))
            names[kept++] = names[i];
        else
            memory_free(names[i]);
    *count = kept;
}

static bool list_pictures(ClassFolders *folders, Error *error)
{
    char path[LIMIT_PATH];
    bool ok = true;
    for (int64_t k = 0; ok && k < folders->classes; k++) {
        ok = path_join(path, folders->folder, folders->names[k], error) &&
             folder_list(path, &folders->pictures[k], &folders->counts[k], error);
        if (ok)
            keep_wanted(is_picture, path, folders->pictures[k], &folders->counts[k]);
        folders->total += folders->counts[k];
    }
    return ok;
}

bool class_folders_open(ClassFolders *out, const char *folder, Error *error)
{
    ClassFolders folders = {.folder = folder};
    bool         ok      = folder_list(folder, &folders.names, &folders.classes, error);
    if (ok) {
        keep_wanted(is_class, folder, folders.names, &folders.classes);
        ok = folders.classes > 0 ||
             fail(error, ERROR_DATA, "%s: has no folders in it, expected a folder of class folders",
                  folder);
    }
    if (ok) {
        folders.pictures = memory_new((size_t)folders.classes, sizeof *folders.pictures, error);
        folders.counts   = memory_new((size_t)folders.classes, sizeof *folders.counts, error);
        ok               = folders.pictures && folders.counts && list_pictures(&folders, error);
    }
    if (!ok) {
        class_folders_close(&folders);
        return false;
    }
    *out = folders;
    return true;
}

bool class_folders_picture(const ClassFolders *folders, int64_t index, int32_t *class,
                           char path[LIMIT_PATH], Error *error)
{
    char    below[LIMIT_PATH];
    int64_t k = 0, place = index;
    while (place >= folders->counts[k])
        place -= folders->counts[k++];
    *class = (int32_t)k;
    return path_join(below, folders->folder, folders->names[k], error) &&
           path_join(path, below, folders->pictures[k][place], error);
}
