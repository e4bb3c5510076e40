/* nem/threshold.h - exact quantiles of a stream of activations, keeping only its largest values
 * (D5). */
#ifndef NEM_THRESHOLD_H
#define NEM_THRESHOLD_H

#include "../base/base.h"

/* Where a threshold stands among n values: between the keep-th largest and the one above it. */
typedef struct QuantileRank {
    int64_t keep;     // 1..n
    double  fraction; // of the way up to the next larger value, 0..1
} QuantileRank;

/* The quantile at p = entry / (entries - 1) by the mid-point rule (D4). */
QuantileRank quantile_rank(int entry, int entries, int64_t n);

/* The largest values of a stream, all that its threshold can depend on. */
typedef struct TopValues {
    float  *values;
    int64_t count, keep, capacity;
    float   bound; // nothing at or below it can matter any more
} TopValues;

bool top_open(TopValues *top, int64_t keep, int64_t n, Error *error);
void top_close(TopValues *top);
void top_add(TopValues *top, const float *values, int64_t count);
/* Leaves none but those that still matter. */
void top_trim(TopValues *top);
/* The threshold, after all values were added, at least `keep` of them. */
float top_quantile(TopValues *top, QuantileRank rank);

/* Largest of `count` values; *finite is false if one is not finite. */
float values_maximum(const float *values, int64_t count, bool *finite);

#endif
