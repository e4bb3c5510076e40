/* cli/training_data.h - what a training can be given: the mini world, folders of pictures, CIFAR
 * files.
 *
 *     mini:COUNT:SEED        drawn images; classes are its kinds
 *     FOLDER                 a folder of folders of pictures; class = folder, in the order of
 * names; what is no folder, and in them what has no picture's ending, is no part
 *     .../cifar_batch_N.png  a picture whose row r is image r of 32 x 32; labels are numbers 1000 N
 * and on of cifar10_labels.js beside it */
#ifndef CLI_TRAINING_DATA_H
#define CLI_TRAINING_DATA_H

#include "../training/training.h"

/* `fit`: how pictures of a folder are brought to one size, such as that of a network; NULL where
 * `name` is no folder, as images of the mini world and of CIFAR files have a size of their own.
 * Errors: ERROR_USAGE, ERROR_NOT_FOUND, ERROR_DATA, ERROR_MEMORY. */
bool training_data_open(TrainingSet *out, const char *name, const Preparation *fit, Error *error);

/* That class k of one folder is class k of the other: both have the same folders. True where one is
 * no folder. Errors: ERROR_NOT_FOUND, ERROR_DATA. */
bool training_data_agree(const char *name, const char *other, Error *error);

/* A picture of a file, resized, as image `index` of a set. */
bool training_data_picture(TrainingSet *set, int64_t index, const char *path,
                           const Preparation *fit, Error *error);

/* COUNT and SEED of a name mini:COUNT:SEED. Errors: ERROR_USAGE. */
bool training_data_mini(const char *name, int64_t *count, uint64_t *seed, Error *error);

/* Whether a file is called as a CIFAR picture and has its labels beside it. */
bool training_data_is_cifar(const char *path);

/* Where the labels of a CIFAR picture are: `out`. NULL for a name that is NULL. */
const char *training_data_labels(const char *name, char out[LIMIT_PATH]);

#endif
