/* attack/wilson.c - the Wilson score interval of a share.
 *
 * Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
 * Journal of the American Statistical Association 22 (1927), 209-212:
 *     (p + z^2 / 2n  -+  z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n),   p = hits / n. */
#include "attack.h"

#include <math.h>

#define Z_95 1.959963984540054 // 97.5 % quantile of the standard normal

void wilson_interval(int64_t hits, int64_t count, double *low, double *high)
{
    if (count == 0) {
        *low  = 0;
        *high = 1;
        return;
    }
    double n      = (double)count;
    double p      = (double)hits / n;
    double z2     = Z_95 * Z_95;
    double centre = p + z2 / (2 * n);
    double spread = Z_95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    double scale  = 1 + z2 / n;
    // The ends are exact where all or none were hit; rounding must not move them.
    *low  = hits == 0 ? 0 : (centre - spread) / scale;
    *high = hits == count ? 1 : (centre + spread) / scale;
}
