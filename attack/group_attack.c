/* attack/group_attack.c - see group_attack.h.
 *
 * The soft-iou loss divides by the standard deviation over all maps of a group, so every cell has a
 * weight and weights change with each step: maps of all images, weights, then the gradient of each
 * batch. */
#include "group_attack.h"
#include "../probe/rows.h"
#include "unit_network.h"

#include <string.h>

struct GroupAttack {
    AttackSetup    setup;
    UnitObjective *objective;
    UnitNetwork    network;
    Plan          *forward;
    int64_t        rows; // images held at a time: a group, in whole batches
    size_t         image_size, map_size;
    real          *clean, *pixels; // [rows, image_size]: before and after
    float         *weights, *maps; // [rows, map_size]
    float         *planes;         // [image_size]: of the watched image
    RowLoader      loader;
};

bool group_attack_open(GroupAttack **out, const AttackSetup *setup, int64_t unit,
                       UnitObjective *objective, Error *error)
{
    const ActivationSource *layer  = &setup->inputs->layer;
    int64_t                 batch  = unit_batch(setup);
    GroupAttack            *attack = memory_new(1, sizeof *attack, error);
    if (!attack)
        return false;
    *attack            = (GroupAttack){.setup = *setup, .objective = objective};
    attack->rows       = (ATTACK_GROUP + batch - 1) / batch * batch;
    attack->image_size = (size_t)(PIXEL_CHANNELS * layer->image_height * layer->image_width);
    attack->map_size   = (size_t)(layer->height * layer->width);
    size_t rows        = (size_t)attack->rows;
    attack->clean      = memory_new(rows * attack->image_size, sizeof(real), error);
    attack->pixels     = memory_new(rows * attack->image_size, sizeof(real), error);
    attack->weights    = memory_new(rows * attack->map_size, sizeof(float), error);
    attack->maps       = memory_new(rows * attack->map_size, sizeof(float), error);
    attack->planes     = memory_new(attack->image_size, sizeof(float), error);
    if (!attack->clean || !attack->pixels || !attack->weights || !attack->maps || !attack->planes ||
        !row_loader_open(&attack->loader, &setup->inputs->images, attack->image_size, error) ||
        !unit_network_open(&attack->network, &setup->builder, unit, batch, layer->image_height,
                           layer->image_width, error) ||
        !plan_create(&attack->forward, attack->network.graph, &attack->network.network.layer, 1,
                     &setup->builder.plan, error)) {
        group_attack_close(attack);
        return false;
    }
    *out = attack;
    return true;
}

void group_attack_close(GroupAttack *attack)
{
    if (!attack)
        return;
    plan_destroy(attack->forward);
    unit_network_close(&attack->network);
    memory_free(attack->clean);
    memory_free(attack->pixels);
    memory_free(attack->weights);
    memory_free(attack->maps);
    memory_free(attack->planes);
    row_loader_close(&attack->loader);
    memory_free(attack);
}

/* ---- one state of a group -------------------------------------------------------------------- */

static void run_forward(GroupAttack *attack, int64_t first)
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

// Maps of all images, and with them weights and loss.
static bool weigh_group(GroupAttack *attack, int64_t count, double *loss, Error *error)
{
    for (int64_t first = 0; first < count; first += attack->network.batch)
        run_forward(attack, first);
    return unit_objective_weigh(attack->objective, attack->maps, attack->weights, loss, error);
}

/* Weights of the batch at `first`; zero, so that nothing moves, past `count` images. */
static void set_weights(GroupAttack *attack, int64_t first, int64_t count)
{
    const UnitNetwork *network = &attack->network;
    real              *input   = plan_input(pgd_plan(network->pgd), network->weights);
    const float       *weight  = attack->weights + (size_t)first * attack->map_size;
    int64_t            images  = count < network->batch ? count : network->batch;
    size_t             used    = (size_t)images * attack->map_size;
    for (size_t i = 0; i < (size_t)network->batch * attack->map_size; i++)
        input[i] = i < used ? (real)weight[i] : 0;
}

static void move_group(GroupAttack *attack, const PgdRule *rule, int64_t count)
{
    int64_t batch = attack->network.batch;
    for (int64_t first = 0; first < count; first += batch) {
        size_t at = (size_t)first * attack->image_size;
        set_weights(attack, first, count - first);
        const real *gradient = pgd_gradient(attack->network.pgd, attack->pixels + at);
        pgd_update(rule, attack->clean + at, gradient, (size_t)batch * attack->image_size,
                   attack->pixels + at);
    }
}

static bool show_state(GroupAttack *attack, const StateWatch *watch, int step, double loss,
                       int64_t row, Error *error)
{
    const real *pixels = attack->pixels + (size_t)row * attack->image_size;
    for (size_t i = 0; i < attack->image_size; i++)
        attack->planes[i] = (float)pixels[i];
    return watch->state(watch->self, step, loss, attack->planes, error);
}

/* ---- groups ---------------------------------------------------------------------------------- */

// The loaded group through all steps; `shown` is the row of the watched image, -1: none.
static bool run_group(GroupAttack *attack, const PgdRule *rule, int64_t count,
                      const StateWatch *watch, int64_t shown, Error *error)
{
    int steps = rule->variant == PGD_FGSM ? 1 : rule->steps;
    int last  = shown >= 0 ? steps : steps - 1;
    for (int step = 0; step <= last; step++) {
        double loss;
        if (attack_cancelled(attack->setup.pass, error) ||
            !weigh_group(attack, count, &loss, error) ||
            (shown >= 0 && !show_state(attack, watch, step, loss, shown, error)))
            return false;
        if (step < steps)
            move_group(attack, rule, count);
    }
    return true;
}

static bool sink_has_all(const PerturbedSink *sink, const int64_t *images, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!sink->has || !sink->has(sink->self, images[i]))
            return false;
    return true;
}

static int64_t row_of(const StateWatch *watch, const int64_t *images, int64_t count)
{
    for (int64_t row = 0; watch && row < count; row++)
        if (images[row] == watch->image)
            return row;
    return -1;
}

bool group_attack_run(GroupAttack *attack, const PgdRule *rule, const int64_t *images,
                      int64_t count, const PerturbedSink *sink, const StateWatch *watch,
                      Error *error)
{
    for (int64_t length; count > 0; images += length, count -= length) {
        length = group_length(images, count);
        if (sink_has_all(sink, images, length))
            continue;
        if (!unit_objective_load(attack->objective, images, length, error) ||
            !row_loader_load(&attack->loader, images, length, attack->clean, error))
            return false;
        memcpy(attack->pixels, attack->clean, (size_t)length * attack->image_size * sizeof(real));
        if (!run_group(attack, rule, length, watch, row_of(watch, images, length), error) ||
            !sink->take(sink->self, images, length, attack->clean, attack->pixels, error))
            return false;
    }
    return true;
}
