/* training/captioner.h - MILAN's captioner and its language model as one graph, for training.
 *
 * A unit is `exemplars` rows of features. The decoder is an LSTM that looks at a mixture of them
 * before each word; the language model, an LSTM of two layers, sees the words alone. Both are given
 * the words of the right description and are to say the next one each time; the loss is the mean over
 * words of the two cross-entropies, so that one step trains both (V9). Notation, shapes and names of
 * tensors are those of the published code. Source: Hernandez et al., ICLR 2022, section 3, and its published
 * decoders.py and lms.py. */
#ifndef TRAINING_CAPTIONER_H
#define TRAINING_CAPTIONER_H

#include "../engine/engine.h"

typedef struct CaptionerSizes {
    int64_t units, exemplars, features, steps; // steps: words of a description with its end
    int64_t words;                             // with the four special ones
    int64_t embedding, hidden, attention, lm_embedding, lm_hidden;
} CaptionerSizes;

/* The tensor of this name and shape as a node; NODE_NONE where there is none. */
typedef NodeId CaptionerWeight(void *self, const char *name, Shape shape);

typedef struct CaptionerGraph {
    NodeId features; // input [units, exemplars, features]
    NodeId words;    // index input [steps, units]: the word before each; the first: the start
    NodeId target;   // input [steps units, words]: 1 over the number of all words at each right one
    NodeId logits, lm_logits;             // [steps units, words]: rows of the first word first
    NodeId loss, decoder, language_model; // numbers; the loss is their sum
} CaptionerGraph;

/* Errors: those of the graph, which it is to be asked for. */
void captioner_build(Graph *graph, const CaptionerSizes *sizes, CaptionerWeight *weight, void *self,
                     CaptionerGraph *out);

#endif
