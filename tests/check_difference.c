/* tests/check_difference.c - see check_difference.h. */
#include "check_difference.h"

#include "test.h"

#include <math.h>
#include <stdio.h>

bool check_slopes_are_exact(void)
{
    return sizeof(real) == sizeof(double);
}

static double value_at(Plan *plan, const Slope *slope, real *x, real moved)
{
    real kept = *x;
    *x        = moved;
    plan_run(plan);
    *x = kept;
    return (double)*plan_output(plan, slope->value);
}

bool check_slope(Plan *plan, const Slope *slope)
{
    double step    = check_slopes_are_exact() ? 1e-5 : 1e-2;
    double bound   = check_slopes_are_exact() ? 1e-7 : 5e-2;
    double largest = 1;
    real   analytic[SLOPE_MOST_ELEMENTS];
    plan_run(plan);
    for (int64_t e = 0; e < slope->count; e++) {
        analytic[e] = plan_output(plan, slope->gradient)[e];
        largest     = fmax(largest, fabs((double)analytic[e]));
    }
    for (int64_t e = 0; e < slope->count; e++) {
        real  *x       = plan_input(plan, slope->input) + e;
        double above   = value_at(plan, slope, x, *x + (real)step);
        double below   = value_at(plan, slope, x, *x - (real)step);
        double numeric = (above - below) / (2 * step);
        if (!CHECK_CLOSE((double)analytic[e], numeric, bound * largest)) {
            printf("  at element %lld\n", (long long)e);
            return false;
        }
    }
    return true;
}

void check_fill(real *to, int64_t count, double low, double high, uint64_t stream)
{
    Random  random = random_stream(test_seed() + stream, "gradient inputs");
    int64_t order[SLOPE_MOST_ELEMENTS];
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = random_below(&random, (uint32_t)i + 1), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (int64_t i = 0; i < count; i++) {
        double step  = (high - low) / (double)count;
        double value = low + ((double)order[i] + 0.3) * step;
        to[i]        = (real)(fabs(value) < step / 4 ? value + step / 2 : value);
    }
}
