/* study/quantile.c - see quantile.h. */
#include "quantile.h"

#include <stdlib.h>

enum { RESAMPLES = 1000 };

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void sort_numbers(double *values, int64_t count)
{
    qsort(values, (size_t)count, sizeof *values, by_size);
}

double sorted_quantile(const double *sorted, int64_t count, double q)
{
    double  at    = q * (double)(count - 1);
    int64_t below = (int64_t)at, above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

void middle_of(double *values, int64_t count, double *low, double *high)
{
    sort_numbers(values, count);
    *low  = sorted_quantile(values, count, 0.025);
    *high = sorted_quantile(values, count, 0.975);
}

void bootstrap_mean(const double *values, int64_t count, uint64_t seed, double *low, double *high)
{
    double means[RESAMPLES];
    Random random = random_stream(seed, "bootstrap");
    for (int i = 0; i < RESAMPLES; i++) {
        double sum = 0;
        for (int64_t k = 0; k < count; k++)
            sum += values[random_below(&random, (uint32_t)count)];
        means[i] = sum / (double)count;
    }
    middle_of(means, RESAMPLES, low, high);
}
