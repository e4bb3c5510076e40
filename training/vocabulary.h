/* training/vocabulary.h - the words of a training's captions, counted. */
#ifndef TRAINING_VOCABULARY_H
#define TRAINING_VOCABULARY_H

#include "../base/base.h"

typedef struct WordCounts {
    char   **words;
    int64_t *times;
    int64_t  count, room;
} WordCounts;

/* Adds the words of a text, as word_list_ids finds them. */
bool word_counts_add(WordCounts *counts, const char *text, Error *error);
void word_counts_free(WordCounts *counts); // accepts a zeroed object

/* The `most` most frequent ones as lines, equal ones in the order they came in; released with
 * memory_free. */
bool word_counts_lines(WordCounts *counts, int64_t most, char **out, Error *error);

#endif
