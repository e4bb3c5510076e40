/* base/file.h - reading, publishing and locking files.
 *
 * A result appears complete or not at all, even if the program is killed or the power fails: it is
 * written to a temporary name in the target folder, synced, renamed over the final name, and the
 * folder is synced. Nothing else in the program reads or writes files.
 * Errors: ERROR_NOT_FOUND (absent, unreadable, not a regular file), ERROR_DATA (over a limit),
 * ERROR_CREATE (cannot create), ERROR_IO (read or write failed, disk full), ERROR_MEMORY. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base.h"

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct Bytes {
    const uint8_t *data; // owned
    size_t         size;
} Bytes;

/* The whole of a regular file in memory, so that nothing done to the file later can matter; refuses
 * files over `limit` bytes (SIZE_MAX: none) and files that change meanwhile. A zero byte follows
 * the data (not counted), so text may be handed to string functions that stop there. */
bool file_read(const char *path, size_t limit, Bytes *out, Error *error);

/* The same for a file below `folder`: `relative` must be a plain relative path (path_is_plain). */
bool file_read_below(const char *folder, const char *relative, size_t limit, Bytes *out,
                     Error *error);

void bytes_close(Bytes *bytes); // accepts a zeroed object

bool file_exists(const char *path);
bool folder_exists(const char *path);

/* Seconds since the file was written; negative if it is not there. */
double file_age(const char *path);

/* Names in a folder in byte order, without those that begin with a dot. names_free (NULL allowed).
 */
bool folder_list(const char *path, char ***names, int64_t *count, Error *error);
void names_free(char **names, int64_t count);

/* ---- paths ----------------------------------------------------------------------------------- */

/* True for a relative path of at most LIMIT_PATH bytes without control characters, "..", "." or
 * empty parts: such a path cannot leave the folder it is joined to. Symbolic links below the folder
 * are followed only by file_read; file_read_below refuses them. */
bool path_is_plain(const char *relative);

/* out = folder + "/" + name. */
bool path_join(char out[LIMIT_PATH], const char *folder, const char *name, Error *error);

/* Whether two paths stand for the same file or folder, through any spelling, link or hard link.
 * What is not there yet is the same if it would be made in the same place. */
bool path_is_same(const char *a, const char *b);
/* Whether something that exists lies in a folder, at any depth, or is that folder. */
bool path_is_below(const char *path, const char *folder);
/* The path from a folder to something, both of which exist: "../photos". False if there is none. */
bool path_between(char out[LIMIT_PATH], const char *folder, const char *path);
/* Replaces a link by the path it stands for, there or not. False for a circle of links. */
bool path_follow(char path[LIMIT_PATH]);

/* ---- writing --------------------------------------------------------------------------------- */

bool folder_create(const char *path, Error *error); // parents too; an existing folder is fine

typedef struct Writer Writer;

/* A file being written. Write errors stick: writer_publish reports the first. A link is followed:
 * the file that it names is replaced. What is no file (a pipe, a terminal, /dev/stdout) is written
 * to as it is. Errors of writer_open: ERROR_CREATE, also for a folder of that name. */
bool writer_open(Writer **out, const char *path, Error *error);
void writer_bytes(Writer *writer, const void *data, size_t size);
void writer_text(Writer *writer, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool writer_publish(Writer *writer, Error *error); // sync, rename, sync folder; frees the writer
void writer_discard(Writer *writer);               // removes the temporary; NULL allowed

/* One call for a result that is already in memory. */
bool file_publish(const char *path, const void *data, size_t size, Error *error);

/* The same for what other processes look at while this one works: they see the old file or the new
 * one, but nothing waits for the disk, and whoever survives a power cut may find neither. */
bool file_show(const char *path, const void *data, size_t size, Error *error);

/* Gives a file that is whole another name, in one step and for good, on the same file system; what
 * had that name is gone. Errors: ERROR_IO. */
bool file_rename(const char *from, const char *to, Error *error);

/* Removes a file; one that is not there is fine. Errors: ERROR_CREATE. */
bool file_remove(const char *path, Error *error);

/* What was renamed or removed in a folder stays so, whatever becomes of the machine. */
bool folder_sync(const char *path, Error *error);

/* Removes a folder if it is empty; false if it is not, or is none. */
bool folder_remove(const char *path);

/* Removes what a writer left in a folder when its process was killed. No other process may be
 * writing there. */
bool temporaries_remove(const char *folder, Error *error);

/* ---- one process at a time ------------------------------------------------------------------- */

typedef struct FileLock {
    int  handle; // of the file; 0: none is held
    char path[LIMIT_PATH];
} FileLock;

/* Makes a file and holds it until file_unlock or the end of the process, however it comes: what a
 * killed process leaves is no lock. Processes are told apart, threads are not. On a file system
 * without locks it is granted. Errors: ERROR_AGAIN (names the process that has it), ERROR_CREATE.
 */
bool file_lock(FileLock *out, const char *path, Error *error);
void file_unlock(FileLock *lock); // removes the file; accepts a zeroed object

/* Whether another process holds the lock, asked without taking it. LOCK_UNKNOWN: the file cannot be
 * read, or the file system has no locks. *holder: the process, 0 where it cannot be told. */
typedef enum LockState { LOCK_FREE, LOCK_HELD, LOCK_UNKNOWN } LockState;
LockState file_lock_state(const char *path, long *holder);

/* ---- for tests: making operations fail ------------------------------------------------------- */

typedef enum FileOperation {
    FILE_OPEN,
    FILE_READ,
    FILE_LIST,
    FILE_LOCK,
    FILE_CLOSE,
    FILE_CREATE, // from here on something on disk changes
    FILE_WRITE,
    FILE_SYNC,
    FILE_RENAME,
    FILE_REMOVE,
    FILE_MAKE_FOLDER,
    FILE_SHOW // any operation of file_show, whose failures its callers forgive
} FileOperation;

/* What a test wants called around every operation on files, from any thread. `before` returns 0, or
 * the errno that the operation is to fail with, and may lower *size, the bytes of a read or
 * write. */
typedef struct FileHook {
    int (*before)(void *self, FileOperation operation, size_t *size);
    void (*after)(void *self, FileOperation operation); // NULL allowed
    void *self;
} FileHook;

void file_hook(const FileHook *hook); // NULL: none

#endif
