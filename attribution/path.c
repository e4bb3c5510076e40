/* attribution/path.c - points and weights on the path of integrated gradients (E4, E5). */
#include "attribution.h"

#include <math.h>

int path_points(PathRule rule, int steps)
{
    return rule == PATH_CLOSED ? steps + 1 : steps;
}

/* The value and the slope of the Legendre polynomial of this degree. */
static double legendre(int degree, double x, double *slope)
{
    double before = 1, value = x;
    for (int n = 2; n <= degree; n++) {
        double next = ((2 * n - 1) * x * value - (n - 1) * before) / n;
        before      = value;
        value       = next;
    }
    *slope = degree * (x * value - before) / (x * x - 1);
    return value;
}

/* Roots of the Legendre polynomial by Newton's method, from -1..1 to 0..1. Source: Golub and
 * Welsch, Mathematics of Computation 1969 (the rule); the start is Tricomi's. */
static void gauss(int count, double *factor, double *share)
{
    const double pi = 3.14159265358979323846;
    for (int i = 0; i < count; i++) {
        double x = count == 1 ? 0 : cos(pi * (i + 0.75) / (count + 0.5)), slope = 1;
        for (int step = 0; count > 1 && step < 20; step++)
            x -= legendre(count, x, &slope) / slope;
        if (count > 1)
            legendre(count, x, &slope);
        factor[i] = (1 - x) / 2;
        share[i]  = 1 / ((1 - x * x) * slope * slope);
    }
}

void path_fill(PathRule rule, int steps, double *factor, double *share)
{
    if (rule == PATH_GAUSS) {
        gauss(steps, factor, share);
        return;
    }
    for (int i = 0; i < path_points(rule, steps); i++) {
        factor[i] = (double)(rule == PATH_RIGHT ? i + 1 : i) / steps;
        share[i]  = 1.0 / steps;
    }
}
