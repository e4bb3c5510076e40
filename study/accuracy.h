/* study/accuracy.h - how often a classifier is right, and how often it answers as it does to the
 * clean image: of images as they are, stored, with noise, or poisoned for some unit.
 *
 * A corruption that changes what units are said to detect, but hardly any answer, is one that a
 * check of the network's accuracy does not find (Y1 to Y6). */
#ifndef STUDY_ACCURACY_H
#define STUDY_ACCURACY_H

#include "../attack/attack.h"
#include "../probe/pass.h"

/* The images of one setting. */
typedef struct AccuracySetting {
    char           text[64]; // "clean", "control", "gaussian:0.05", "poisoned:pgd:0.0156863"
    StoreArm       store;
    ImageSource    source; // of row 0..count-1
    int64_t        count;
    const int64_t *images; // [count] which image of the data each row is; NULL: row i is image i
} AccuracySetting;

typedef struct AccuracyStudy {
    const ActivationSource *network;    // its units are the classes, without places
    const AccuracySetting  *settings;   // the first: every image of the data, clean
    int                     count;      // of settings
    const int32_t          *labels;     // [images of the data] classes of the network; or NULL
    const char *const      *class_name; // [units]; NULL: the numbers
    const Pass             *pass;
} AccuracyStudy;

/* What the network says of each image of each setting: (*answers)[setting][image], released with
 * accuracy_free. Errors: those of the sources; ERROR_DATA (a network whose output has places),
 * ERROR_AGAIN. Threads, batches and interruptions do not change a bit. */
bool accuracy_run(const AccuracyStudy *study, int32_t ***answers, Error *error);
void accuracy_free(int32_t **answers); // NULL allowed

typedef struct AccuracyCount {
    int64_t count, correct, unchanged; // images; right ones; those answered as the clean image is
    double  accuracy, low, high;       // correct / count and its Wilson interval; NaN: no labels
    double  agreement, agreement_low, agreement_high; // the same of unchanged
} AccuracyCount;

/* Of the images of a setting whose label is `class`, or of all (class -1). */
AccuracyCount accuracy_count(const AccuracyStudy *study, int32_t *const *answers, int setting,
                             int32_t class);

/* Writes accuracy.csv: of each setting all images, then each class that it has images of. */
bool accuracy_write(const AccuracyStudy *study, int32_t *const *answers, const char *folder,
                    Error *error);

#endif
