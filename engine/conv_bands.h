/* engine/conv_bands.h - the part of an image that a task of a direct convolution reads, copied
 * between zeros so that a tap is a distance in the copy (conv_bands.c, conv_depthwise.c).
 *
 * Columns of the grid run through the rows of the copy; those between two rows are computed and not
 * stored. Where every second pixel is read, even and odd rows and columns lie apart, so columns are
 * neighbours again. */
#ifndef ENGINE_CONV_BANDS_H
#define ENGINE_CONV_BANDS_H

#include "conv_geometry.h"

enum { BANDS_MOST_STEP = 2 };

typedef struct Bands {
    Geometry g[BANDS_MOST_STEP]; // of each row phase
    int      row_phases, step, top, left;
    int64_t  images, rows, bands; // grid rows of a task; how many such of an image
    int64_t  height, width;       // of one parity of the part of a source plane that is read
    int64_t  source, columns;     // reals of that part; columns of a task in whole vectors
    int64_t  taps;                // of all phases together
} Bands;

/* Few enough rows that a part stays in a core's own cache and there are so many tasks. */
Bands bands_of(const ConvShape *shape, ConvSide side, int64_t tasks);
/* About so many columns a task, whatever the caches are. */
Bands bands_cut(const ConvShape *shape, ConvSide side, int64_t columns);

/* How far so many rows of the grid reach; rows are those of the first phase, others may have one
 * less. */
static inline int64_t bands_columns(const Bands *b, int64_t rows)
{
    return (rows - 1) * b->width + b->g->cols;
}

/* Where each row of the product of a row phase begins in the part: of column phases one after
 * another, of their source channels, of their taps. */
void bands_offsets(const Bands *b, const Geometry *g, int32_t *to);

/* Copies what the band from this row of the grid on reads, and zeros for a vector past it. */
void bands_copy(const Bands *b, const real *from, int64_t image, int64_t first_row, real *to);

#endif
