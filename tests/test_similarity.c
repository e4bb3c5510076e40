/* tests/test_similarity.c - the similarities of CLIP-Dissect: a worked example, the formulas once
 * more in the plainest way, and what they do with equal and missing numbers. */
#include "../base/parallel.h"
#include "../nem/clip/similarity.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { IMAGES = 130, CONCEPTS = 37, UNITS = 6, WIDTH = 8, CELLS = UNITS * CONCEPTS };

static const char *const names[] = {"soft-wpmi", "wpmi", "cosine", "cosine-cubed", "rank-reorder"};
enum { NAMES = sizeof names / sizeof *names };

typedef struct Numbers {
    float      images[IMAGES * WIDTH], concepts[CONCEPTS * WIDTH], activations[UNITS * IMAGES];
    Embeddings embeddings;
    Pass       pass;
    ScoreJob   job;
} Numbers;

static void draw(Random *random, float *out, int count, bool is_unit_vector)
{
    double squares = 0;
    for (int i = 0; i < count; i++) {
        out[i] = random_unit(random_word(random)) - 0.4f;
        squares += (double)out[i] * (double)out[i];
    }
    for (int i = 0; is_unit_vector && i < count; i++)
        out[i] = (float)((double)out[i] / sqrt(squares));
}

// Unit 4 has many equal activations; unit 5 is dead.
static Numbers *numbers_new(void)
{
    static Numbers numbers;
    Random         random = random_stream(test_seed(), "similarity");
    for (int n = 0; n < IMAGES; n++)
        draw(&random, numbers.images + n * WIDTH, WIDTH, true);
    for (int m = 0; m < CONCEPTS; m++)
        draw(&random, numbers.concepts + m * WIDTH, WIDTH, true);
    draw(&random, numbers.activations, UNITS * IMAGES, false);
    for (int n = 0; n < IMAGES; n++) {
        numbers.activations[4 * IMAGES + n] = (float)(n * 7 % 5);
        numbers.activations[5 * IMAGES + n] = 0;
    }
    numbers.embeddings = (Embeddings){.count = IMAGES, .width = WIDTH, .rows = numbers.images};
    numbers.job        = (ScoreJob){.images        = &numbers.embeddings,
                                    .concepts      = numbers.concepts,
                                    .concept_count = CONCEPTS,
                                    .activations   = numbers.activations,
                                    .unit_count    = UNITS,
                                    .seed          = 3,
                                    .pass          = &numbers.pass};
    return &numbers;
}

static bool score(const char *name, const ScoreJob *job, float *out)
{
    const Similarity *rule = similarity_named(name);
    return CHECK(rule && rule->score(rule, job, out, NULL));
}

/* ---- the worked example ---------------------------------------------------------------------- */

static void the_worked_example_comes_out(void)
{
    static const float  images[]   = {.30f, .10f, .20f, .25f, .10f, .40f};
    static const float  concepts[] = {1, 0, 0, 1}, q[] = {1, .5f, 0, 0, .2f, .9f};
    static const double wanted[] = {-1.074696, -2.576676, -3.957239, -.512907};
    static const double common[] = {-1.713363, -1.086517};
    static const double final[]  = {.638666, -1.490159, -2.243876, .573611};
    Similarity          rule     = *similarity_named("soft-wpmi");
    Embeddings          rows     = {.count = 3, .width = 2, .rows = images};
    Pass                pass     = {0};
    ScoreJob            job      = {&rows, concepts, 2, q, 2, 0, 0, &pass};
    float               scores[4];
    const float        *rows_of[2] = {scores, scores + 2};
    double              part[2];
    rule.top = 2;
    REQUIRE(rule.score(&rule, &job, scores, NULL));
    scores_common(rows_of, 2, 2, part);
    for (int i = 0; i < 4; i++) {
        CHECK_CLOSE((double)scores[i], wanted[i], 2e-6);
        CHECK_CLOSE((double)scores[i] - rule.lambda * part[i % 2], final[i], 2e-6);
    }
    for (int m = 0; m < 2; m++)
        CHECK_CLOSE(part[m], common[m], 2e-6);
}

/* ---- once more, slowly ----------------------------------------------------------------------- */

static double cosine_at(const Numbers *numbers, int n, int m)
{
    const float *image = embedding_of(&numbers->embeddings, n);
    double       sum   = 0;
    for (int i = 0; i < WIDTH; i++)
        sum += (double)image[i] * (double)numbers->concepts[m * WIDTH + i];
    return sum;
}

// How many images stand before image n of a unit.
static int place_of(const float *q, int n)
{
    int place = 0;
    for (int i = 0; i < IMAGES; i++)
        place += q[i] > q[n] || (i < n && q[i] == q[n]);
    return place;
}

static double slow_wpmi(const Numbers *numbers, const float *q, int m, bool is_soft)
{
    double sum = 0, factor = is_soft ? 10 : 2;
    for (int n = 0; n < IMAGES; n++) {
        double all = 0;
        int    k   = place_of(q, n);
        if (k >= (is_soft ? 100 : 28))
            continue;
        for (int i = 0; i < CONCEPTS; i++)
            all += exp(factor * cosine_at(numbers, n, i));
        double share = exp(factor * cosine_at(numbers, n, m)) / all;
        double p     = is_soft ? 0.998 - k / 100.0 * (0.998 - 0.97) : 1;
        sum += log(1 + p * (share - 1) + 1e-7);
    }
    return sum;
}

static double slow_cosine(const Numbers *numbers, const float *q, int m, bool is_cubed)
{
    double mean_x = 0, mean_y = 0, xy = 0, xx = 0, yy = 0;
    for (int n = 0; is_cubed && n < IMAGES; n++) {
        mean_x += cosine_at(numbers, n, m) / IMAGES;
        mean_y += (double)q[n] / IMAGES;
    }
    for (int n = 0; n < IMAGES; n++) {
        double x = cosine_at(numbers, n, m) - mean_x, y = (double)q[n] - mean_y;
        x = is_cubed ? x * x * x : x;
        y = is_cubed ? y * y * y : y;
        xy += x * y, xx += x * x, yy += y * y;
    }
    double floor = is_cubed ? 1e-3 : 0;
    return xy / fmax(sqrt(xx), floor) / fmax(sqrt(yy), floor);
}

static double slow_rank_reorder(const Numbers *numbers, const float *q, int unit, int m)
{
    enum { K = IMAGES / 20 };
    int     image[K];
    int64_t order[K];
    double  error = 0, chance = 0, mean = 0;
    for (int n = 0; n < IMAGES; n++)
        if (place_of(q, n) < K)
            image[place_of(q, n)] = n;
    for (int j = 0; j < K; j++) {
        int rank = 0;
        for (int i = 0; i < K; i++) {
            double a = cosine_at(numbers, image[i], m), b = cosine_at(numbers, image[j], m);
            rank += a < b || (a == b && i < j);
        }
        error += pow(fabs((double)q[image[j]] - (double)q[image[K - 1 - rank]]), 3) / K;
        mean += cosine_at(numbers, image[j], m) / K;
    }
    for (int d = 0; d < RANK_PERMUTATIONS; d++) {
        rank_permutation(3, unit, d, K, order);
        for (int j = 0; j < K; j++) {
            double a = (double)q[image[K - 1 - j]], b = (double)q[image[K - 1 - order[j]]];
            chance += pow(fabs(a - b), 3) / (K * RANK_PERMUTATIONS);
        }
    }
    return -error / chance / sqrt(mean);
}

static double slow(const Numbers *numbers, int name, int unit, int m)
{
    const float *q = numbers->activations + unit * IMAGES;
    if (name < 2)
        return slow_wpmi(numbers, q, m, name == 0);
    return name < 4 ? slow_cosine(numbers, q, m, name == 3)
                    : slow_rank_reorder(numbers, q, unit, m);
}

static void formulas_are_those_written_slowly(void)
{
    const Numbers *numbers = numbers_new();
    float          scores[CELLS];
    for (int name = 0; name < NAMES; name++) {
        int unknown = 0;
        REQUIRE(score(names[name], &numbers->job, scores));
        for (int i = 0; i < CELLS; i++) {
            double wanted = slow(numbers, name, i / CONCEPTS, i % CONCEPTS);
            double found  = (double)scores[i];
            unknown += isnan(wanted);
            if (isnan(wanted) != isnan(found) ||
                (!isnan(wanted) && !CHECK_CLOSE(found, wanted, 1e-5 * fmax(1, fabs(wanted))))) {
                printf("  %s, unit %d, concept %d\n", names[name], i / CONCEPTS, i % CONCEPTS);
                CHECK(false);
                return;
            }
        }
        // Of the dead unit; of negative means, too.
        CHECK(name == 2 ? unknown == CONCEPTS : name == 4 ? unknown >= CONCEPTS : unknown == 0);
    }
    CHECK(!similarity_named("none"));
}

/* ---- bits ------------------------------------------------------------------------------------ */

static void units_alone_have_the_bits_of_the_layer(void)
{
    const Numbers *numbers = numbers_new();
    float          all[CELLS], one[CONCEPTS], serial[CELLS];
    int            threads = parallel_threads();
    for (int name = 0; name < NAMES; name++) {
        REQUIRE(score(names[name], &numbers->job, all));
        parallel_set_threads(1);
        REQUIRE(score(names[name], &numbers->job, serial));
        parallel_set_threads(threads);
        CHECK(memcmp(all, serial, sizeof all) == 0);
        for (int u = 0; u < UNITS; u++) {
            ScoreJob job    = numbers->job;
            job.activations = numbers->activations + u * IMAGES;
            job.unit_count  = 1;
            job.first_unit  = u;
            REQUIRE(score(names[name], &job, one));
            CHECK(memcmp(one, all + u * CONCEPTS, sizeof one) == 0);
        }
    }
}

static void changed_images_stand_in_place_of_theirs(void)
{
    Numbers             *numbers   = numbers_new();
    static const int64_t changed[] = {0, 64, 129};
    float                rows[3 * WIDTH], found[CELLS], wanted[CELLS];
    Random               random = random_stream(test_seed(), "changed");
    for (int i = 0; i < 3; i++)
        draw(&random, rows + i * WIDTH, WIDTH, true);
    for (int name = 0; name < NAMES; name++) {
        numbers            = numbers_new();
        Embeddings with    = numbers->embeddings;
        with.changed       = changed;
        with.changed_rows  = rows;
        with.changed_count = 3;
        ScoreJob job       = numbers->job;
        job.images         = &with;
        REQUIRE(score(names[name], &job, found));
        for (int i = 0; i < 3; i++)
            memcpy(numbers->images + changed[i] * WIDTH, rows + i * WIDTH, WIDTH * sizeof *rows);
        REQUIRE(score(names[name], &numbers->job, wanted));
        CHECK(memcmp(found, wanted, sizeof found) == 0);
    }
}

/* ---- odd numbers ------------------------------------------------------------------------------ */

static void images_are_ranked_with_ties_and_nan(void)
{
    const float          q[]      = {1, NAN, 3, 3, -0.0f, 0, -INFINITY, NAN, 3};
    static const int64_t wanted[] = {2, 3, 8, 0, 4, 5, 6, 1, 7};
    int64_t              found[9];
    for (int count = 0; count <= 9; count++) {
        images_top(q, 9, count, found);
        CHECK(memcmp(found, wanted, (size_t)count * sizeof *found) == 0);
    }
}

static void permutations_differ_and_stay(void)
{
    int64_t a[50], b[50];
    int     seen[50] = {0};
    rank_permutation(1, 2, 3, 50, a);
    rank_permutation(1, 2, 3, 50, b);
    CHECK(memcmp(a, b, sizeof a) == 0);
    for (int i = 0; i < 50; i++)
        seen[a[i]]++;
    for (int i = 0; i < 50; i++)
        CHECK(seen[i] == 1);
    rank_permutation(1, 2, 4, 50, b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    rank_permutation(1, 3, 3, 50, b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    rank_permutation(2, 2, 3, 50, b);
    CHECK(memcmp(a, b, sizeof a) != 0);
}

static void scores_can_be_interrupted(void)
{
    Numbers *numbers = numbers_new();
    bool     cancel  = true;
    float    scores[CELLS];
    numbers->pass.cancel = &cancel;
    for (int name = 0; name < NAMES; name++) {
        const Similarity *rule  = similarity_named(names[name]);
        Error             error = {0};
        CHECK(!rule->score(rule, &numbers->job, scores, &error) && error.code == ERROR_AGAIN);
    }
    numbers->pass.cancel = NULL;
}

static void no_memory_for_scores_is_clean(void)
{
    const Numbers *numbers = numbers_new();
    float          scores[CELLS];
    int64_t        before = memory_live_blocks();
    for (int name = 0; name < NAMES; name++) {
        const Similarity *rule = similarity_named(names[name]);
        for (int64_t call = 1;; call++) {
            Error error = {0};
            memory_fail_at(call, false);
            bool ok = rule->score(rule, &numbers->job, scores, &error);
            memory_fail_at(0, false);
            CHECK(memory_live_blocks() == before);
            if (ok)
                break;
            CHECK(error.code == ERROR_MEMORY && error.message[0]);
        }
    }
}

SUITE(similarity)
{
    RUN(the_worked_example_comes_out);
    RUN(formulas_are_those_written_slowly);
    RUN(units_alone_have_the_bits_of_the_layer);
    RUN(changed_images_stand_in_place_of_theirs);
    RUN(images_are_ranked_with_ties_and_nan);
    RUN(permutations_differ_and_stay);
    RUN(scores_can_be_interrupted);
    RUN(no_memory_for_scores_is_clean);
}
