/* attribution/patterns.h - patterns: what the input of a unit looks like where the unit is active.
 *
 * The pattern of a unit is the covariance of its input and its value, divided by the share that the
 * unit's weights see of it, so that weights times pattern add up to 1 (E9). Sums are of one image
 * at a time in float32 and merged in double, so they do not depend on the size of a batch. Units
 * whose value goes through an activation count where it is positive, others everywhere.
 * Source: Kindermans et al., ICLR 2018, section 4. */
#ifndef ATTRIBUTION_PATTERNS_H
#define ATTRIBUTION_PATTERNS_H

#include "../base/snapshot.h"
#include "../models/models.h"

typedef struct PatternSums PatternSums;

/* Sums of a network with ReLU, norms folded, for prepared images [3, height, width].
 * Errors: those of network_build. Memory: 16 bytes and a gradient for each weight. */
bool patterns_open(PatternSums **out, WeightBlob *blob, int64_t height, int64_t width,
                   ConvMethod conv, Error *error);
void patterns_close(PatternSums *sums); // NULL allowed

void patterns_add(PatternSums *sums, const real *image);

/* The state, as parts of a snapshot: *count of them, which point into the sums. */
const SnapshotPart *patterns_state(PatternSums *sums, int64_t *count);
int64_t             patterns_images(const PatternSums *sums); // added so far
int                 patterns_layers(const PatternSums *sums);
int64_t             patterns_bytes(const PatternSums *sums); // of the blob, about

/* Writes a blob: for every layer LAYER.pattern, as large as its weights, and in its text
 * patterns_of=<SHA-256 of the weights> and the lines `note`. */
bool patterns_write(const PatternSums *sums, const char *path, const char *note, Error *error);

#endif
