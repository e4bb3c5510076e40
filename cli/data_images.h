/* cli/data_images.h - many images of one size: what a training can be given (training_data.h), or
 * the photos of a probing set, prepared as a weight blob says. */
#ifndef CLI_DATA_IMAGES_H
#define CLI_DATA_IMAGES_H

#include "training_data.h"

/* Errors: those of training_data_open and probe_open; ERROR_DATA for a photo that cannot be read.
 */
bool data_images_open(TrainingSet *out, const char *data, WeightBlob *blob, Error *error);

/* The prepared tensor [3, height, width] of an image. `planes` is room for as many floats. */
void data_images_prepare(const TrainingSet *set, int64_t index, const Preparation *preparation,
                         float *planes, real *out);

#endif
