/* tests/test_milan_sketch.c - the published estimate of a level, in buffers of a fixed size. */
#include "test.h"

#include "../nem/milan/milan_private.h"

#include <math.h>

static float sketch_level(const float *values, int64_t count, int64_t resolution, int64_t unit)
{
    Sketch sketch = {0};
    float  level  = NAN;
    CHECK(sketch_open(&sketch, resolution, unit, NULL));
    for (int64_t at = 0; at < count; at += 37)
        CHECK(sketch_add(&sketch, values + at, count - at < 37 ? count - at : 37, NULL));
    CHECK(sketch_quantile(&sketch, 0.99, &level, NULL));
    sketch_close(&sketch);
    return level;
}

static void estimates_of_few_values_are_exact(void)
{
    float values[1000];
    for (int i = 0; i < 1000; i++)
        values[i] = (float)((i * 387 + 5) % 1000 + 1);
    CHECK(sketch_level(values, 1000, SKETCH_RESOLUTION, 0) == 990.5f);
    CHECK(sketch_level(values, 1, SKETCH_RESOLUTION, 0) == values[0]);
}

static void estimates_of_many_values_are_near(void)
{
    enum { COUNT = 200000 };
    float *values = memory_new(COUNT, sizeof *values, NULL);
    Random random = random_stream(11, "sketch");
    for (int i = 0; i < COUNT; i++)
        values[i] = random_unit(random_word(&random));
    double worst = 0;
    for (int64_t unit = 0; unit < 5; unit++) {
        double distance = fabs((double)sketch_level(values, COUNT, SKETCH_RESOLUTION, unit) - 0.99);
        worst           = distance > worst ? distance : worst;
    }
    // 10,000 kept values stand for 200,000: their ranks are off by a few tenths of a percent.
    CHECK(worst < 4e-3 && worst > 0);
    CHECK(sketch_level(values, COUNT, SKETCH_RESOLUTION, 1) !=
          sketch_level(values, COUNT, SKETCH_RESOLUTION, 2));
    CHECK(sketch_level(values, COUNT, SKETCH_RESOLUTION, 1) ==
          sketch_level(values, COUNT, SKETCH_RESOLUTION, 1));
    memory_free(values);
}

/* What is kept weighs as much as what came, up to a value at the end of a buffer. */
static void estimates_keep_the_weight(void)
{
    Sketch sketch = {0};
    Random random = random_stream(12, "sketch");
    REQUIRE(sketch_open(&sketch, 256, 0, NULL));
    for (int i = 0; i < 100000; i++) {
        float value = random_unit(random_word(&random));
        REQUIRE(sketch_add(&sketch, &value, 1, NULL));
    }
    double weight = 0;
    for (int i = 0; i < sketch.levels; i++)
        weight += ldexp(sketch.level[i].count, i);
    CHECK_CLOSE(weight, 100000, 2000);
    sketch_close(&sketch);
}

SUITE(milan_sketch)
{
    RUN(estimates_of_few_values_are_exact);
    RUN(estimates_of_many_values_are_near);
    RUN(estimates_keep_the_weight);
}
