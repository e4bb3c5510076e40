/* cli/manipulation.h - what `manipulate` was asked for: images and targets, methods with their
 * attacks, and the files of each case. */
#ifndef CLI_MANIPULATION_H
#define CLI_MANIPULATION_H

#include "../study/map_study.h"
#include "data_images.h"
#include "run.h"

typedef struct Manipulation {
    const Settings *settings;
    Run             run;
    WeightBlob     *blob, *patterns;
    MapStudy        study;
    Activation      activation;     // of the network
    TrainingSet     set;            // of --pairs
    int64_t        *order;          // images of the set, shuffled: pair i is 2 i and 2 i + 1
    float          *planes;         // [3, cells]
    real           *image, *target; // prepared; target NULL: target_map
    float          *target_map;
} Manipulation;

/* Methods and their attacks: presets, then what options change. Errors: ERROR_USAGE. */
bool manipulation_rules(Manipulation *manipulation, Error *error);
/* Says so where an attack has no gradient to follow. */
void manipulation_warn(const Manipulation *manipulation);

/* The input and its target, or the pairs; gives the study its size and its images. */
bool manipulation_images(Manipulation *manipulation, Error *error);
/* Of all that is read. */
void manipulation_identify(Manipulation *manipulation);

/* Writes original and attacked, each .npy and .png, and the maps of a case: the study's `done`. */
bool                    manipulation_files(void *self, const MapCase *result, Error *error);
extern const ResultKind manipulation_result;

#endif
