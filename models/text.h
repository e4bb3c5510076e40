/* models/text.h - texts through a network: CLIP's text tower, RoBERTa's encoder.
 *
 * A text is a row of tokens, numbers of words in the network's vocabulary, with its start and end
 * tokens where the network was trained with them. Errors: ERROR_USAGE (more tokens than the network
 * has places for, no such layer), ERROR_DATA (a token that is no word). */
#ifndef MODELS_TEXT_H
#define MODELS_TEXT_H

#include "models.h"
#include "../text/text.h"

/* Graph and plan of one layer for texts of one length. */
typedef struct TextRunner {
    Graph   *graph;
    Plan    *plan;
    Network  network;
    int32_t *ends;                         // of a batch, where the layer reads end tokens
    int64_t  batch, length, units, places; // places: length, or 1 of an embedding
} TextRunner;

bool text_runner_open(TextRunner *out, WeightBlob *blob, const char *layer, int64_t batch,
                      int64_t length, Error *error);
void text_runner_close(TextRunner *runner); // accepts a zeroed object

/* tokens [count, length], out [count, units, places]; count <= batch. Places are the tokens of
 * hidden states (encoder_layer_3); an embedding has one. The end of a text is the first of its
 * largest tokens, as CLIP has it. */
bool text_runner_run(TextRunner *runner, const int32_t *tokens, int64_t count, real *out,
                     Error *error);

/* What Network.ends is to be set to: of every channel of the end token of every text its place in
 * [count, width, 1, row]; tokens [count, row], out [count, width]. */
void text_ends(const int32_t *tokens, int64_t count, int64_t row, int64_t width, int32_t *out);

/* Embeddings [count, outputs] of texts that were filled up behind their ends to rows [count, row].
 * No token sees a later one, so texts are cut at their ends, and those of one length run together:
 * the numbers are those of whole rows. *outputs is set, *out is to be released with memory_free. */
bool text_embed(WeightBlob *blob, const int32_t *tokens, int64_t count, int64_t row, real **out,
                int64_t *outputs, Error *error);

/* How many blocks RoBERTa's encoder has in this blob. */
int roberta_depth(const WeightBlob *blob);

/* What RoBERTa's encoder makes of texts of any lengths, after `layer` blocks (0: the embeddings):
 * *states is [all tokens, width], text after text, each with the bits of a run of its own; it is to
 * be released with memory_free.
 *
 * All texts go through one block before any goes through the next, and no block's weights are kept
 * behind it: where a blob has to be widened, memory is that of one block and of one table of words.
 * So nobody else may be using this blob meanwhile. */
bool text_states(WeightBlob *blob, const Tokens *texts, int64_t count, int layer, real **states,
                 int64_t *width, Error *error);

#endif
