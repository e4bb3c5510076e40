/* study/quantile.h - quantiles of numbers, and the bootstrap interval of a mean. */
#ifndef STUDY_QUANTILE_H
#define STUDY_QUANTILE_H

#include "../base/base.h"

void sort_numbers(double *values, int64_t count); // the smallest first

/* By linear interpolation between sorted values; q in 0..1. */
double sorted_quantile(const double *sorted, int64_t count, double q);

/* The middle 95 % of values, which are sorted: from their 2.5 to their 97.5 % point. */
void middle_of(double *values, int64_t count, double *low, double *high);

/* The middle of the means of 1,000 samples drawn with replacement. Source: Efron, "Bootstrap
 * methods: another look at the jackknife", Annals of Statistics 7, 1979. */
void bootstrap_mean(const double *values, int64_t count, uint64_t seed, double *low, double *high);

#endif
