/* base/file_seam.c - see file_seam.h. The only file that touches the file system. */
#include "file_seam.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static FileHook           hook;
static _Thread_local bool is_showing;

void file_hook(const FileHook *to)
{
    hook = to ? *to : (FileHook){0};
}

void seam_show(bool is_begun)
{
    is_showing = is_begun;
}

// As the hook is told of it.
static FileOperation told(FileOperation operation)
{
    return is_showing ? FILE_SHOW : operation;
}

// True if the operation is to fail; errno says why.
static bool refused(FileOperation operation, size_t *size)
{
    size_t any    = 0;
    int    reason = hook.before ? hook.before(hook.self, told(operation), size ? size : &any) : 0;
    if (reason)
        errno = reason;
    return reason != 0;
}

static void finished(FileOperation operation)
{
    if (hook.after)
        hook.after(hook.self, told(operation));
}

/* result = call, or `failed` if the hook refuses it; again as long as a signal cuts it short.
 * `size`: of a read or write, else NULL. */
#define REPEAT_INTERRUPTED(result, failed, operation, size, call)                                  \
    do                                                                                             \
        (result) = refused((operation), (size)) ? (failed) : (call);                               \
    while ((result) == (failed) && errno == EINTR);                                                \
    finished(operation)

int seam_open(int folder, const char *path, int flags, int mode)
{
    FileOperation operation = flags & O_CREAT ? FILE_CREATE : FILE_OPEN;
    int           result;
    REPEAT_INTERRUPTED(result, -1, operation, NULL, openat(folder, path, flags | O_CLOEXEC, mode));
    return result;
}

ssize_t seam_read(int handle, void *data, size_t size)
{
    ssize_t result;
    REPEAT_INTERRUPTED(result, -1, FILE_READ, &size, read(handle, data, size));
    return result;
}

ssize_t seam_write(int handle, const void *data, size_t size)
{
    ssize_t result;
    REPEAT_INTERRUPTED(result, -1, FILE_WRITE, &size, write(handle, data, size));
    return result;
}

int seam_sync(int handle)
{
    int result;
    REPEAT_INTERRUPTED(result, -1, FILE_SYNC, NULL, fsync(handle));
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
    REPEAT_INTERRUPTED(result, -1, FILE_RENAME, NULL, rename(from, to));
    return result;
}

int seam_remove(const char *path)
{
    int result;
    REPEAT_INTERRUPTED(result, -1, FILE_REMOVE, NULL, unlink(path));
    return result;
}

int seam_make_folder(const char *path)
{
    int result;
    REPEAT_INTERRUPTED(result, -1, FILE_MAKE_FOLDER, NULL, mkdir(path, 0777));
    return result;
}

int seam_remove_folder(const char *path)
{
    int result;
    REPEAT_INTERRUPTED(result, -1, FILE_REMOVE, NULL, rmdir(path));
    return result;
}

DIR *seam_list(const char *path)
{
    DIR *result;
    REPEAT_INTERRUPTED(result, NULL, FILE_LIST, NULL, opendir(path));
    return result;
}

int seam_lock(int handle, long *holder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int          result;
    REPEAT_INTERRUPTED(result, -1, FILE_LOCK, NULL, fcntl(handle, F_SETLK, &lock));
    if (result == 0)
        return 0;
    int reason = errno;
    seam_lock_state(handle, holder);
    errno = reason;
    return -1;
}

LockState seam_lock_state(int handle, long *holder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    *holder           = 0;
    if (fcntl(handle, F_GETLK, &lock) != 0)
        return LOCK_UNKNOWN;
    if (lock.l_type == F_UNLCK)
        return LOCK_FREE;
    *holder = lock.l_pid > 0 ? (long)lock.l_pid : 0; // of another host it is none
    return LOCK_HELD;
}
