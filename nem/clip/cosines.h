/* nem/clip/cosines.h - the cosines of images and concepts, block by block: for all images of a set
 * and thousands of concepts the whole table would not fit into memory.
 *
 * Embeddings have length 1, so a cosine is a dot product. Its bits do not depend on the block. */
#ifndef NEM_CLIP_COSINES_H
#define NEM_CLIP_COSINES_H

#include "../../base/base.h"

/* Embeddings of the images of a set, of which some may stand for perturbed pixels. */
typedef struct Embeddings {
    int64_t        count, width;
    const float   *rows;         // [count, width]
    const int64_t *changed;      // [changed_count], increasing: images with another row than theirs
    const float   *changed_rows; // [changed_count, width]
    int64_t        changed_count;
} Embeddings;

const float *embedding_of(const Embeddings *images, int64_t image); // [width]

enum { COSINE_ROWS = 128 }; // images of one block at most

typedef struct Cosines Cosines;

/* concepts [.., width], of which `tile` are taken at a time. What is handed in outlives it. Errors:
 * ERROR_MEMORY. */
enum { COSINE_TILE = 1024 }; // for whole rows
bool cosines_open(Cosines **out, const Embeddings *images, const float *concepts, int64_t tile,
                  Error *error);
void cosines_close(Cosines *cosines); // NULL allowed

/* out [count, concept_count] of these images (at most COSINE_ROWS) with the concepts first to first
 * + concept_count - 1. */
void cosines_run(Cosines *cosines, const int64_t *images, int64_t count, int64_t first,
                 int64_t concept_count, float *out);

#endif
