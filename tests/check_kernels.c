/* tests/check_kernels.c - tiles, correlations, products, packing and pooling of every instruction set
 * this machine has, against plain arithmetic in double, exact on small integers: all sizes, a
 * guard page behind. */
#include "check_guarded.h"
#include "../engine/gemm.h"
#include "../base/parallel.h"

#include <stdio.h>
#include <string.h>

/* A tile of `cols` columns that stores `stored`, the rest of them zero; packed columns, and columns
 * that lie in longer rows. */
static bool check_tile(const Kernels *table, GemmTile *tile, int64_t k, int64_t cols,
                       int64_t stored, Guarded *x, Guarded *y, Guarded *z)
{
    int64_t rows = table->tile_rows;
    for (int64_t step = cols; step <= cols + 7; step += 7) {
        int64_t count = (k - 1) * step + cols;
        real   *a = at_end(x, k * rows), *b = at_end(y, count), *c = at_end(z, rows * stored);
        Random  random = random_stream(test_seed(), "tile");
        for (int64_t i = 0; i < k * rows; i++)
            a[i] = (real)((int)random_below(&random, 9) - 4);
        for (int64_t i = 0; i < count; i++)
            b[i] = (real)((int)random_below(&random, 9) - 4);
        tile(k, a, b, step, c, stored);
        for (int64_t i = 0; i < rows * stored; i++) {
            double want = 0;
            for (int64_t p = 0; p < k && i % stored < cols; p++)
                want += (double)a[p * rows + i / stored] * (double)b[p * step + i % stored];
            if (!CHECK((double)c[i] == want))
                return false;
        }
    }
    return true;
}

/* Taps that overlap and lie apart; what is read ends where the last tap's vectors do. */
static bool check_correlation(const Kernels *table, int64_t taps, int64_t vectors, Guarded *x,
                              Guarded *y)
{
    int32_t at[32];
    real    weight[32];
    int64_t n      = vectors * table->lanes;
    Random  random = random_stream(test_seed() + (uint64_t)vectors, "taps");
    for (int64_t t = 0; t < taps; t++) {
        at[t]     = (int32_t)(t * 7 % taps * 3);
        weight[t] = (real)((int)random_below(&random, 9) - 4);
    }
    int64_t count = (taps - 1) * 3 + n;
    real   *from = at_end(x, count), *out = at_end(y, n);
    for (int64_t i = 0; i < count; i++)
        from[i] = (real)((int)random_below(&random, 9) - 4);
    table->correlate(out, from, at, weight, taps, vectors);
    for (int64_t i = 0; i < n; i++) {
        double want = 0;
        for (int64_t t = 0; t < taps; t++)
            want += (double)weight[t] * (double)from[at[t] + i];
        if (!CHECK((double)out[i] == want))
            return false;
    }
    return true;
}

static void correlations_are_exact_on_integers(void)
{
    Guarded x = {0}, y = {0};
    REQUIRE(guarded_open(&x) && guarded_open(&y));
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *table = kernels_for(isas[isa]);
        for (int64_t vectors = 1; table && vectors <= 18; vectors++)
            if (!check_correlation(table, 1, vectors, &x, &y) ||
                !check_correlation(table, 9, vectors, &x, &y) ||
                !check_correlation(table, 25, vectors, &x, &y))
                return;
    }
    guarded_close(&x);
    guarded_close(&y);
}

static void tiles_are_exact_on_integers(void)
{
    Guarded x = {0}, y = {0}, z = {0};
    REQUIRE(guarded_open(&x) && guarded_open(&y) && guarded_open(&z));
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *table = kernels_for(isas[isa]);
        for (int v = 1; table && v <= table->tile_vectors; v++)
            for (int64_t k = 1; k <= 85; k += 21) // 64 products are one piece, 85 are two
                if (!check_tile(table, table->gemm_tile[v], k, (int64_t)v * table->lanes,
                                (int64_t)v * table->lanes, &x, &y, &z))
                    return;
        for (int64_t k = 1; table && table->gemm_few && k <= 85; k += 21)
            if (!check_tile(table, table->gemm_few, k, table->few_columns, table->lanes, &x, &y,
                            &z))
                return;
    }
    guarded_close(&x);
    guarded_close(&y);
    guarded_close(&z);
}

/* Few and many rows, edges on every side, more columns than one task takes; either matrix
 * transposed; several products, too few for a task each or not. */
static void products_are_exact_on_integers(void)
{
    static const int64_t sizes[][4] = {{1, 3, 70, 19},    {1, 16, 130, 300}, {1, 17, 7, 33},
                                       {1, 41, 1601, 20}, {1, 64, 96, 513},  {2, 20, 33, 7},
                                       {9, 41, 70, 19},   {5, 3, 70, 19}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int transposed = 0; transposed < 4; transposed++) {
            int64_t groups = sizes[s][0], m = sizes[s][1], n = sizes[s][2], k = sizes[s][3];
            bool    flip_a = transposed & 1, flip_b = transposed & 2, equal = true;
            real   *a            = memory_new((size_t)(groups * m * k), sizeof(real), NULL);
            real   *b            = memory_new((size_t)(groups * k * n), sizeof(real), NULL);
            real   *c            = memory_new((size_t)(groups * m * n), sizeof(real), NULL);
            size_t  scratch_size = gemm_scratch_size(groups, m, n, k, parallel_threads());
            real   *scratch      = memory_new(scratch_size, sizeof(real), NULL);
            Random  random       = random_stream(test_seed(), "product");
            for (int64_t i = 0; i < groups * m * k; i++)
                a[i] = (real)((int)random_below(&random, 7) - 3);
            for (int64_t i = 0; i < groups * k * n; i++)
                b[i] = (real)((int)random_below(&random, 7) - 3);
            Gemm gemm = {.groups   = groups,
                         .m        = m,
                         .n        = n,
                         .k        = k,
                         .a        = a,
                         .b        = b,
                         .c        = c,
                         .a_row    = flip_a ? 1 : k,
                         .a_depth  = flip_a ? m : 1,
                         .b_depth  = flip_b ? 1 : n,
                         .b_column = flip_b ? k : 1};
            gemm_run(&gemm, scratch);
            for (int64_t i = 0; i < groups * m * n; i++) {
                const real *row    = a + i / (m * n) * m * k + i / n % m * gemm.a_row;
                const real *column = b + i / (m * n) * k * n + i % n * gemm.b_column;
                double      want   = 0;
                for (int64_t p = 0; p < k; p++)
                    want += (double)row[p * gemm.a_depth] * (double)column[p * gemm.b_depth];
                equal = equal && (double)c[i] == want;
            }
            if (!CHECK(equal))
                printf("  %lld of %lldx%lldx%lld, transposed %d\n", (long long)groups, (long long)m,
                       (long long)n, (long long)k, transposed);
            memory_free(a);
            memory_free(b);
            memory_free(c);
            memory_free(scratch);
        }
}

/* Every part and every tail; in place, and nothing between the rows is touched. */
static void finishing_rows(void)
{
    enum { ROWS = 3, STRIDE = 50, X_STRIDE = 40 };
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        for (int parts = 0; k && parts < 24; parts++) // bias, add; nothing, relu or gate; stream
            for (int64_t n = 1; n <= 2 * k->lanes + 1; n++) {
                real x[ROWS * X_STRIDE], add[ROWS * STRIDE], gate[ROWS * STRIDE], bias[ROWS];
                _Alignas(64) real out[ROWS * STRIDE]; // its first row may be streamed, others not
                fill(x, ROWS * X_STRIDE, 6);
                fill(add, ROWS * STRIDE, 7);
                fill(gate, ROWS * STRIDE, 8);
                fill(bias, ROWS, 9);
                memcpy(out, add, sizeof out);
                k->finish(&(FinishRows){.out      = out,
                                        .x        = x,
                                        .rows     = ROWS,
                                        .n        = n,
                                        .stride   = STRIDE,
                                        .x_stride = X_STRIDE,
                                        .bias     = parts & 1 ? bias : NULL,
                                        .add      = parts & 2 ? out : NULL,
                                        .relu     = parts / 4 % 3 == 1,
                                        .gate     = parts / 4 % 3 == 2 ? gate : NULL,
                                        .stream   = parts >= 12});
                bool equal = true;
                for (int i = 0; i < ROWS * STRIDE; i++) {
                    int  r = i / STRIDE, j = i % STRIDE;
                    real want = x[r * X_STRIDE + (j < n ? j : 0)] + (parts & 1 ? bias[r] : 0);
                    want      = want + (parts & 2 ? add[i] : 0);
                    if ((parts / 4 % 3 == 1 && want <= 0) || (parts / 4 % 3 == 2 && gate[i] <= 0))
                        want = 0;
                    equal = equal && out[i] == (j < n ? want : add[i]);
                }
                if (!CHECK(equal))
                    printf("  %s, parts %d, n %lld\n", k->isa, parts, (long long)n);
            }
    }
}

/* Sources end at a guard page, so a stride reads nothing behind its last element. */
static void packing_and_interleaving(void)
{
    enum { ROWS = 3 };
    Guarded x = {0}, y = {0}, z = {0};
    REQUIRE(guarded_open(&x) && guarded_open(&y) && guarded_open(&z));
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        for (int64_t n = 1; k && n <= 3 * k->lanes + 2; n++) {
            bool equal = true;
            for (int64_t stride = 1; stride <= 4; stride++) {
                int64_t step = (n - 1) * stride + 2,
                        size = (ROWS - 1) * step + (n - 1) * stride + 1;
                real *from = at_end(&x, size), *to = at_end(&y, ROWS * n);
                fill(from, size, 10);
                k->pack(to, n, from, step, ROWS, n, stride);
                for (int64_t i = 0; i < ROWS * n; i++)
                    equal = equal && to[i] == from[i / n * step + i % n * stride];
            }
            real *even = at_end(&x, n), *odd = at_end(&y, n), *out = at_end(&z, 2 * n);
            fill(even, n, 11);
            fill(odd, n, 12);
            k->interleave(out, even, odd, n);
            for (int64_t i = 0; i < 2 * n; i++)
                equal = equal && out[i] == (i % 2 ? odd : even)[i / 2];
            if (!CHECK(equal))
                printf("  %s, n %lld\n", k->isa, (long long)n);
        }
    }
    guarded_close(&x);
    guarded_close(&y);
    guarded_close(&z);
}

static void pooling_takes_the_first_maximum(void)
{
    Guarded x = {0};
    REQUIRE(guarded_open(&x));
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        for (int window = 0; k && window < 16; window++) // 1x1 to 4x4
            for (int64_t n = 1; n <= 2 * k->lanes + 3; n++) {
                int     rows = window / 4 + 1, cols = window % 4 + 1, width = (int)(2 * n) + 5;
                int64_t size = (rows - 1) * width + 2 * (n - 1) + cols;
                real   *in   = at_end(&x, size), out[80], values[80];
                int32_t index[80];
                Random  random = random_stream(test_seed(), "pool");
                for (int64_t i = 0; i < size; i++) // few values, so ties are common
                    in[i] = (real)random_below(&random, 3);
                k->maxpool(out, index, in, rows, cols, 1000, width, n);
                k->maxpool(values, NULL, in, rows, cols, 0, width, n); // positions are optional
                bool equal = true;
                for (int64_t i = 0; i < n; i++) {
                    int64_t best = 2 * i;
                    for (int j = 1; j < rows * cols; j++)
                        if (in[2 * i + j / cols * width + j % cols] > in[best])
                            best = 2 * i + j / cols * width + j % cols;
                    equal = equal && out[i] == in[best] && values[i] == in[best] &&
                            index[i] == 1000 + best;
                }
                if (!CHECK(equal))
                    printf("  %s, %dx%d, n %lld\n", k->isa, rows, cols, (long long)n);
            }
    }
    guarded_close(&x);
}

SUITE(kernels)
{
    RUN(tiles_are_exact_on_integers);
    RUN(correlations_are_exact_on_integers);
    RUN(products_are_exact_on_integers);
    RUN(finishing_rows);
    RUN(packing_and_interleaving);
    RUN(pooling_takes_the_first_maximum);
}
