/* base/swap.h - a result that takes the place of another one.
 *
 * A result is a folder with files of which one, `last`, is written last: a folder that has it holds
 * a whole result. The new result is built in FOLDER/.next while the old one stays as it is. Once it
 * is whole, the old files go, `last` first, .next becomes .new, and its files move up, `last` last.
 * So at any moment the old result or the new one is whole, wherever the process ends; what a killed
 * one left half swapped is finished by whoever opens the folder next. Other files stay. */
#ifndef BASE_SWAP_H
#define BASE_SWAP_H

#include "file.h"

typedef struct ResultKind {
    const char *last; // "run.json"
    /* Whether a path below the folder is of the old result, beside `last`. A folder that is goes if
     * nothing else is in it. */
    bool (*is_part)(const char *relative);
} ResultKind;

/* Where the new result is built. Its name starts with a dot, so no list of a folder shows it. */
bool swap_path(char out[LIMIT_PATH], const char *folder, Error *error);

/* Removes a folder and all that is in it; links are removed and not followed. */
bool tree_remove(const char *path, Error *error);

/* Removes a result, its `last` first, but not the file `but` (NULL: none). */
bool result_remove(const char *folder, const ResultKind *kind, const char *but, Error *error);

/* Removes what an unfinished new result left. The caller has the folder's lock. */
bool swap_clear(const char *folder, Error *error);

/* If there is a whole new result: puts it in the place of the old one. The caller has the folder's
 * lock. Errors: ERROR_CREATE, ERROR_IO; then the next call goes on. */
bool swap_finish(const char *folder, const ResultKind *kind, Error *error);

/* For readers: finishes a swap that was cut off after the old result was given up; else touches
 * nothing. Takes the lock FOLDER/.lock meanwhile. Errors: also ERROR_AGAIN. */
bool swap_settle(const char *folder, const ResultKind *kind, Error *error);

#endif
