/* training/trainer.h - what a training is made of; only the files of this folder include it. */
#ifndef TRAINING_TRAINER_H
#define TRAINING_TRAINER_H

#include "training.h"

/* One step as a graph: loss, gradients and batch statistics of `batch` images. */
typedef struct StepGraph {
    int64_t        batch; // 0: not made
    Graph         *graph;
    Plan          *plan;
    Network        network;
    Trainables     list;
    NodeId         target, noise; // inputs; noise only where the objective draws some
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
    TrainSettings      settings;
    StepGraph          whole, rest; // of whole batches, whose inputs hold the weights; of what an
                                    // epoch's whole batches leave over
    int32_t      classes;           // of the logits
    int64_t      fixed_units;       // first units of convolutions that stay
    int          norm_count;        // of one pass of the network
    real       **moments[2];        // of the optimiser, one array a weight
    real       **statistics[2];     // running means and variances, one array a norm
    real        *clipped;           // room for the largest gradient
    int64_t      done;              // steps
    int64_t      epoch, *order;     // the epoch `order` belongs to
    TrainerTerms terms;             // of the last step
    char        *about;             // of the first blob, without our lines
};

/* Step `done` of a training: its epoch, the place of its first image in the epoch's order, how many
 * images it has, and its rate. */
typedef struct StepPlace {
    int64_t epoch, first, count;
    double  rate;
} StepPlace;
StepPlace step_place(const Trainer *trainer);

/* Fills the inputs of the step to come. */
void step_fill(Trainer *trainer, StepGraph *step, StepPlace place);

/* Takes over the text of the blob and, from a checkpoint, moments and steps done. */
bool trainer_restore(Trainer *trainer, WeightBlob *blob, Error *error);

/* Rows whose largest value stands at the label; the first maximum wins. images: the label of row i
 * is labels[images[i]]; NULL: labels[i]. */
int64_t training_correct(const real *logits, int64_t count, int32_t classes, const int64_t *images,
                         const int32_t *labels);

#endif
