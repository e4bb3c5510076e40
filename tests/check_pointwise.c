/* tests/check_pointwise.c - kernels that go number by number, of every instruction set this machine
 * has, against plain arithmetic in double: all tails, shifted pointers, guard pages on both sides,
 * NaN and infinity. */
#include "check_guarded.h"

#include <math.h>
#include <stdio.h>

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

static void every_tail(void)
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

SUITE(pointwise)
{
    RUN(every_tail);
    RUN(exponentials_over_their_range);
    RUN(normal_shares_keep_their_digits);
    RUN(powers_are_those_of_double);
    RUN(nothing_hides_a_nan);
}
