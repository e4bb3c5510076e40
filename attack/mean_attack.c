/* attack/mean_attack.c - PGD on the mean loss: each image through its own window.
 *
 * The weights of all images are known before the first step. So images are sorted by the size of
 * their window, one network a size, and batches of one size take all their steps in one go. */
#include "mean_attack.h"
#include "rows.h"
#include "unit_network.h"
#include "window.h"

#include <string.h>

struct MeanAttack {
    const AttackJob *job;
    UnitObjective   *objective;
    int64_t          unit, batch;
    WindowGrid       grid;
    size_t           image_size, map_size;
    real            *clean, *pixels; // [batch, image_size]: before and after
    real            *view;           // [batch, image_size]: windows
    uint8_t         *movable;        // [batch, image_size]
    int32_t         *counts;
    RowLoader        loader;
};

/* The images of one run: their weights and windows. */
typedef struct MeanRun {
    const int64_t *images;
    int64_t        count;
    float         *weights; // [count, map_size]
    Window        *windows; // [count]
    bool          *taken;   // [count]
} MeanRun;

static bool find_grid(MeanAttack *attack, Error *error)
{
    const ActivationSource *layer   = &attack->job->clean.layer;
    const UnitBuilder      *builder = &attack->job->builder;
    Graph                  *graph   = NULL;
    Network                 network = {0};
    attack->grid                    = (WindowGrid){.image_height = layer->image_height,
                                                   .image_width  = layer->image_width,
                                                   .map_height   = layer->height,
                                                   .map_width    = layer->width};
    Shape pixels = shape_4d(1, PIXEL_CHANNELS, layer->image_height, layer->image_width);
    bool  done   = graph_create(&graph, error) &&
                builder->build(builder->self, graph, pixels, attack->unit, &network, error);
    if (done)
        attack->grid.has_field =
            graph_field(graph, network.pixels, network.layer, attack->grid.field);
    graph_destroy(graph);
    return done;
}

bool mean_attack_open(MeanAttack **out, const AttackJob *job, int64_t unit,
                      UnitObjective *objective, Error *error)
{
    const ActivationSource *layer  = &job->clean.layer;
    MeanAttack             *attack = memory_new(1, sizeof *attack, error);
    if (!attack)
        return false;
    *attack =
        (MeanAttack){.job = job, .objective = objective, .unit = unit, .batch = unit_batch(job)};
    attack->image_size = (size_t)(PIXEL_CHANNELS * layer->image_height * layer->image_width);
    attack->map_size   = (size_t)objective->masks.map_count;
    size_t all         = (size_t)attack->batch * attack->image_size;
    size_t corners     = (size_t)((layer->image_height + 1) * (layer->image_width + 1));
    attack->clean      = memory_new(all, sizeof(real), error);
    attack->pixels     = memory_new(all, sizeof(real), error);
    attack->view       = memory_new(all, sizeof(real), error);
    attack->movable    = memory_new(all, 1, error);
    attack->counts     = memory_new(corners, sizeof *attack->counts, error);
    if (!attack->clean || !attack->pixels || !attack->view || !attack->movable || !attack->counts ||
        !row_loader_open(&attack->loader, &job->clean.images, attack->batch, attack->image_size,
                         error) ||
        !find_grid(attack, error)) {
        mean_attack_close(attack);
        return false;
    }
    *out = attack;
    return true;
}

void mean_attack_close(MeanAttack *attack)
{
    if (!attack)
        return;
    memory_free(attack->clean);
    memory_free(attack->pixels);
    memory_free(attack->view);
    memory_free(attack->movable);
    memory_free(attack->counts);
    row_loader_close(&attack->loader);
    memory_free(attack);
}

/* ---- one batch of windows ---------------------------------------------------------------------
 */

/* Copies the window of an image to (or back from) the start of `view`, plane by plane. */
static void copy_window(const MeanAttack *attack, const Window *window, real *image, real *view,
                        bool back)
{
    size_t bytes = (size_t)window->width * sizeof(real);
    for (int64_t c = 0; c < PIXEL_CHANNELS; c++)
        for (int64_t y = 0; y < window->height; y++) {
            int64_t row  = c * attack->grid.image_height + window->y + y;
            real   *from = image + row * attack->grid.image_width + window->x;
            real   *to   = view + (c * window->height + y) * window->width;
            memcpy(back ? from : to, back ? to : from, bytes);
        }
}

/* The weights of the cells a network on this window has. */
static void place_weights(const MeanAttack *attack, const UnitNetwork *network,
                          const Window *window, const float *weights, real *placed)
{
    int64_t top  = window_first_row(&attack->grid, window);
    int64_t left = window_first_col(&attack->grid, window);
    for (int64_t i = 0; i < network->map_height; i++)
        for (int64_t j = 0; j < network->map_width; j++) {
            bool inside = top + i < attack->grid.map_height && left + j < attack->grid.map_width;
            placed[i * network->map_width + j] =
                inside ? (real)weights[(top + i) * attack->grid.map_width + left + j] : 0;
        }
}

static bool run_batch(MeanAttack *attack, UnitNetwork *network, const PgdRule *rule,
                      const MeanRun *run, const int64_t *rows, int64_t count,
                      const PerturbedSink *sink, Error *error)
{
    size_t  view_size = (size_t)(PIXEL_CHANNELS * network->height * network->width);
    size_t  plane     = (size_t)(network->height * network->width);
    size_t  map_size  = (size_t)(network->map_height * network->map_width);
    real   *placed    = plan_input(pgd_plan(network->pgd), network->weights);
    int64_t images[LIMIT_BATCH];
    for (int64_t i = 0; i < count; i++)
        images[i] = run->images[rows[i]];
    if (!row_loader_load(&attack->loader, images, count, attack->clean, error))
        return false;
    memcpy(attack->pixels, attack->clean, (size_t)count * attack->image_size * sizeof(real));
    // Rows past the last image have no weights, so nothing moves there.
    memset(placed, 0, (size_t)network->batch * map_size * sizeof(real));
    memset(attack->movable, 0, (size_t)network->batch * view_size);
    for (int64_t i = 0; i < count; i++) {
        const Window *window  = &run->windows[rows[i]];
        const float  *weights = run->weights + (size_t)rows[i] * attack->map_size;
        uint8_t      *movable = attack->movable + (size_t)i * view_size;
        copy_window(attack, window, attack->pixels + (size_t)i * attack->image_size,
                    attack->view + (size_t)i * view_size, false);
        place_weights(attack, network, window, weights, placed + (size_t)i * map_size);
        window_movable(&attack->grid, window, weights, attack->counts, movable);
        for (size_t c = 1; c < PIXEL_CHANNELS; c++)
            memcpy(movable + c * plane, movable, plane);
    }
    if (!pgd_run(network->pgd, rule, attack->movable, attack->view, NULL,
                 attack->job->clean.settings->cancel))
        return attack_interrupted(&attack->job->clean, error);
    for (int64_t i = 0; i < count; i++)
        copy_window(attack, &run->windows[rows[i]], attack->pixels + (size_t)i * attack->image_size,
                    attack->view + (size_t)i * view_size, true);
    return sink->take(sink->self, images, count, attack->clean, attack->pixels, error);
}

/* All images whose window has the size of image `first`'s. */
static bool run_size(MeanAttack *attack, const PgdRule *rule, MeanRun *run, int64_t first,
                     const PerturbedSink *sink, Error *error)
{
    Window      size    = run->windows[first];
    UnitNetwork network = {0};
    int64_t     rows[LIMIT_BATCH], filled = 0;
    bool done = unit_network_open(&network, attack->job, attack->unit, attack->batch, size.height,
                                  size.width, error);
    for (int64_t i = first; done && i < run->count; i++) {
        if (!run->taken[i] && run->windows[i].height == size.height &&
            run->windows[i].width == size.width) {
            run->taken[i]  = true;
            rows[filled++] = i;
        }
        if (filled > 0 && (filled == attack->batch || i + 1 == run->count)) {
            done   = run_batch(attack, &network, rule, run, rows, filled, sink, error);
            filled = 0;
        }
    }
    unit_network_close(&network);
    return done;
}

bool mean_attack_run(MeanAttack *attack, const PgdRule *rule, const int64_t *images, int64_t count,
                     const PerturbedSink *sink, Error *error)
{
    size_t  total = (size_t)count;
    MeanRun run   = {.images = images, .count = count};
    run.weights   = memory_new(total, attack->map_size * sizeof(float), error);
    run.windows   = memory_new(total, sizeof *run.windows, error);
    run.taken     = memory_new(total, sizeof *run.taken, error);
    bool done     = run.weights && run.windows && run.taken;
    for (int64_t first = 0, length = 0; done && first < count; first += length) {
        length = group_length(images + first, count - first);
        done   = unit_objective_load(attack->objective, images + first, length, error);
        if (done)
            unit_objective_mean(attack->objective, run.weights + (size_t)first * attack->map_size);
    }
    for (int64_t i = 0; done && i < count; i++)
        run.windows[i] = window_of(&attack->grid, run.weights + (size_t)i * attack->map_size);
    for (int64_t i = 0; done && i < count; i++)
        run.taken[i] = sink->has && sink->has(sink->self, images[i]);
    for (int64_t i = 0; done && i < count; i++)
        if (!run.taken[i])
            done = run_size(attack, rule, &run, i, sink, error);
    memory_free(run.weights);
    memory_free(run.windows);
    memory_free(run.taken);
    return done;
}
