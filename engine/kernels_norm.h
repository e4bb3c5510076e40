/* engine/kernels_norm.h - part of the kernel text: rows added in double, the rows of a layer norm.
 */

/* Vectors of columns whose sums stay in registers. */
enum { SUM_COLUMNS = 8, WIDE = LANES / 2 };

/* n: columns, as many as the vectors hold or fewer than one of them. With `shift`, squares of x +
 * shift. */
static inline __attribute__((always_inline)) void sum_some_rows(double *total, const real *x,
                                                                const real *shift, int64_t step,
                                                                int64_t rows, int vectors,
                                                                int64_t n)
{
    VecDouble sum[SUM_COLUMNS];
    VecHalf   by[SUM_COLUMNS];
    double    all[SUM_COLUMNS * WIDE] = {0};
    memcpy(all, total, (size_t)n * sizeof *total);
    UNROLL for (int v = 0; v < vectors; v++)
    {
        memcpy(&sum[v], all + v * WIDE, sizeof *sum);
        by[v] = shift ? half_load(shift + v * WIDE, n) : (VecHalf){0};
    }
    for (int64_t r = 0; r < rows; r++, x += step)
        UNROLL for (int v = 0; v < vectors; v++)
        {
            VecHalf value = half_load(x + v * WIDE, n);
            if (shift) {
                value += by[v];
                value *= value;
            }
            sum[v] += __builtin_convertvector(value, VecDouble);
        }
    UNROLL for (int v = 0; v < vectors; v++) memcpy(all + v * WIDE, &sum[v], sizeof *sum);
    memcpy(total, all, (size_t)n * sizeof *total);
}

static inline __attribute__((always_inline)) void
sum_all_rows(double *total, const real *x, const real *shift, int64_t step, int64_t rows, int64_t n)
{
    int64_t i = 0;
    for (; i + SUM_COLUMNS * WIDE <= n; i += SUM_COLUMNS * WIDE)
        sum_some_rows(total + i, x + i, shift ? shift + i : NULL, step, rows, SUM_COLUMNS,
                      SUM_COLUMNS * WIDE);
    for (; i + WIDE <= n; i += WIDE)
        sum_some_rows(total + i, x + i, shift ? shift + i : NULL, step, rows, 1, WIDE);
    if (i < n)
        sum_some_rows(total + i, x + i, shift ? shift + i : NULL, step, rows, 1, n - i);
}

static void sum_rows(double *total, const real *x, int64_t step, int64_t rows, int64_t n)
{
    sum_all_rows(total, x, NULL, step, rows, n);
}

static void sum_squares(double *total, const real *x, const real *shift, int64_t step, int64_t rows,
                        int64_t n)
{
    sum_all_rows(total, x, shift, step, rows, n);
}

static void norm_rows(real *restrict out, const real *restrict x, int64_t step, int64_t rows,
                      const NormRows *norm, int64_t n)
{
    const real *restrict shift = norm->shift, *restrict factor = norm->factor;
    for (int64_t r = 0; r < rows; r++, out += step, x += step) {
        real gain = norm->gain[r], bias = norm->bias[r];
        for (int64_t i = 0; i < n; i++)
            out[i] = (x[i] + shift[i]) * factor[i] * gain + bias;
    }
}
