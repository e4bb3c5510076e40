/* training/training.h - trains the weights of a classifier on labelled images.
 *
 * A training starts from a weight blob and goes on where it is: one of drawn weights, a published
 * one, or a checkpoint, which is a blob that also holds the optimiser's state. It lowers the
 * cross-entropy by SGD or Adam. Order and augmentation depend on seed, epoch and image alone, so a
 * run that was stopped and continued ends with the same bits as one that was not; thread counts do
 * not matter, instruction sets do. Errors: ERROR_USAGE (settings that cannot be, or another
 * training's checkpoint), ERROR_DATA, ERROR_MEMORY, ERROR_CREATE, ERROR_IO. */
#ifndef TRAINING_TRAINING_H
#define TRAINING_TRAINING_H

#include "../engine/optimiser.h"
#include "../models/models.h"

/* ---- data ------------------------------------------------------------------------------------ */

typedef struct TrainingSet {
    int64_t  count, height, width;
    int32_t  classes;
    uint8_t *pixels; // [count, 3, height, width]
    int32_t *labels; // [count], each below classes
} TrainingSet;

bool training_set_new(TrainingSet *out, int64_t count, int64_t height, int64_t width,
                      int32_t classes, Error *error);
void training_set_free(TrainingSet *set); // accepts a zeroed object

/* ---- order and augmentation ------------------------------------------------------------------ */

/* The order in which this epoch goes through the images: 0..count-1, shuffled. */
void training_order(uint64_t seed, int64_t epoch, int64_t count, int64_t *order);

/* Image `index` as the training sees it in this epoch: planes in 0..1, mirrored or not, moved by up
 * to `shift` pixels, edges repeated. */
void training_image(const TrainingSet *set, int64_t index, uint64_t seed, int64_t epoch, bool flip,
                    int shift, real *planes);

/* ---- training -------------------------------------------------------------------------------- */

typedef struct TrainSettings {
    Optimiser  optimiser;
    int64_t    batch, epochs; // what is left of an epoch after whole batches is not used
    uint64_t   seed;
    bool       flip;  // half of the images mirrored
    int        shift; // pixels
    ConvMethod conv;
} TrainSettings;

typedef struct Trainer Trainer;

/* Opens a training that goes on where the blob is. A line fixed_units=N in the blob's text keeps
 * the weights of the first N units of every convolution as they are. The rate falls in a straight
 * line to 0 over all steps. The blob outlives the trainer, which reads from it how pixels are
 * prepared; its file may be replaced meanwhile. */
bool trainer_open(Trainer **out, WeightBlob *blob, const TrainingSet *set,
                  const TrainSettings *settings, Error *error);
void trainer_close(Trainer *trainer); // NULL allowed

int64_t trainer_steps(const Trainer *trainer); // in all
int64_t trainer_done(const Trainer *trainer);
int64_t trainer_steps_per_epoch(const Trainer *trainer);

/* One batch. *loss: mean cross-entropy before the step; *correct: images whose largest logit is
 * right. Errors: ERROR_DATA (the loss is no longer a number). */
bool trainer_step(Trainer *trainer, double *loss, int64_t *correct, Error *error);

/* The weights as a blob; with state it is a checkpoint. `note` (NULL allowed): lines `key=value\n`
 * that replace or join those of the blob the training began with. */
bool trainer_save(const Trainer *trainer, const char *path, bool with_state, const char *note,
                  Error *error);

/* ---- before and after ------------------------------------------------------------------------ */

/* Writes a blob of drawn weights, to start from: He et al., ICCV 2015, normal with variance 2 /
 * fan-in; norms are 1 and 0. `architecture`: "mini" (unit 0 of every convolution passes on how red
 * a pixel is: see initial.c) or "resnet20", "resnet32", "resnet44", "resnet56". */
bool training_begin(const char *path, const char *architecture, const TrainingSet *set,
                    uint64_t seed, Error *error);

typedef struct TrainingScore {
    double loss, accuracy; // means over the set
} TrainingScore;

/* How a network does on a set, without augmentation. */
bool training_score(WeightBlob *blob, const TrainingSet *set, TrainingScore *out, Error *error);

#endif
