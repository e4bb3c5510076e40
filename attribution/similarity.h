/* attribution/similarity.h - how alike two maps, or two images, are.
 *
 * Arrays are [channels, height, width], float; all sums are in double. Formulas: (M1 to M3).
 * Source: Wang et al., "Image quality assessment: from error visibility to structural similarity",
 * IEEE TIP 2004 (SSIM). */
#ifndef ATTRIBUTION_SIMILARITY_H
#define ATTRIBUTION_SIMILARITY_H

#include "../base/base.h"

/* The constants of SSIM. The study of manipulated maps names none; those of ssim_default are
 * scikit-image's. */
typedef struct SsimRule {
    int    window; // side of the square windows, odd; smaller where an array is smaller
    double range;  // of values; 0: largest - smallest value of both arrays
    double k1, k2;
    bool   divides_by_n; // variances over n values by n, else by n - 1
} SsimRule;

extern const SsimRule ssim_default; // 7, the pair's range, 0.01, 0.03, n - 1

typedef struct Similarity {
    double mse;  // mean squared difference
    double pcc;  // Pearson's correlation, -1..1; 0 where one of them is constant
    double ssim; // mean over all windows inside and over channels; 1 where both are the same
} Similarity;

Similarity similarity(const SsimRule *rule, const float *a, const float *b, int64_t channels,
                      int64_t height, int64_t width);

#endif
