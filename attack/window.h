/* attack/window.h - the part of an image that can move a unit's objective.
 *
 * The gradient of sum(maps * weights) is exactly zero outside the receptive fields of the cells
 * whose weight is not zero (C16), and sign(0) = 0. So PGD needs only a window of the image around
 * them, where it finds the same gradient at a fraction of the cost. */
#ifndef ATTACK_WINDOW_H
#define ATTACK_WINDOW_H

#include "attack.h"

typedef struct Window {
    int64_t y, x, height, width; // pixels of the image
} Window;

/* Which pixels each cell of a unit's map looks at. Not known behind a mean or a dense layer: then
 * every window is the whole image. */
typedef struct WindowGrid {
    int64_t image_height, image_width, map_height, map_width;
    bool    has_field;
    Field   field[2]; // rows, columns
} WindowGrid;

/* The window that an image with these weights [map_height, map_width] needs. Sides are rounded up
 * to thirds of the image, so that few sizes of network serve all windows; corners lie on the grids
 * of the layer's strides and of Winograd tiles. */
Window window_of(const WindowGrid *grid, const float *weights);

/* First cell of the maps of a network that sees only this window. */
int64_t window_first_row(const WindowGrid *grid, const Window *window);
int64_t window_first_col(const WindowGrid *grid, const Window *window);

#endif
