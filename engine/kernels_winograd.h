/* engine/kernels_winograd.h - part of the kernel text: the transforms of F(4x4,3x3).
 * conv_winograd.c has the mathematics. */
#include "winograd_points.h"

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
    out[3] =
        vec_fma(difference_a, vec_all(a * a * a), vec_fma(difference_b, vec_all(b * b * b), m[5]));
}

/* The columns of B^T d where the pixels lie, so that they are loaded once for all tiles and need no
 * order of their own: an element of `lines` is a pixel. Vectors may write past the end of a span;
 * the next one begins there. */
static void winograd_columns(real *restrict lines, int64_t stride, real *restrict ends,
                             const real *plane, int64_t ahead, const TileSpan *span, int64_t spans,
                             uint64_t *seen)
{
    enum { LINE = 64 / sizeof(real) };
    static const real outside[4 * WINOGRAD_MOST_TILES + 2] = {0};
    for (const TileSpan *s = span; s < span + spans; s++) {
        const real *row[6];
        real       *to    = lines + 4 * s->tile;
        int64_t     words = (s->inside + 63) / 64, after = 4 * s->count - s->left;
        for (int i = 0; i < 6; i++) {
            real *end = ends + 2 * i * WINOGRAD_MOST_TILES + s->tile + s->count - 1;
            row[i]    = s->at[i] < 0 ? outside : plane + s->at[i];
            for (int j = 0; j < 2; j++)
                end[j * WINOGRAD_MOST_TILES] = after + j < s->inside ? row[i][after + j] : 0;
            for (int64_t x = 0; x < s->left; x++)
                to[i * stride + x] = 0;
        }
        for (int64_t x = 0; x < s->inside && ahead; x += LINE)
            UNROLL for (int i = 1; i < 5; i++) __builtin_prefetch(row[i] + ahead + x, 0, 3);
        for (int64_t x = 0; x < s->inside; x += LANES) {
            Vec     d[6], result[6];
            int64_t left = s->inside - x;
            UNROLL for (int i = 0; i < 6; i++) d[i] =
                left >= LANES ? vec_load(row[i] + x) : vec_load_some(row[i] + x, left);
            if (seen)
                UNROLL for (int i = 0; i < 6; i++) seen[i * words + x / 64] |=
                    (uint64_t)vec_nonzero(d[i]) << x % 64;
            transform_input(d, result);
            UNROLL for (int i = 0; i < 6; i++) vec_store(to + i * stride + s->left + x, result[i]);
        }
        for (int i = 0; i < 6; i++)
            for (int64_t x = s->inside; x < after; x++)
                to[i * stride + s->left + x] = 0;
        seen = seen ? seen + 6 * words : NULL;
    }
}

/* The rows, a tile a lane. Columns 4 and 5 of a tile are columns 0 and 1 of its right neighbour, or
 * at the end of a span on their own. */
static void winograd_input(real *restrict out, int64_t stride, const real *restrict lines,
                           int64_t line_stride, const real *restrict ends, uint64_t last,
                           int64_t tiles)
{
    for (int64_t t = 0; t < tiles; t += LANES) {
        VecInt is_last = vec_lanes((unsigned)(last >> t));
        Vec    end[2][6];
        UNROLL for (int j = 0; j < 2; j++)
        {
            Vec column[6];
            UNROLL for (int i = 0; i < 6; i++) column[i] =
                vec_load(ends + (2 * i + j) * WINOGRAD_MOST_TILES + t);
            transform_input(column, end[j]);
        }
        UNROLL for (int i = 0; i < 6; i++)
        {
            const real *from = lines + i * line_stride + 4 * t;
            Vec         in[4], d[6], result[6];
            UNROLL for (int q = 0; q < 4; q++) in[q] = vec_load(from + q * LANES);
            vec_spread4(in, d);
            UNROLL for (int j = 0; j < 2; j++) d[4 + j] =
                vec_select(is_last, end[j][i], vec_next(d[j], from + 4 * LANES + j));
            transform_input(d, result);
            UNROLL for (int j = 0; j < 6; j++) vec_store(out + (6 * i + j) * stride + t, result[j]);
        }
    }
}

static void winograd_output(real *restrict lines, int64_t line_stride, const real *restrict in,
                            int64_t stride, int64_t tiles)
{
    for (int64_t t = 0; t < tiles; t += LANES) {
        Vec middle[4][6];
        UNROLL for (int j = 0; j < 6; j++)
        {
            Vec column[6], result[4];
            UNROLL for (int i = 0; i < 6; i++) column[i] = vec_load(in + (6 * i + j) * stride + t);
            transform_output(column, result);
            UNROLL for (int i = 0; i < 4; i++) middle[i][j] = result[i];
        }
        UNROLL for (int i = 0; i < 4; i++)
        {
            Vec result[4];
            transform_output(middle[i], result);
            vec_collect4(lines + i * line_stride + 4 * t, result);
        }
    }
}

static void winograd_keep(real *lines, int64_t line_stride, const uint64_t *kept, int64_t tiles)
{
    Vec zero = {0};
    for (int i = 0; i < 4; i++)
        for (int64_t x = 0; x < 4 * tiles; x += LANES) {
            real  *at     = lines + i * line_stride + x;
            Vec    value  = vec_load(at);
            VecInt stays  = vec_lanes((unsigned)(kept[WINOGRAD_WORDS * i + x / 64] >> x % 64));
            VecInt beyond = value - value != zero; // NOLINT(misc-redundant-expression): infinite
            vec_store(at, vec_select(stays | beyond, value, zero));
        }
}

/* One dimension of A g: four values to six. */
static inline __attribute__((always_inline)) void transform_gradient(const Vec g[4], Vec out[6])
{
    const real a = WINOGRAD_A, b = WINOGRAD_B;
    Vec        even_a = vec_fma(g[2], vec_all(a * a), g[0]);
    Vec        odd_a  = vec_fma(g[3], vec_all(a * a * a), g[1] * a);
    Vec        even_b = vec_fma(g[2], vec_all(b * b), g[0]);
    Vec        odd_b  = vec_fma(g[3], vec_all(b * b * b), g[1] * b);
    out[0]            = g[0];
    out[1]            = even_a + odd_a;
    out[2]            = even_a - odd_a;
    out[3]            = even_b + odd_b;
    out[4]            = even_b - odd_b;
    out[5]            = g[3];
}

static void winograd_gradient(real *restrict out, int64_t stride, const real *restrict gy,
                              int64_t row_step, int64_t pixel_step, int64_t n)
{
    for (int64_t k = 0; k < n; k += LANES) {
        Vec middle[6][4];
        UNROLL for (int j = 0; j < 4; j++)
        {
            Vec column[4], result[6];
            UNROLL for (int i = 0; i < 4; i++) column[i] =
                vec_load(gy + i * row_step + j * pixel_step + k);
            transform_gradient(column, result);
            UNROLL for (int i = 0; i < 6; i++) middle[i][j] = result[i];
        }
        UNROLL for (int i = 0; i < 6; i++)
        {
            Vec result[6];
            transform_gradient(middle[i], result);
            UNROLL for (int j = 0; j < 6; j++) vec_store(out + (6 * i + j) * stride + k, result[j]);
        }
    }
}

/* One dimension of G^T m: six values to three. */
static inline __attribute__((always_inline)) void transform_weights(const Vec m[6], Vec out[3])
{
    const real a = WINOGRAD_A, b = WINOGRAD_B, a2 = a * a, b2 = b * b;
    const real at_a = 1 / (2 * a2 * (a2 - b2)), at_b = 1 / (2 * b2 * (b2 - a2));
    Vec        sum_a = (m[1] + m[2]) * at_a, difference_a = (m[1] - m[2]) * at_a;
    Vec        sum_b = (m[3] + m[4]) * at_b, difference_b = (m[3] - m[4]) * at_b;
    out[0] = vec_fma(m[0], vec_all(1 / (a2 * b2)), sum_a + sum_b);
    out[1] = vec_fma(difference_a, vec_all(a), difference_b * b);
    out[2] = vec_fma(sum_a, vec_all(a2), vec_fma(sum_b, vec_all(b2), m[5]));
}

static void winograd_weights(real *restrict out, int64_t out_stride, const real *restrict in,
                             int64_t stride, int64_t n)
{
    for (int64_t k = 0; k < n; k += LANES) {
        Vec middle[3][6];
        UNROLL for (int j = 0; j < 6; j++)
        {
            Vec column[6], result[3];
            UNROLL for (int i = 0; i < 6; i++) column[i] = vec_load(in + (6 * i + j) * stride + k);
            transform_weights(column, result);
            UNROLL for (int i = 0; i < 3; i++) middle[i][j] = result[i];
        }
        UNROLL for (int i = 0; i < 3; i++)
        {
            Vec result[3];
            transform_weights(middle[i], result);
            UNROLL for (int j = 0; j < 3; j++)
                vec_store(out + (3 * i + j) * out_stride + k, result[j]);
        }
    }
}

static void nonzero(uint64_t *bits, const real *x, int64_t n)
{
    for (int64_t at = 0; at < n; at += LANES) {
        uint64_t found = vec_nonzero(vec_load_some(x + at, n - at));
        bits[at / 64]  = (at % 64 ? bits[at / 64] : 0) | found << at % 64;
    }
}
