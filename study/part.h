/* study/part.h - a setting that is being evaluated, kept so that a killed run goes on inside it. */
#ifndef STUDY_PART_H
#define STUDY_PART_H

#include "replace.h"

/* The replacements of one setting, as far as they are filled. */
typedef struct Part {
    const CleanRun *clean;
    Replacement    *arms; // [arm_count]
    int             arm_count;
    char            stage[96]; // which setting
} Part;

/* Fills what an earlier run had filled. */
bool part_load(const Part *part, Error *error);
/* Between two batches: keeps what is filled if it is time, or if the run was cancelled. */
bool part_pause(const Part *part, Error *error);
/* Whether every arm has this image. */
bool part_has(const Part *part, int64_t image);

#endif
