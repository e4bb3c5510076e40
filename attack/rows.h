/* attack/rows.h - clean images into the rows of a batch, several at a time. */
#ifndef ATTACK_ROWS_H
#define ATTACK_ROWS_H

#include "attack.h"

typedef struct RowLoader {
    const ImageSource *source;
    size_t             image_size; // floats of one image
    Error             *errors;     // [rows]
    float             *loaded;     // [threads, image_size]
} RowLoader;

bool row_loader_open(RowLoader *out, const ImageSource *source, int64_t rows, size_t image_size,
                     Error *error);
void row_loader_close(RowLoader *loader); // accepts a zeroed object

/* planes [count, image_size]; count is at most the rows it was opened with. */
bool row_loader_load(RowLoader *loader, const int64_t *images, int64_t count, real *planes,
                     Error *error);

/* The first error of work that was done row by row, or true. */
bool rows_succeeded(const Error *errors, int64_t count, Error *error);

#endif
