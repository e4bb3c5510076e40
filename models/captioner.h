/* models/captioner.h - MILAN's captioner: a decoder that looks at features of a unit's images
 * (pyramid.h) while it writes a sentence word by word, and a language model that only knows words.
 *
 * Both are LSTMs. The decoder begins with the mean of the features; in each step it weighs the
 * images by attention, gates their mean, and reads it beside the word before:
 *     e_j = output(tanh(query_to_hidden(h) + key_to_hidden(F_j))),  a = softmax(e)
 *     (h, c) = LSTM([embedding(word); sigmoid(feature_gate(h)) * sum_j a_j F_j], (h, c))
 *     log p = log_softmax(output(h))
 * Words are ids of text/word_list.h, so `words` counts the four special ones too. Tensor names are
 * those of the published checkpoint. Source: Hernandez et al., ICLR 2022, section 3.2, and its
 * published decoders.py and lms.py. */
#ifndef MODELS_CAPTIONER_H
#define MODELS_CAPTIONER_H

#include "builder.h"

/* ---- as nodes of a graph, for runs and for training ------------------------------------------ */

enum { LANGUAGE_LAYERS = 4 }; // the most of a language model

typedef struct LstmState {
    NodeId h, c; // [rows, hidden]
} LstmState;

/* One step of an LSTM: x [rows, inputs], tensors base.weight_ih`end` and so on, the gates being
 * input, forget, cell, output. Source: Hochreiter and Schmidhuber, 1997, as torch has it. */
LstmState build_lstm(Builder *builder, const char *base, const char *end, NodeId x,
                     LstmState state);

/* What the steps of one or more units have in common: features [units, images, features] and their
 * keys [units, images, attention]. */
typedef struct CaptionView {
    NodeId features, keys;
} CaptionView;

CaptionView build_caption_view(Builder *builder, NodeId features);
/* The state before the first word [units, hidden]. */
LstmState build_caption_start(Builder *builder, NodeId features);

typedef struct CaptionStep {
    LstmState state;
    NodeId    attention; // [rows, images]
    NodeId    log_p;     // [rows, words]
} CaptionStep;

/* tokens [rows], an index input; rows are those of the first unit, then of the second, and so on,
 * the same number of each. */
CaptionStep build_caption_step(Builder *builder, CaptionView view, NodeId tokens, LstmState state);
/* Layers of a blob's language model, at most LANGUAGE_LAYERS. */
int language_layers(const WeightBlob *blob);
/* log p [rows, words] of the next word; states[language_layers] are replaced by the next ones. */
NodeId build_language_step(Builder *builder, NodeId tokens, LstmState *states);

/* ---- to run ---------------------------------------------------------------------------------- */

typedef struct Captioner {
    int64_t   rows, images; // sentences at a time; images of a unit
    int64_t   features, hidden, words;
    int64_t   language_hidden;
    int       language_layers;
    Graph    *graph;
    Plan     *look, *step, *language;
    NodeId    seen, view_features, view_keys, tokens, heard; // inputs
    LstmState start, before, after, language_before[LANGUAGE_LAYERS],
        language_after[LANGUAGE_LAYERS];
    CaptionView view;
    NodeId      attention, log_p, language_log_p;
} Captioner;

/* Errors: ERROR_DATA (a tensor is missing or has another shape). The blob outlives it. */
bool captioner_open(Captioner *out, WeightBlob *blob, int64_t rows, int64_t images, Error *error);
void captioner_close(Captioner *captioner); // accepts a zeroed object

/* Turns to a unit with features [images, features] and gives the state before the first word, h and
 * c [hidden]. */
void captioner_look(Captioner *captioner, const real *features, real *h, real *c);
/* One step of every row: tokens [rows], each below `words`; h and c [rows, hidden] are replaced.
 * Returns log p [rows, words], valid until the next step. */
const real *captioner_step(Captioner *captioner, const int32_t *tokens, real *h, real *c);
/* The attention of the last step [rows, images]. */
const real *captioner_attention(const Captioner *captioner);
/* The same of the language model; states are [language_layers, 2, rows, language_hidden], h and
 * then c of each layer, zeros before the first word. */
const real *captioner_language(Captioner *captioner, const int32_t *tokens, real *states);

#endif
