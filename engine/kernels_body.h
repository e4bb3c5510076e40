/* engine/kernels_body.h - the one kernel text, included by every isa_*.c.
 *
 * The including file defines SIMD_<set> (none: portable) and the enum constants TILE_ROWS,
 * TILE_VECTORS and TAP_ROWS before. Loops the compiler vectorises by itself are written plainly. */
#include "kernels.h"
#include "simd.h"

#include <math.h>

/* ---- GEMM register tile ---------------------------------------------------------------------- */

/* Adds pieces of this many products: the rounding error of one long sum grows with its length.
 * Input gradients of CIFAR ResNet-20 and 56: 1.6 times PyTorch's error with 256, 1.1 with 64. */
enum { DEPTH_PIECE = 64 };

/* Reals of a fetched ahead: at a small batch the weights come from memory, in panels too short for
 * a processor to see where they go on. */
enum { AHEAD = 512 };

/* One text for every panel width; `vectors` is a constant after inlining, so the accumulators live
 * in registers. Without forced unrolling they spill, at a third to a half of the speed. Row p of b
 * begins at p * b_step, or at at[p]. */
static inline __attribute__((always_inline)) void tile(int64_t k, const real *restrict a,
                                                       const real *restrict b, int64_t b_step,
                                                       const int32_t *restrict at, real *restrict c,
                                                       int64_t stride, int vectors)
{
    for (int64_t done = 0; done == 0 || done < k; done += DEPTH_PIECE) {
        int64_t piece = k - done < DEPTH_PIECE ? k - done : DEPTH_PIECE;
        Vec     sum[TILE_ROWS][TILE_MOST_VECTORS];
        UNROLL for (int r = 0; r < TILE_ROWS; r++) UNROLL for (int v = 0; v < vectors; v++)
            sum[r][v] = (Vec){0};
        for (int64_t p = 0; p < piece; p++) {
            Vec         column[TILE_MOST_VECTORS];
            const real *row_b = at ? b + *at++ : b;
            __builtin_prefetch(a + AHEAD);
            UNROLL for (int v = 0; v < vectors; v++) column[v] = vec_load(row_b + v * LANES);
            UNROLL for (int r = 0; r < TILE_ROWS; r++)
            {
                Vec row = vec_all(a[r]);
                UNROLL for (int v = 0; v < vectors; v++) sum[r][v] =
                    vec_fma(row, column[v], sum[r][v]);
            }
            a += TILE_ROWS;
            b += b_step;
        }
        UNROLL for (int r = 0; r < TILE_ROWS; r++) UNROLL for (int v = 0; v < vectors; v++)
        {
            real *to = c + r * stride + v * LANES;
            vec_store(to, done ? vec_load(to) + sum[r][v] : sum[r][v]);
        }
    }
}

static void gemm_tile1(int64_t k, const real *a, const real *b, int64_t b_step, real *c,
                       int64_t stride)
{
    tile(k, a, b, b_step, NULL, c, stride, 1);
}

static void gemm_tile2(int64_t k, const real *a, const real *b, int64_t b_step, real *c,
                       int64_t stride)
{
    tile(k, a, b, b_step, NULL, c, stride, 2);
}

static void gemm_tile3(int64_t k, const real *a, const real *b, int64_t b_step, real *c,
                       int64_t stride)
{
    tile(k, a, b, b_step, NULL, c, stride, 3);
}

static void shift_tile1(int64_t k, const real *a, const real *b, const int32_t *at, real *c,
                        int64_t stride)
{
    tile(k, a, b, 0, at, c, stride, 1);
}

static void shift_tile2(int64_t k, const real *a, const real *b, const int32_t *at, real *c,
                        int64_t stride)
{
    tile(k, a, b, 0, at, c, stride, 2);
}

static void shift_tile3(int64_t k, const real *a, const real *b, const int32_t *at, real *c,
                        int64_t stride)
{
    tile(k, a, b, 0, at, c, stride, 3);
}

#if defined SIMD_AVX512

/* Lanes are rows: a vector of 16 columns of which half are wanted costs as much as 16. The sums are
 * those of the tile, in the same order. */
enum { FEW_COLUMNS = 8 };

static void gemm_few(int64_t k, const real *restrict a, const real *restrict b, int64_t b_step,
                     real *restrict c, int64_t stride)
{
    __m256 total[FEW_COLUMNS];
    for (int64_t done = 0; done == 0 || done < k; done += DEPTH_PIECE) {
        int64_t piece = k - done < DEPTH_PIECE ? k - done : DEPTH_PIECE;
        __m256  sum[FEW_COLUMNS];
        UNROLL for (int j = 0; j < FEW_COLUMNS; j++) sum[j] = _mm256_setzero_ps();
        for (int64_t p = 0; p < piece; p++, a += TILE_ROWS, b += b_step) {
            __builtin_prefetch(a + AHEAD);
            __m256 rows = _mm256_loadu_ps(a);
            UNROLL for (int j = 0; j < FEW_COLUMNS; j++) sum[j] =
                _mm256_fmadd_ps(rows, _mm256_set1_ps(b[j]), sum[j]);
        }
        UNROLL for (int j = 0; j < FEW_COLUMNS; j++) total[j] =
            done ? _mm256_add_ps(total[j], sum[j]) : sum[j];
    }
    for (int r = 0; r < TILE_ROWS; r++) {
        Vec row = {0};
        for (int j = 0; j < FEW_COLUMNS; j++)
            row[j] = total[j][r];
        vec_store(c + r * stride, row);
    }
}

#endif

/* ---- pointwise ------------------------------------------------------------------------------- */

static void add(real *out, const real *a, const real *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = a[i] + b[i];
}

static void mul(real *out, const real *a, const real *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = a[i] * b[i];
}

static void scale_offset(real *out, const real *x, real factor, real term, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i] * factor + term;
}

/* NaN stays NaN, so that a bad weight is seen at the probed layer and not hidden by a ReLU. */
static void relu(real *out, const real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i] <= 0 ? 0 : x[i];
}

static void gate(real *out, const real *condition, const real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = condition[i] > 0 ? x[i] : 0;
}

static void clamp(real *out, const real *x, real most, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i] <= 0 ? 0 : x[i] > most ? most : x[i];
}

static void gate_below(real *out, const real *condition, const real *x, real most, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = ((condition[i] > 0) & (condition[i] < most)) ? x[i] : 0;
}

/* Rounded as if computed in double: a quotient or root of floats has no other nearest float. */
static void power(real *out, const real *x, real exponent, int64_t n)
{
    if (exponent == -1)
        for (int64_t i = 0; i < n; i++)
            out[i] = 1 / x[i];
    else if (exponent == -2)
        for (int64_t i = 0; i < n; i++)
            out[i] = (real)(1 / ((double)x[i] * (double)x[i]));
    else if (exponent == 2)
        for (int64_t i = 0; i < n; i++)
            out[i] = x[i] * x[i];
    else if (exponent == (real)0.5)
        for (int64_t i = 0; i < n; i++)
            out[i] = (real)sqrt((double)x[i]);
    else
        for (int64_t i = 0; i < n; i++)
            out[i] = (real)pow((double)x[i], (double)exponent);
}

/* Some rows in one go over y, and the next ones fetched: each lies in other pages of memory. */
enum { ROWS_TOGETHER = 8 };

static void add_rows(real *restrict y, const real *factor, int64_t factor_step,
                     const real *restrict x, int64_t step, int64_t rows, int64_t n)
{
    int64_t r = 0;
    for (; r + ROWS_TOGETHER <= rows; r += ROWS_TOGETHER, x += ROWS_TOGETHER * step) {
        int64_t i     = 0;
        bool    ahead = r + 2 * ROWS_TOGETHER <= rows;
        real    f[ROWS_TOGETHER];
        for (int k = 0; k < ROWS_TOGETHER; k++)
            f[k] = factor[(r + k) * factor_step];
        for (; i + LANES <= n; i += LANES) {
            Vec sum = vec_load(y + i);
            UNROLL for (int k = 0; k < ROWS_TOGETHER; k++)
            {
                if (ahead)
                    __builtin_prefetch(x + (ROWS_TOGETHER + k) * step + i);
                sum += vec_all(f[k]) * vec_load(x + k * step + i);
            }
            vec_store(y + i, sum);
        }
        for (; i < n; i++)
            for (int k = 0; k < ROWS_TOGETHER; k++)
                y[i] += f[k] * x[k * step + i];
    }
    for (; r < rows; r++, x += step)
        for (int64_t i = 0; i < n; i++)
            y[i] += factor[r * factor_step] * x[i];
}

/* ---- reductions: partial sums in a fixed tree ------------------------------------------------ */

/* Element i goes to partial sum i mod PARTIAL_SUMS, whatever the lanes of a vector are; the upper
 * half of the sums is added to the lower until one is left. So every instruction set has the same
 * bits, but for the rounding of a product where there is no fused multiply-add. */
enum { PARTIAL_SUMS = 64, SUM_VECTORS = PARTIAL_SUMS / LANES };

static inline __attribute__((always_inline)) real sums_total(Vec s[SUM_VECTORS])
{
    UNROLL for (int half = SUM_VECTORS / 2; half > 0; half /= 2)
        UNROLL for (int v = 0; v < half; v++) s[v] += s[v + half];
    return vec_total(s[0]);
}

static real dot(const real *a, const real *b, int64_t n)
{
    Vec s[SUM_VECTORS];
    UNROLL for (int v = 0; v < SUM_VECTORS; v++) s[v] = (Vec){0};
    for (; n >= PARTIAL_SUMS; n -= PARTIAL_SUMS, a += PARTIAL_SUMS, b += PARTIAL_SUMS)
        UNROLL for (int v = 0; v < SUM_VECTORS; v++) s[v] =
            vec_fma(vec_load(a + v * LANES), vec_load(b + v * LANES), s[v]);
    UNROLL for (int v = 0; v < SUM_VECTORS; v++) s[v] =
        vec_fma(vec_load_some(a + v * LANES, n - v * LANES),
                vec_load_some(b + v * LANES, n - v * LANES), s[v]);
    return sums_total(s);
}

static real sum(const real *x, int64_t n)
{
    Vec s[SUM_VECTORS];
    UNROLL for (int v = 0; v < SUM_VECTORS; v++) s[v] = (Vec){0};
    for (; n >= PARTIAL_SUMS; n -= PARTIAL_SUMS, x += PARTIAL_SUMS)
        UNROLL for (int v = 0; v < SUM_VECTORS; v++) s[v] += vec_load(x + v * LANES);
    UNROLL for (int v = 0; v < SUM_VECTORS; v++) s[v] +=
        vec_load_some(x + v * LANES, n - v * LANES);
    return sums_total(s);
}

/* ---- exponentials ---------------------------------------------------------------------------- */

#if defined SIMD_AVX2 || defined SIMD_AVX512 || defined SIMD_NEON

static const float least_exp = -87.3365f; // e to the least is just above the smallest normal float
enum { ROUNDING = 0x4b400000 };           // the bits of 1.5 * 2^23: adding it rounds to an integer

/* e^r for exp(x) = 2^n e^r, |r| <= ln 2 / 2; degree-6 polynomial, error below 1 ulp of float.
 * *whole: n + ROUNDING. x from least_exp to 88.7228. Coefficients: Taylor to degree 6 with the last
 * two terms fitted (Cephes expf). */
static inline Vec vec_exp_part(Vec x, VecInt *whole)
{
    Vec magic = vec_all(12582912.0f);
    Vec t     = vec_fma(x, vec_all(1.44269504f), magic);
    Vec n     = t - magic;
    Vec r     = vec_fma(n, vec_all(-0.693359375f), x);
    r         = vec_fma(n, vec_all(2.12194440e-4f), r);
    Vec p     = vec_all(1.9875691500e-4f);
    p         = vec_fma(p, r, vec_all(1.3981999507e-3f));
    p         = vec_fma(p, r, vec_all(8.3334519073e-3f));
    p         = vec_fma(p, r, vec_all(4.1665795894e-2f));
    p         = vec_fma(p, r, vec_all(1.6666665459e-1f));
    p         = vec_fma(p, r, vec_all(5.0000001201e-1f));
    *whole    = (VecInt)t;
    return vec_fma(p * r, r, r + 1.0f);
}

/* exp(x) from least_exp to 88, NaN for NaN. */
static inline Vec vec_exp_inside(Vec x)
{
    VecInt whole;
    Vec    part = vec_exp_part(x, &whole);
    return part * (Vec)((whole << 23) + (127 << 23)); // what is above n falls out
}

/* exp(x) of x up to 88; 0 below least_exp. */
static inline Vec vec_exp_small(Vec x)
{
    Vec least = vec_all(least_exp);
    return vec_select(x < least, vec_all(0.0f), vec_exp_inside(vec_at_least(x, least)));
}

/* exp(x) of any x; 0 below least_exp, infinity above 88.7. */
static inline Vec vec_exp(Vec x)
{
    Vec    low = vec_all(least_exp), high = vec_all(88.7228f);
    VecInt whole;
    Vec    part = vec_exp_part(vec_at_most(vec_at_least(x, low), high), &whole);
    // 2^n in two halves, so that n = 128 does not overflow the exponent field.
    whole -= ROUNDING;
    VecInt half  = whole >> 1;
    Vec    value = part * (Vec)((half + 127) << 23) * (Vec)((whole - half + 127) << 23);
    value        = vec_select(x < low, vec_all(0.0f), value);
    return vec_select(x > high, vec_all((float)INFINITY), value);
}

/* log1p(e) for e in 0..1: log of u = 1 + e by polynomial, corrected for what the sum lost. */
static inline Vec vec_log1p(Vec e)
{
    Vec    u   = e + 1.0f;
    VecInt big = u > vec_all(1.41421356f);
    Vec    m   = vec_select(big, u * 0.5f, u) - 1.0f;
    Vec    p   = vec_all(7.0376836292e-2f); // Cephes logf
    p          = vec_fma(p, m, vec_all(-1.1514610310e-1f));
    p          = vec_fma(p, m, vec_all(1.1676998740e-1f));
    p          = vec_fma(p, m, vec_all(-1.2420140846e-1f));
    p          = vec_fma(p, m, vec_all(1.4249322787e-1f));
    p          = vec_fma(p, m, vec_all(-1.6668057665e-1f));
    p          = vec_fma(p, m, vec_all(2.0000714765e-1f));
    p          = vec_fma(p, m, vec_all(-2.4999993993e-1f));
    p          = vec_fma(p, m, vec_all(3.3333331174e-1f));
    Vec square = m * m;
    Vec log_u  = vec_fma(p * m, square, vec_fma(square, vec_all(-0.5f), m));
    log_u      = log_u + vec_select(big, vec_all(0.693147181f), vec_all(0.0f));
    return log_u + (e - (u - 1.0f)) / u;
}

/* 0 below -88, where it is less than the smallest normal float. */
static inline Vec vec_sigmoid(Vec x)
{
    Vec most = vec_all(88.0f);
    Vec e    = vec_exp_inside(vec_at_most(vec_at_least(-x, vec_all(least_exp)), most));
    return vec_select(x < -most, vec_all(0.0f), 1.0f / (1.0f + e));
}

/* The part above zero is x itself, not rounded by beta and back. */
static inline Vec vec_softplus(Vec x, real beta)
{
    Vec size = (Vec)((VecInt)(x * beta) | (VecInt)vec_all(-0.0f)); // -|beta x|
    return vec_at_least(x, vec_all(0.0f)) + vec_log1p(vec_exp_small(size)) / beta;
}

/* Phi(-a) = exp(-a^2 / 2) r(a) for a > 0, where r is smooth and slowly falling: r(a) is a quotient
 * of polynomials, to 5e-9 of itself up to a = 13.3 (least squares, reweighted until the largest
 * error stops falling). What a float loses of a^2 would be 1e-5 of the far tail, so it is given
 * back. The tail is a few ulp of itself down to -12.9, where it is no longer a normal float. */
static inline Vec vec_normal_cdf(Vec x)
{
    Vec a    = vec_select(x < 0.0f, -x, x);
    a        = vec_select(a > 16.0f, vec_all(16.0f), a);
    Vec p    = vec_all(4.02022688e-3f);
    p        = vec_fma(p, a, vec_all(3.99844193e-2f));
    p        = vec_fma(p, a, vec_all(1.81307492e-1f));
    p        = vec_fma(p, a, vec_all(4.35687296e-1f));
    p        = vec_fma(p, a, vec_all(5.00000000e-1f));
    Vec q    = vec_all(1.00770654e-2f);
    q        = vec_fma(q, a, vec_all(1.00233460e-1f));
    q        = vec_fma(q, a, vec_all(4.64382274e-1f));
    q        = vec_fma(q, a, vec_all(1.19448725e0f));
    q        = vec_fma(q, a, vec_all(1.66925952e0f));
    q        = vec_fma(q, a, vec_all(1.0f));
    Vec s    = a * a;
    Vec lost = vec_fma(a, a, -s);
    Vec r    = p / q;
    r = vec_fma(r * lost, vec_all(-0.5f), r); // not into the exponential: that may be lost as
    Vec tail = vec_exp_small(s * -0.5f) * r;  // a denormal
    return vec_select(x > 0.0f, 1.0f - tail, tail);
}

#define TAIL_SAFE(out, x, n, expression)                                                           \
    int64_t i = 0;                                                                                 \
    for (; i + LANES <= (n); i += LANES) {                                                         \
        Vec value = vec_load((x) + i);                                                             \
        vec_store((out) + i, (expression));                                                        \
    }                                                                                              \
    if (i < (n)) {                                                                                 \
        real rest[LANES] = {0};                                                                    \
        memcpy(rest, (x) + i, (size_t)((n)-i) * sizeof(real));                                     \
        Vec value = vec_load(rest);                                                                \
        vec_store(rest, (expression));                                                             \
        memcpy((out) + i, rest, (size_t)((n)-i) * sizeof(real));                                   \
    }

static void exponential(real *out, const real *x, int64_t n)
{
    TAIL_SAFE(out, x, n, vec_exp(value))
}

static void sigmoid(real *out, const real *x, real beta, int64_t n)
{
    TAIL_SAFE(out, x, n, vec_sigmoid(value * beta))
}

static void softplus(real *out, const real *x, real beta, int64_t n)
{
    TAIL_SAFE(out, x, n, vec_softplus(value, beta))
}

static void normal_cdf(real *out, const real *x, int64_t n)
{
    TAIL_SAFE(out, x, n, vec_normal_cdf(value))
}

#else

static void exponential(real *out, const real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = (real)exp((double)x[i]);
}

static void sigmoid(real *out, const real *x, real beta, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = (real)(1 / (1 + exp(-(double)(x[i] * beta))));
}

static void softplus(real *out, const real *x, real beta, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double value = (double)x[i];
        out[i] = (real)(fmax(value, 0) + log1p(exp(-fabs(value) * (double)beta)) / (double)beta);
    }
}

static void normal_cdf(real *out, const real *x, int64_t n)
{
    const double root_half = 0.70710678118654752440;
    for (int64_t i = 0; i < n; i++)
        out[i] = (real)(0.5 * erfc(-(double)x[i] * root_half));
}

#endif

#include "kernels_data.h"
#include "kernels_depthwise.h"
#include "kernels_norm.h"
#include "kernels_softmax.h"
#include "kernels_taps.h"
#include "kernels_winograd.h"

/* ---- the table ------------------------------------------------------------------------------- */

static void fill_table(Kernels *table, const char *isa)
{
    *table = (Kernels)
    {
        .isa = isa, .lanes = LANES, .tile_rows = TILE_ROWS, .tile_vectors = TILE_VECTORS,
        .gemm_tile  = {NULL, gemm_tile1, gemm_tile2, gemm_tile3},
        .shift_tile = {NULL, shift_tile1, shift_tile2, shift_tile3}, .correlate = correlate,
#if defined SIMD_AVX512
        .few_columns = FEW_COLUMNS, .gemm_few = gemm_few,
#endif
        .tap_rows = TAP_ROWS, .tap_tile = {NULL, tap_tile1, tap_tile2, tap_tile3},
        .transpose = transpose, .add = add, .mul = mul, .scale_offset = scale_offset, .relu = relu,
        .gate = gate, .clamp = clamp, .gate_below = gate_below, .power = power, .exp = exponential,
        .sigmoid = sigmoid, .softplus = softplus, .normal_cdf = normal_cdf, .add_rows = add_rows,
        .sum_rows = sum_rows, .sum_squares = sum_squares, .norm_rows = norm_rows,
        .log_softmax = log_softmax, .softmax = softmax, .dot = dot, .sum = sum, .finish = finish,
        .pack = pack, .interleave = interleave, .maxpool = maxpool,
        .winograd_columns = winograd_columns, .winograd_input = winograd_input,
        .winograd_output = winograd_output, .winograd_keep = winograd_keep,
        .winograd_gradient = winograd_gradient, .nonzero = nonzero,
        .winograd_weights = winograd_weights,
    };
}
