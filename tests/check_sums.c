/* tests/check_sums.c - kernels that add: dot products, sums, rows, soft-maxes of every instruction
 * set against plain arithmetic. */
#include "check_guarded.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void reductions(void)
{
    Guarded x = {0}, y = {0};
    REQUIRE(guarded_open(&x) && guarded_open(&y));
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        for (int64_t n = 0; k && n <= 9 * k->lanes + 3; n++) {
            real  *a = at_end(&x, n), *b = at_end(&y, n);
            double dot = 0, sum = 0, size = 0;
            fill(a, n, 3);
            fill(b, n, 4);
            for (int64_t i = 0; i < n; i++) {
                dot += (double)a[i] * (double)b[i];
                sum += (double)a[i];
                size += fabs((double)a[i] * (double)b[i]) + fabs((double)a[i]);
            }
            CHECK_CLOSE((double)k->dot(a, b, n), dot, (double)(n + 4) * epsilon() * size);
            CHECK_CLOSE((double)k->sum(a, n), sum, (double)(n + 4) * epsilon() * size);
        }
    }
    guarded_close(&x);
    guarded_close(&y);
}

/* Rows of small integers, so that sums are exact: any number of them, of any length, with numbers
 * between rows and between factors that are not read. */
static void rows_are_added_in_order(void)
{
    enum { ROWS = 11, GAP = 5 };
    Guarded x = {0}, y = {0};
    REQUIRE(guarded_open(&x) && guarded_open(&y));
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        for (int64_t n = 1; k && n <= 2 * k->lanes + 3; n++)
            for (int64_t rows = 0; rows <= ROWS; rows++) {
                int64_t step = n + GAP, count = rows ? (rows - 1) * step + n : 0;
                real    factor[2 * ROWS];
                real   *from = at_end(&x, count), *to = at_end(&y, n);
                for (int64_t i = 0; i < count; i++)
                    from[i] = (real)(i % 7);
                for (int r = 0; r < 2 * ROWS; r++)
                    factor[r] = r % 2 ? (real)NAN : (real)(r - 3);
                for (int64_t i = 0; i < n; i++)
                    to[i] = (real)i;
                k->add_rows(to, factor, 2, from, step, rows, n);
                for (int64_t i = 0; i < n; i++) {
                    real wanted = (real)i;
                    for (int64_t r = 0; r < rows; r++)
                        wanted += factor[2 * r] * from[r * step + i];
                    CHECK(to[i] == wanted);
                }
            }
    }
    guarded_close(&x);
    guarded_close(&y);
}

/* Exactly: sums of doubles in the order of the rows, one at a time for every column. */
static void sums_of_rows_are_exact(void)
{
    enum { ROWS = 5, GAP = 3, MOST = 150 };
    Guarded x = {0};
    REQUIRE(guarded_open(&x));
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        for (int64_t n = 1; k && n <= MOST; n++) {
            int64_t step = n + GAP, count = (ROWS - 1) * step + n;
            double  total[MOST + 1];
            real   *from = at_end(&x, count);
            fill(from, count, 15);
            for (int64_t i = 0; i <= n; i++)
                total[i] = (double)i / 3;
            k->sum_rows(total, from, step, ROWS, n);
            for (int64_t i = 0; i <= n; i++) {
                double wanted = (double)i / 3;
                for (int64_t r = 0; r < ROWS && i < n; r++)
                    wanted += (double)from[r * step + i];
                CHECK(total[i] == wanted);
            }
        }
    }
    guarded_close(&x);
}

/* Exactly: squares rounded as numbers before doubles are added; rows as one operation after another,
 * each rounded. */
static void rows_of_a_layer_norm_are_exact(void)
{
    enum { ROWS = 5, GAP = 3, MOST = 150 };
    Guarded x = {0}, y = {0}, columns = {0};
    REQUIRE(guarded_open(&x) && guarded_open(&y) && guarded_open(&columns));
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        for (int64_t n = 1; k && n <= MOST; n++) {
            int64_t  step = n + GAP, count = (ROWS - 1) * step + n;
            double   total[MOST + 1];
            real     gain[ROWS], bias[ROWS], factor[MOST];
            real    *from = at_end(&x, count), *to = at_end(&y, count);
            real    *shift = at_end(&columns, n);
            NormRows norm  = {shift, factor, gain, bias};
            fill(from, count, 17);
            fill(shift, n, 18);
            fill(factor, n, 19);
            fill(gain, ROWS, 20);
            fill(bias, ROWS, 21);
            for (int64_t i = 0; i <= n; i++)
                total[i] = (double)i / 3;
            for (int64_t i = 0; i < count; i++)
                to[i] = -9;
            k->sum_squares(total, from, shift, step, ROWS, n);
            k->norm_rows(to, from, step, ROWS, &norm, n);
            for (int64_t i = 0; i <= n; i++) {
                double wanted = (double)i / 3;
                for (int64_t r = 0; r < ROWS && i < n; r++) {
                    real centred = from[r * step + i] + shift[i], square = centred * centred;
                    real normed = centred * factor[i], scaled = normed * gain[r];
                    wanted += (double)square;
                    CHECK(to[r * step + i] == scaled + bias[r]);
                }
                CHECK(total[i] == wanted);
            }
            for (int64_t r = 0; r + 1 < ROWS; r++)
                CHECK(to[r * step + n] == -9);
        }
    }
    guarded_close(&x);
    guarded_close(&y);
    guarded_close(&columns);
}

/* Logarithms are those of double, rounded once (and near certainty keep their digits); shares to
 * the last digits, after differences of up to 8 times their place. */
static void rows_of_a_softmax(void)
{
    enum { MOST = 70 };
    Guarded x = {0}, y = {0};
    REQUIRE(guarded_open(&x) && guarded_open(&y));
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        for (int64_t n = 1; k && n <= MOST; n++)
            for (int sure = 0; sure < 2; sure++) {
                real  *from = at_end(&x, n), *to = at_end(&y, n);
                double total = 0;
                fill(from, n, 16);
                from[n / 2] = sure ? 18 : from[n / 2];
                for (int64_t i = 0; i < n; i++)
                    total += exp((double)from[i] - 20);
                k->log_softmax(to, from, n);
                for (int64_t i = 0; i < n; i++) {
                    double want = (double)from[i] - 20 - log(total);
                    CHECK_CLOSE((double)to[i], want, 0.51 * epsilon() * fabs(want) + 1e-14);
                }
                k->softmax(to, from, n);
                for (int64_t i = 0; i < n; i++) {
                    double want = exp((double)from[i] - 20) / total;
                    CHECK_CLOSE((double)to[i], want, 16 * epsilon() * want);
                }
            }
        real wild[3] = {1, (real)NAN, 2}, out[3], far[3] = {0, -2000, (real)-HUGE_VAL};
        for (int i = 0; k && i < 3; i++) {
            k->softmax(out, wild, 3);
            CHECK(isnan(out[i]));
            k->log_softmax(out, wild, 3);
            CHECK(isnan(out[i]));
            k->softmax(out, far, 3);
            CHECK(out[i] == (i == 0));
            k->log_softmax(out, far, 3);
            CHECK(out[i] == far[i]);
        }
    }
    guarded_close(&x);
    guarded_close(&y);
}

/* Element i belongs to partial sum i mod 64, halves are added: the text of the kernels in plain C.
 */
static real sum_of_64(const real *a, const real *b, int64_t n, bool fused)
{
    real part[64] = {0};
    for (int64_t i = 0; i < n; i++)
        part[i % 64] = !b      ? part[i % 64] + a[i]
                       : fused ? (real)fmaf((float)a[i], (float)b[i], (float)part[i % 64])
                               : part[i % 64] + a[i] * b[i];
    for (int half = 32; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            part[i] += part[i + half];
    return part[0];
}

static void sums_are_one_tree_on_every_processor(void)
{
    enum { MOST = 300, SHIFTS = 4 };
    Guarded x = {0}, y = {0};
    REQUIRE(guarded_open(&x) && guarded_open(&y));
    fill(at_end(&x, MOST + SHIFTS), MOST + SHIFTS, 13);
    fill(at_end(&y, MOST + SHIFTS), MOST + SHIFTS, 14);
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        for (int64_t n = 0; k && n <= MOST; n++)
            for (int shift = 0; shift < SHIFTS * SHIFTS; shift++) {
                const real *a = at_end(&x, n + shift % SHIFTS), *b = at_end(&y, n + shift / SHIFTS);
                real        dot = k->dot(a, b, n), sum = k->sum(a, n);
                real        want_dot = sum_of_64(a, b, n, isa > 0),
                     want_sum        = sum_of_64(a, NULL, n, false);
                if (!CHECK(!memcmp(&dot, &want_dot, sizeof dot) &&
                           !memcmp(&sum, &want_sum, sizeof sum)))
                    printf("  %s, n %lld, shifts %d\n", k->isa, (long long)n, shift);
            }
    }
    guarded_close(&x);
    guarded_close(&y);
}

SUITE(sums)
{
    RUN(reductions);
    RUN(rows_are_added_in_order);
    RUN(sums_of_rows_are_exact);
    RUN(rows_of_a_layer_norm_are_exact);
    RUN(rows_of_a_softmax);
    RUN(sums_are_one_tree_on_every_processor);
}
