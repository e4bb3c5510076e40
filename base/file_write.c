/* base/file_write.c - see file.h: folders, locks, results that appear whole. */
#include "file_seam.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
        if (seam_make_folder(partial) != 0 && errno != EEXIST)
            return fail(error, ERROR_CREATE, "%s: cannot create folder: %s", partial,
                        strerror(errno));
    }
    if (!folder_exists(path))
        return fail(error, ERROR_CREATE, "%s: exists and is not a folder", path);
    return true;
}

bool file_remove(const char *path, Error *error)
{
    if (seam_remove(path) != 0 && errno != ENOENT)
        return fail(error, ERROR_CREATE, "%s: cannot remove: %s", path, strerror(errno));
    return true;
}

bool folder_remove(const char *path)
{
    return seam_remove_folder(path) == 0;
}

enum { WRITER_BLOCK = 1 << 16, MOST_TRIES = 1000 };

struct Writer {
    char    path[LIMIT_PATH];
    char    temporary[LIMIT_PATH + 32];
    bool    is_direct;   // no file: written as it is, not replaced
    bool    is_fleeting; // not worth waiting for the disk
    int     handle;
    int     reason; // errno of the first failed write, 0 if none
    size_t  filled;
    uint8_t block[WRITER_BLOCK];
};

// A name that is not taken: a killed process of the same number may have left some.
static int create_temporary(Writer *writer)
{
    static atomic_uint serial;

    int handle = -1;
    errno      = EEXIST;
    for (int i = 0; i < MOST_TRIES && handle < 0 && errno == EEXIST; i++) {
        snprintf(writer->temporary, sizeof writer->temporary, "%s.tmp-%ld-%u", writer->path,
                 (long)getpid(), atomic_fetch_add(&serial, 1));
        handle = seam_open(AT_FDCWD, writer->temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
    }
    return handle;
}

// The stream a file is open as, so that what else goes there stays: standard output redirected.
static int stream_of(const struct stat *file)
{
    struct stat info;
    for (int stream = 1; stream <= 2; stream++)
        if (fstat(stream, &info) == 0 && info.st_dev == file->st_dev && info.st_ino == file->st_ino)
            return stream;
    return -1;
}

static int open_output(Writer *writer)
{
    struct stat info;
    bool        is_there = stat(writer->path, &info) == 0;
    int         stream   = is_there ? stream_of(&info) : -1;
    if (is_there && S_ISDIR(info.st_mode)) {
        errno = EISDIR;
        return -1;
    }
    writer->is_direct = is_there && (stream >= 0 || !S_ISREG(info.st_mode));
    if (writer->is_direct)
        return stream >= 0 ? fcntl(stream, F_DUPFD_CLOEXEC, 3)
                           : seam_open(AT_FDCWD, writer->path, O_WRONLY | O_NOCTTY, 0);
    if (!path_follow(writer->path)) {
        errno = ELOOP;
        return -1;
    }
    return create_temporary(writer);
}

bool writer_open(Writer **out, const char *path, Error *error)
{
    if (strlen(path) >= LIMIT_PATH)
        return fail(error, ERROR_CREATE, "output path is longer than %d bytes", LIMIT_PATH - 1);
    Writer *writer = memory_new(1, sizeof *writer, error);
    if (!writer)
        return false;
    snprintf(writer->path, sizeof writer->path, "%s", path);
    writer->handle = open_output(writer);
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
        ssize_t put = seam_write(writer->handle, writer->block + done, writer->filled - done);
        if (put > 0)
            done += (size_t)put;
        else
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
    if (writer->reason)
        return;
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
        seam_close(writer->handle);
    if (!writer->is_direct)
        seam_remove(writer->temporary);
    memory_free(writer);
}

static bool sync_folder(const char *path)
{
    int handle = seam_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
    if (handle < 0)
        return false;
    bool ok = seam_sync(handle) == 0 || errno == EINVAL; // some file systems cannot sync a folder
    close(handle);
    return ok;
}

bool folder_sync(const char *path, Error *error)
{
    return sync_folder(path) ||
           fail(error, ERROR_IO, "%s: write failed: %s", path, strerror(errno));
}

// A rename is only durable once the folder that holds the name is.
static bool sync_folder_of(const char *path)
{
    char        folder[LIMIT_PATH];
    const char *slash  = strrchr(path, '/');
    size_t      length = slash ? (size_t)(slash - path) : 0;
    memcpy(folder, path, length);
    folder[length] = 0;
    return sync_folder(slash ? (length ? folder : "/") : ".");
}

bool file_rename(const char *from, const char *to, Error *error)
{
    return (seam_rename(from, to) == 0 && sync_folder_of(to)) ||
           fail(error, ERROR_IO, "%s: cannot be renamed to %s: %s", from, to, strerror(errno));
}

// What is no file may have nothing to sync.
static bool sync_data(const Writer *writer)
{
    return writer->is_fleeting || seam_sync(writer->handle) == 0 ||
           (writer->is_direct && (errno == EINVAL || errno == EROFS || errno == ENOTSUP));
}

bool writer_publish(Writer *writer, Error *error)
{
    writer_flush(writer);
    bool ok = !writer->reason && sync_data(writer);
    if (!ok && !writer->reason)
        writer->reason = errno;
    if (seam_close(writer->handle) != 0 && ok) {
        ok             = false;
        writer->reason = errno;
    }
    writer->handle = -1;
    if (ok && !writer->is_direct &&
        (seam_rename(writer->temporary, writer->path) != 0 ||
         (!writer->is_fleeting && !sync_folder_of(writer->path)))) {
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

bool file_show(const char *path, const void *data, size_t size, Error *error)
{
    Writer *writer = NULL;
    seam_show(true);
    bool ok = writer_open(&writer, path, error);
    if (ok) {
        writer->is_fleeting = true;
        writer_bytes(writer, data, size);
        ok = writer_publish(writer, error);
    }
    seam_show(false);
    return ok;
}

/* ---- what a killed process leaves ------------------------------------------------------------ */

// True for NAME.tmp-PROCESS-NUMBER, as create_temporary makes it.
static bool is_temporary(const char *name)
{
    const char *mark = NULL;
    for (const char *at = name; (at = strstr(at, ".tmp-")); at++)
        mark = at;
    size_t digits = mark ? strspn(mark + 5, "0123456789") : 0;
    if (digits == 0 || mark[5 + digits] != '-')
        return false;
    const char *number = mark + 5 + digits + 1;
    return *number && number[strspn(number, "0123456789")] == 0;
}

bool temporaries_remove(const char *folder, Error *error)
{
    char  **names = NULL, path[LIMIT_PATH];
    int64_t count = 0;
    bool    ok    = folder_list(folder, &names, &count, error);
    for (int64_t i = 0; ok && i < count; i++)
        if (is_temporary(names[i]))
            ok = path_join(path, folder, names[i], error) && file_remove(path, error);
    names_free(names, count);
    return ok;
}

/* ---- one process at a time ------------------------------------------------------------------- */

bool file_lock(FileLock *out, const char *path, Error *error)
{
    struct stat info;
    long        holder = 0;
    if (strlen(path) >= LIMIT_PATH)
        return fail(error, ERROR_CREATE, "lock path is longer than %d bytes", LIMIT_PATH - 1);
    for (int i = 0; i < MOST_TRIES; i++) {
        int handle = seam_open(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666);
        if (handle < 0)
            return fail(error, ERROR_CREATE, "%s: cannot create: %s", path, strerror(errno));
        bool busy = seam_lock(handle, &holder) != 0 && (errno == EAGAIN || errno == EACCES);
        // Whoever held it may have removed the file between our two calls: then it locks nothing.
        if (!busy && fstat(handle, &info) == 0 && info.st_nlink > 0) {
            out->handle = handle;
            snprintf(out->path, sizeof out->path, "%s", path);
            return true;
        }
        close(handle);
        if (busy)
            return fail(error, ERROR_AGAIN, "%s: is held by process %ld; try again when it is done",
                        path, holder);
    }
    return fail(error, ERROR_CREATE, "%s: is gone each of %d times it is made; use another folder",
                path, MOST_TRIES);
}

LockState file_lock_state(const char *path, long *holder)
{
    *holder    = 0;
    int handle = seam_open(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (handle < 0)
        return errno == ENOENT ? LOCK_FREE : LOCK_UNKNOWN;
    LockState state = seam_lock_state(handle, holder);
    close(handle);
    return state;
}

void file_unlock(FileLock *lock)
{
    if (lock->handle <= 0)
        return;
    seam_remove(lock->path);
    close(lock->handle);
    *lock = (FileLock){0};
}
