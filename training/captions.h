/* training/captions.h - what is said of the images of a training set.
 *
 * A claim is one thing that can be said, in one or several texts; of every image it is known which
 * claims are true. So a caption that another image of a batch has, too, is no example of a wrong
 * one. The caption of an image is drawn anew in every epoch, rare claims as often as common ones
 * (V4). */
#ifndef TRAINING_CAPTIONS_H
#define TRAINING_CAPTIONS_H

#include "../text/word_list.h"

typedef struct CaptionSet {
    int64_t   images, claims, texts, row; // row: tokens of a text
    int32_t  *first;   // [claims + 1]: texts of claim c are first[c] to first[c + 1] - 1, if any
    int32_t  *tokens;  // [texts, row], see models/tokens.h
    char    **written; // [texts]
    uint64_t *truth;   // [images, (claims + 63) / 64]: bit c % 64 of word c / 64: it is true
    bool     *is_kept; // [claims]: true where it is never said in a training
    double   *weight;  // [claims]: 1 over the number of images of which it is true
    char     *words;   // lines of the vocabulary
    size_t    word_bytes;
    WordList *list; // the same, to look up
} CaptionSet;

/* Room for all of it, and the vocabulary. Errors: ERROR_MEMORY, ERROR_DATA. */
bool captions_new(CaptionSet **out, int64_t images, int64_t claims, int64_t texts, int64_t row,
                  const char *words, Error *error);
void captions_free(CaptionSet *set); // NULL allowed

/* The next text (from 0), which belongs to the latest claim. */
bool captions_add(CaptionSet *set, int64_t text, const char *written, Error *error);

void captions_say(CaptionSet *set, int64_t image, int64_t claim); // the claim is true of the image
bool captions_true(const CaptionSet *set, int64_t image, int64_t claim);

/* To be called once all is said: fills in the weights. Errors: ERROR_DATA (nothing to say of an
 * image). */
bool captions_finish(CaptionSet *set, Error *error);

/* The text that the image has in this epoch, and its claim. */
int64_t captions_draw(const CaptionSet *set, uint64_t seed, int64_t epoch, int64_t image,
                      int64_t *claim);

/* Claims, texts and truth as one number, which tells sets apart. */
uint64_t captions_digest(const CaptionSet *set);

#endif
