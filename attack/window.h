/* attack/window.h - the part of an image that can move a unit's objective.
 *
 * The gradient of sum(maps * weights) is exactly zero outside the receptive fields of the cells
 * whose weight is not zero, and sign(0) = 0. So PGD needs only a window of the image around them,
 * where it finds the same gradient at a fraction of the cost. */
#ifndef ATTACK_WINDOW_H
#define ATTACK_WINDOW_H

#include "attack.h"

typedef struct Window {
    int64_t y, x, height, width; // pixels of the image
} Window;

/* A unit's layer seen from the image. Fields unknown (a layer behind a mean or a dense layer):
 * every window is the whole image. */
typedef struct WindowGrid {
    int64_t image_height, image_width, map_height, map_width;
    bool    has_field;
    Field   field[2]; // rows, columns
} WindowGrid;

/* weights [map_height, map_width]. Sides are rounded up to thirds of the image, so that few sizes
 * of network serve all windows; corners keep the grids of strides and of Winograd tiles. */
Window window_of(const WindowGrid *grid, const float *weights);

/* First cell of the maps of a network that sees only this window. */
int64_t window_first_row(const WindowGrid *grid, const Window *window);
int64_t window_first_col(const WindowGrid *grid, const Window *window);

#endif
