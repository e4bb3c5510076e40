/* engine/kernels_winograd.h - part of the kernel text: the transforms of F(4x4,3x3), a tile a lane.
 * conv_winograd.c has the mathematics. */
#include "winograd_points.h"

static void spread(real *out, int64_t stride, const real *line, int64_t tiles)
{
    for (int64_t t = 0; t < tiles; t += LANES) {
        // Columns 4 and 5 of a tile are columns 0 and 1 of its right neighbour.
        const real *from = line + 4 * t;
        int64_t     left = tiles - t, reals = 4 * left + 2;
        Vec         in[4], next[4], part[8] = {{0}};
        UNROLL for (int i = 0; i < 4; i++)
        {
            in[i]   = left > LANES ? vec_load(from + i * LANES)
                                   : vec_load_some(from + i * LANES, reals - i * LANES);
            next[i] = left > LANES ? vec_load(from + 4 + i * LANES)
                                   : vec_load_some(from + 4 + i * LANES, reals - 4 - i * LANES);
        }
        vec_spread4(in, part);
        vec_spread4(next, part + 4);
        UNROLL for (int j = 0; j < 6; j++) if (left >= LANES)
            vec_store(out + j * stride + t, part[j]);
        else vec_store_some(out + j * stride + t, part[j], left);
    }
}

static void collect(real *line, const real *in, int64_t stride, int64_t tiles)
{
    int64_t t = 0;
    for (; t + LANES <= tiles; t += LANES) {
        Vec part[4];
        UNROLL for (int j = 0; j < 4; j++) part[j] = vec_load(in + j * stride + t);
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
    out[3] =
        vec_fma(difference_a, vec_all(a * a * a), vec_fma(difference_b, vec_all(b * b * b), m[5]));
}

/* Both dimensions, first the columns: in[36][in_stride] to out[rows * rows][out_stride]. `rows` and
 * `transform` are constants once this is inlined. */
static inline __attribute__((always_inline)) void
transform_tiles(void transform(const Vec in[6], Vec out[]), int rows, real *out, int64_t out_stride,
                const real *in, int64_t in_stride, int64_t tiles)
{
    for (int64_t t = 0; t < tiles; t += LANES) {
        Vec middle[6][6];
        UNROLL for (int j = 0; j < 6; j++)
        {
            Vec column[6], result[6];
            UNROLL for (int i = 0; i < 6; i++) column[i] =
                vec_load(in + (6 * i + j) * in_stride + t);
            transform(column, result);
            UNROLL for (int i = 0; i < rows; i++) middle[i][j] = result[i];
        }
        UNROLL for (int i = 0; i < rows; i++)
        {
            Vec result[6];
            transform(middle[i], result);
            UNROLL for (int j = 0; j < rows; j++)
                vec_store(out + (rows * i + j) * out_stride + t, result[j]);
        }
    }
}

/* in[36][in_stride]: pixel (i, j) of every tile; out[36][stride]. tiles: a multiple of LANES. */
static void winograd_input(real *out, int64_t stride, const real *in, int64_t in_stride,
                           int64_t tiles)
{
    transform_tiles(transform_input, 6, out, stride, in, in_stride, tiles);
}

/* in[36][stride] products; out[16][out_stride]: output pixel (i, j) of every tile. */
static void winograd_output(real *out, int64_t out_stride, const real *in, int64_t stride,
                            int64_t tiles)
{
    transform_tiles(transform_output, 4, out, out_stride, in, stride, tiles);
}

static void winograd_seen(uint64_t *seen, const real *in, int64_t stride, int64_t tiles)
{
    for (int e = 0; e < 36; e++) {
        uint64_t found = 0;
        for (int64_t t = 0; t < tiles; t += LANES)
            found |= (uint64_t)vec_nonzero(vec_load(in + e * stride + t)) << t;
        seen[e] |= found;
    }
}

static void winograd_keep(real *out, int64_t stride, const uint64_t *kept, int64_t tiles)
{
    Vec zero = {0};
    for (int e = 0; e < 16; e++)
        for (int64_t t = 0; t < tiles; t += LANES) {
            Vec    value  = vec_load(out + e * stride + t);
            VecInt stays  = vec_lanes((unsigned)(kept[e] >> t));
            VecInt beyond = value - value != zero; // NOLINT(misc-redundant-expression): infinite
            vec_store(out + e * stride + t, vec_select(stays | beyond, value, zero));
        }
}
