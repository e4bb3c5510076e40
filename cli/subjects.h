/* cli/subjects.h - the images whose decisions are explained: photos and arrays, with their classes.
 */
#ifndef CLI_SUBJECTS_H
#define CLI_SUBJECTS_H

#include "../models/models.h"
#include "arguments.h"

typedef struct Subject {
    char       *name; // of its results: file name without its ending, "-0003" in a larger array
    const char *path;
    int64_t     index; // in an array; -1: a photo
    int64_t     height, width;
    int64_t class;      // the one to explain
    double probability; // of it, by the network with ReLU
} Subject;

typedef struct Subjects {
    WeightBlob *blob;
    Subject    *list;
    int64_t     count, room;
    int         skipped; // photos that cannot be read, where there are several inputs
    const char *loaded;  // the array that is in memory
    float      *values;  // of it
    Shape       shape;
} Subjects;

/* Lists the inputs: every photo, every image of an array [n, 3, h, w] (the prepared tensor), at
 * most settings->limit of them. Errors: ERROR_DATA (another shape, a number that is not finite),
 * ERROR_USAGE (two inputs whose results would have the same name). */
bool subjects_open(Subjects *out, const Settings *settings, WeightBlob *blob, Error *error);
void subjects_close(Subjects *subjects); // accepts a zeroed object

/* The label of a photo: the place of its folder among the folders beside it, in the order of their
 * names. Errors: ERROR_USAGE (it lies in no such folder). */
bool subject_label(const Subject *subject, int64_t *out, Error *error);

/* Chooses the classes: a number, "predicted" or "label". Errors: ERROR_USAGE (no such class; an
 * array has no label). */
bool subjects_choose(Subjects *subjects, const char *class, ConvMethod conv, Error *error);

/* The prepared tensor [3, height, width]. */
bool subject_load(Subjects *subjects, int64_t subject, real *out, Error *error);

/* An array of prepared images [n, 3, h, w]. *out is released with memory_free. Errors: ERROR_DATA
 * (another shape, a number that is not finite). */
bool subjects_array_read(const char *path, float **out, Shape *shape, Error *error);

/* The one prepared image [3, height, width] of a file, for other uses. *out is released with
 * memory_free. Errors: ERROR_DATA (an array of several). */
bool subject_read(const char *path, WeightBlob *blob, real **out, int64_t *height, int64_t *width,
                  Error *error);

#endif
