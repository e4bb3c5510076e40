/* tests/check_towers.c - objectives of captions in double: gradients against differences, and what
 * several right captions do. */
#include "../training/captioner.h"
#include "../training/objective.h"
#include "check_difference.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- contrastive ----------------------------------------------------------------------------- */

enum { PAIRS = 3, NUMBERS = 4 };

typedef struct Pairs {
    Graph         *graph;
    Plan          *plan;
    NodeId         images, texts, target, texts_target, gradient[2];
    ObjectiveTerms terms;
} Pairs;

static bool pairs_open(Pairs *p)
{
    static const ObjectiveSettings settings = {.row = 5};
    if (!CHECK(graph_create(&p->graph, NULL)))
        return false;
    p->images            = op_input(p->graph, shape_2d(PAIRS, NUMBERS), "images");
    p->texts             = op_input(p->graph, shape_2d(PAIRS, NUMBERS), "texts");
    p->target            = op_input(p->graph, shape_2d(PAIRS, PAIRS), "target");
    p->texts_target      = op_input(p->graph, shape_2d(PAIRS, PAIRS), "target of texts");
    ObjectiveBatch batch = {.graph        = p->graph,
                            .settings     = &settings,
                            .input        = p->images,
                            .logits       = p->images,
                            .texts        = p->texts,
                            .target       = p->target,
                            .texts_target = p->texts_target};
    CHECK(objective_data(&settings) == DATA_CAPTIONS);
    if (!CHECK(objective_build(&batch, &p->terms, NULL)))
        return false;
    NodeId wrt[2] = {p->images, p->texts};
    objective_gradient(p->graph, &p->terms, wrt, 2, p->gradient);
    NodeId outputs[4] = {p->terms.loss, p->gradient[0], p->gradient[1], p->terms.logits};
    if (!CHECK(plan_create(&p->plan, p->graph, outputs, 4, NULL, NULL)))
        return false;
    check_fill(plan_input(p->plan, p->images), PAIRS * NUMBERS, -1, 1, 1);
    check_fill(plan_input(p->plan, p->texts), PAIRS * NUMBERS, -1, 1, 2);
    return true;
}

static void pairs_close(Pairs *p)
{
    plan_destroy(p->plan);
    graph_destroy(p->graph);
}

// Captions 0 and 1 are true of images 0 and 1, caption 2 of image 2 alone.
static void set_targets(const Pairs *p)
{
    static const real truth[PAIRS * PAIRS] = {(real)0.5, (real)0.5, 0, (real)0.5, (real)0.5,
                                              0,         0,         0, 1};
    memcpy(plan_input(p->plan, p->target), truth, sizeof truth);
    memcpy(plan_input(p->plan, p->texts_target), truth, sizeof truth);
}

static void contrastive_gradients_are_slopes(void)
{
    Pairs p = {0};
    if (pairs_open(&p)) {
        set_targets(&p);
        CHECK(
            check_slope(p.plan, &(Slope){p.terms.loss, p.images, p.gradient[0], PAIRS * NUMBERS}));
        CHECK(check_slope(p.plan, &(Slope){p.terms.loss, p.texts, p.gradient[1], PAIRS * NUMBERS}));
    }
    pairs_close(&p);
}

// The formula of the file's head, with loops.
static double by_loops(const Pairs *p)
{
    const real *images = plan_input(p->plan, p->images), *texts = plan_input(p->plan, p->texts);
    const real *target = plan_input(p->plan, p->target);
    double      s[PAIRS][PAIRS], loss = 0;
    for (int i = 0; i < PAIRS; i++)
        for (int j = 0; j < PAIRS; j++) {
            double dot = 0, a = 0, b = 0;
            for (int k = 0; k < NUMBERS; k++) {
                double x = (double)images[i * NUMBERS + k], y = (double)texts[j * NUMBERS + k];
                dot += x * y, a += x * x, b += y * y;
            }
            s[i][j] = dot / sqrt(a * b) / 0.07;
        }
    for (int i = 0; i < PAIRS; i++) {
        double row = 0, column = 0;
        for (int j = 0; j < PAIRS; j++)
            row += exp(s[i][j]), column += exp(s[j][i]);
        for (int j = 0; j < PAIRS; j++)
            loss -= (double)target[i * PAIRS + j] * (s[i][j] - log(row) + s[j][i] - log(column)) /
                    (2 * PAIRS);
    }
    return loss;
}

static void contrastive_loss_is_the_formula(void)
{
    Pairs p = {0};
    if (pairs_open(&p)) {
        set_targets(&p);
        plan_run(p.plan);
        double bound = sizeof(real) == sizeof(double) ? 1e-12 : 1e-4;
        CHECK_CLOSE((double)*plan_output(p.plan, p.terms.loss), by_loops(&p), bound);
    }
    pairs_close(&p);
}

/* ---- the captioner --------------------------------------------------------------------------- */

enum { MOST_WEIGHTS = 32 };

static const CaptionerSizes sizes = {.units        = 2,
                                     .exemplars    = 3,
                                     .features     = 4,
                                     .steps        = 3,
                                     .words        = 7,
                                     .embedding    = 2,
                                     .hidden       = 3,
                                     .attention    = 3,
                                     .lm_embedding = 2,
                                     .lm_hidden    = 2};

typedef struct Describer {
    Graph         *graph;
    Plan          *plan;
    NodeId         weights[MOST_WEIGHTS], gradients[MOST_WEIGHTS];
    int            count;
    CaptionerGraph captioner;
} Describer;

static NodeId add_weight(void *self, const char *name, Shape shape)
{
    Describer *d                  = self;
    return d->weights[d->count++] = op_input(d->graph, shape, name);
}

static bool describer_open(Describer *d)
{
    NodeId outputs[MOST_WEIGHTS + 3];
    if (!CHECK(graph_create(&d->graph, NULL)))
        return false;
    captioner_build(d->graph, &sizes, add_weight, d, &d->captioner);
    graph_gradient(d->graph, d->captioner.loss, d->weights, d->count, d->gradients);
    memcpy(outputs, d->gradients, (size_t)d->count * sizeof *outputs);
    outputs[d->count]     = d->captioner.loss;
    outputs[d->count + 1] = d->captioner.logits;
    outputs[d->count + 2] = d->captioner.lm_logits;
    return CHECK(plan_create(&d->plan, d->graph, outputs, d->count + 3, NULL, NULL));
}

static void describer_close(Describer *d)
{
    plan_destroy(d->plan);
    graph_destroy(d->graph);
}

static void describer_fill(const Describer *d)
{
    static const int32_t words[] = {5, 5, 0, 1, 2, 3}, right[] = {0, 1, 2, 3, 6, 6};
    for (int i = 0; i < d->count; i++)
        check_fill(plan_input(d->plan, d->weights[i]),
                   shape_elements(graph_shape(d->graph, d->weights[i])), -0.9, 0.9, (uint64_t)i);
    check_fill(plan_input(d->plan, d->captioner.features), 2 * 3 * 4, -1, 1, 99);
    CHECK(plan_set_index(d->plan, d->captioner.words, words, NULL));
    for (int row = 0; row < 6; row++) // the last unit ends a word earlier
        if (row != 5)
            plan_input(d->plan, d->captioner.target)[row * sizes.words + right[row]] =
                (real)(1 / 5.0);
}

static void captioner_gradients_are_slopes(void)
{
    Describer d = {0};
    if (describer_open(&d)) {
        describer_fill(&d);
        CHECK(d.count == 30);
        for (int i = 0; i < d.count; i++) {
            int64_t count = shape_elements(graph_shape(d.graph, d.weights[i]));
            if (!check_slope(d.plan,
                             &(Slope){d.captioner.loss, d.weights[i], d.gradients[i], count}))
                printf("  %s\n", graph_name_of(d.graph, d.weights[i]));
        }
    }
    describer_close(&d);
}

// What is said first depends on no later word, and nothing of a unit on the other's features.
static void words_see_what_is_before_them(void)
{
    static const int32_t other[] = {5, 5, 3, 1, 6, 3};
    enum { ROW = 7, UNITS = 2 };
    Describer d = {0};
    real      first[UNITS * ROW], second[ROW];
    if (describer_open(&d)) {
        describer_fill(&d);
        plan_run(d.plan);
        const real *logits = plan_output(d.plan, d.captioner.logits);
        memcpy(first, logits, sizeof first);
        memcpy(second, logits + 3 * ROW, sizeof second); // of unit 1, its second word
        CHECK(plan_set_index(d.plan, d.captioner.words, other, NULL));
        plan_input(d.plan, d.captioner.features)[0] += 1; // of unit 0
        plan_run(d.plan);
        logits = plan_output(d.plan, d.captioner.logits);
        CHECK(memcmp(first + ROW, logits + ROW, sizeof second) == 0);
        CHECK(memcmp(second, logits + 3 * ROW, sizeof second) == 0);
        CHECK(memcmp(first, logits, sizeof second) != 0);
    }
    describer_close(&d);
}

SUITE(check_towers)
{
    RUN(contrastive_gradients_are_slopes);
    RUN(contrastive_loss_is_the_formula);
    RUN(captioner_gradients_are_slopes);
    RUN(words_see_what_is_before_them);
}
