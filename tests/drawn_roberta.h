/* tests/drawn_roberta.h - an encoder of texts with drawn weights and a small vocabulary. */
#ifndef TESTS_DRAWN_ROBERTA_H
#define TESTS_DRAWN_ROBERTA_H

#include "blob_builder.h"

typedef struct DrawnRoberta {
    int64_t  width, heads, hidden, blocks, words, places;
    BlobType type; // float32 or float16, of all weights
} DrawnRoberta;

/* Width 16, 2 heads, 3 blocks, places for 18 tokens; words are the 256 bytes and a few pairs. */
DrawnRoberta drawn_roberta_small(void);

/* Without its file saved, to be changed first. */
BlobBuilder *drawn_roberta_builder(const DrawnRoberta *shape);
bool         drawn_roberta_save(const DrawnRoberta *shape, const char *path, Error *error);

#endif
