/* tests/test_noise.c - noise has the right statistics, and every draw an address of its own. */
#include "test.h"
#include "../attack/attack.h"
#include "../base/parallel.h"

#include <math.h>
#include <string.h>

enum { CHANNELS = 3, SIDE = 96, PLANE = SIDE * SIDE, SIZE = CHANNELS * PLANE };

static const NoiseType types[] = {NOISE_GAUSSIAN, NOISE_UNIFORM, NOISE_BERNOULLI};

static Noise noise_of(NoiseType type, double strength)
{
    return (Noise){type, strength, 1, test_seed()};
}

static void fill(float *planes, float value)
{
    for (int i = 0; i < SIZE; i++)
        planes[i] = value;
}

// Mean 0 and the standard deviations of the header, within five standard errors.
static void moments_are_those_of_the_type(void)
{
    static float planes[SIZE];
    const double strength = 0.05, expected[] = {strength, strength / sqrt(3), strength};
    for (int t = 0; t < 3; t++) {
        Noise  noise = noise_of(types[t], strength);
        double sum = 0, squares = 0;
        fill(planes, 0.5f);
        noise_add(&noise, 3, PLANE, planes);
        for (int i = 0; i < SIZE; i++) {
            double value = (double)planes[i] - 0.5;
            sum += value;
            squares += value * value;
        }
        double deviation = sqrt(squares / SIZE);
        CHECK_CLOSE(sum / SIZE, 0, 5 * strength / sqrt(SIZE));
        CHECK_CLOSE(deviation, expected[t], 5 * strength / sqrt(SIZE));
    }
}

static void bounded_types_keep_their_bound(void)
{
    static float planes[SIZE];
    const float  strength = 0.25f; // sums with 0.5 are exact
    for (int t = 1; t < 3; t++) {
        Noise noise = noise_of(types[t], (double)strength);
        int   other = 0;
        fill(planes, 0.5f);
        noise_add(&noise, 0, PLANE, planes);
        for (int i = 0; i < SIZE; i++) {
            float away = fabsf(planes[i] - 0.5f);
            other += types[t] == NOISE_BERNOULLI ? away != strength : away > strength;
        }
        CHECK(other == 0);
    }
}

static void results_stay_between_black_and_white(void)
{
    static float planes[SIZE];
    Noise        noise   = noise_of(NOISE_GAUSSIAN, 3);
    int          outside = 0, ends = 0;
    fill(planes, 0.5f);
    noise_add(&noise, 0, PLANE, planes);
    for (int i = 0; i < SIZE; i++) {
        outside += !(planes[i] >= 0 && planes[i] <= 1);
        ends += planes[i] == 0 || planes[i] == 1;
    }
    CHECK(outside == 0 && ends > SIZE / 2);
}

// The header's formula, recomputed for single pixels.
static void addresses_are_as_documented(void)
{
    static float  planes[SIZE];
    const int64_t image = 41, channel = 2, pixel = 4711; // word 3 of its block
    Noise       gaussian = noise_of(NOISE_GAUSSIAN, 0.02), uniform = noise_of(NOISE_UNIFORM, 0.02);
    uint64_t    low = (uint64_t)channel << 32 | (uint64_t)(pixel / 4);
    RandomBlock g   = random_block(random_key(test_seed(), "gaussian"), (uint64_t)image, low);
    RandomBlock u   = random_block(random_key(test_seed(), "uniform"), (uint64_t)image, low);
    double      even, odd;
    random_gaussian(g.word[2], g.word[3], &even, &odd);
    fill(planes, 0.5f);
    noise_add(&gaussian, image, PLANE, planes);
    CHECK(planes[channel * PLANE + pixel] == 0.5f + 0.02f * (float)odd);
    CHECK(planes[channel * PLANE + pixel - 1] == 0.5f + 0.02f * (float)even);
    fill(planes, 0.5f);
    noise_add(&uniform, image, PLANE, planes);
    CHECK(planes[channel * PLANE + pixel] == 0.5f + 0.02f * (2 * random_unit(u.word[3]) - 1));
}

static void neighbours_of_any_kind_differ(void)
{
    static float a[SIZE], b[SIZE];
    for (int t = 0; t < 3; t++) {
        Noise noise = noise_of(types[t], 0.1), reseeded = noise;
        int   same_image = 0, same_channel = 0, same_seed = 0;
        reseeded.seed++;
        fill(a, 0.5f);
        noise_add(&noise, 5, PLANE, a);
        for (int i = 0; i < PLANE; i++)
            same_channel += a[i] == a[PLANE + i];
        fill(b, 0.5f);
        noise_add(&noise, 6, PLANE, b);
        for (int i = 0; i < SIZE; i++)
            same_image += a[i] == b[i];
        fill(b, 0.5f);
        noise_add(&reseeded, 5, PLANE, b);
        for (int i = 0; i < SIZE; i++)
            same_seed += a[i] == b[i];
        double chance = types[t] == NOISE_BERNOULLI ? 0.52 : 0.01;
        CHECK(same_image < chance * SIZE && same_seed < chance * SIZE);
        CHECK(same_channel < chance * PLANE);
    }
}

typedef struct Task {
    float (*planes)[SIZE];
    Noise noise;
} Task;

static void corrupt_one(void *data, int64_t i, int thread)
{
    (void)thread;
    Task *task = data;
    fill(task->planes[i], 0.25f);
    noise_add(&task->noise, 100 + i, PLANE, task->planes[i]);
}

static void any_thread_count_and_subset_gives_the_same_bytes(void)
{
    enum { IMAGES = 6 };
    static float wanted[IMAGES][SIZE], found[IMAGES][SIZE], alone[SIZE];
    Task         task = {wanted, noise_of(NOISE_GAUSSIAN, 0.05)};
    parallel_set_threads(1);
    parallel_for(IMAGES, corrupt_one, &task);
    for (int threads = 2; threads <= 3; threads++) {
        task.planes = found;
        parallel_set_threads(threads);
        parallel_for(IMAGES, corrupt_one, &task);
        CHECK(memcmp(wanted, found, sizeof wanted) == 0);
    }
    parallel_set_threads(0);
    fill(alone, 0.25f);
    noise_add(&task.noise, 104, PLANE, alone);
    CHECK(memcmp(wanted[4], alone, sizeof alone) == 0);
}

// One pattern for every strength: what is added is proportional to it, up to rounding of the sum.
static void strengths_of_a_seed_are_coupled(void)
{
    static float weak[SIZE], strong[SIZE];
    for (int t = 0; t < 3; t++) {
        Noise  a = noise_of(types[t], 0.01), b = noise_of(types[t], 0.04);
        double worst = 0;
        fill(weak, 0.5f);
        fill(strong, 0.5f);
        noise_add(&a, 9, PLANE, weak);
        noise_add(&b, 9, PLANE, strong);
        for (int i = 0; i < SIZE; i++) {
            double apart = 4 * ((double)weak[i] - 0.5) - ((double)strong[i] - 0.5);
            worst        = fmax(worst, fabs(apart));
        }
        // Sums are rounded to 2^-25: the weak one counts four times, the strong one once.
        CHECK_CLOSE(worst, 0, 6 * 0x1p-25);
    }
}

static void poisoned_images_follow_the_fraction(void)
{
    enum { IMAGES = 4000 };
    Noise few = noise_of(NOISE_GAUSSIAN, 0.1), many = few, all = few, none = few;
    int   few_count = 0, many_count = 0, all_count = 0, none_count = 0, not_nested = 0;
    few.fraction  = 0.1;
    many.fraction = 0.6;
    none.fraction = 0;
    for (int64_t image = 0; image < IMAGES; image++) {
        bool in_few = noise_poisons(&few, image), in_many = noise_poisons(&many, image);
        few_count += in_few;
        many_count += in_many;
        all_count += noise_poisons(&all, image);
        none_count += noise_poisons(&none, image);
        not_nested += in_few && !in_many;
    }
    CHECK_CLOSE(few_count, 0.1 * IMAGES, 5 * sqrt(0.1 * 0.9 * IMAGES));
    CHECK_CLOSE(many_count, 0.6 * IMAGES, 5 * sqrt(0.6 * 0.4 * IMAGES));
    CHECK(all_count == IMAGES && none_count == 0 && not_nested == 0);
}

static void names_round_trip(void)
{
    for (int t = 0; t < 3; t++) {
        NoiseType found = NOISE_GAUSSIAN;
        CHECK(noise_type_parse(noise_type_name(types[t]), &found, NULL) && found == types[t]);
    }
    Error     error = {0};
    NoiseType found = NOISE_UNIFORM;
    CHECK(!noise_type_parse("pink", &found, &error) && error.code == ERROR_USAGE);
    CHECK(found == NOISE_UNIFORM);
}

SUITE(noise)
{
    RUN(moments_are_those_of_the_type);
    RUN(bounded_types_keep_their_bound);
    RUN(results_stay_between_black_and_white);
    RUN(addresses_are_as_documented);
    RUN(neighbours_of_any_kind_differ);
    RUN(any_thread_count_and_subset_gives_the_same_bytes);
    RUN(strengths_of_a_seed_are_coupled);
    RUN(poisoned_images_follow_the_fraction);
    RUN(names_round_trip);
}
