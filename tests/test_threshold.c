/* tests/test_threshold.c - thresholds are exact order statistics, whatever the stream looks
 * like. */
#include "../nem/dissect/dissect_private.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

// The formula of quantile_rank on sorted values.
static double oracle(const float *values, int64_t n, int entry, int below)
{
    float *sorted = memory_new((size_t)n, sizeof *sorted, NULL);
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    double  h = (double)entry / below * (double)n + 0.5;
    int64_t k = (int64_t)floor(h);
    double  result;
    if (h <= 1)
        result = (double)sorted[0];
    else if (h >= (double)n)
        result = (double)sorted[n - 1];
    else
        result =
            (double)sorted[k - 1] + (h - (double)k) * ((double)sorted[k] - (double)sorted[k - 1]);
    memory_free(sorted);
    return result;
}

static float streamed(const float *values, int64_t n, int entry, int below, int64_t part)
{
    QuantileRank rank = quantile_rank(entry, below + 1, n);
    TopValues    top;
    if (!CHECK(top_open(&top, rank.keep, n, NULL)))
        return NAN;
    for (int64_t i = 0; i < n; i += part)
        top_add(&top, values + i, n - i < part ? n - i : part);
    float threshold = top_quantile(&top, rank);
    top_close(&top);
    return threshold;
}

static void golden_quantiles(void) // (W3)
{
    float values[1000], squares[1000];
    for (int i = 0; i < 1000; i++) {
        values[i]  = (float)(i + 1);
        squares[i] = (float)((i + 1) * (i + 1));
    }
    CHECK_CLOSE((double)streamed(values, 1000, 994, 999, 10), 995.494995, 3.1e-5); // half an ulp
    CHECK_CLOSE((double)streamed(squares, 1000, 994, 999, 10), 991010.535035, 3.2e-2);
    CHECK(streamed(values, 10, 994, 999, 3) == 10.0f);
    CHECK(streamed(values, 1000, 99, 100, 7) == 990.5f);
    CHECK(oracle(values, 1000, 994, 999) == 994.0 / 999 * 1000 + 0.5);
}

static void golden_entries(void) // (W4)
{
    DissectRules rules = *dissect_rules("corrupt23");
    CHECK(rules.quantile_entry == 994 && rules.quantile_entries == 1000);
    CHECK(dissect_set_alpha(&rules, 0.005, NULL) && rules.quantile_entry == 994);
    CHECK(dissect_set_alpha(&rules, 0.01, NULL) && rules.quantile_entry == 989);
    CHECK(dissect_set_alpha(&rules, 0.5, NULL) && rules.quantile_entry == 499);
    CHECK(!dissect_set_alpha(&rules, 0, NULL) && !dissect_set_alpha(&rules, 1, NULL));
    CHECK(!dissect_set_alpha(&rules, (double)NAN, NULL) && rules.quantile_entry == 499);
}

static void streams_equal_sorting(void)
{
    enum { MOST = 30000 };
    Random random = random_stream(test_seed(), "threshold");
    float *values = memory_new(MOST, sizeof *values, NULL);
    for (int round = 0; round < 60; round++) {
        int64_t n    = 1 + random_below(&random, round % 2 ? 300 : MOST);
        int     kind = round % 5, entry = (int)random_below(&random, 1000);
        entry = round % 3 ? 994 : entry;
        for (int64_t i = 0; i < n; i++)
            values[i] = kind == 0   ? (float)random_below(&random, 10) - 5.0f            // ties
                        : kind == 1 ? -3.25f                                             // constant
                        : kind == 2 ? (float)i                                           // rising
                        : kind == 3 ? fmaxf(0, random_unit(random_word(&random)) - 0.9f) // ReLU
                                    : ldexpf(random_unit(random_word(&random)) - 0.5f,
                                             (int)random_below(&random, 60) - 30);
        float one = streamed(values, n, entry, 999, n);
        CHECK(one == (float)oracle(values, n, entry, 999));
        CHECK(streamed(values, n, entry, 999, 1 + random_below(&random, 997)) == one);
        for (int64_t i = 0; i < n / 2; i++) { // backwards
            float other       = values[i];
            values[i]         = values[n - 1 - i];
            values[n - 1 - i] = other;
        }
        CHECK(streamed(values, n, entry, 999, 100) == one);
    }
    memory_free(values);
}

static void a_bound_is_reached_early(void)
{
    enum { N = 100000 };
    float    *values = memory_new(N, sizeof *values, NULL);
    Random    random = random_stream(test_seed(), "bound");
    TopValues top;
    for (int64_t i = 0; i < N; i++)
        values[i] = random_unit(random_word(&random));
    QuantileRank rank = quantile_rank(994, 1000, N);
    CHECK(rank.keep == 502); // h = 99499.9995
    REQUIRE(top_open(&top, rank.keep, N, NULL));
    CHECK(top.capacity == 2 * rank.keep); // memory is bounded by the tail, not by the stream
    top_add(&top, values, N / 2);
    CHECK(top.bound > 0.97f);
    float before = top.bound;
    top_add(&top, values + N / 2, N / 2);
    CHECK(top_quantile(&top, rank) >= before && top.count == rank.keep);
    top_close(&top);
    memory_free(values);
}

static void zeros_have_one_sign(void)
{
    float        values[4] = {-0.0f, 0.0f, -0.0f, -1.0f};
    QuantileRank rank      = {.keep = 1};
    TopValues    top;
    REQUIRE(top_open(&top, 1, 4, NULL));
    top_add(&top, values, 4);
    CHECK(!signbit(top_quantile(&top, rank)));
    top_close(&top);
}

static void maximum_sees_every_place(void)
{
    float values[67];
    for (int count = 1; count <= 67; count++)
        for (int at = 0; at < count; at++) {
            bool finite = false;
            for (int i = 0; i < count; i++)
                values[i] = -5.0f - (float)i;
            values[at] = -4.0f;
            CHECK(values_maximum(values, count, &finite) == -4.0f && finite);
            values[at] = NAN;
            values_maximum(values, count, &finite);
            CHECK(!finite);
            finite     = true;
            values[at] = INFINITY;
            values_maximum(values, count, &finite);
            CHECK(!finite);
            finite     = true;
            values[at] = -INFINITY;
            values_maximum(values, count, &finite);
            CHECK(!finite);
        }
}

SUITE(threshold)
{
    RUN(golden_quantiles);
    RUN(golden_entries);
    RUN(streams_equal_sorting);
    RUN(a_bound_is_reached_early);
    RUN(zeros_have_one_sign);
    RUN(maximum_sees_every_place);
}
