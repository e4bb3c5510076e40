/* models/embed.h - images and texts as points of one space: the two towers of CLIP.
 *
 * A blob of CLIP has a tower that embeds images and one that embeds texts; they were trained so
 * that an image and a text that describes it lie close together. Embeddings have length 1
 * (float32), so that the dot product of two of them is their cosine. Architectures: clip_vit,
 * clip_resnet and clip_mini; what differs between them is decided here and in their builders alone.
 * Source: Radford et al., "Learning transferable visual models from natural language supervision",
 * ICML 2021, section 2.4. Errors: ERROR_USAGE (the blob has no such tower), ERROR_DATA (a tensor is
 * missing or wrong, an embedding has no direction, a text cannot be tokenized), ERROR_MEMORY. */
#ifndef MODELS_EMBED_H
#define MODELS_EMBED_H

#include "models.h"

typedef struct ImageTower {
    LayerRunner runner;
    int64_t     width; // numbers of an embedding
    real       *rows;  // [batch, width]
    const char *name;  // of the blob's file, in messages
} ImageTower;

bool image_tower_open(ImageTower *out, WeightBlob *blob, int64_t batch, Error *error);
void image_tower_close(ImageTower *tower); // accepts a zeroed object

/* pixels [count, 3, image_height, image_width] of the runner, RGB in 0..1, as large as the blob's
 * preparation says; out [count, width]; count <= batch. An image's numbers do not depend on the
 * others of its batch. */
bool image_tower_run(ImageTower *tower, const real *pixels, int64_t count, float *out,
                     Error *error);

/* Embeddings [count, width] of texts, each tokenized by the blob's own vocabulary: byte pairs, or
 * whole words. *out is released with memory_free. A text with too many tokens, or with a word that
 * a vocabulary of whole words does not have, is an error that names both. */
bool texts_embed(WeightBlob *blob, const char *const *texts, int64_t count, float **out,
                 int64_t *width, Error *error);

#endif
