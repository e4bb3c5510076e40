/* engine/file_seam.c - see file_seam.h. The only file that touches the file system. */
#include "file_seam.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static FileHook hook;

void file_hook(const FileHook *to)
{
    hook = to ? *to : (FileHook){0};
}

// True if the operation is to fail; errno says why.
static bool refused(FileOperation operation, size_t *size)
{
    size_t any    = 0;
    int    reason = hook.before ? hook.before(hook.self, operation, size ? size : &any) : 0;
    if (reason)
        errno = reason;
    return reason != 0;
}

static void finished(FileOperation operation)
{
    if (hook.after)
        hook.after(hook.self, operation);
}

int seam_open(int folder, const char *path, int flags, int mode)
{
    FileOperation operation = flags & O_CREAT ? FILE_CREATE : FILE_OPEN;
    int           result;
    do
        result = refused(operation, NULL) ? -1 : openat(folder, path, flags | O_CLOEXEC, mode);
    while (result < 0 && errno == EINTR);
    finished(operation);
    return result;
}

ssize_t seam_read(int handle, void *data, size_t size)
{
    ssize_t result;
    do
        result = refused(FILE_READ, &size) ? -1 : read(handle, data, size);
    while (result < 0 && errno == EINTR);
    finished(FILE_READ);
    return result;
}

ssize_t seam_write(int handle, const void *data, size_t size)
{
    ssize_t result;
    do
        result = refused(FILE_WRITE, &size) ? -1 : write(handle, data, size);
    while (result < 0 && errno == EINTR);
    finished(FILE_WRITE);
    return result;
}

int seam_sync(int handle)
{
    int result;
    do
        result = refused(FILE_SYNC, NULL) ? -1 : fsync(handle);
    while (result < 0 && errno == EINTR);
    finished(FILE_SYNC);
    return result;
}

int seam_close(int handle)
{
    bool fails  = refused(FILE_CLOSE, NULL);
    int  saved  = errno;
    int  result = close(handle);
    if (fails)
        errno = saved;
    finished(FILE_CLOSE);
    return (fails || result != 0) && errno != EINTR ? -1 : 0; // after EINTR the handle is closed
}

int seam_rename(const char *from, const char *to)
{
    int result;
    do
        result = refused(FILE_RENAME, NULL) ? -1 : rename(from, to);
    while (result < 0 && errno == EINTR);
    finished(FILE_RENAME);
    return result;
}

int seam_remove(const char *path)
{
    int result;
    do
        result = refused(FILE_REMOVE, NULL) ? -1 : unlink(path);
    while (result < 0 && errno == EINTR);
    finished(FILE_REMOVE);
    return result;
}

int seam_make_folder(const char *path)
{
    int result;
    do
        result = refused(FILE_MAKE_FOLDER, NULL) ? -1 : mkdir(path, 0777);
    while (result < 0 && errno == EINTR);
    finished(FILE_MAKE_FOLDER);
    return result;
}

int seam_remove_folder(const char *path)
{
    int result;
    do
        result = refused(FILE_REMOVE, NULL) ? -1 : rmdir(path);
    while (result < 0 && errno == EINTR);
    finished(FILE_REMOVE);
    return result;
}

DIR *seam_list(const char *path)
{
    DIR *result;
    do
        result = refused(FILE_LIST, NULL) ? NULL : opendir(path);
    while (!result && errno == EINTR);
    return result;
}

int seam_lock(int handle, long *holder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int          result;
    do
        result = refused(FILE_LOCK, NULL) ? -1 : fcntl(handle, F_SETLK, &lock);
    while (result < 0 && errno == EINTR);
    if (result == 0)
        return 0;
    int reason = errno;
    *holder    = 0;
    if (fcntl(handle, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        *holder = (long)lock.l_pid;
    errno = reason;
    return -1;
}
