/* cli/class_folders.h - a folder of folders of pictures: each folder is a class.
 *
 * Classes are numbered in the order of the folders' names, pictures class by class in the order of
 * theirs. What is no folder, and in them what has no picture's ending, is no part. */
#ifndef CLI_CLASS_FOLDERS_H
#define CLI_CLASS_FOLDERS_H

#include "../base/base.h"

typedef struct ClassFolders {
    const char *folder;
    char      **names; // [classes] of the folders
    int64_t     classes;
    char     ***pictures; // [classes] lists of names
    int64_t    *counts;   // [classes]
    int64_t     total;    // pictures
} ClassFolders;

/* `folder` outlives it. Errors: ERROR_NOT_FOUND, ERROR_DATA (no folders in it). */
bool class_folders_open(ClassFolders *out, const char *folder, Error *error);
void class_folders_close(ClassFolders *folders); // accepts a zeroed object

/* The class of a picture, 0..total-1, and where it lies. Errors: ERROR_DATA (the path is too long).
 */
bool class_folders_picture(const ClassFolders *folders, int64_t index, int32_t *class,
                           char path[LIMIT_PATH], Error *error);

#endif
