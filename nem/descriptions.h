/* nem/descriptions.h - what a method said of units, read back from wherever it was written.
 *
 * A source is one of these, or several of them that are joined, with commas between their paths:
 *   a run of describe or dissect: its units.csv
 *   a run of noise or attack: what the clean run said, and whether it stayed, from changes.csv
 *   a file `layer,unit,description`, as MILAN's, or with a fourth column, as CLIP-Dissect's
 *   a tally.csv of Network Dissection: its `unit` counts from 1, its layer is told by the file's
 *   name behind the last underscore (resnet50_imagenet_layer4.csv), or before it: layer4=tally.csv
 * Errors: ERROR_NOT_FOUND, ERROR_DATA with file and line. */
#ifndef NEM_DESCRIPTIONS_H
#define NEM_DESCRIPTIONS_H

#include "../base/base.h"

typedef struct Description {
    char   *layer, *text; // owned
    int64_t unit;         // from 0
    int     stayed;       // 1: under every perturbation of its run; 0: not; -1: nobody tried
} Description;

typedef struct Descriptions {
    Description *rows; // by layer, then by unit; none twice
    int64_t      count;
    bool         has_stayed; // some source is a run of noise or attack
    char        *name;       // short: of the first source, without folder and ending
} Descriptions;

/* The order of rows: by layer, then by unit; 0: the same unit. */
int descriptions_compare(const Description *a, const Description *b);

bool descriptions_read(Descriptions *out, const char *source, Error *error);
void descriptions_close(Descriptions *list); // accepts a zeroed object

/* The index-th path of a source; a whole source that exists is one path. False past the last, or
 * where it does not fit. */
bool descriptions_path(const char *source, int index, char out[LIMIT_PATH]);

#endif
