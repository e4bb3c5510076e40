/* cli/robustness.h - what `robustness` was asked for: images with labels, methods or maps of other
 * programs, measures. */
#ifndef CLI_ROBUSTNESS_H
#define CLI_ROBUSTNESS_H

#include "../study/robustness.h"
#include "run.h"
#include "training_data.h"

/* Maps of other programs: files NAME-NNNN-METHOD.npy, where NNNN counts the images from 0. */
typedef struct GivenMaps {
    char  **methods; // [count], owned
    int64_t count, images, cells;
    float  *maps;       // [count, images, cells]
    char    digest[65]; // of all
} GivenMaps;

/* Reads the maps [height, width] of the first `images` images from a folder. Errors: ERROR_DATA (a
 * map that is missing, of another size or not finite; two of one image), those of the files. */
bool given_maps_open(GivenMaps *out, const char *folder, int64_t images, int64_t height,
                     int64_t width, Error *error);
void given_maps_close(GivenMaps *maps); // accepts a zeroed object

typedef struct Robustness {
    const Settings *settings;
    Run             run;
    WeightBlob     *blob, *patterns;
    RobustStudy     study;
    TrainingSet     set;
    GivenMaps       given;
} Robustness;

extern const ResultKind robustness_result;

/* Opens weights, data and given maps; fills study and identity. Errors: ERROR_USAGE, and those of
 * the files. */
bool robustness_request(Robustness *robustness, Error *error);

#endif
