/* probe/rows.h - loads images into the rows of a batch, several at a time. */
#ifndef PROBE_ROWS_H
#define PROBE_ROWS_H

#include "../base/loop_errors.h"
#include "source.h"

typedef struct RowLoader {
    const ImageSource *source;
    size_t             image_size; // values of one image
    float             *loaded;     // [threads, image_size]; unused where real is float
    LoopErrors         errors;
} RowLoader;

/* The source outlives it. */
bool row_loader_open(RowLoader *out, const ImageSource *source, size_t image_size, Error *error);
void row_loader_close(RowLoader *loader); // accepts a zeroed object

/* planes [count, image_size]. Errors: that of the first image that cannot be loaded. */
bool row_loader_load(RowLoader *loader, const int64_t *images, int64_t count, real *planes,
                     Error *error);

/* The first error of work that was done row by row, or true. */
bool rows_succeeded(const Error *errors, int64_t count, Error *error);

#endif
