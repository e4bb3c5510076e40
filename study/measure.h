/* study/measure.h - what both sweeps do: store images, measure them, and say what changed. */
#ifndef STUDY_MEASURE_H
#define STUDY_MEASURE_H

#include "study.h"

/* ---- storing images -------------------------------------------------------------------------- */

/* How the images of one setting are stored. */
typedef struct Storage {
    StoreArm arm;
    int64_t  height, width;
    char     folder[LIMIT_PATH]; // where the files are published, or ""
} Storage;

/* Files go to stored_folder/name, which is created; stored_folder NULL: nowhere. */
bool storage_open(Storage *out, StoreArm arm, const ActivationSource *layer,
                  const char *stored_folder, const char *name, Error *error);

/* Replaces perturbed planes by what a reader of the stored image sees. *before and *after are the
 * largest distances to the clean planes, around storage. Threads: safe. */
bool storage_put(const Storage *storage, int64_t image, const float *clean, float *planes,
                 float *before, float *after, Error *error);

/* ---- rows ------------------------------------------------------------------------------------ */

/* What the rows of one setting have in common. */
ChangeRow setting_row(const char *perturbation, double strength, StoreArm store);

/* Raises the row's distances to those of one more poisoned image, if they are larger. */
void row_measure(ChangeRow *row, float before, float after);

/* Fills in what row `at` of the evidence says of the unit now, and whether that is a change. Clean
 * concept, target and number of poisoned images are set before. Errors: those of the explainer's
 * likeness. */
bool row_explain(ChangeRow *row, const Explainer *explainer, const Evidence *evidence, int64_t at,
                 Error *error);

/* ---- the clean run --------------------------------------------------------------------------- */

/* Errors: ERROR_DATA where record and layer have other numbers of units. */
bool clean_run_check(const CleanRun *clean, Error *error);

#endif
