/* tests/blob_builder.h - small weight blobs made on the fly, whole or broken on purpose.
 *
 *     BlobBuilder *builder = blob_builder_new("vgg16", 32, 32);
 *     blob_builder_random(builder, "features.0.weight", shape_4d(8, 3, 3, 3), 7, 0, 0.2f);
 *     blob_builder_save(builder, path);
 *     blob_builder_free(builder);
 *
 * The builder cannot fail in a test's way: out of memory ends the program. */
#ifndef TESTS_BLOB_BUILDER_H
#define TESTS_BLOB_BUILDER_H

#include "../engine/blob.h"

typedef struct BlobBuilder BlobBuilder;

/* Starts "about" with this architecture and size, scale 1, mean 0, std 1, resize_short 0. */
BlobBuilder *blob_builder_new(const char *architecture, int64_t width, int64_t height);
void         blob_builder_free(BlobBuilder *builder);

/* Sets a line of "about" (replaces the value of a key that is there). */
void blob_builder_about(BlobBuilder *builder, const char *key, const char *value);

/* A tensor from `data` (bytes as its type says), copied. */
void blob_builder_tensor(BlobBuilder *builder, const char *name, BlobType type, Shape shape,
                         const void *data);
/* float32 values: all the same; uniform in centre +- spread, drawn from random_block(key of (seed,
 * name), 0, i / 4).word[i % 4] for element i, so that a test elsewhere can draw the same. */
void blob_builder_constant(BlobBuilder *builder, const char *name, Shape shape, float value);
void blob_builder_random(BlobBuilder *builder, const char *name, Shape shape, uint64_t seed,
                         float centre, float spread);

/* The file's bytes, valid until the builder changes; sorted and sealed. */
uint8_t *blob_builder_bytes(BlobBuilder *builder, size_t *size);
/* Recomputes the checksums of header, index and tensors after bytes were changed on purpose. */
void blob_reseal(uint8_t *bytes, size_t size);

bool blob_builder_save(BlobBuilder *builder, const char *path, Error *error);

#endif
