/* tests/check_difference.h - derivatives against central differences, element by element.
 *
 * Meant for config=gradcheck (real = double), where the bound is 1e-7 of the largest derivative; in
 * the float build it is that of float differences. */
#ifndef TESTS_CHECK_DIFFERENCE_H
#define TESTS_CHECK_DIFFERENCE_H

#include "../engine/engine.h"

/* The claim that `gradient` is d value / d input at what the input holds. */
typedef struct Slope {
    NodeId  value, input, gradient; // value: one number; the other two have `count` elements
    int64_t count;                  // at most SLOPE_MOST_ELEMENTS
} Slope;

enum { SLOPE_MOST_ELEMENTS = 512 };

/* Runs the plan, which holds all three nodes, twice an element. The first element that is wrong
 * fails the running test and is printed. */
bool check_slope(Plan *plan, const Slope *slope);

/* Whether numbers are doubles, so that differences of differences mean something. */
bool check_slopes_are_exact(void);

/* A permutation of an even grid over low..high: values differ by at least a step and none is within
 * a quarter step of zero, so that a small difference crosses no kink. At most SLOPE_MOST_ELEMENTS.
 */
void check_fill(real *to, int64_t count, double low, double high, uint64_t stream);

#endif
