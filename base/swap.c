/* base/swap.c - see swap.h. */
#include "swap.h"
#include "file_seam.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const char building[] = ".next", moving[] = ".new";

bool swap_path(char out[LIMIT_PATH], const char *folder, Error *error)
{
    return path_join(out, folder, building, error);
}

static bool has(const char *folder, const char *name)
{
    char path[LIMIT_PATH];
    return path_join(path, folder, name, NULL) && file_exists(path);
}

/* ---- every name of a folder ------------------------------------------------------------------ */

typedef bool NameVisit(const void *self, const char *folder, const char *name, Error *error);

static bool each_name(const char *folder, NameVisit *visit, const void *self, Error *error)
{
    char  **names = NULL;
    int64_t count = 0;
    bool    ok    = folder_list(folder, &names, &count, error);
    for (int64_t i = 0; ok && i < count; i++)
        ok = visit(self, folder, names[i], error);
    names_free(names, count);
    return ok;
}

/* ---- removing -------------------------------------------------------------------------------- */

static bool is_real_folder(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool remove_folder(const char *path, Error *error)
{
    return seam_remove_folder(path) == 0 || errno == ENOENT ||
           fail(error, ERROR_CREATE, "%s: cannot remove: %s", path, strerror(errno));
}

static bool remove_tree(const void *self, const char *folder, const char *name, Error *error)
{
    char path[LIMIT_PATH];
    if (!path_join(path, folder, name, error))
        return false;
    return is_real_folder(path)
               ? each_name(path, remove_tree, self, error) && remove_folder(path, error)
               : file_remove(path, error);
}

bool tree_remove(const char *path, Error *error)
{
    return each_name(path, remove_tree, NULL, error) && remove_folder(path, error);
}

bool swap_clear(const char *folder, Error *error)
{
    return !has(folder, building) || remove_tree(NULL, folder, building, error);
}

typedef struct Parts {
    const ResultKind *kind;
    const char       *below; // the folder that is listed, from the result's on; ""
    const char       *but;   // stays; NULL: nothing does
} Parts;

static bool remove_part(const void *self, const char *folder, const char *name, Error *error)
{
    const Parts *parts = self;
    char         path[LIMIT_PATH], relative[LIMIT_PATH];
    if (!path_join(path, folder, name, error) || !path_join(relative, parts->below, name, error))
        return false;
    if (!parts->kind->is_part(relative + !*parts->below) ||
        (parts->but && strcmp(relative + !*parts->below, parts->but) == 0))
        return true;
    if (!is_real_folder(path))
        return folder_exists(path) || file_remove(path, error); // a link to a folder is not ours
    Parts inner = {parts->kind, relative + !*parts->below, parts->but};
    if (!each_name(path, remove_part, &inner, error))
        return false;
    folder_remove(path); // refuses if something is in it
    return true;
}

bool result_remove(const char *folder, const ResultKind *kind, const char *but, Error *error)
{
    char last[LIMIT_PATH];
    return path_join(last, folder, kind->last, error) && file_remove(last, error) &&
           folder_sync(folder, error) &&
           each_name(folder, remove_part, &(Parts){kind, "", but}, error);
}

/* ---- moving ---------------------------------------------------------------------------------- */

static bool move(const char *from, const char *to, Error *error);

static bool move_into(const void *self, const char *folder, const char *name, Error *error)
{
    char from[LIMIT_PATH], to[LIMIT_PATH];
    return path_join(from, folder, name, error) && path_join(to, self, name, error) &&
           move(from, to, error);
}

static bool copy(const char *from, const char *to, Error *error)
{
    Bytes bytes = {0};
    bool  ok    = file_read(from, SIZE_MAX, &bytes, error) &&
              file_publish(to, bytes.data, bytes.size, error) && file_remove(from, error);
    bytes_close(&bytes);
    return ok;
}

// A folder that is there keeps its other files; it may be a link to another disk.
static bool move(const char *from, const char *to, Error *error)
{
    if (is_real_folder(from) && folder_exists(to))
        return each_name(from, move_into, to, error) && remove_folder(from, error);
    if (seam_rename(from, to) == 0)
        return true;
    if (errno == EXDEV && !is_real_folder(from))
        return copy(from, to, error);
    return fail(error, ERROR_IO, "%s: cannot replace it: %s", to, strerror(errno));
}

static bool move_but_last(const void *self, const char *folder, const char *name, Error *error)
{
    const void *const *pair = self; // kind, target folder
    const ResultKind  *kind = pair[0];
    return strcmp(name, kind->last) == 0 || move_into(pair[1], folder, name, error);
}

/* ---- the swap -------------------------------------------------------------------------------- */

// From .next to .new: the old result goes, its `last` first.
static bool give_up_old(const char *folder, const ResultKind *kind, Error *error)
{
    char from[LIMIT_PATH], to[LIMIT_PATH];
    if (!path_join(from, folder, building, error) || !path_join(to, folder, moving, error) ||
        !result_remove(folder, kind, NULL, error))
        return false;
    return seam_rename(from, to) == 0 ||
           fail(error, ERROR_IO, "%s: cannot rename: %s", from, strerror(errno));
}

static bool move_up(const char *folder, const ResultKind *kind, Error *error)
{
    char        from[LIMIT_PATH];
    const void *pair[] = {kind, folder};
    return path_join(from, folder, moving, error) && each_name(from, move_but_last, pair, error) &&
           folder_sync(folder, error) &&
           (!has(from, kind->last) || move_into(folder, from, kind->last, error)) &&
           folder_sync(folder, error) && remove_folder(from, error);
}

bool swap_finish(const char *folder, const ResultKind *kind, Error *error)
{
    char next[LIMIT_PATH];
    if (!has(folder, moving)) {
        if (!path_join(next, folder, building, error))
            return false;
        if (!has(next, kind->last))
            return true;
        if (!give_up_old(folder, kind, error))
            return false;
    }
    return move_up(folder, kind, error);
}

bool swap_settle(const char *folder, const ResultKind *kind, Error *error)
{
    char     next[LIMIT_PATH], lock_path[LIMIT_PATH];
    FileLock lock = {0};
    if (has(folder, kind->last) || !path_join(next, folder, building, error) ||
        (!has(folder, moving) && !has(next, kind->last)))
        return true;
    bool ok = path_join(lock_path, folder, ".lock", error) && file_lock(&lock, lock_path, error) &&
              swap_finish(folder, kind, error);
    file_unlock(&lock);
    return ok;
}
