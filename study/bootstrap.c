/* study/bootstrap.c - how sure a mean is; see study.h. */
#include "study.h"

#include "map_study.h"

#include <stdlib.h>

enum { RESAMPLES = 1000 };

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
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
    qsort(means, RESAMPLES, sizeof *means, by_size);
    *low  = sorted_quantile(means, RESAMPLES, 0.025);
    *high = sorted_quantile(means, RESAMPLES, 0.975);
}
