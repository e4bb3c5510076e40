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
/* The network on images [n, 2, 6, 6] with given weights; `beta` NODE_NONE: ReLU. Weights: a kernel
 * and a bias of each of the three layers, in their order. */
enum { TOY_WEIGHTS = 6 };
NodeId      toy_logits(Graph *graph, NodeId images, const NodeId weight[TOY_WEIGHTS], NodeId beta);
const real *toy_weight(int i, Shape *shape);
/* Lowest and highest pixels, the same of both channels. */
bool toy_bounds(void *self, real *low, real *high, Error *error);
/* The image, moved by `moved` cos(1.1 i). */
void toy_image(double moved, real *to);
real toy_wanted(int64_t cell); // the map that is aimed at

enum { TOY_GOLDEN = 12 };

/* Numbers published for this network (E21). The map at the image: cells 0 and 17, and the sum of
 * (i + 1) map[i]. The loss of an attack at the image moved by 0.02, its gradient's length, and the
 * same sum of the gradient (0: not published). beta 0: ReLU. */
typedef struct ToyGolden {
    const char *method;
    double      beta, first, later, weighed, loss, norm, slope;
} ToyGolden;

extern const ToyGolden toy_golden[TOY_GOLDEN];

/* `digit`: half a unit of the last digit that was published; floats are good to 2e-5. */
void toy_check_number(double found, double published, double digit);

#endif
