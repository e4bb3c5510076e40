/* base/file.c - see file.h: reading and paths. */
#include "file_seam.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- reading --------------------------------------------------------------------------------- */

// Opens a regular file and tells its size; the file cannot be a device or pipe that would block.
static int open_regular(int folder, const char *path, const char *shown, int flags, size_t *size,
                        Error *error)
{
    struct stat info;
    int         handle = seam_open(folder, path, O_RDONLY | O_NONBLOCK | flags, 0);
    if (handle < 0) {
        fail(error, ERROR_NOT_FOUND, "%s: cannot open: %s", shown, strerror(errno));
        return -1;
    }
    if (fstat(handle, &info) != 0 || !S_ISREG(info.st_mode)) {
        fail(error, ERROR_NOT_FOUND, "%s: is not a regular file", shown);
        close(handle);
        return -1;
    }
    *size = (size_t)info.st_size;
    return handle;
}

static bool read_all(int handle, const char *shown, size_t size, size_t limit, Bytes *out,
                     Error *error)
{
    struct stat before, after;
    size_t      room = 0, done = 0;
    uint8_t    *buffer = NULL;
    if (size > limit)
        return fail(error, ERROR_DATA, "%s: has %zu bytes, the limit is %zu", shown, size, limit);
    if (!size_add(size, 1, &room) || !(buffer = memory_new(room, 1, NULL)))
        return fail(error, ERROR_MEMORY, "%s: no memory for %zu bytes", shown, size);
    bool ok = fstat(handle, &before) == 0;
    while (ok && done < size) {
        ssize_t got = seam_read(handle, buffer + done, size - done);
        ok          = got > 0;
        if (!ok)
            fail(error, ERROR_IO, "%s: read failed at byte %zu of %zu: %s", shown, done, size,
                 got < 0 ? strerror(errno) : "the file became shorter");
        else
            done += (size_t)got;
    }
    // What was rewritten in between would be neither the old file nor the new one.
    if (ok && (fstat(handle, &after) != 0 || (size_t)after.st_size != size ||
               before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
               before.st_mtim.tv_nsec != after.st_mtim.tv_nsec))
        ok = fail(error, ERROR_IO, "%s: changed while it was read", shown);
    if (!ok) {
        memory_free(buffer);
        return fail(error, ERROR_IO, "%s: cannot be read: %s", shown, strerror(errno));
    }
    *out = (Bytes){.data = buffer, .size = size};
    return true;
}

bool file_read(const char *path, size_t limit, Bytes *out, Error *error)
{
    size_t size   = 0;
    int    handle = open_regular(AT_FDCWD, path, path, 0, &size, error);
    if (handle < 0)
        return false;
    bool ok = read_all(handle, path, size, limit, out, error);
    close(handle);
    return ok;
}

// Why a part of a path below a folder did not open.
static bool cannot_open(int folder, const char *part, const char *shown, int reason, Error *error)
{
    struct stat info;
    if (fstatat(folder, part, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode))
        return fail(error, ERROR_NOT_FOUND,
                    "%s: '%s' is a symbolic link, and links below the folder are not followed; put "
                    "the files themselves there (cp -rL)",
                    shown, part);
    return fail(error, ERROR_NOT_FOUND, "%s: cannot open: %s", shown, strerror(reason));
}

bool file_read_below(const char *folder, const char *relative, size_t limit, Bytes *out,
                     Error *error)
{
    if (!path_is_plain(relative))
        return fail(error, ERROR_DATA, "%s: '%s' is not a plain relative path", folder, relative);
    char path[LIMIT_PATH], part[LIMIT_PATH];
    if (!path_join(path, folder, relative, error))
        return false;
    int at = seam_open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0);
    if (at < 0)
        return fail(error, ERROR_NOT_FOUND, "%s: cannot open folder: %s", folder, strerror(errno));
    // Walk down one part at a time so that no link below the folder is followed.
    const char *rest = relative;
    for (const char *slash; (slash = strchr(rest, '/')); rest = slash + 1) {
        memcpy(part, rest, (size_t)(slash - rest));
        part[slash - rest] = 0;
        int next           = seam_open(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
        if (next < 0)
            cannot_open(at, part, path, errno, error);
        close(at);
        if (next < 0)
            return false;
        at = next;
    }
    size_t size    = 0;
    Error  failure = {0};
    int    handle  = open_regular(at, rest, path, O_NOFOLLOW, &size, &failure);
    if (handle < 0 && errno == ELOOP)
        cannot_open(at, rest, path, ELOOP, error);
    else if (handle < 0)
        fail(error, failure.code, "%s", failure.message);
    close(at);
    if (handle < 0)
        return false;
    bool ok = read_all(handle, path, size, limit, out, error);
    close(handle);
    return ok;
}

void bytes_close(Bytes *bytes)
{
    memory_free((void *)(uintptr_t)bytes->data);
    *bytes = (Bytes){0};
}

bool file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool folder_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

double file_age(const char *path)
{
    struct stat     info;
    struct timespec now;
    if (stat(path, &info) != 0 || clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    double age = (double)(now.tv_sec - info.st_mtim.tv_sec) +
                 1e-9 * (double)(now.tv_nsec - info.st_mtim.tv_nsec);
    return age > 0 ? age : 0; // clocks of two hosts differ
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void names_free(char **names, int64_t count)
{
    for (int64_t i = 0; names && i < count; i++)
        memory_free(names[i]);
    memory_free(names);
}

static bool keep_name(char ***names, int64_t *count, const char *name, Error *error)
{
    if (*count == LIMIT_CSV_ROWS)
        return fail(error, ERROR_DATA, "a folder holds more than %d files", LIMIT_CSV_ROWS);
    if ((*count & (*count - 1)) == 0) { // grows at powers of two
        size_t room = *count ? 2 * (size_t)*count : 1;
        char **more = memory_grow(*names, (size_t)*count, room, sizeof *more, error);
        if (!more)
            return false;
        *names = more;
    }
    char *copy = memory_text(name, error);
    if (copy)
        (*names)[(*count)++] = copy;
    return copy != NULL;
}

bool folder_list(const char *path, char ***names, int64_t *count, Error *error)
{
    char  **list   = NULL;
    int64_t found  = 0;
    bool    ok     = true;
    DIR    *folder = seam_list(path);
    if (!folder)
        return fail(error, ERROR_NOT_FOUND, "%s: cannot list it: %s", path, strerror(errno));
    for (struct dirent *entry; ok && (errno = 0, entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            ok = keep_name(&list, &found, entry->d_name, error);
    if (ok && errno != 0)
        ok = fail(error, ERROR_IO, "%s: cannot list all of it: %s", path, strerror(errno));
    closedir(folder);
    if (!ok) {
        names_free(list, found);
        return false;
    }
    if (found > 0)
        qsort(list, (size_t)found, sizeof *list, by_text);
    *names = list;
    *count = found;
    return true;
}

/* ---- paths ----------------------------------------------------------------------------------- */

bool path_is_plain(const char *relative)
{
    size_t length = strlen(relative);
    if (length == 0 || length >= LIMIT_PATH)
        return false;
    for (const unsigned char *c = (const unsigned char *)relative; *c; c++)
        if (*c < 0x20 || *c == 0x7f || *c == '\\')
            return false;
    for (const char *part = relative;;) {
        size_t n = strcspn(part, "/");
        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        if (!part[n])
            return true;
        part += n + 1;
    }
}

bool path_join(char out[LIMIT_PATH], const char *folder, const char *name, Error *error)
{
    size_t folder_length = strlen(folder), name_length = strlen(name);
    if (folder_length + name_length + 2 > LIMIT_PATH)
        return fail(error, ERROR_DATA, "path '%.64s...' is longer than %d bytes", folder,
                    LIMIT_PATH);
    memcpy(out, folder, folder_length);
    out[folder_length] = '/';
    memcpy(out + folder_length + 1, name, name_length + 1);
    return true;
}
