/* engine/kernels_depthwise.h - part of the kernel text: a plane correlated with a kernel of its own. */

/* A strip of the result is summed in registers, tap by tap: the sums of the tile for one row of
 * weights, in the same order. */
enum { STRIP_VECTORS = 8 };

static inline __attribute__((always_inline)) void correlate_strip(real *out, const real *x,
                                                                  const int32_t *at,
                                                                  const real *weight, int64_t taps,
                                                                  int vectors)
{
    Vec sum[STRIP_VECTORS];
    UNROLL for (int v = 0; v < vectors; v++) sum[v] = (Vec){0};
    for (int64_t t = 0; t < taps; t++) {
        const real *from = x + at[t];
        Vec         tap  = vec_all(weight[t]);
        UNROLL for (int v = 0; v < vectors; v++) sum[v] =
            vec_fma(tap, vec_load(from + v * LANES), sum[v]);
    }
    UNROLL for (int v = 0; v < vectors; v++) vec_store(out + v * LANES, sum[v]);
}

static void correlate(real *out, const real *x, const int32_t *at, const real *weight, int64_t taps,
                      int64_t vectors)
{
    int64_t v = 0;
    for (; v + STRIP_VECTORS <= vectors; v += STRIP_VECTORS)
        correlate_strip(out + v * LANES, x + v * LANES, at, weight, taps, STRIP_VECTORS);
    if (v + 4 <= vectors) {
        correlate_strip(out + v * LANES, x + v * LANES, at, weight, taps, 4);
        v += 4;
    }
    if (v + 2 <= vectors) {
        correlate_strip(out + v * LANES, x + v * LANES, at, weight, taps, 2);
        v += 2;
    }
    if (v < vectors)
        correlate_strip(out + v * LANES, x + v * LANES, at, weight, taps, 1);
}
