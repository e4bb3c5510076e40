/* training/score.c - how good the weights are in the end. */
#include "trainer.h"

#include <string.h>

static bool is_right(const real *logits, const real *target, int64_t classes)
{
    bool has_target = false;
    for (int64_t k = 0; k < classes; k++)
        has_target = has_target || target[k] > 0;
    return !has_target || target[logits_predicted(logits, classes)] > 0;
}

int64_t training_correct(const real *logits, const real *target, int64_t images, Shape shape)
{
    int64_t correct = 0, rows = shape.dim[0], classes = shape.dim[1];
    for (int64_t i = 0; i < images; i++) {
        bool right = true;
        for (int64_t row = i; row < rows; row += images)
            right = right && is_right(logits + row * classes, target + row * classes, classes);
        correct += right;
    }
    return correct;
}

enum { BATCH = 32 };

typedef struct Score {
    Graph  *graph;
    Plan   *plan;
    Network network;
    NodeId  target, loss; // the sum over the rows whose target is not zero
    int64_t classes;
} Score;

static bool score_open(Score *score, WeightBlob *blob, const TrainingSet *set, Error *error)
{
    NetworkRequest request = {
        .batch = BATCH, .unit = -1, .width = set->width, .height = set->height};
    if (!graph_create(&score->graph, error) ||
        !network_build(score->graph, blob, &request, &score->network, error))
        return false;
    Shape logits = graph_shape(score->graph, score->network.layer);
    if (logits.rank != 2 || logits.dim[1] < set->classes)
        return fail(error, ERROR_USAGE, "%s: gives %s, expected logits of at least %d classes",
                    blob_path(blob), SHAPE_TEXT(logits), (int)set->classes);
    score->classes = logits.dim[1];
    score->target  = op_input(score->graph, logits, "target");
    score->loss    = cross_entropy_sum(score->graph, score->network.layer, score->target);
    return plan_create(&score->plan, score->graph, (NodeId[]){score->network.layer, score->loss}, 2,
                       NULL, error);
}

// Adds up loss and right answers of `count` images.
static void score_batch(Score *score, const TrainingSet *set, int64_t first, int64_t count,
                        double *loss, int64_t *correct)
{
    real   *pixels = plan_input(score->plan, score->network.pixels);
    real   *target = plan_input(score->plan, score->target);
    int64_t size   = 3 * set->height * set->width;
    memset(target, 0, (size_t)(BATCH * score->classes) * sizeof *target);
    for (int64_t i = 0; i < count; i++) {
        training_image(set, first + i, NULL, 0, pixels + i * size);
        target[i * score->classes + set->labels[first + i]] = 1;
    }
    plan_run(score->plan);
    *loss += (double)*plan_output(score->plan, score->loss);
    *correct += training_correct(plan_output(score->plan, score->network.layer), target, count,
                                 shape_2d(count, score->classes));
}

bool training_score(WeightBlob *blob, const TrainingSet *set, TrainingScore *out, Error *error)
{
    Score   score   = {0};
    int64_t correct = 0;
    double  loss    = 0;
    bool    ok      = score_open(&score, blob, set, error);
    for (int64_t first = 0; ok && first < set->count; first += BATCH) {
        int64_t left = set->count - first;
        score_batch(&score, set, first, left < BATCH ? left : BATCH, &loss, &correct);
    }
    if (ok)
        *out = (TrainingScore){loss / (double)set->count, (double)correct / (double)set->count};
    plan_destroy(score.plan);
    graph_destroy(score.graph);
    return ok;
}
