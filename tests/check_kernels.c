/* tests/check_kernels.c - every table entry of every instruction set this machine has, against
 * plain arithmetic in double: all tails, shifted pointers, guard pages on both sides, NaN and
 * infinity. */
#include "check_guarded.h"
#include "../engine/gemm.h"
#include "../base/parallel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- pointwise ------------------------------------------------------------------------------- */

typedef enum Entry {
    ADD,
    MUL,
    SCALE,
    RELU,
    GATE,
    CLAMP,
    GATE_BELOW,
    EXP,
    SIGMOID,
    SOFTPLUS,
    NORMAL_CDF,
    FINISH_ALL,
    FINISH_GATE,
    FINISH_CLAMP,
    FINISH_GATE_BELOW,
    ENTRIES
} Entry;

static const char *const entry_name[ENTRIES] = {
    "add",        "mul",         "scale_offset", "relu",         "gate",
    "clamp",      "gate_below",  "exp",          "sigmoid",      "softplus",
    "normal_cdf", "finish+relu", "finish+gate",  "finish+clamp", "finish+gate_below"};

static void call(const Kernels *k, Entry e, real *out, const real *a, const real *b, int64_t n)
{
    const real half = (real)0.5;
    switch (e) {
    case ADD:
        k->add(out, a, b, n);
        break;
    case MUL:
        k->mul(out, a, b, n);
        break;
    case SCALE:
        k->scale_offset(out, a, (real)1.5, (real)-0.25, n);
        break;
    case RELU:
        k->relu(out, a, n);
        break;
    case GATE:
        k->gate(out, a, b, n);
        break;
    case CLAMP:
        k->clamp(out, a, (real)1.5, n);
        break;
    case GATE_BELOW:
        k->gate_below(out, a, b, (real)1.5, n);
        break;
    case EXP:
        k->exp(out, a, n);
        break;
    case SIGMOID:
        k->sigmoid(out, a, (real)1.7, n);
        break;
    case SOFTPLUS:
        k->softplus(out, a, (real)1.7, n);
        break;
    case NORMAL_CDF:
        k->normal_cdf(out, a, n);
        break;
    case FINISH_ALL:
        k->finish(&(FinishRows){
            .out = out, .x = a, .bias = &half, .add = b, .relu = true, .rows = 1, .n = n});
        break;
    case FINISH_GATE:
        k->finish(&(FinishRows){.out = out, .x = a, .bias = &half, .gate = b, .rows = 1, .n = n});
        break;
    case FINISH_CLAMP:
        k->finish(&(FinishRows){
            .out = out, .x = a, .add = b, .relu = true, .most = (real)1.5, .rows = 1, .n = n});
        break;
    case FINISH_GATE_BELOW:
        k->finish(
            &(FinishRows){.out = out, .x = a, .gate = b, .most = (real)1.5, .rows = 1, .n = n});
        break;
    case ENTRIES:
        break;
    }
}

static double wanted(Entry e, double a, double b)
{
    double beta = (double)(real)1.7;
    switch (e) {
    case ADD:
        return a + b;
    case MUL:
        return a * b;
    case SCALE:
        return a * 1.5 - 0.25;
    case RELU:
        return a <= 0 ? 0 : a;
    case GATE:
        return a > 0 ? b : 0;
    case CLAMP:
        return a <= 0 ? 0 : a > 1.5 ? 1.5 : a;
    case GATE_BELOW:
        return a > 0 && a < 1.5 ? b : 0;
    case EXP:
        return exp(a);
    case SIGMOID:
        return 1 / (1 + exp(-beta * a));
    case SOFTPLUS:
        return (fmax(beta * a, 0) + log1p(exp(-fabs(beta * a)))) / beta;
    case NORMAL_CDF:
        return erfc(-a * sqrt(0.5)) / 2;
    case FINISH_ALL:
        return fmax(a + 0.5 + b, 0);
    case FINISH_GATE:
        return b > 0 ? a + 0.5 : 0;
    case FINISH_CLAMP:
        return fmin(fmax(a + b, 0), 1.5);
    case FINISH_GATE_BELOW:
        return b > 0 && b < 1.5 ? a : 0;
    case ENTRIES:
        break;
    }
    return 0;
}

static void pointwise_with_every_tail(void)
{
    Guarded x = {0}, y = {0}, z = {0};
    REQUIRE(guarded_open(&x) && guarded_open(&y) && guarded_open(&z));
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        for (Entry e = ADD; k && e < ENTRIES; e++)
            for (int64_t n = 0; n <= 2 * k->lanes + 3; n++)
                for (int place = 0; place < 3; place++) { // at the upper guard, the lower, shifted
                    real *a   = place == 0 ? at_end(&x, n) : at_start(&x) + (place == 2);
                    real *b   = place == 0 ? at_end(&y, n) : at_start(&y) + 2 * (place == 2);
                    real *out = place == 0 ? at_end(&z, n) : at_start(&z) + 3 * (place == 2);
                    fill(a, n, 1);
                    fill(b, n, 2);
                    call(k, e, out, a, b, n);
                    for (int64_t i = 0; i < n; i++) {
                        double want  = wanted(e, (double)a[i], (double)b[i]);
                        double scale = 1 + fabs(want) + fabs((double)a[i]) + fabs((double)b[i]);
                        if (!(fabs((double)out[i] - want) <= 4 * epsilon() * scale)) {
                            printf("  %s %s, n %lld, element %lld\n", k->isa, entry_name[e],
                                   (long long)n, (long long)i);
                            CHECK_CLOSE((double)out[i], want, 4 * epsilon() * scale);
                            return;
                        }
                    }
                }
    }
    guarded_close(&x);
    guarded_close(&y);
    guarded_close(&z);
}

static void exponentials_over_their_range(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        if (!k)
            continue;
        double worst = 0;
        for (double at = -87; at < 88; at += 0.0371) {
            real x = (real)at, out = 0;
            k->exp(&out, &x, 1);
            worst = fmax(worst, fabs((double)out / exp((double)x) - 1));
        }
        CHECK_CLOSE(worst, 0, 2 * epsilon());
        real inf = (real)HUGE_VAL, in[5] = {-inf, inf, -1000, 1000, 0}, out[5];
        k->exp(out, in, 5);
        CHECK(out[0] == 0 && out[1] == inf && out[2] == 0 && (sizeof(real) > 4 || out[3] == inf) &&
              out[4] == 1);
        k->softplus(out, in, 1, 5);
        CHECK(out[0] == 0 && out[1] == inf && out[3] == 1000);
        k->sigmoid(out, in, 1, 5);
        CHECK(out[0] == 0 && out[1] == 1 && out[4] == (real)0.5);
    }
}

/* To a few units of the last place wherever the result is a normal float, far below zero too: there
 * x Phi(x) is a GELU's value. */
static void normal_shares_keep_their_digits(void)
{
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        if (!k)
            continue;
        double worst = 0;
        for (double at = -12.88; at < 9; at += 0.00137) {
            real   x = (real)at, out = 0;
            double want = erfc(-(double)x * sqrt(0.5)) / 2;
            k->normal_cdf(&out, &x, 1);
            worst = fmax(worst, fabs((double)out / want - 1));
        }
        // The exponential 2, two polynomials 1 each, four roundings 1/2 each.
        CHECK_CLOSE(worst, 0, 6 * epsilon());
        real inf = (real)HUGE_VAL, in[5] = {-inf, inf, -1000, 1000, 0}, out[5];
        k->normal_cdf(out, in, 5);
        CHECK(out[0] == 0 && out[1] == 1 && out[2] == 0 && out[3] == 1 && out[4] == (real)0.5);
    }
}

static void powers_are_those_of_double(void)
{
    static const double exponents[] = {-1, -2, 2, 0.5, 1.5, -0.5};
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        for (size_t e = 0; k && e < sizeof exponents / sizeof *exponents; e++)
            for (double at = 1e-3; at < 1e3; at *= 1.0137) {
                real   x[19], out[19];
                double wanted = pow((double)(real)at, exponents[e]);
                for (int i = 0; i < 19; i++)
                    x[i] = (real)at;
                k->power(out, x, (real)exponents[e], 19);
                for (int i = 0; i < 19; i++)
                    CHECK_CLOSE((double)out[i], wanted, epsilon() * wanted);
            }
    }
}

static void nothing_hides_a_nan(void)
{
    real nan = (real)NAN;
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Kernels *k = kernels_for(isas[isa]);
        for (int64_t at = 0; k && at < 2 * k->lanes + 1; at++) {
            real x[64] = {0}, ones[64], out[64];
            for (int i = 0; i < 64; i++)
                ones[i] = 1;
            x[at] = nan;
            for (Entry e = ADD; e < ENTRIES; e++) {
                if (e == GATE || e == GATE_BELOW) // a condition that is no number is not above zero
                    continue;
                call(k, e, out, x, ones, 2 * k->lanes + 1);
                if (!CHECK(isnan((double)out[at])))
                    printf("  %s %s\n", k->isa, entry_name[e]);
            }
        }
    }
}

/* ---- tile, pooling ---------------------------------------------------------------------------- */

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
    RUN(pointwise_with_every_tail);
    RUN(exponentials_over_their_range);
    RUN(normal_shares_keep_their_digits);
    RUN(powers_are_those_of_double);
    RUN(nothing_hides_a_nan);
    RUN(tiles_are_exact_on_integers);
    RUN(correlations_are_exact_on_integers);
    RUN(products_are_exact_on_integers);
    RUN(finishing_rows);
    RUN(packing_and_interleaving);
    RUN(pooling_takes_the_first_maximum);
}
