/* training/trainer.h - what a training is made of; only the files of this folder include it. */
#ifndef TRAINING_TRAINER_H
#define TRAINING_TRAINER_H

#include "description.h"
#include "training.h"

/* One step as a graph: loss, gradients and batch statistics of `batch` images. */
typedef struct StepGraph {
    int64_t          batch; // 0: not made
    Graph           *graph;
    Plan            *plan;
    Network          network, texts; // texts: only where the objective has captions
    Trainables       list;
    NodeId           target, noise; // inputs; noise only where the objective draws some
    NodeId           texts_target;
    DescriptionGraph description;   // of units
    int64_t         *claims;        // of the captions, [batch]
    int32_t         *tokens, *ends; // [batch, row] of captions, or [batch] words of descriptions;
                                    // places of the captions' ends
    ObjectiveTerms terms;
    NodeId        *gradients;                // one a weight
    real           unit[3], low[3], high[3]; // see ObjectiveBatch
} StepGraph;

/* In place, since nodes read what it holds. On failure it is still to be closed. */
bool step_graph_open(StepGraph *out, WeightBlob *blob, const TrainingSet *set,
                     const TrainSettings *settings, int64_t batch, Error *error);
void step_graph_close(StepGraph *step); // accepts a zeroed object

struct Trainer {
    const TrainingSet *set;
    uint64_t           pictures; // digest of the set's pixels and labels; 0: it has no pixels
    TrainSettings      settings;
    StepGraph          whole, rest;  // of whole batches, whose inputs hold the weights; of what an
                                     // epoch's whole batches leave over
    const WeightBlob *blob;          // that it began with
    int32_t           classes;       // of the logits
    int64_t           fixed_units;   // first units of convolutions that stay
    int               norm_count;    // of one pass of the network
    real            **moments[2];    // of the optimiser, one array a weight
    real            **statistics[2]; // running means and variances, one array a norm
    real             *clipped;       // room for the largest gradient
    int64_t           done;          // steps
    int64_t           epoch, *order; // the epoch `order` belongs to
    TrainerTerms      terms;         // of the last step
    TrainerTerms      sums;          // over the images of an epoch, see trainer_epoch
    int64_t           correct;       // of these images
    char             *about;         // of the first blob, without our lines
};

/* Step `done` of a training: its epoch, the place of its first image in the epoch's order, how many
 * images it has, and its rate. */
typedef struct StepPlace {
    int64_t epoch, first, count;
    double  rate;
} StepPlace;
StepPlace step_place(const Trainer *trainer);

/* Fills the inputs of the step to come; the other two what an objective of captions or of units has
 * beside images, in the trainer's order. Errors: ERROR_DATA (a token that is no row of the
 * network's table). */
bool step_fill(Trainer *trainer, StepGraph *step, StepPlace place, Error *error);
bool step_fill_captions(Trainer *trainer, StepGraph *step, StepPlace place, Error *error);
bool step_fill_units(Trainer *trainer, StepGraph *step, StepPlace place, Error *error);

/* The graph of an objective of units, on the graph that `out` has. */
bool step_graph_of_units(StepGraph *out, WeightBlob *blob, const TrainingSet *set, int64_t batch,
                         Error *error);

/* Whether a description says a claim: all words of its shortest text stand before the stop. `said`:
 * ids of a captioner, as many as a caption has tokens less 1. */
bool training_names(const CaptionSet *captions, const int32_t *said, int64_t claim);

enum { TERM_COUNT = 6 };
/* Those that are means over images: the loss, and what it is made of. */
void term_places(TrainerTerms *terms, double *out[TERM_COUNT]);

/* Takes over the text of the blob and, from a checkpoint, moments and steps done. */
bool trainer_restore(Trainer *trainer, WeightBlob *blob, Error *error);

/* How many of `images` are right: in all their rows whose target is not zero, the largest value,
 * the first of equal ones, stands where the target is not zero. Rows of image i are i, i + images
 * and so on. */
int64_t training_correct(const real *logits, const real *target, int64_t images, Shape shape);

#endif
