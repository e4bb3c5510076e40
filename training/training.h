/* training/training.h - trains the weights of a classifier on labelled images.
 *
 * A training starts from a weight blob and goes on where it is: one of drawn weights, a published
 * one, or a checkpoint, which is a blob that also holds the optimiser's state. It lowers a loss
 * (objective.h) by SGD, Adam or AdamW. Order, augmentation and noise depend on seed, epoch or step,
 * and image alone, so a run that was stopped and continued ends with the same bits as one that was
 * not; thread counts do not matter, instruction sets do. Errors: ERROR_USAGE (settings that cannot
 * be, or another training's checkpoint), ERROR_DATA, ERROR_MEMORY, ERROR_CREATE, ERROR_IO. */
#ifndef TRAINING_TRAINING_H
#define TRAINING_TRAINING_H

#include "../engine/optimiser.h"
#include "../models/models.h"
#include "captions.h"
#include "objective.h"
#include "units.h"

/* ---- data ------------------------------------------------------------------------------------ */

typedef struct TrainingSet {
    int64_t     count, height, width;
    int32_t     classes;
    uint8_t    *pixels;   // [count, 3, height, width]
    int32_t    *labels;   // [count], each below classes
    CaptionSet *captions; // what is said of the images or units; owned; NULL: nothing
    UnitSet    *units;    // in place of images, which then have no pixels; owned; NULL: images
} TrainingSet;

bool training_set_new(TrainingSet *out, int64_t count, int64_t height, int64_t width,
                      int32_t classes, Error *error);
void training_set_free(TrainingSet *set); // accepts a zeroed object
/* Of pixels and labels; 0: it has none. */
uint64_t training_set_digest(const TrainingSet *set);

/* ---- settings -------------------------------------------------------------------------------- */

/* How the rate goes on from the first step's, over all steps or after epochs. */
typedef enum ScheduleKind {
    SCHEDULE_LINEAR,    // to 0 in a straight line
    SCHEDULE_COSINE,    // to 0 along half a cosine
    SCHEDULE_MILESTONES // a tenth after each milestone
} ScheduleKind;

enum { MILESTONES = 16 };

typedef struct Schedule {
    ScheduleKind kind;
    int64_t      milestones[MILESTONES]; // epochs, the first is 0
    int          count;
} Schedule;

typedef struct TrainSettings {
    Optimiser         optimiser;
    int64_t           batch, epochs;
    uint64_t          seed;
    bool              flip;  // half of the images mirrored
    int               shift; // images moved by up to so many pixels, black moves in
    int64_t           crop;  // a random part of the image, resized to so many pixels; 0: all of it
    ConvMethod        conv;
    bool              drop_last; // what an epoch's whole batches leave over is not used
    Schedule          schedule;
    double            clip; // the length of all gradients together is at most this; 0: as it is
    real              softplus_beta; // of the network's activation; 0: the blob's
    ObjectiveSettings objective;
    char start[96]; // what the weights were when it began, for checkpoints; "": not told
} TrainSettings;

/* ---- order and augmentation ------------------------------------------------------------------ */

/* The order in which this epoch goes through the images: 0..count-1, shuffled. */
void training_order(uint64_t seed, int64_t epoch, int64_t count, int64_t *order);

/* Image `index` as the training sees it in this epoch: planes in 0..1. Moved, with black (0) moving
 * in, or a random part of it: 0.08 to 1 of the area and 3/4 to 4/3 as wide as high (Szegedy et al.,
 * CVPR 2015), read between pixels; and mirrored or not. settings NULL: as it is. */
void training_image(const TrainingSet *set, int64_t index, const TrainSettings *settings,
                    int64_t epoch, real *planes);

/* The noise that image `place` of a step's batch has: numbers of U(-1, 1) or N(0, 1). */
void training_noise(uint64_t seed, int64_t step, int64_t place, DrawnKind kind, int64_t count,
                    real *out);

/* ---- training -------------------------------------------------------------------------------- */

typedef struct Trainer Trainer;

/* Opens a training that goes on where the blob is. A line fixed_units=N in the blob's text keeps
 * the weights of the first N units of every convolution as they are. The blob outlives the trainer,
 * which reads from it how pixels are prepared; its file may be replaced meanwhile. */
bool trainer_open(Trainer **out, WeightBlob *blob, const TrainingSet *set,
                  const TrainSettings *settings, Error *error);
void trainer_close(Trainer *trainer); // NULL allowed

int64_t trainer_steps(const Trainer *trainer); // in all
int64_t trainer_done(const Trainer *trainer);
int64_t trainer_steps_per_epoch(const Trainer *trainer);

/* One batch. *loss: the objective before the step; *correct: images whose largest logit is right.
 * Errors: ERROR_DATA (the loss is no longer a number). */
bool trainer_step(Trainer *trainer, double *loss, int64_t *correct, Error *error);

/* What the last step was made of: terms of the loss without their factors, NaN where the objective
 * has none. */
typedef struct TrainerTerms {
    double  loss, ce, l2, cosd, hessian, other, rate;
    double  gradient_norm; // before it is clipped
    int64_t images;
} TrainerTerms;
TrainerTerms trainer_terms(const Trainer *trainer);

/* The same of all steps of the epoch under way, or of the one that has just ended, also of those
 * before an interruption: means over their images, and how many of these were right. */
TrainerTerms trainer_epoch(const Trainer *trainer, int64_t *correct);

/* The weights as a blob; with state it is a checkpoint. `note` (NULL allowed): lines `key=value\n`
 * that replace or join those of the blob the training began with. */
bool trainer_save(const Trainer *trainer, const char *path, bool with_state, const char *note,
                  Error *error);

/* ---- before and after ------------------------------------------------------------------------ */

/* The bytes of a blob of drawn weights, to start from; see initial.c for the rows and how each is
 * drawn. `activation`: "relu" or "softplus:BETA". */
bool training_draw(Bytes *out, const char *architecture, const char *activation,
                   const TrainingSet *set, int64_t side, uint64_t seed, Error *error);
/* The same, written to a file. */
bool training_begin(const char *path, const char *architecture, const char *activation,
                    const TrainingSet *set, int64_t side, uint64_t seed, Error *error);

/* The bytes of a blob of a captioner (milan) with drawn weights over the convolutions of an
 * encoder, mini or clip_mini, for these units. */
bool captioner_draw(Bytes *out, WeightBlob *encoder, const TrainingSet *set, uint64_t seed,
                    Error *error);

/* The pixels of a side that drawn weights of this architecture are made for; 0: it is not known. */
int64_t training_side(const char *architecture);

typedef struct TrainingScore {
    double loss, accuracy; // means over the set: cross-entropy, and share of the right
} TrainingScore;

/* How a network does on a set, without augmentation. */
bool training_score(WeightBlob *blob, const TrainingSet *set, TrainingScore *out, Error *error);

/* How a pair of towers does on a set with captions (V7). For every image the nearest (by cosine) of
 * the shortest texts of all claims that are true of some image here: `accuracy` is the share of
 * images of which it is true, `chance` the share of other images of which it is. */
typedef struct RetrievalScore {
    int64_t images, texts;
    double  accuracy, chance;
} RetrievalScore;

/* kept: the same with claims alone that no training says, and images that have one. Errors:
 * ERROR_DATA, ERROR_MEMORY. */
bool training_retrieval(WeightBlob *blob, const TrainingSet *set, RetrievalScore *all,
                        RetrievalScore *kept, Error *error);

/* How a captioner does on units (V10), saying the likeliest word each time: the share of them whose
 * description has all words of their claim, and what it is by chance, under random masks. */
typedef struct DescribeScore {
    int64_t units;
    double  named, chance;
} DescribeScore;

/* kept: the same of units whose claims no training says. Errors: ERROR_USAGE, ERROR_DATA,
 * ERROR_MEMORY. */
bool training_describe(WeightBlob *blob, const TrainingSet *set, DescribeScore *all,
                       DescribeScore *kept, Error *error);

#endif
