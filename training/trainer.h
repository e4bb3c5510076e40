/* training/trainer.h - what a training is made of; only the files of this folder include it. */
#ifndef TRAINING_TRAINER_H
#define TRAINING_TRAINER_H

#include "training.h"

struct Trainer {
    const TrainingSet *set;
    TrainSettings      settings;
    Graph             *graph;
    Plan              *plan;
    Network            network;
    Trainables         list;
    int32_t            classes;     // of the logits
    int64_t            fixed_units; // first units of convolutions that stay
    NodeId             target, loss;
    NodeId            *gradients;     // one a weight
    real             **moments[2];    // of the optimiser, one array a weight
    real             **statistics[2]; // running means and variances, one array a norm
    int64_t            done;          // steps
    int64_t            epoch, *order; // the epoch `order` belongs to
    char              *about;         // of the first blob, without our lines
};

/* Takes over the text of the blob and, from a checkpoint, moments and steps done. */
bool trainer_restore(Trainer *trainer, WeightBlob *blob, Error *error);

/* Mean over the batch of -log softmax at the label; `target` has the shape of the logits, [batch,
 * classes], and its rows are one-hot. */
NodeId cross_entropy_node(Graph *graph, NodeId logits, NodeId target);

/* The sum over `count` rows of logits, in double. */
double cross_entropy_sum(const real *logits, int64_t count, int64_t classes, const int32_t *labels);

/* Rows whose largest value stands at the label; the first maximum wins. images: the label of row i
 * is labels[images[i]]; NULL: labels[i]. */
int64_t training_correct(const real *logits, int64_t count, int32_t classes, const int64_t *images,
                         const int32_t *labels);

#endif
