/* attribution/similarity.h - how alike two maps, two images or two gradients are.
 *
 * Arrays are [channels, height, width], float; all sums are in double. Formulas: (M1 to M3),
 * (R1 to R5).
 * Source: Wang et al., "Image quality assessment: from error visibility to structural similarity",
 * IEEE TIP 2004 (SSIM). */
#ifndef ATTRIBUTION_SIMILARITY_H
#define ATTRIBUTION_SIMILARITY_H

#include "../base/base.h"

enum { SSIM_WINDOW = 15 }; // the largest

/* The constants of SSIM. The study of manipulated maps names none; those of ssim_default are
 * scikit-image's. Those of ssim_gaussian are of the study of gradient alignment. */
typedef struct SsimRule {
    int    window; // side of the square windows, odd, at most SSIM_WINDOW
    double sigma;  // windows are weighed by a normal curve of this deviation; 0: equally
    bool   pads;  // a window around every cell, with zeros outside; else only windows inside, which
                  // are smaller where an array is smaller
    double range; // of values; 0: largest - smallest value of both arrays
    double k1, k2;
    bool   divides_by_n; // variances over n values by n, else by n - 1
} SsimRule;

extern const SsimRule ssim_default;  // 7, the pair's range, 0.01, 0.03, n - 1
extern const SsimRule ssim_gaussian; // 7, deviation 1.5, padded, n

typedef struct Similarity {
    double mse;  // mean squared difference
    double pcc;  // Pearson's correlation, -1..1; 0 where one of them is constant
    double ssim; // mean over all windows and over channels; 1 where both are the same
} Similarity;

Similarity similarity(const SsimRule *rule, const float *a, const float *b, int64_t channels,
                      int64_t height, int64_t width);

/* One of them alone. */
double similarity_ssim(const SsimRule *rule, const float *a, const float *b, int64_t channels,
                       int64_t height, int64_t width);
double similarity_pcc(const float *a, const float *b, int64_t count);

/* The sum of squared differences, (R1). */
double similarity_distance(const float *a, const float *b, int64_t count);

/* The cosine of two arrays, (R2): exactly 1 where they are the same; 0 where one is zero. */
double similarity_cosine(const float *a, const float *b, int64_t count);

/* The share of the `top` largest cells of one map that are among those of the other, (R5). Of equal
 * cells the first counts as larger. `room` is scratch of [count]. */
double similarity_top(const float *a, const float *b, int64_t count, int64_t top, float *room);

/* How far two gradients are from one direction, Cosd = (1 - cosine) / 2 in 0..1, computed as a
 * distance of unit vectors so that it is exact near 0; and what it can never exceed,
 * (|a - b| / max(|a|, |b|))^2. Both 0 where both gradients are zero. (R6), (R7). */
typedef struct Alignment {
    double distance; // |a - b|^2
    double cosd, bound;
    double size_a, size_b; // Euclidean
} Alignment;

Alignment alignment_of(const double *a, const double *b, int64_t count);

#endif
