/* attack/unit_attack.c - PGD over the poisoned images of one unit, batch by batch.
 *
 * With the mean loss the weights of an image are known before the first step, so batches are filled
 * across groups and take all their steps in one go. With soft-iou a group moves step by step: maps
 * of all its images, weights, then the gradient of each batch. */
#include "unit_attack.h"
#include "rows.h"

#include <string.h>

enum { CHANNELS = 3 };

struct UnitAttack {
    const AttackJob *job;
    UnitObjective   *objective;
    Graph           *graph;
    Network          network;
    NodeId           weights; // input [batch, 1, h, w]
    Pgd             *pgd;
    Plan            *forward; // soft-iou only
    int64_t          batch;   // images of one run of the network
    int64_t          rows;    // images held at a time: a multiple of the batch
    size_t           image_size, map_size;
    real            *clean, *pixels;         // [rows, image_size]: before and after
    float           *row_weights, *row_maps; // [rows, map_size]
    int64_t         *row_image;              // [rows]
    RowLoader        loader;
};

static bool interrupted(Error *error)
{
    return fail(error, ERROR_AGAIN, "interrupted; what was finished is kept");
}

bool attack_cancelled(const CleanRun *clean, Error *error)
{
    const volatile bool *cancel = clean->settings->cancel;
    return cancel && *cancel && !interrupted(error);
}

/* ---- building -------------------------------------------------------------------------------- */

static bool build_network(UnitAttack *attack, int64_t unit, Error *error)
{
    const UnitBuilder      *builder = &attack->job->builder;
    const ActivationSource *layer   = &attack->job->clean.layer;
    Shape pixels = shape_4d(attack->batch, CHANNELS, layer->image_height, layer->image_width);
    if (!graph_create(&attack->graph, error) ||
        !builder->build(builder->self, attack->graph, pixels, unit, &attack->network, error))
        return false;
    Graph *graph = attack->graph;
    Shape  maps  = graph_shape(graph, attack->network.layer);
    if (attack->job->loss == LOSS_SOFT_IOU &&
        !plan_create(&attack->forward, graph, &attack->network.layer, 1, NULL, error))
        return false;
    attack->weights  = op_input(graph, maps, "weights");
    NodeId objective = op_dot(graph, attack->network.layer, attack->weights);
    return pgd_create(&attack->pgd, graph, attack->network.pixels, objective, error);
}

bool unit_attack_open(UnitAttack **out, const AttackJob *job, int64_t unit,
                      UnitObjective *objective, Error *error)
{
    const ActivationSource *layer  = &job->clean.layer;
    UnitAttack             *attack = memory_new(1, sizeof *attack, error);
    if (!attack)
        return false;
    attack->job        = job;
    attack->objective  = objective;
    attack->batch      = job->batch ? job->batch : layer->batch;
    attack->rows       = attack->batch;
    attack->image_size = (size_t)(CHANNELS * layer->image_height * layer->image_width);
    attack->map_size   = (size_t)objective->masks.map_count;
    while (job->loss == LOSS_SOFT_IOU && attack->rows < ATTACK_GROUP)
        attack->rows += attack->batch;
    size_t rows         = (size_t)attack->rows;
    attack->clean       = memory_new(rows * attack->image_size, sizeof(real), error);
    attack->pixels      = memory_new(rows * attack->image_size, sizeof(real), error);
    attack->row_weights = memory_new(rows * attack->map_size, sizeof(float), error);
    attack->row_maps    = memory_new(rows * attack->map_size, sizeof(float), error);
    attack->row_image   = memory_new(rows, sizeof *attack->row_image, error);
    if (!attack->clean || !attack->pixels || !attack->row_weights || !attack->row_maps ||
        !attack->row_image ||
        !row_loader_open(&attack->loader, &job->clean.images, attack->rows, attack->image_size,
                         error) ||
        !build_network(attack, unit, error)) {
        unit_attack_close(attack);
        return false;
    }
    *out = attack;
    return true;
}

void unit_attack_close(UnitAttack *attack)
{
    if (!attack)
        return;
    pgd_destroy(attack->pgd);
    plan_destroy(attack->forward);
    graph_destroy(attack->graph);
    memory_free(attack->clean);
    memory_free(attack->pixels);
    memory_free(attack->row_weights);
    memory_free(attack->row_maps);
    memory_free(attack->row_image);
    row_loader_close(&attack->loader);
    memory_free(attack);
}

/* ---- rows: images being perturbed ------------------------------------------------------------ */

// Reads the clean images of the first `count` rows; perturbed ones start there.
static bool load_rows(UnitAttack *attack, int64_t count, Error *error)
{
    if (!row_loader_load(&attack->loader, attack->row_image, count, attack->clean, error))
        return false;
    memcpy(attack->pixels, attack->clean, (size_t)count * attack->image_size * sizeof(real));
    return true;
}

// Weights of the batch at `first`. Rows past the last image hold old ones; nobody reads their
// result.
static void set_weights(UnitAttack *attack, int64_t first)
{
    real        *input  = plan_input(pgd_plan(attack->pgd), attack->weights);
    const float *weight = attack->row_weights + (size_t)first * attack->map_size;
    for (size_t i = 0; i < (size_t)attack->batch * attack->map_size; i++)
        input[i] = weight[i];
}

static int64_t group_length(const int64_t *images, int64_t count)
{
    int64_t length = 1;
    while (length < count && images[length] / ATTACK_GROUP == images[0] / ATTACK_GROUP)
        length++;
    return length;
}

/* ---- mean loss: batches across groups -------------------------------------------------------- */

static bool run_batch(UnitAttack *attack, const PgdRule *rule, int64_t count,
                      const PerturbedSink *sink, Error *error)
{
    if (!load_rows(attack, count, error))
        return false;
    set_weights(attack, 0);
    if (!pgd_run(attack->pgd, rule, attack->pixels, NULL, attack->job->clean.settings->cancel))
        return interrupted(error);
    return sink->take(sink->self, attack->row_image, count, attack->clean, attack->pixels, error);
}

static bool run_mean(UnitAttack *attack, const PgdRule *rule, const int64_t *images, int64_t count,
                     const PerturbedSink *sink, Error *error)
{
    int64_t filled = 0, length = 0;
    size_t  map_size = attack->map_size;
    float  *weights  = memory_new(ATTACK_GROUP * map_size, sizeof(float), error);
    bool    done     = weights != NULL;
    for (int64_t first = 0; done && first < count; first += length) {
        length = group_length(images + first, count - first);
        done   = unit_objective_load(attack->objective, images + first, length, error);
        if (done)
            unit_objective_mean(attack->objective, weights);
        for (int64_t i = 0; done && i < length; i++) {
            memcpy(attack->row_weights + (size_t)filled * map_size, weights + (size_t)i * map_size,
                   map_size * sizeof(float));
            attack->row_image[filled++] = images[first + i];
            if (filled == attack->batch || first + i + 1 == count) {
                done   = run_batch(attack, rule, filled, sink, error);
                filled = 0;
            }
        }
    }
    memory_free(weights);
    return done;
}

/* ---- soft-iou: groups step by step ----------------------------------------------------------- */

static void run_forward(UnitAttack *attack, int64_t first)
{
    size_t count = (size_t)attack->batch * attack->map_size;
    real  *input = plan_input(attack->forward, attack->network.pixels);
    float *maps  = attack->row_maps + (size_t)first * attack->map_size;
    memcpy(input, attack->pixels + (size_t)first * attack->image_size,
           (size_t)attack->batch * attack->image_size * sizeof(real));
    plan_run(attack->forward);
    const real *found = plan_output(attack->forward, attack->network.layer);
    for (size_t i = 0; i < count; i++)
        maps[i] = (float)found[i];
}

static bool step_group(UnitAttack *attack, const PgdRule *rule, int64_t count, Error *error)
{
    for (int64_t first = 0; first < count; first += attack->batch)
        run_forward(attack, first);
    if (!unit_objective_soft_iou(attack->objective, attack->row_maps, attack->row_weights, NULL,
                                 error))
        return false;
    for (int64_t first = 0; first < count; first += attack->batch) {
        size_t at = (size_t)first * attack->image_size;
        set_weights(attack, first);
        const real *gradient = pgd_gradient(attack->pgd, attack->pixels + at);
        pgd_update(rule, attack->clean + at, gradient, (size_t)attack->batch * attack->image_size,
                   attack->pixels + at);
    }
    return true;
}

static bool run_soft_iou(UnitAttack *attack, const PgdRule *rule, const int64_t *images,
                         int64_t count, const PerturbedSink *sink, Error *error)
{
    int64_t steps = rule->method == PGD_FGSM ? 1 : rule->steps, length = 0;
    for (int64_t first = 0; first < count; first += length) {
        length = group_length(images + first, count - first);
        memcpy(attack->row_image, images + first, (size_t)length * sizeof *images);
        if (!unit_objective_load(attack->objective, images + first, length, error) ||
            !load_rows(attack, length, error))
            return false;
        for (int64_t k = 0; k < steps; k++) {
            if (attack_cancelled(&attack->job->clean, error) ||
                !step_group(attack, rule, length, error))
                return false;
        }
        if (!sink->take(sink->self, attack->row_image, length, attack->clean, attack->pixels,
                        error))
            return false;
    }
    return true;
}

bool unit_attack_run(UnitAttack *attack, const PgdRule *rule, const int64_t *images, int64_t count,
                     const PerturbedSink *sink, Error *error)
{
    return attack->job->loss == LOSS_MEAN ? run_mean(attack, rule, images, count, sink, error)
                                          : run_soft_iou(attack, rule, images, count, sink, error);
}
