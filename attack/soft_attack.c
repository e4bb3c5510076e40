/* attack/soft_attack.c - PGD on the soft-iou loss: a group of images moves step by step.
 *
 * The loss divides by the standard deviation over all maps of a group, so every cell has a weight
 * and weights change with each step: maps of all images, weights, then the gradient of each batch.
 */
#include "soft_attack.h"
#include "rows.h"
#include "unit_network.h"

#include <string.h>

struct SoftAttack {
    const AttackJob *job;
    UnitObjective   *objective;
    UnitNetwork      network;
    Plan            *forward;
    int64_t          rows; // images held at a time: a group, in whole batches
    size_t           image_size, map_size;
    real            *clean, *pixels; // [rows, image_size]: before and after
    float           *weights, *maps; // [rows, map_size]
    RowLoader        loader;
};

bool soft_attack_open(SoftAttack **out, const AttackJob *job, int64_t unit,
                      UnitObjective *objective, Error *error)
{
    const ActivationSource *layer  = &job->clean.layer;
    int64_t                 batch  = unit_batch(job);
    SoftAttack             *attack = memory_new(1, sizeof *attack, error);
    if (!attack)
        return false;
    *attack            = (SoftAttack){.job = job, .objective = objective};
    attack->rows       = (ATTACK_GROUP + batch - 1) / batch * batch;
    attack->image_size = (size_t)(PIXEL_CHANNELS * layer->image_height * layer->image_width);
    attack->map_size   = (size_t)objective->masks.map_count;
    size_t rows        = (size_t)attack->rows;
    attack->clean      = memory_new(rows * attack->image_size, sizeof(real), error);
    attack->pixels     = memory_new(rows * attack->image_size, sizeof(real), error);
    attack->weights    = memory_new(rows * attack->map_size, sizeof(float), error);
    attack->maps       = memory_new(rows * attack->map_size, sizeof(float), error);
    if (!attack->clean || !attack->pixels || !attack->weights || !attack->maps ||
        !row_loader_open(&attack->loader, &job->clean.images, attack->rows, attack->image_size,
                         error) ||
        !unit_network_open(&attack->network, job, unit, batch, layer->image_height,
                           layer->image_width, error) ||
        !plan_create(&attack->forward, attack->network.graph, &attack->network.network.layer, 1,
                     NULL, error)) {
        soft_attack_close(attack);
        return false;
    }
    *out = attack;
    return true;
}

void soft_attack_close(SoftAttack *attack)
{
    if (!attack)
        return;
    plan_destroy(attack->forward);
    unit_network_close(&attack->network);
    memory_free(attack->clean);
    memory_free(attack->pixels);
    memory_free(attack->weights);
    memory_free(attack->maps);
    row_loader_close(&attack->loader);
    memory_free(attack);
}

static void run_forward(SoftAttack *attack, int64_t first)
{
    size_t batch = (size_t)attack->network.batch, count = batch * attack->map_size;
    float *maps = attack->maps + (size_t)first * attack->map_size;
    memcpy(plan_input(attack->forward, attack->network.network.pixels),
           attack->pixels + (size_t)first * attack->image_size,
           batch * attack->image_size * sizeof(real));
    plan_run(attack->forward);
    const real *found = plan_output(attack->forward, attack->network.network.layer);
    for (size_t i = 0; i < count; i++)
        maps[i] = (float)found[i];
}

/* Weights of the batch at `first`; zero, so that nothing moves, past `count` images. */
static void set_weights(SoftAttack *attack, int64_t first, int64_t count)
{
    const UnitNetwork *network = &attack->network;
    real              *input   = plan_input(pgd_plan(network->pgd), network->weights);
    const float       *weight  = attack->weights + (size_t)first * attack->map_size;
    int64_t            images  = count < network->batch ? count : network->batch;
    size_t             used    = (size_t)images * attack->map_size;
    for (size_t i = 0; i < (size_t)network->batch * attack->map_size; i++)
        input[i] = i < used ? (real)weight[i] : 0;
}

static bool step_group(SoftAttack *attack, const PgdRule *rule, int64_t count, Error *error)
{
    int64_t batch = attack->network.batch;
    for (int64_t first = 0; first < count; first += batch)
        run_forward(attack, first);
    if (!unit_objective_soft_iou(attack->objective, attack->maps, attack->weights, NULL, error))
        return false;
    for (int64_t first = 0; first < count; first += batch) {
        size_t at = (size_t)first * attack->image_size;
        set_weights(attack, first, count - first);
        const real *gradient = pgd_gradient(attack->network.pgd, attack->pixels + at);
        pgd_update(rule, attack->clean + at, gradient, NULL, (size_t)batch * attack->image_size,
                   attack->pixels + at);
    }
    return true;
}

bool soft_attack_run(SoftAttack *attack, const PgdRule *rule, const int64_t *images, int64_t count,
                     const PerturbedSink *sink, Error *error)
{
    int64_t steps = rule->method == PGD_FGSM ? 1 : rule->steps;
    for (int64_t first = 0, length = 0; first < count; first += length) {
        length = group_length(images + first, count - first);
        if (sink->has && sink->has(sink->self, images[first])) // groups are taken whole
            continue;
        if (!unit_objective_load(attack->objective, images + first, length, error) ||
            !row_loader_load(&attack->loader, images + first, length, attack->clean, error))
            return false;
        memcpy(attack->pixels, attack->clean, (size_t)length * attack->image_size * sizeof(real));
        for (int64_t k = 0; k < steps; k++)
            if (attack_cancelled(&attack->job->clean, error) ||
                !step_group(attack, rule, length, error))
                return false;
        if (!sink->take(sink->self, images + first, length, attack->clean, attack->pixels, error))
            return false;
    }
    return true;
}
