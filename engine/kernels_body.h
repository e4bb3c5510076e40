/* engine/kernels_body.h - the one kernel text, included by every isa_*.c.
 *
 * The including file defines SIMD_<set> (none: portable) and the enum constants TILE_ROWS and
 * TILE_VECTORS before. Loops the compiler vectorises by itself are written plainly. */
#include "kernels.h"
#include "simd.h"
#include "winograd_points.h"

#include <math.h>

/* ---- GEMM register tile ------------------------------------------------------------------------ */

/* Adds pieces of this many products: the rounding error of one long sum grows with its length. Input
 * gradients of CIFAR ResNet-20 and 56: 1.6 times PyTorch's error with 256, 1.1 with 64. */
enum { DEPTH_PIECE = 64 };

/* One text for every panel width; `vectors` is a constant after inlining, so the accumulators live in
 * registers. Without forced unrolling they spill, at a third to a half of the speed. */
static inline __attribute__((always_inline)) void tile(int64_t k, const real *restrict a,
                                                       const real *restrict b, real *restrict c,
                                                       int64_t stride, int vectors)
{
    for (int64_t done = 0; done == 0 || done < k; done += DEPTH_PIECE) {
        int64_t piece = k - done < DEPTH_PIECE ? k - done : DEPTH_PIECE;
        Vec     sum[TILE_ROWS][TILE_MOST_VECTORS];
        UNROLL for (int r = 0; r < TILE_ROWS; r++)
            UNROLL for (int v = 0; v < vectors; v++)
                sum[r][v] = (Vec){0};
        for (int64_t p = 0; p < piece; p++) {
            Vec column[TILE_MOST_VECTORS];
            UNROLL for (int v = 0; v < vectors; v++)
                column[v] = vec_load(b + v * LANES);
            UNROLL for (int r = 0; r < TILE_ROWS; r++) {
                Vec row = vec_all(a[r]);
                UNROLL for (int v = 0; v < vectors; v++)
                    sum[r][v] = vec_fma(row, column[v], sum[r][v]);
            }
            a += TILE_ROWS;
            b += vectors * LANES;
        }
        UNROLL for (int r = 0; r < TILE_ROWS; r++)
            UNROLL for (int v = 0; v < vectors; v++) {
                real *to = c + r * stride + v * LANES;
                vec_store(to, done ? vec_load(to) + sum[r][v] : sum[r][v]);
            }
    }
}

static void gemm_tile1(int64_t k, const real *a, const real *b, real *c, int64_t stride)
{
    tile(k, a, b, c, stride, 1);
}

static void gemm_tile2(int64_t k, const real *a, const real *b, real *c, int64_t stride)
{
    tile(k, a, b, c, stride, 2);
}

static void gemm_tile3(int64_t k, const real *a, const real *b, real *c, int64_t stride)
{
    tile(k, a, b, c, stride, 3);
}

/* ---- pointwise --------------------------------------------------------------------------------- */

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

static void axpy(real *restrict y, real factor, const real *restrict x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

static void finish(real *out, const real *x, real bias, const real *extra, bool rectify,
                   const real *condition, int64_t n)
{
    if (extra && rectify) {
        for (int64_t i = 0; i < n; i++) {
            real value = x[i] + bias + extra[i];
            out[i]     = value <= 0 ? 0 : value;
        }
    } else if (rectify) {
        for (int64_t i = 0; i < n; i++) {
            real value = x[i] + bias;
            out[i]     = value <= 0 ? 0 : value;
        }
    } else if (condition) {
        for (int64_t i = 0; i < n; i++)
            out[i] = condition[i] > 0 ? x[i] + bias + (extra ? extra[i] : 0) : 0;
    } else if (extra) {
        for (int64_t i = 0; i < n; i++)
            out[i] = x[i] + bias + extra[i];
    } else {
        for (int64_t i = 0; i < n; i++)
            out[i] = x[i] + bias;
    }
}

/* ---- reductions: LANES x 4 partial sums, combined in a fixed tree --------------------------------- */

static real vec_total(Vec s0, Vec s1, Vec s2, Vec s3)
{
    Vec  s     = (s0 + s1) + (s2 + s3);
    real total = 0;
    for (int i = 0; i < LANES; i++)
        total += s[i];
    return total;
}

static real dot(const real *a, const real *b, int64_t n)
{
    Vec     s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        s0 = vec_fma(vec_load(a + i), vec_load(b + i), s0);
        s1 = vec_fma(vec_load(a + i + LANES), vec_load(b + i + LANES), s1);
        s2 = vec_fma(vec_load(a + i + 2 * LANES), vec_load(b + i + 2 * LANES), s2);
        s3 = vec_fma(vec_load(a + i + 3 * LANES), vec_load(b + i + 3 * LANES), s3);
    }
    real total = vec_total(s0, s1, s2, s3);
    for (; i < n; i++)
        total += a[i] * b[i];
    return total;
}

static real sum(const real *x, int64_t n)
{
    Vec     s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        s0 += vec_load(x + i);
        s1 += vec_load(x + i + LANES);
        s2 += vec_load(x + i + 2 * LANES);
        s3 += vec_load(x + i + 3 * LANES);
    }
    real total = vec_total(s0, s1, s2, s3);
    for (; i < n; i++)
        total += x[i];
    return total;
}

/* ---- exponentials ------------------------------------------------------------------------------ */

#if defined SIMD_AVX2 || defined SIMD_AVX512 || defined SIMD_NEON

/* exp(x) = 2^n e^r, |r| <= ln 2 / 2; degree-6 polynomial, error below 1 ulp of float on the range.
 * Below -87.3 the result is 0, above 88.7 infinity. Coefficients: Taylor to degree 6 with the last
 * two terms fitted (Cephes expf). */
static inline Vec vec_exp(Vec x)
{
    Vec magic = vec_all(12582912.0f); // 1.5 * 2^23: adding it rounds to an integer
    Vec low = vec_all(-87.3365f), high = vec_all(88.7228f);
    Vec inside = vec_select(x < low, low, vec_select(x > high, high, x));
    Vec t      = vec_fma(inside, vec_all(1.44269504f), magic);
    Vec n      = t - magic;
    Vec r      = vec_fma(n, vec_all(-0.693359375f), inside);
    r          = vec_fma(n, vec_all(2.12194440e-4f), r);
    Vec p      = vec_all(1.9875691500e-4f);
    p          = vec_fma(p, r, vec_all(1.3981999507e-3f));
    p          = vec_fma(p, r, vec_all(8.3334519073e-3f));
    p          = vec_fma(p, r, vec_all(4.1665795894e-2f));
    p          = vec_fma(p, r, vec_all(1.6666665459e-1f));
    p          = vec_fma(p, r, vec_all(5.0000001201e-1f));
    p          = vec_fma(p * r, r, r + 1.0f);
    // 2^n in two halves, so that n = 128 does not overflow the exponent field.
    VecInt whole = (VecInt)t - (VecInt)magic;
    VecInt half  = whole >> 1;
    Vec    value = p * (Vec)((half + 127) << 23) * (Vec)((whole - half + 127) << 23);
    value        = vec_select(x < low, vec_all(0.0f), value);
    value        = vec_select(x > high, vec_all((float)INFINITY), value);
    return vec_select(x == x, value, x);
}

/* log1p(e) for e in 0..1: log of u = 1 + e by polynomial, corrected for what the sum lost. */
static inline Vec vec_log1p(Vec e)
{
    Vec    u    = e + 1.0f;
    VecInt big  = u > vec_all(1.41421356f);
    Vec    m    = vec_select(big, u * 0.5f, u) - 1.0f;
    Vec    p    = vec_all(7.0376836292e-2f); // Cephes logf
    p           = vec_fma(p, m, vec_all(-1.1514610310e-1f));
    p           = vec_fma(p, m, vec_all(1.1676998740e-1f));
    p           = vec_fma(p, m, vec_all(-1.2420140846e-1f));
    p           = vec_fma(p, m, vec_all(1.4249322787e-1f));
    p           = vec_fma(p, m, vec_all(-1.6668057665e-1f));
    p           = vec_fma(p, m, vec_all(2.0000714765e-1f));
    p           = vec_fma(p, m, vec_all(-2.4999993993e-1f));
    p           = vec_fma(p, m, vec_all(3.3333331174e-1f));
    Vec square  = m * m;
    Vec log_u   = vec_fma(p * m, square, vec_fma(square, vec_all(-0.5f), m));
    log_u       = log_u + vec_select(big, vec_all(0.693147181f), vec_all(0.0f));
    return log_u + (e - (u - 1.0f)) / u;
}

static inline Vec vec_sigmoid(Vec x)
{
    return 1.0f / (1.0f + vec_exp(-x));
}

/* The part above zero is x itself, not rounded by beta and back. */
static inline Vec vec_softplus(Vec x, real beta)
{
    Vec size = vec_select(x < 0.0f, x, -x) * beta;
    return vec_select(x > 0.0f, x, vec_all(0.0f)) + vec_log1p(vec_exp(size)) / beta;
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
    TAIL_SAFE(out, x, n, vec_sigmoid(value *beta))
}

static void softplus(real *out, const real *x, real beta, int64_t n)
{
    TAIL_SAFE(out, x, n, vec_softplus(value, beta))
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

#endif

/* ---- 2x2 pooling -------------------------------------------------------------------------------- */

/* Even and odd elements of 2 * LANES reals. */
static inline __attribute__((always_inline)) void vec_pairs(const real *p, Vec *even, Vec *odd)
{
    for (int i = 0; i < LANES; i++) {
        (*even)[i] = p[2 * i];
        (*odd)[i]  = p[2 * i + 1];
    }
}

/* A value and its place travel together; strictly greater replaces, so the first maximum wins. */
static inline __attribute__((always_inline)) void vec_better(Vec *best, VecInt *place, Vec value,
                                                             VecInt at)
{
    VecInt greater = value > *best;
    *best          = vec_select(greater, value, *best);
    *place         = (greater & at) | (~greater & *place);
}

static void maxpool2(real *restrict out, int32_t *restrict index, const real *restrict top,
                     const real *restrict bottom, int32_t at, int32_t width, int64_t n)
{
    int64_t i    = 0;
    VecInt  ramp = {0};
    for (int lane = 0; lane < LANES; lane++)
        ramp[lane] = 2 * lane;
    for (; i + LANES <= n; i += LANES) {
        Vec    best, right, left_below, right_below;
        VecInt place = ramp + (at + (int32_t)(2 * i));
        VecInt first = place;
        vec_pairs(top + 2 * i, &best, &right);
        vec_pairs(bottom + 2 * i, &left_below, &right_below);
        vec_better(&best, &place, right, first + 1);
        vec_better(&best, &place, left_below, first + width);
        vec_better(&best, &place, right_below, first + width + 1);
        vec_store(out + i, best);
        for (int lane = 0; index && lane < LANES; lane++)
            index[i + lane] = (int32_t)place[lane];
    }
    for (; i < n; i++) {
        const real value[4] = {top[2 * i], top[2 * i + 1], bottom[2 * i], bottom[2 * i + 1]};
        int        best     = 0;
        for (int j = 1; j < 4; j++)
            best = value[j] > value[best] ? j : best;
        out[i] = value[best];
        if (index)
            index[i] = at + (int32_t)(2 * i) + (best & 1) + (best >> 1) * width;
    }
}

/* ---- Winograd F(4x4,3x3): see winograd.h for the mathematics --------------------------------------- */

static void spread(real *out, int64_t stride, const real *line, int64_t tiles)
{
    int64_t t = 0;
    for (; t + LANES <= tiles; t += LANES) {
        Vec part[4];
        vec_spread4(line + 4 * t, part);
        UNROLL for (int j = 0; j < 4; j++)
            vec_store(out + j * stride + t, part[j]);
    }
    for (; t < tiles; t++)
        for (int j = 0; j < 4; j++)
            out[j * stride + t] = line[4 * t + j];
    // Columns 4 and 5 of a tile are columns 0 and 1 of its right neighbour.
    for (int j = 0; j < 2 && tiles > 0; j++) {
        memcpy(out + (4 + j) * stride, out + j * stride + 1, (size_t)(tiles - 1) * sizeof(real));
        out[(4 + j) * stride + tiles - 1] = line[4 * tiles + j];
    }
}

static void collect(real *line, const real *in, int64_t stride, int64_t tiles)
{
    int64_t t = 0;
    for (; t + LANES <= tiles; t += LANES) {
        Vec part[4];
        UNROLL for (int j = 0; j < 4; j++)
            part[j] = vec_load(in + j * stride + t);
        vec_collect4(line + 4 * t, part);
    }
    for (; t < tiles; t++)
        for (int j = 0; j < 4; j++)
            line[4 * t + j] = in[j * stride + t];
}

/* One dimension of B^T d: six values to six. */
static inline __attribute__((always_inline)) void transform_input(const Vec d[6], Vec out[6])
{
    const real a2 = WINOGRAD_A * WINOGRAD_A, b2 = WINOGRAD_B * WINOGRAD_B;
    Vec        even_a = vec_fma(d[2], vec_all(-b2), d[4]);
    Vec        odd_a  = vec_fma(d[1], vec_all(-b2), d[3]) * (real)WINOGRAD_A;
    Vec        even_b = vec_fma(d[2], vec_all(-a2), d[4]);
    Vec        odd_b  = vec_fma(d[1], vec_all(-a2), d[3]) * (real)WINOGRAD_B;
    out[0]            = vec_fma(d[0], vec_all(a2 * b2), vec_fma(d[2], vec_all(-(a2 + b2)), d[4]));
    out[1]            = even_a + odd_a;
    out[2]            = even_a - odd_a;
    out[3]            = even_b + odd_b;
    out[4]            = even_b - odd_b;
    out[5]            = vec_fma(d[1], vec_all(a2 * b2), vec_fma(d[3], vec_all(-(a2 + b2)), d[5]));
}

/* One dimension of A^T m: six values to four. */
static inline __attribute__((always_inline)) void transform_output(const Vec m[6], Vec out[4])
{
    const real a = WINOGRAD_A, b = WINOGRAD_B;
    Vec        sum_a = m[1] + m[2], difference_a = m[1] - m[2];
    Vec        sum_b = m[3] + m[4], difference_b = m[3] - m[4];
    out[0] = m[0] + sum_a + sum_b;
    out[1] = vec_fma(difference_a, vec_all(a), difference_b * b);
    out[2] = vec_fma(sum_a, vec_all(a * a), sum_b * (b * b));
    out[3] = vec_fma(difference_a, vec_all(a * a * a), vec_fma(difference_b, vec_all(b * b * b), m[5]));
}

/* in[36][in_stride]: pixel (i, j) of every tile; out[36][stride]. tiles: a multiple of LANES. */
static void winograd_input(real *out, int64_t stride, const real *in, int64_t in_stride,
                           int64_t tiles)
{
    for (int64_t t = 0; t < tiles; t += LANES) {
        Vec middle[6][6];
        UNROLL for (int j = 0; j < 6; j++) {
            Vec column[6], result[6];
            UNROLL for (int i = 0; i < 6; i++)
                column[i] = vec_load(in + (6 * i + j) * in_stride + t);
            transform_input(column, result);
            UNROLL for (int i = 0; i < 6; i++)
                middle[i][j] = result[i];
        }
        UNROLL for (int i = 0; i < 6; i++) {
            Vec result[6];
            transform_input(middle[i], result);
            UNROLL for (int j = 0; j < 6; j++)
                vec_store(out + (6 * i + j) * stride + t, result[j]);
        }
    }
}

/* in[36][stride] products; out[16][out_stride]: output pixel (i, j) of every tile. */
static void winograd_output(real *out, int64_t out_stride, const real *in, int64_t stride,
                            int64_t tiles)
{
    for (int64_t t = 0; t < tiles; t += LANES) {
        Vec middle[4][6];
        UNROLL for (int j = 0; j < 6; j++) {
            Vec column[6], result[4];
            UNROLL for (int i = 0; i < 6; i++)
                column[i] = vec_load(in + (6 * i + j) * stride + t);
            transform_output(column, result);
            UNROLL for (int i = 0; i < 4; i++)
                middle[i][j] = result[i];
        }
        UNROLL for (int i = 0; i < 4; i++) {
            Vec result[4];
            transform_output(middle[i], result);
            UNROLL for (int j = 0; j < 4; j++)
                vec_store(out + (4 * i + j) * out_stride + t, result[j]);
        }
    }
}

/* ---- the table ----------------------------------------------------------------------------------- */

static void fill_table(Kernels *table, const char *isa)
{
    *table = (Kernels){
        .isa             = isa,
        .lanes           = LANES,
        .tile_rows       = TILE_ROWS,
        .tile_vectors    = TILE_VECTORS,
        .gemm_tile       = {NULL, gemm_tile1, gemm_tile2, gemm_tile3},
        .add             = add,
        .mul             = mul,
        .scale_offset    = scale_offset,
        .relu            = relu,
        .gate            = gate,
        .exp             = exponential,
        .sigmoid         = sigmoid,
        .softplus        = softplus,
        .axpy            = axpy,
        .dot             = dot,
        .sum             = sum,
        .finish          = finish,
        .maxpool2        = maxpool2,
        .spread          = spread,
        .collect         = collect,
        .winograd_input  = winograd_input,
        .winograd_output = winograd_output,
    };
}
