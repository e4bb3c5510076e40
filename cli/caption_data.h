/* cli/caption_data.h - what is said of the images of a training: of the mini world by its masks, or
 * by a file. */
#ifndef CLI_CAPTION_DATA_H
#define CLI_CAPTION_DATA_H

#include "../training/training.h"

/* Tokens of a text; words of a vocabulary, the most frequent ones; rows of a file. */
enum { CAPTION_ROW = 12, CAPTION_WORDS = 157, CAPTION_ROWS = 50000 };

/* Opens images with captions.
 *   captions "mini"      data is mini:COUNT:SEED; mini/captions.h has what is said and what is true
 *   captions FILE.csv    columns image and caption, a line for each caption of an image; images are
 *                        paths below the folder `data`; equal texts are true of the same images
 * `fit`: as training_data_open. Errors: ERROR_USAGE, ERROR_NOT_FOUND, ERROR_DATA, ERROR_MEMORY. */
bool caption_data_open(TrainingSet *out, const char *data, const char *captions,
                       const Preparation *fit, Error *error);

#endif
