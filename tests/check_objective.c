/* tests/check_objective.c - objectives of a training on the small network of published numbers: terms
 * and gradients to their last digit in double, slopes, invariance, the bound, forms by differences. */
#include "../training/objective.h"
#include "check_difference.h"
#include "check_toy.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 2 };

static const real unit[2] = {1, 1}, low[2] = {-4, -4}, high[2] = {4, 4};

typedef struct Play {
    Graph         *graph;
    Plan          *plan;
    NodeId         weight[TOY_WEIGHTS], beta, input, target, noise, gradient[TOY_WEIGHTS], g;
    ObjectiveTerms terms;
} Play;

static bool pass(void *self, NodeId input, NodeId *logits, Error *error)
{
    Play *play = self;
    *logits    = toy_logits(play->graph, input, play->weight, play->beta);
    return graph_check(play->graph, error);
}

static void play_close(Play *play)
{
    plan_destroy(play->plan);
    graph_destroy(play->graph);
}

// Images and noise as published: x_b = sin(0.7 i + 0.3 + b), labels 0 and 2.
static void fill(Play *play, double pace)
{
    real *x = plan_input(play->plan, play->input), *z = plan_input(play->plan, play->noise);
    real *target = plan_input(play->plan, play->target);
    for (int b = 0; b < BATCH; b++)
        for (int i = 0; i < PIXELS; i++) {
            x[b * PIXELS + i] = (real)sin(0.7 * i + 0.3 + b);
            z[b * PIXELS + i] = (real)cos(pace * i + b);
        }
    target[0] = target[CLASSES + 2] = 1;
    for (int i = 0; i < TOY_WEIGHTS; i++) {
        Shape       shape;
        const real *from = toy_weight(i, &shape);
        memcpy(plan_input(play->plan, play->weight[i]), from,
               (size_t)shape_elements(shape) * sizeof *from);
    }
}

static bool play_open(Play *play, const ObjectiveSettings *settings, double pace)
{
    NodeId outputs[32];
    Error  error = {0};
    int    count = 0;
    *play        = (Play){0};
    if (!CHECK(graph_create(&play->graph, NULL)))
        return false;
    Graph *g     = play->graph;
    Shape  in    = shape_4d(BATCH, 2, SIDE, SIDE);
    play->beta   = op_scalar_input(g, 3, "beta");
    play->input  = op_input(g, in, "input");
    play->noise  = op_input(g, in, "noise");
    play->target = op_input(g, shape_2d(BATCH, CLASSES), "target");
    for (int i = 0; i < TOY_WEIGHTS; i++) {
        Shape shape;
        toy_weight(i, &shape);
        play->weight[i] = op_input(g, shape, "weight");
    }
    ObjectiveBatch batch = {.graph    = g,
                            .settings = settings,
                            .pass     = pass,
                            .self     = play,
                            .input    = play->input,
                            .target   = play->target,
                            .noise    = play->noise,
                            .unit     = unit,
                            .low      = low,
                            .high     = high};
    if (!CHECK(pass(play, play->input, &batch.logits, &error)))
        return false;
    graph_gradient(g, op_dot(g, play->target, batch.logits), &play->input, 1, &play->g);
    if (!CHECK(objective_build(&batch, &play->terms, &error))) {
        printf("  %s\n", error.message);
        return false;
    }
    objective_gradient(g, &play->terms, play->weight, TOY_WEIGHTS, play->gradient);
    const NodeId kept[] = {play->terms.loss, play->terms.ce,       play->terms.l2,
                           play->terms.cosd, play->terms.hessian,  play->terms.other,
                           play->g,          play->terms.descended};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (kept[i] != NODE_NONE)
            outputs[count++] = kept[i];
    for (int i = 0; i < TOY_WEIGHTS; i++)
        outputs[count++] = play->gradient[i];
    if (!CHECK(plan_create(&play->plan, g, outputs, count, NULL, &error)))
        return false;
    fill(play, pace);
    plan_run(play->plan);
    return true;
}

static double number(const Play *play, NodeId node)
{
    return (double)*plan_output(play->plan, node);
}

static double slope(const Play *play, int weight, int element)
{
    return (double)plan_output(play->plan, play->gradient[weight])[element];
}

static ObjectiveSettings aligned(void)
{
    return (ObjectiveSettings){.row = 1, .lambda_l2 = 0.01, .lambda_cos = 1, .perturb_eps = 0.08};
}

static ObjectiveSettings curved(void)
{
    return (ObjectiveSettings){.row = 2, .lambda_hessian = 1};
}

// Relative 1e-7 in double, and what float32 has of it.
static void check_published(double found, double published)
{
    double bound = check_slopes_are_exact() ? 1e-7 : 2e-3;
    CHECK_CLOSE(found / published, 1, bound);
}

/* ---- published numbers ----------------------------------------------------------------------- */

typedef struct GoldenSlope {
    int    weight, element; // kernels 0, 2, 4; biases 1, 3, 5
    double value;
} GoldenSlope;

static void cross_entropy_and_gradients_are_the_published_ones(void)
{
    static const double norms[BATCH] = {0.2291867269, 0.1991506680};
    ObjectiveSettings   settings     = {0};
    Play                play;
    if (play_open(&play, &settings, 1.1)) {
        check_published(number(&play, play.terms.ce), 1.071630811491);
        for (int b = 0; b < BATCH; b++) {
            const real *g   = plan_output(play.plan, play.g) + b * PIXELS;
            double      sum = 0;
            for (int i = 0; i < PIXELS; i++)
                sum += (double)g[i] * (double)g[i];
            check_published(sqrt(sum), norms[b]);
        }
    }
    play_close(&play);
}

static void alignment_is_the_published_one(void)
{
    static const GoldenSlope parts[] = {
        {0, 0, 1.444667e-4}, {0, 20, 1.110805e-4},  {2, 5, 2.812788e-4},  {2, 50, 2.104160e-5},
        {4, 7, 1.991751e-4}, {4, 100, 2.702336e-6}, {1, 1, -8.898384e-5}, {3, 2, -2.831139e-4}};
    static const GoldenSlope wholes[] = {
        {0, 0, 1.907332e-2}, {2, 5, -4.350707e-2}, {4, 7, 1.877943e-1}, {5, 0, -9.103110e-2}};
    ObjectiveSettings settings = aligned(), plain = {0};
    Play              play, without;
    bool              is_double = check_slopes_are_exact();
    if (play_open(&play, &settings, 1.1) && play_open(&without, &plain, 1.1)) {
        check_published(number(&play, play.terms.l2), 6.0251619e-07);
        check_published(number(&play, play.terms.cosd), 2.4602985e-06);
        check_published(number(&play, play.terms.loss), 1.071633277815);
        for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++)
            CHECK_CLOSE(slope(&play, wholes[i].weight, wholes[i].element) / wholes[i].value, 1,
                        is_double ? 5e-7 : 1e-4); // published to seven digits
        for (size_t i = 0; is_double && i < sizeof parts / sizeof *parts; i++)
            CHECK_CLOSE((slope(&play, parts[i].weight, parts[i].element) -
                         slope(&without, parts[i].weight, parts[i].element)) /
                            parts[i].value,
                        1, 5e-7);
        CHECK_CLOSE(slope(&play, 5, 0) - slope(&without, 5, 0), 0, 1e-9); // of b3: none
        play_close(&without);
    }
    play_close(&play);
}

/* The published code's own formula of cosd: the same numbers, until gradients are so small that the
 * floor under their product shows. */
static void the_published_cosine_has_a_floor(void)
{
    ObjectiveSettings settings = aligned();
    Play              play;
    settings.mode = 1;
    if (play_open(&play, &settings, 1.1)) {
        check_published(number(&play, play.terms.l2), 6.0251619e-07);
        CHECK_CLOSE(number(&play, play.terms.cosd), 2.4602985e-06,
                    check_slopes_are_exact() ? 1e-13 : 2e-7);
        real *w3 = plan_input(play.plan, play.weight[4]);
        for (int i = 0; i < CLASSES * 36; i++)
            w3[i] *= (real)1e-4; // the product of two lengths: 0.05e-8, a twentieth of the floor
        plan_run(play.plan);
        double cosd = number(&play, play.terms.cosd), mean = 0;
        for (int b = 0; b < BATCH; b++) {
            const real *g = plan_output(play.plan, play.g) + b * PIXELS;
            for (int i = 0; i < PIXELS; i++)
                mean += (double)g[i] * (double)g[i] / BATCH;
        }
        CHECK_CLOSE(cosd, 0.5 - 0.5 * mean / 1e-8, 1e-4); // both gradients are nearly one
    }
    play_close(&play);
}

static void curvature_is_the_published_one(void)
{
    static const GoldenSlope parts[] = {
        {0, 0, -9.338015e-3}, {0, 20, 6.787854e-4}, {2, 5, 7.067935e-2}, {2, 50, 7.360100e-3},
        {4, 7, -8.872397e-3}, {1, 1, 4.218560e-3},  {3, 2, 2.962141e-2}};
    ObjectiveSettings settings = curved(), plain = {0};
    Play              play, without;
    if (play_open(&play, &settings, 0.5) && play_open(&without, &plain, 0.5)) {
        check_published(number(&play, play.terms.hessian), 9.402569600553e-3);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            CHECK_CLOSE((slope(&play, parts[i].weight, parts[i].element) -
                         slope(&without, parts[i].weight, parts[i].element)) /
                            parts[i].value,
                        1, check_slopes_are_exact() ? 5e-7 : 1e-2);
        play_close(&without);
    }
    play_close(&play);
}

/* ---- slopes ---------------------------------------------------------------------------------- */

/* Of every objective without anything held: the gradient is the slope of the loss. */
static void gradients_are_slopes(void)
{
    ObjectiveSettings all[3] = {aligned(), curved(), {.row = 0}};
    if (!check_slopes_are_exact())
        SKIP("slopes of slopes need doubles");
    all[0].is_attached = true;
    for (int k = 0; k < 3; k++) {
        Play play;
        if (play_open(&play, &all[k], 1.1))
            for (int i = 0; i < TOY_WEIGHTS; i++) {
                Shape shape;
                toy_weight(i, &shape);
                if (!check_slope(play.plan, &(Slope){play.terms.loss, play.weight[i],
                                                     play.gradient[i], shape_elements(shape)}))
                    printf("  of objective %d, weight %d\n", k, i);
            }
        play_close(&play);
    }
}

// |a - b| / |b| over all weights.
static double distance(const Play *a, const Play *b)
{
    double sum = 0, all = 0;
    for (int i = 0; i < TOY_WEIGHTS; i++) {
        Shape shape;
        toy_weight(i, &shape);
        for (int64_t k = 0; k < shape_elements(shape); k++) {
            double one = slope(a, i, (int)k), other = slope(b, i, (int)k);
            sum += (one - other) * (one - other);
            all += other * other;
        }
    }
    return sqrt(sum / all);
}

static void differences_agree_with_exact_gradients(void)
{
    ObjectiveSettings all[3] = {aligned(), aligned(), curved()};
    all[1].is_attached       = true;
    all[0].lambda_cos        = all[1].lambda_cos =
        1e3; // so that the term can be seen beside cross-entropy
    for (int k = 0; k < 3; k++) {
        Play exact, difference;
        if (play_open(&exact, &all[k], 1.1)) {
            all[k].by_difference = true;
            if (play_open(&difference, &all[k], 1.1)) {
                double far = distance(&difference, &exact);
                CHECK(far > 0);
                CHECK_CLOSE(far, 0, 1e-3);
                CHECK_CLOSE(number(&difference, difference.terms.loss),
                            number(&exact, exact.terms.loss), k == 2 ? 1e-4 : 1e-6);
                play_close(&difference);
            }
        }
        play_close(&exact);
    }
}

static void holding_the_source_changes_the_gradient(void)
{
    ObjectiveSettings held = aligned(), free = aligned();
    Play              a, b;
    held.lambda_cos = free.lambda_cos = 1e3;
    free.is_attached                  = true;
    if (play_open(&a, &held, 1.1) && play_open(&b, &free, 1.1)) {
        CHECK(distance(&a, &b) > 1e-3);
        CHECK_CLOSE(number(&a, a.terms.loss), number(&b, b.terms.loss), 0);
        play_close(&b);
    }
    play_close(&a);
    held.lambda_cos = held.lambda_l2 = 0; // what is left is cross-entropy's
    free.lambda_cos = free.lambda_l2 = 0;
    if (play_open(&a, &held, 1.1) && play_open(&b, &free, 1.1)) {
        CHECK_CLOSE(distance(&a, &b), 0, 0);
        play_close(&b);
    }
    play_close(&a);
}

/* ---- properties ------------------------------------------------------------------------------ */

// The last layer ten times as large: the direction of a gradient stays, its length does not.
static void only_cosd_is_invariant(void)
{
    ObjectiveSettings settings = aligned();
    Play              play;
    if (play_open(&play, &settings, 1.1)) {
        double l2 = number(&play, play.terms.l2), cosd = number(&play, play.terms.cosd);
        real  *w3 = plan_input(play.plan, play.weight[4]);
        for (int i = 0; i < CLASSES * 36; i++)
            w3[i] *= 10;
        plan_run(play.plan);
        double bound = check_slopes_are_exact() ? 1e-9 : 1e-3;
        CHECK_CLOSE(number(&play, play.terms.cosd) / cosd, 1, bound);
        CHECK_CLOSE(number(&play, play.terms.l2) / (100 * l2), 1, bound);
    }
    play_close(&play);
}

static void cosd_is_below_its_bound(void)
{
    enum { SIZE = 12, PAIRS = 2000 };
    Random random = random_stream(test_seed(), "pairs of vectors");
    double most   = 0;
    for (int pair = 0; pair < PAIRS; pair++) {
        double dot = 0, aa = 0, bb = 0, dd = 0, near = (double)random_unit(random_word(&random));
        for (int i = 0; i < SIZE; i++) {
            double a = 2 * (double)random_unit(random_word(&random)) - 1;
            double b = a + near * (4 * (double)random_unit(random_word(&random)) - 2);
            dot += a * b;
            aa += a * a;
            bb += b * b;
            dd += (a - b) * (a - b);
        }
        most = fmax(most, (1 - dot / sqrt(aa * bb)) / 2 / (dd / fmax(aa, bb)));
    }
    CHECK(most > 0.2 && most <= 1);
}

static void every_perturbation_has_its_length(void)
{
    for (int kind = 0; kind < 4; kind++) {
        ObjectiveSettings settings = aligned();
        Play              play;
        settings.perturbation = (Perturbation)kind;
        if (play_open(&play, &settings, 1.1)) {
            CHECK(number(&play, play.terms.l2) > 0 && number(&play, play.terms.cosd) > 0);
            CHECK(number(&play, play.terms.cosd) < 1);
            CHECK_CLOSE(slope(&play, 5, 0), -9.1031e-2, 1e-3);
        }
        play_close(&play);
    }
}

/* An attack within the box raises the cross-entropy; at eps 0 it changes nothing. */
static void attacks_raise_the_loss(void)
{
    for (int row = 3; row < 5; row++) {
        double found[3];
        for (int k = 0; k < 3; k++) {
            ObjectiveSettings settings = {
                .row = row, .attack_eps = 0.05 * (k > 0), .attack_steps = k == 2 ? 3 : 0};
            Play play;
            found[k] = 0;
            if (play_open(&play, &settings, 1.1))
                found[k] = number(&play, row == 3 ? play.terms.ce : play.terms.other);
            play_close(&play);
        }
        CHECK(found[2] > found[1] && found[2] > found[0]);
        if (row == 3)
            CHECK_CLOSE(found[0], 1.071630811491, 1e-6);
    }
}

// All of them are as good as no choice; few lead to another point.
static void the_attack_of_triplet_sees_some_numbers(void)
{
    static const int64_t inputs[3] = {0, PIXELS, 5};
    double               found[3]  = {0};
    for (int k = 0; k < 3; k++) {
        ObjectiveSettings settings = {
            .row = 4, .attack_eps = 0.05, .attack_steps = 2, .attack_inputs = inputs[k]};
        Play play;
        if (play_open(&play, &settings, 1.1))
            found[k] = number(&play, play.terms.other);
        play_close(&play);
    }
    CHECK(found[0] > 0 && found[0] == found[1] && found[2] != found[0]);
}

SUITE(objective)
{
    RUN(cross_entropy_and_gradients_are_the_published_ones);
    RUN(alignment_is_the_published_one);
    RUN(the_published_cosine_has_a_floor);
    RUN(curvature_is_the_published_one);
    RUN(gradients_are_slopes);
    RUN(differences_agree_with_exact_gradients);
    RUN(holding_the_source_changes_the_gradient);
    RUN(only_cosd_is_invariant);
    RUN(cosd_is_below_its_bound);
    RUN(every_perturbation_has_its_length);
    RUN(attacks_raise_the_loss);
    RUN(the_attack_of_triplet_sees_some_numbers);
}
