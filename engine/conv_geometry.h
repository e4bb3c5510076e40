/* engine/conv_geometry.h - which source pixels a direct convolution reads, and where its weights lie.
 *
 * A geometry says, for an output pixel (i, j) of a grid and a tap t, which source pixel is read:
 * (i * step + dy[t], j * step + dx[t]), zero outside. The forward pass is one such grid. The input
 * gradient at stride s is s * s grids (phases), each a stride-1 correlation with the taps that
 * reach it, so nothing is scattered; the s phases of one row are computed together and interleaved,
 * so rows are stored whole. Source: Dumoulin and Visin, "A guide to convolution arithmetic", 2016,
 * section 4. */
#ifndef ENGINE_CONV_GEOMETRY_H
#define ENGINE_CONV_GEOMETRY_H

#include "conv_method.h"

typedef struct Tap {
    int dy, dx; // source offset
    int r, s;   // place in the kernel
} Tap;

/* Grid pixel (i, j) of column phase b is target pixel (first_y + i * phases, b + j * phases). */
typedef struct Geometry {
    int64_t source_channels, source_h, source_w, target_channels, target_h, target_w;
    int64_t rows, cols, first_y; // of the grid
    int     step, phases;
    bool    is_plain;                      // the source is the column matrix of each image
    int     first_tap[CONV_MOST_SIDE + 1]; // of a phase; the last entry is the number of taps
    Tap     tap[CONV_MOST_SIDE * CONV_MOST_SIDE];
} Geometry;

static inline int64_t geometry_taps(const Geometry *g)
{
    return g->first_tap[g->phases];
}

int  geometry_row_phases(const ConvShape *shape, ConvSide side);
void geometry_of(const ConvShape *shape, ConvSide side, int row_phase, Geometry *g);

/* Prepared weights of one row phase: how many reals, and where a row panel of a column phase
 * begins. It is [source channel][tap of the phase][row]. */
int64_t geometry_prepared(const Geometry *g);
int64_t geometry_panel(const Geometry *g, int phase, int64_t panel);

#endif
