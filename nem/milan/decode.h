/* nem/milan/decode.h - from the features of a unit's images to a sentence.
 *
 * A beam search keeps the `beam` likeliest sentences; of these the best by pointwise mutual
 * information is taken, log p(sentence | images) - temperature * log p(sentence), so that a
 * sentence that fits everything loses (N9). Words are ids of text/word_list.h. Sums of log p are
 * kept in double. Equal scores: the lower word and the earlier sentence come first. */
#ifndef NEM_MILAN_DECODE_H
#define NEM_MILAN_DECODE_H

#include "../../models/captioner.h"
#include "../../text/word_list.h"

enum { DECODE_MOST_WORDS = 64, DECODE_MOST_BEAM = 1000 };

/* How a sentence is chosen. The last two subtract what the language model says in every step. */
typedef enum DecodeStrategy { DECODE_RERANK, DECODE_BEAM, DECODE_GREEDY } DecodeStrategy;

typedef struct DecodeRules {
    DecodeStrategy strategy;
    int64_t        beam;
    int            length;      // most words of a sentence
    double         temperature; // weight of the language model
    bool           extra_stop;  // the language model also scores the stop behind the first (N10)
} DecodeRules;

/* The rules of a captioner's checkpoint: its settings, with `beam` in place of its own unless 0.
 * Errors: ERROR_DATA (a setting is none), ERROR_USAGE (a beam out of range). */
bool decode_rules(DecodeRules *out, const WeightBlob *blob, int64_t beam, Error *error);

/* Sentences of one unit, the best first. */
typedef struct Sentences {
    int64_t  count;
    int      length;
    int32_t *tokens; // [count, length]; behind the first stop there are stops
    double  *score;  // [count]
} Sentences;

typedef struct Decoder Decoder;

/* A captioner for units of so many images. Errors: ERROR_DATA (the blob lacks a tensor, or has
 * fewer words than the beam is wide), ERROR_MEMORY. The blob outlives it. */
bool decoder_open(Decoder **out, WeightBlob *blob, const DecodeRules *rules, int64_t images,
                  Error *error);
void decoder_close(Decoder *decoder); // NULL allowed

int64_t decoder_features(const Decoder *decoder); // of an image

/* What a unit with features [images, features] is called; *text is released with memory_free, and
 * empty where the first word is the stop. Errors: ERROR_MEMORY, ERROR_DATA. */
bool decoder_caption(Decoder *decoder, const real *features, char **text, double *score,
                     Error *error);

/* The parts of it, which tests compare with published numbers. Sentences belong to the decoder and
 * are valid until the next call. */
const Sentences *decoder_beam(Decoder *decoder, const real *features, double temperature);
/* Takes the likeliest word `length` times, also behind a stop; what stands behind the first stop
 * counts in the score. */
const Sentences *decoder_greedy(Decoder *decoder, const real *features, double temperature);
/* log p of each sentence by the language model, up to its first stop and, with extra_stop, the stop
 * behind it: out [count]. */
void decoder_language(Decoder *decoder, const Sentences *sentences, bool extra_stop, double *out);

#endif
