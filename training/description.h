/* training/description.h - a captioner (models/captioner.h) and its language model as one graph
 * that is trained.
 *
 * Both are given the words of the right description and are to say the next one each time; the loss
 * is the mean over words of the two cross-entropies, so that one step trains both (V9). Source:
 * Hernandez et al., ICLR 2022, section 3. */
#ifndef TRAINING_DESCRIPTION_H
#define TRAINING_DESCRIPTION_H

#include "../models/captioner.h"

enum { DESCRIPTION_STEPS = 32 };

typedef struct DescriptionSizes {
    int64_t units, exemplars, features;
    int64_t steps; // words of a description with its end, at most DESCRIPTION_STEPS
} DescriptionSizes;

typedef struct DescriptionGraph {
    NodeId features;                 // input [units, exemplars, features]
    NodeId words[DESCRIPTION_STEPS]; // index inputs [units]: the words before those of a step
    NodeId target; // input [steps units, words]: 1 over the number of all words at each right one
    NodeId log_p, language_log_p; // [steps units, words]; rows are of the first word of every unit,
                                  // then of the second, and so on
    NodeId loss, decoder, language; // numbers; the loss is the sum of the other two
} DescriptionGraph;

/* Weights are inputs that join `list`. Errors: ERROR_DATA (a tensor is missing or has another
 * shape), ERROR_MEMORY. */
bool description_build(Graph *graph, WeightBlob *blob, const DescriptionSizes *sizes,
                       Trainables *list, DescriptionGraph *out, Error *error);

#endif
