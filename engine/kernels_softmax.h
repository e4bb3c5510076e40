/* engine/kernels_softmax.h - part of the kernel text: rows of a soft-max. */

/* ---- rows of a soft-max ---------------------------------------------------------------------- */

static real largest_of(const real *x, int64_t n)
{
    Vec     most = vec_all(x[0]);
    int64_t i    = 0;
    for (; i + LANES <= n; i += LANES) {
        Vec v = vec_load(x + i);
        most  = vec_select(v > most, v, most);
    }
    real value = most[0];
    for (int lane = 1; lane < LANES; lane++)
        value = most[lane] > value ? most[lane] : value;
    for (; i < n; i++)
        value = x[i] > value ? x[i] : value;
    return value;
}

#if defined SIMD_AVX2 || defined SIMD_AVX512 || defined SIMD_NEON

/* exp(x) = 2^n e^r for x <= 0, |r| <= ln 2 / 2, by Taylor's series to degree 13 (its rest is
 * 4e-18); below -700 the result is 0. */
static inline __attribute__((always_inline)) VecDouble wide_exp(VecDouble x)
{
    static const double c[]  = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                                1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                                1.0 / 120,        1.0 / 24,        1.0 / 6,        0.5};
    VecDouble           zero = {0}, magic = zero + 0x1.8p52; // adding it rounds to an integer
    VecLong             far               = x < -700.0;
    VecDouble           inside            = (VecDouble)(~far & (VecLong)x);
    VecDouble           t                 = wide_fma(inside, zero + 1.4426950408889634074, magic);
    VecDouble           n                 = t - magic;
    VecDouble           r                 = wide_fma(n, zero - 0x1.62e42fefa38p-1, inside);
    r                                     = wide_fma(n, zero - 0x1.ef35793c7673p-45, r);
    VecDouble p                           = zero + c[0];
    UNROLL for (int i = 1; i < 12; i++) p = wide_fma(p, r, zero + c[i]);
    p                                     = wide_fma(p * r, r, r + 1.0);
    VecLong bits                          = ((VecLong)t - (VecLong)magic + 1023) << 52;
    return (VecDouble)(~far & (VecLong)(p * (VecDouble)bits));
}

/* The sum of exp(x - most): element i goes to partial sum i mod WIDE_SUMS, as in `sum`. */
enum { WIDE_SUMS = 16, WIDE_VECTORS = WIDE_SUMS / WIDE };

static double exponentials(const real *x, real most, int64_t n)
{
    VecDouble sum[WIDE_VECTORS], shift = (VecDouble){0} + (double)most;
    UNROLL for (int v = 0; v < WIDE_VECTORS; v++) sum[v] = (VecDouble){0};
    for (int64_t i = 0; i < n; i += WIDE_SUMS) {
        real rest[WIDE_SUMS];
        if (n - i < WIDE_SUMS) {
            for (int j = 0; j < WIDE_SUMS; j++)
                rest[j] = i + j < n ? x[i + j] : -(real)INFINITY;
        }
        const real *from = n - i < WIDE_SUMS ? rest : x + i;
        UNROLL for (int v = 0; v < WIDE_VECTORS; v++) sum[v] +=
            wide_exp(vec_widened(from + v * WIDE) - shift);
    }
    double part[WIDE_SUMS];
    memcpy(part, sum, sizeof part);
    for (int half = WIDE_SUMS / 2; half > 0; half /= 2)
        for (int j = 0; j < half; j++)
            part[j] += part[j + half];
    return part[0];
}

#else

static double exponentials(const real *x, real most, int64_t n)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += exp((double)x[i] - (double)most);
    return total;
}

#endif

/* In double, rounded once: near certainty log p is small, and its digits count. */
static void log_softmax(real *out, const real *x, int64_t n)
{
    real   most  = largest_of(x, n);
    double shift = (double)most + log(exponentials(x, most, n));
    for (int64_t i = 0; i < n; i++)
        out[i] = (real)((double)x[i] - shift);
}

static void softmax(real *out, const real *x, int64_t n)
{
    scale_offset(out, x, 1, -largest_of(x, n), n);
    exponential(out, out, n);
    scale_offset(out, out, 1 / sum(out, n), 0, n);
}
