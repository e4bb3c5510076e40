/* engine/file.c - see file.h. The only file that touches the file system. */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the seam: every operation asks planned_failure() first ----------------------------------- */

static atomic_int_least64_t fail_countdown;
static atomic_int           fail_errno;
static atomic_bool          fail_forever;

void file_fail_at(int64_t operation, int error_number, bool from_then_on)
{
    atomic_store(&fail_errno, error_number);
    atomic_store(&fail_forever, from_then_on);
    atomic_store(&fail_countdown, operation);
}

static bool planned_failure(void)
{
    if (atomic_load(&fail_countdown) == 0 || atomic_fetch_sub(&fail_countdown, 1) > 1)
        return false;
    atomic_store(&fail_countdown, atomic_load(&fail_forever) ? 1 : 0);
    errno = atomic_load(&fail_errno);
    return true;
}

static int do_open(int folder, const char *path, int flags, int mode)
{
    return planned_failure() ? -1 : openat(folder, path, flags | O_CLOEXEC, mode);
}

static ssize_t do_read(int handle, void *data, size_t size)
{
    return planned_failure() ? -1 : read(handle, data, size);
}

static ssize_t do_write(int handle, const void *data, size_t size)
{
    return planned_failure() ? -1 : write(handle, data, size);
}

static int do_sync(int handle)
{
    return planned_failure() ? -1 : fsync(handle);
}

static int do_rename(const char *from, const char *to)
{
    return planned_failure() ? -1 : rename(from, to);
}

static int do_close(int handle)
{
    bool fails = planned_failure();
    int  saved = errno, result = close(handle);
    if (fails)
        errno = saved;
    return fails ? -1 : result;
}

/* ---- reading --------------------------------------------------------------------------------- */

// Opens a regular file and tells its size; the file cannot be a device or pipe that would block.
static int open_regular(int folder, const char *path, const char *shown, int flags, size_t *size,
                        Error *error)
{
    struct stat info;
    int         handle = do_open(folder, path, O_RDONLY | O_NONBLOCK | flags, 0);
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
    size_t   room   = 0, done = 0;
    uint8_t *buffer = NULL;
    if (size > limit)
        return fail(error, ERROR_DATA, "%s: has %zu bytes, the limit is %zu", shown, size, limit);
    if (!size_add(size, 1, &room) || !(buffer = memory_new(room, 1, error)))
        return fail(error, ERROR_MEMORY, "%s: no memory for %zu bytes", shown, size);
    while (done < size) {
        ssize_t got = do_read(handle, buffer + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            memory_free(buffer);
            return fail(error, ERROR_IO, "%s: read failed at byte %zu of %zu: %s", shown, done, size,
                        got < 0 ? strerror(errno) : "the file became shorter");
        }
        done += (size_t)got;
    }
    *out = (Bytes){.data = buffer, .size = size, .owned = buffer};
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

bool file_read_below(const char *folder, const char *relative, size_t limit, Bytes *out,
                     Error *error)
{
    if (!path_is_plain(relative))
        return fail(error, ERROR_DATA, "%s: '%s' is not a plain relative path", folder, relative);
    char path[LIMIT_PATH], part[LIMIT_PATH];
    if (!path_join(path, folder, relative, error))
        return false;
    int at = do_open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0);
    if (at < 0)
        return fail(error, ERROR_NOT_FOUND, "%s: cannot open folder: %s", folder, strerror(errno));
    // Walk down one part at a time so that no link below the folder is followed.
    const char *rest = relative;
    for (const char *slash; (slash = strchr(rest, '/')); rest = slash + 1) {
        memcpy(part, rest, (size_t)(slash - rest));
        part[slash - rest] = 0;
        int next           = do_open(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
        int reason         = errno;
        close(at);
        if (next < 0)
            return fail(error, ERROR_NOT_FOUND, "%s: cannot open: %s", path, strerror(reason));
        at = next;
    }
    size_t size   = 0;
    int    handle = open_regular(at, rest, path, O_NOFOLLOW, &size, error);
    close(at);
    if (handle < 0)
        return false;
    bool ok = read_all(handle, path, size, limit, out, error);
    close(handle);
    return ok;
}

bool file_map(const char *path, Bytes *out, Error *error)
{
    size_t size   = 0;
    int    handle = open_regular(AT_FDCWD, path, path, 0, &size, error);
    if (handle < 0)
        return false;
    void *data = size && !planned_failure()
                     ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, handle, 0)
                     : MAP_FAILED;
    close(handle);
    if (data == MAP_FAILED)
        return fail(error, size ? ERROR_IO : ERROR_DATA, "%s: %s", path,
                    size ? "cannot be mapped into memory" : "is empty");
    *out = (Bytes){.data = data, .size = size, .mapped = size};
    return true;
}

void bytes_close(Bytes *bytes)
{
    if (bytes->mapped)
        munmap((void *)(uintptr_t)bytes->data, bytes->mapped);
    memory_free(bytes->owned);
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
    DIR    *folder = opendir(path);
    if (!folder)
        return fail(error, ERROR_NOT_FOUND, "%s: cannot list it: %s", path, strerror(errno));
    for (struct dirent *entry; ok && (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            ok = keep_name(&list, &found, entry->d_name, error);
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
        return fail(error, ERROR_DATA, "path '%.64s...' is longer than %d bytes", folder, LIMIT_PATH);
    memcpy(out, folder, folder_length);
    out[folder_length] = '/';
    memcpy(out + folder_length + 1, name, name_length + 1);
    return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

bool folder_create(const char *path, Error *error)
{
    char   partial[LIMIT_PATH];
    size_t length = strlen(path);
    if (length == 0 || length >= LIMIT_PATH)
        return fail(error, ERROR_CREATE, "folder name has %zu bytes, expected 1 to %d", length,
                    LIMIT_PATH - 1);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i])
            continue;
        memcpy(partial, path, i);
        partial[i] = 0;
        if ((planned_failure() || mkdir(partial, 0777) != 0) && errno != EEXIST)
            return fail(error, ERROR_CREATE, "%s: cannot create folder: %s", partial,
                        strerror(errno));
    }
    if (!folder_exists(path))
        return fail(error, ERROR_CREATE, "%s: exists and is not a folder", path);
    return true;
}

bool file_remove(const char *path, Error *error)
{
    if ((planned_failure() || unlink(path) != 0) && errno != ENOENT)
        return fail(error, ERROR_CREATE, "%s: cannot remove: %s", path, strerror(errno));
    return true;
}

bool folder_remove(const char *path)
{
    return !planned_failure() && rmdir(path) == 0;
}

enum { WRITER_BLOCK = 1 << 16 };

struct Writer {
    char    path[LIMIT_PATH];
    char    temporary[LIMIT_PATH + 32];
    int     handle;
    int     reason; // errno of the first failed write, 0 if none
    size_t  filled;
    uint8_t block[WRITER_BLOCK];
};

bool writer_open(Writer **out, const char *path, Error *error)
{
    if (strlen(path) >= LIMIT_PATH)
        return fail(error, ERROR_CREATE, "output path is longer than %d bytes", LIMIT_PATH - 1);
    Writer *writer = memory_new(1, sizeof *writer, error);
    if (!writer)
        return false;
    static atomic_int serial;
    snprintf(writer->path, sizeof writer->path, "%s", path);
    snprintf(writer->temporary, sizeof writer->temporary, "%s.tmp-%ld-%d", path, (long)getpid(),
             atomic_fetch_add(&serial, 1));
    writer->handle = do_open(AT_FDCWD, writer->temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (writer->handle < 0) {
        fail(error, ERROR_CREATE, "%s: cannot create: %s", path, strerror(errno));
        memory_free(writer);
        return false;
    }
    *out = writer;
    return true;
}

static void writer_flush(Writer *writer)
{
    for (size_t done = 0; done < writer->filled && !writer->reason;) {
        ssize_t put = do_write(writer->handle, writer->block + done, writer->filled - done);
        if (put > 0)
            done += (size_t)put;
        else if (put == 0 || errno != EINTR)
            writer->reason = put == 0 ? EIO : errno;
    }
    writer->filled = 0;
}

void writer_bytes(Writer *writer, const void *data, size_t size)
{
    const uint8_t *from = data;
    while (size > 0 && !writer->reason) {
        size_t room = WRITER_BLOCK - writer->filled;
        size_t part = size < room ? size : room;
        memcpy(writer->block + writer->filled, from, part);
        writer->filled += part;
        from += part;
        size -= part;
        if (writer->filled == WRITER_BLOCK)
            writer_flush(writer);
    }
}

void writer_text(Writer *writer, const char *format, ...)
{
    char    line[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length < 0) {
        writer->reason = EINVAL;
    } else if ((size_t)length < sizeof line) {
        writer_bytes(writer, line, (size_t)length);
    } else {
        char *text = memory_new((size_t)length + 1, 1, NULL);
        if (!text) {
            writer->reason = ENOMEM;
            return;
        }
        va_start(arguments, format);
        vsnprintf(text, (size_t)length + 1, format, arguments);
        va_end(arguments);
        writer_bytes(writer, text, (size_t)length);
        memory_free(text);
    }
}

void writer_discard(Writer *writer)
{
    if (!writer)
        return;
    if (writer->handle >= 0)
        close(writer->handle);
    unlink(writer->temporary);
    memory_free(writer);
}

// A rename is only durable once the folder that holds the name is.
static bool sync_folder_of(const char *path)
{
    char        folder[LIMIT_PATH];
    const char *slash  = strrchr(path, '/');
    size_t      length = slash ? (size_t)(slash - path) : 0;
    memcpy(folder, path, length);
    folder[length] = 0;
    int handle     = do_open(AT_FDCWD, slash ? (length ? folder : "/") : ".", O_RDONLY | O_DIRECTORY, 0);
    if (handle < 0)
        return false;
    bool ok = do_sync(handle) == 0 || errno == EINVAL; // some file systems cannot sync a folder
    close(handle);
    return ok;
}

bool writer_publish(Writer *writer, Error *error)
{
    writer_flush(writer);
    bool ok = !writer->reason && do_sync(writer->handle) == 0;
    if (!ok && !writer->reason)
        writer->reason = errno;
    if (do_close(writer->handle) != 0 && ok) {
        ok             = false;
        writer->reason = errno;
    }
    writer->handle = -1;
    if (ok && (do_rename(writer->temporary, writer->path) != 0 || !sync_folder_of(writer->path))) {
        ok             = false;
        writer->reason = errno;
    }
    if (!ok) {
        fail(error, writer->reason == ENOMEM ? ERROR_MEMORY : ERROR_IO, "%s: write failed: %s",
             writer->path, strerror(writer->reason));
        writer_discard(writer);
        return false;
    }
    memory_free(writer);
    return true;
}

bool file_publish(const char *path, const void *data, size_t size, Error *error)
{
    Writer *writer = NULL;
    if (!writer_open(&writer, path, error))
        return false;
    writer_bytes(writer, data, size);
    return writer_publish(writer, error);
}
