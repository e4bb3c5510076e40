/* base/file_seam.h - every system call on files, so that a test can make each of them fail. Only
 * the file_*.c of this folder include it.
 *
 * They return as the calls they are named after. A call that a signal cut short before it did
 * anything (EINTR) is made again. */
#ifndef BASE_FILE_SEAM_H
#define BASE_FILE_SEAM_H

#include "file.h"

#include <dirent.h>
#include <sys/types.h>

int     seam_open(int folder, const char *path, int flags, int mode);
ssize_t seam_read(int handle, void *data, size_t size);
ssize_t seam_write(int handle, const void *data, size_t size);
int     seam_sync(int handle);
int     seam_close(int handle); // the handle is closed either way
int     seam_rename(const char *from, const char *to);
int     seam_remove(const char *path);
int     seam_make_folder(const char *path);
int     seam_remove_folder(const char *path);
DIR    *seam_list(const char *path);
/* Between a begin and an end, what this thread does is a FILE_SHOW to a test. */
void seam_show(bool is_begun);
/* A write lock on the whole file: 0 taken; -1 with errno, and in *holder the process that has it.
 */
int       seam_lock(int handle, long *holder);
LockState seam_lock_state(int handle, long *holder);

#endif
