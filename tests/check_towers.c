/* tests/check_towers.c - objectives of captions in double: gradients against differences, and what
 * several right captions do. */
#include "../training/description.h"
#include "../training/objective.h"
#include "../base/file.h"
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

enum { WORDS = 7, HIDDEN = 3, FEATURES = 4, LM_HIDDEN = 2, EMBEDDING = 2 };

static const struct {
    const char *name;
    Shape       shape;
} tensors[] = {
    {"init_h.0.weight", {2, {HIDDEN, FEATURES}}},
    {"init_h.0.bias", {1, {HIDDEN}}},
    {"init_c.0.weight", {2, {HIDDEN, FEATURES}}},
    {"init_c.0.bias", {1, {HIDDEN}}},
    {"embedding.weight", {2, {WORDS, EMBEDDING}}},
    {"attend.query_to_hidden.weight", {2, {HIDDEN, HIDDEN}}},
    {"attend.query_to_hidden.bias", {1, {HIDDEN}}},
    {"attend.key_to_hidden.weight", {2, {HIDDEN, FEATURES}}},
    {"attend.key_to_hidden.bias", {1, {HIDDEN}}},
    {"attend.output.0.weight", {2, {1, HIDDEN}}},
    {"attend.output.0.bias", {1, {1}}},
    {"feature_gate.0.weight", {2, {FEATURES, HIDDEN}}},
    {"feature_gate.0.bias", {1, {FEATURES}}},
    {"lstm.weight_ih", {2, {4 * HIDDEN, EMBEDDING + FEATURES}}},
    {"lstm.weight_hh", {2, {4 * HIDDEN, HIDDEN}}},
    {"lstm.bias_ih", {1, {4 * HIDDEN}}},
    {"lstm.bias_hh", {1, {4 * HIDDEN}}},
    {"output.1.weight", {2, {WORDS, HIDDEN}}},
    {"output.1.bias", {1, {WORDS}}},
    {"lm.embedding.weight", {2, {WORDS, EMBEDDING}}},
    {"lm.lstm.weight_ih_l0", {2, {4 * LM_HIDDEN, EMBEDDING}}},
    {"lm.lstm.weight_hh_l0", {2, {4 * LM_HIDDEN, LM_HIDDEN}}},
    {"lm.lstm.bias_ih_l0", {1, {4 * LM_HIDDEN}}},
    {"lm.lstm.bias_hh_l0", {1, {4 * LM_HIDDEN}}},
    {"lm.lstm.weight_ih_l1", {2, {4 * LM_HIDDEN, LM_HIDDEN}}},
    {"lm.lstm.weight_hh_l1", {2, {4 * LM_HIDDEN, LM_HIDDEN}}},
    {"lm.lstm.bias_ih_l1", {1, {4 * LM_HIDDEN}}},
    {"lm.lstm.bias_hh_l1", {1, {4 * LM_HIDDEN}}},
    {"lm.output.0.weight", {2, {WORDS, LM_HIDDEN}}},
    {"lm.output.0.bias", {1, {WORDS}}},
};
enum { TENSORS = sizeof tensors / sizeof *tensors };

static bool save_captioner(const char *path)
{
    static float zeros[128];
    BlobTensor   list[TENSORS];
    uint8_t     *bytes = NULL;
    size_t       size  = 0;
    for (int i = 0; i < TENSORS; i++)
        list[i] = (BlobTensor){
            .name = tensors[i].name, .type = BLOB_F32, .shape = tensors[i].shape, .data = zeros};
    bool ok =
        blob_encode(list, TENSORS, "architecture=milan\nencoder=mini\n", &bytes, &size, NULL) &&
        file_publish(path, bytes, size, NULL);
    memory_free(bytes);
    return ok;
}

static const DescriptionSizes sizes = {
    .units = 2, .exemplars = 3, .features = FEATURES, .steps = 3};

typedef struct Describer {
    Graph           *graph;
    Plan            *plan;
    WeightBlob      *blob;
    Trainables       list;
    NodeId           gradients[TENSORS];
    DescriptionGraph description;
} Describer;

static bool describer_open(Describer *d)
{
    NodeId outputs[TENSORS + 3], weights[TENSORS];
    char   path[LIMIT_PATH];
    snprintf(path, sizeof path, "%s/captioner.nw", test_folder());
    if (!CHECK(save_captioner(path) && blob_open(path, &d->blob, NULL) &&
               graph_create(&d->graph, NULL)) ||
        !CHECK(description_build(d->graph, d->blob, &sizes, &d->list, &d->description, NULL)) ||
        !CHECK(d->list.weight_count == TENSORS))
        return false;
    for (int i = 0; i < TENSORS; i++)
        weights[i] = d->list.weights[i].node;
    graph_gradient(d->graph, d->description.loss, weights, TENSORS, d->gradients);
    memcpy(outputs, d->gradients, sizeof d->gradients);
    outputs[TENSORS]     = d->description.loss;
    outputs[TENSORS + 1] = d->description.log_p;
    outputs[TENSORS + 2] = d->description.language_log_p;
    return CHECK(plan_create(&d->plan, d->graph, outputs, TENSORS + 3, NULL, NULL));
}

static void describer_close(Describer *d)
{
    plan_destroy(d->plan);
    graph_destroy(d->graph);
    trainables_close(&d->list);
    blob_close(d->blob);
}

static void set_words(const Describer *d, const int32_t words[3][2])
{
    for (int step = 0; step < 3; step++)
        CHECK(plan_set_index(d->plan, d->description.words[step], words[step], NULL));
}

static void describer_fill(const Describer *d)
{
    static const int32_t words[3][2] = {{5, 5}, {0, 1}, {2, 3}}, right[] = {0, 1, 2, 3, 6};
    for (int i = 0; i < TENSORS; i++)
        check_fill(plan_input(d->plan, d->list.weights[i].node),
                   shape_elements(d->list.weights[i].shape), -0.9, 0.9, (uint64_t)i);
    check_fill(plan_input(d->plan, d->description.features), 2 * 3 * FEATURES, -1, 1, 99);
    set_words(d, words);
    for (int row = 0; row < 5; row++) // the last unit ends a word earlier
        plan_input(d->plan, d->description.target)[row * WORDS + right[row]] = (real)(1 / 5.0);
}

static void captioner_gradients_are_slopes(void)
{
    Describer d = {0};
    if (describer_open(&d)) {
        describer_fill(&d);
        for (int i = 0; i < TENSORS; i++) {
            const TrainableWeight *weight = &d.list.weights[i];
            if (!check_slope(d.plan, &(Slope){d.description.loss, weight->node, d.gradients[i],
                                              shape_elements(weight->shape)}))
                printf("  %s\n", weight->name);
        }
    }
    describer_close(&d);
}

// What is said first depends on no later word, and nothing of a unit on the other's features.
static void words_see_what_is_before_them(void)
{
    static const int32_t other[3][2] = {{5, 5}, {3, 1}, {6, 3}};
    Describer            d           = {0};
    real                 first[2 * WORDS], second[WORDS];
    if (describer_open(&d)) {
        describer_fill(&d);
        plan_run(d.plan);
        const real *log_p = plan_output(d.plan, d.description.log_p);
        memcpy(first, log_p, sizeof first);
        memcpy(second, log_p + 3 * WORDS, sizeof second); // of unit 1, its second word
        set_words(&d, other);
        plan_input(d.plan, d.description.features)[0] += 1; // of unit 0
        plan_run(d.plan);
        log_p = plan_output(d.plan, d.description.log_p);
        CHECK(memcmp(first + WORDS, log_p + WORDS, sizeof second) == 0);
        CHECK(memcmp(second, log_p + 3 * WORDS, sizeof second) == 0);
        CHECK(memcmp(first, log_p, sizeof second) != 0);
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
