/* engine/conv_tiles.h - the 4x4 output tiles of a Winograd convolution, and the pixels they read.
 *
 * Tiles are counted over all images, row by row; a block of them is one task's. Tiles of a block
 * that lie side by side in one image are a span (kernels.h). */
#ifndef ENGINE_CONV_TILES_H
#define ENGINE_CONV_TILES_H

#include "conv_reach.h"
#include "kernels.h"

/* The side of the triangle decides what is source and target: the input gradient is a correlation
 * of gy with flipped, transposed kernels and padding 2 - pad. */
typedef struct Grid {
    int64_t n, source_channels, source_h, source_w, target_channels, target_h, target_w;
    int64_t pad, tile_rows, tile_cols, tiles;
    int64_t block, blocks;         // tiles of a task, whole vectors; how many such
    int64_t row_block, row_blocks; // rows multiplied between two output transforms; how many such
    int64_t group; // blocks transformed before their rows are shared out; 0: not shared
} Grid;

/* The spans of a block; returns how many. */
int tiles_cut(const Grid *g, int64_t block, TileSpan span[WINOGRAD_MOST_TILES]);

/* The last tile of every span. */
uint64_t tiles_last(const TileSpan *span, int spans);

/* inside[6 i + j]: the tiles whose pixel (i, j) lies in the image. */
void tiles_inside(const Grid *g, const TileSpan *span, int spans, uint64_t inside[REACH_PLACES]);

/* What `columns` of kernels.h has seen: whether that is every pixel; which places of which tiles
 * it is. */
bool tiles_all_seen(const TileSpan *span, int spans, const uint64_t *seen);
void tiles_places(const TileSpan *span, int spans, const uint64_t *seen,
                  uint64_t places[REACH_PLACES]);

#endif
