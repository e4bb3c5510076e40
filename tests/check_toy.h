/* tests/check_toy.h - the small network of published numbers (E21): 2x6x6 -> convolution (3) ->
 * activation -> max-pool -> convolution (4) -> activation -> dense (3); weights, patterns and
 * pixels are sines and cosines of their places. */
#ifndef TESTS_CHECK_TOY_H
#define TESTS_CHECK_TOY_H

#include "../attribution/attribution.h"

enum { SIDE = 6, CELLS = SIDE * SIDE, PIXELS = 2 * CELLS, CLASSES = 3, STEPS = 30 };

/* `beta`: a number of the graph that the network's softplus has; what it points to is NODE_NONE:
 * ReLU. */
MapNetwork toy_network(const NodeId *beta);
/* Lowest and highest pixels, the same of both channels. */
bool toy_bounds(void *self, real *low, real *high, Error *error);
/* The image, moved by `moved` cos(1.1 i). */
void toy_image(double moved, real *to);
real toy_wanted(int64_t cell); // the map that is aimed at

#endif
