/* attack/linear_attack.c - see linear_attack.h.
 *
 * The weights of all images are known before the first step. So images are sorted by the size of
 * their window, one network a size, and batches of one size take all their steps in one go. */
#include "linear_attack.h"
#include "../probe/rows.h"
#include "unit_network.h"
#include "window.h"

#include <string.h>

struct LinearAttack {
    AttackSetup    setup;
    UnitObjective *objective;
    int64_t        unit, batch;
    WindowGrid     grid;
    size_t         image_size, map_size;
    real          *clean, *pixels; // [batch, image_size]: before and after
    real          *view;           // [batch, image_size]: windows
    float         *planes;         // [image_size]: of the watched image
    RowLoader      loader;
};

/* The images of one run: their weights and windows. */
typedef struct LinearRun {
    const int64_t *images;
    int64_t        count;
    float         *weights; // [count, map_size]
    Window        *windows; // [count]
    bool          *taken;   // [count]
} LinearRun;

/* Shows a run of the watched image alone, in row 0, through its window. */
typedef struct LinearWatch {
    LinearAttack     *attack;
    const Window     *window;
    const StateWatch *watch;
    Error            *error;
} LinearWatch;

static bool find_grid(LinearAttack *attack, Error *error)
{
    const ActivationSource *layer   = &attack->setup.inputs->layer;
    const UnitBuilder      *builder = &attack->setup.builder;
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

bool linear_attack_open(LinearAttack **out, const AttackSetup *setup, int64_t unit,
                        UnitObjective *objective, Error *error)
{
    const ActivationSource *layer  = &setup->inputs->layer;
    LinearAttack           *attack = memory_new(1, sizeof *attack, error);
    if (!attack)
        return false;
    *attack = (LinearAttack){
        .setup = *setup, .objective = objective, .unit = unit, .batch = unit_batch(setup)};
    attack->image_size = (size_t)(PIXEL_CHANNELS * layer->image_height * layer->image_width);
    attack->map_size   = (size_t)(layer->height * layer->width);
    size_t all         = (size_t)attack->batch * attack->image_size;
    attack->clean      = memory_new(all, sizeof(real), error);
    attack->pixels     = memory_new(all, sizeof(real), error);
    attack->view       = memory_new(all, sizeof(real), error);
    attack->planes     = memory_new(attack->image_size, sizeof *attack->planes, error);
    if (!attack->clean || !attack->pixels || !attack->view || !attack->planes ||
        !row_loader_open(&attack->loader, &setup->inputs->images, attack->image_size, error) ||
        !find_grid(attack, error)) {
        linear_attack_close(attack);
        return false;
    }
    *out = attack;
    return true;
}

void linear_attack_close(LinearAttack *attack)
{
    if (!attack)
        return;
    memory_free(attack->clean);
    memory_free(attack->pixels);
    memory_free(attack->view);
    memory_free(attack->planes);
    row_loader_close(&attack->loader);
    memory_free(attack);
}

/* ---- one batch of windows -------------------------------------------------------------------- */

/* Copies the window of an image to (or back from) the start of `view`, plane by plane. */
static void copy_window(const LinearAttack *attack, const Window *window, real *image, real *view,
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
static void place_weights(const LinearAttack *attack, const UnitNetwork *network,
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

static bool show_state(void *self, int step, double objective, const real *view)
{
    const LinearWatch *shown  = self;
    LinearAttack      *attack = shown->attack;
    (void)view; // the attack's own
    copy_window(attack, shown->window, attack->pixels, attack->view, true);
    for (size_t i = 0; i < attack->image_size; i++)
        attack->planes[i] = (float)attack->pixels[i];
    return shown->watch->state(shown->watch->self, step, objective, attack->planes, shown->error);
}

// Weights and windows of the loaded images. Rows past the last have no weights, so
// nothing moves there and they add nothing to the objective.
static void fill_rows(LinearAttack *attack, const UnitNetwork *network, const LinearRun *run,
                      const int64_t *rows, int64_t count)
{
    size_t view_size = (size_t)(PIXEL_CHANNELS * network->height * network->width);
    size_t map_size  = (size_t)(network->map_height * network->map_width);
    real  *placed    = plan_input(pgd_plan(network->pgd), network->weights);
    memset(placed, 0, (size_t)network->batch * map_size * sizeof(real));
    for (int64_t i = 0; i < count; i++) {
        const Window *window  = &run->windows[rows[i]];
        const float  *weights = run->weights + (size_t)rows[i] * attack->map_size;
        copy_window(attack, window, attack->pixels + (size_t)i * attack->image_size,
                    attack->view + (size_t)i * view_size, false);
        place_weights(attack, network, window, weights, placed + (size_t)i * map_size);
    }
}

static bool run_batch(LinearAttack *attack, UnitNetwork *network, const PgdRule *rule,
                      const LinearRun *run, const int64_t *rows, int64_t count,
                      const PerturbedSink *sink, const StateWatch *watch, Error *error)
{
    size_t      view_size = (size_t)(PIXEL_CHANNELS * network->height * network->width);
    LinearWatch shown     = {attack, &run->windows[rows[0]], watch, error};
    PgdWatch    states    = {show_state, &shown};
    const Pass *pass      = attack->setup.pass;
    int64_t     images[LIMIT_BATCH];
    for (int64_t i = 0; i < count; i++)
        images[i] = run->images[rows[i]];
    if (!row_loader_load(&attack->loader, images, count, attack->clean, error))
        return false;
    memcpy(attack->pixels, attack->clean, (size_t)count * attack->image_size * sizeof(real));
    fill_rows(attack, network, run, rows, count);
    if (!pgd_run(network->pgd, rule, attack->view, watch ? &states : NULL, pass->cancel)) {
        attack_cancelled(pass, error); // unless the watcher has told why
        return false;
    }
    for (int64_t i = 0; i < count; i++)
        copy_window(attack, &run->windows[rows[i]], attack->pixels + (size_t)i * attack->image_size,
                    attack->view + (size_t)i * view_size, true);
    return sink->take(sink->self, images, count, attack->clean, attack->pixels, error);
}

static bool is_next_of(const LinearRun *run, int64_t image, const Window *size)
{
    const Window *window = &run->windows[image];
    return !run->taken[image] && window->height == size->height && window->width == size->width;
}

// Images of one run of the network: as few runs as `most` allows, and all of about one length,
// since a row costs the same whether there is an image in it or not.
static int64_t even_batch(const LinearRun *run, int64_t first, int64_t end, int64_t most)
{
    int64_t count = 0;
    for (int64_t i = first; i < end; i++)
        count += is_next_of(run, i, &run->windows[first]);
    int64_t batches = (count + most - 1) / most;
    return (count + batches - 1) / batches;
}

// Images `first` to `end` - 1 whose window has the size of image `first`'s, which is not taken.
static bool run_size(LinearAttack *attack, const PgdRule *rule, LinearRun *run, int64_t first,
                     int64_t end, const PerturbedSink *sink, const StateWatch *watch, Error *error)
{
    Window      size    = run->windows[first];
    UnitNetwork network = {0};
    int64_t     rows[LIMIT_BATCH], filled = 0;
    int64_t     batch = even_batch(run, first, end, attack->batch);
    bool        done  = unit_network_open(&network, &attack->setup.builder, attack->unit, batch,
                                          size.height, size.width, error);
    for (int64_t i = first; done && i < end; i++) {
        if (is_next_of(run, i, &size)) {
            run->taken[i]  = true;
            rows[filled++] = i;
        }
        if (filled > 0 && (filled == batch || i + 1 == end)) {
            done   = run_batch(attack, &network, rule, run, rows, filled, sink, watch, error);
            filled = 0;
        }
    }
    unit_network_close(&network);
    return done;
}

static bool weigh_images(LinearAttack *attack, LinearRun *run, Error *error)
{
    for (int64_t first = 0, length; first < run->count; first += length) {
        const int64_t *images = run->images + first;
        length                = group_length(images, run->count - first);
        if (!unit_objective_load(attack->objective, images, length, error) ||
            !unit_objective_weigh(attack->objective, NULL,
                                  run->weights + (size_t)first * attack->map_size, NULL, error))
            return false;
    }
    for (int64_t i = 0; i < run->count; i++)
        run->windows[i] = window_of(&attack->grid, run->weights + (size_t)i * attack->map_size);
    return true;
}

// The watched image comes first and alone, so that the objective is its own.
static bool run_images(LinearAttack *attack, const PgdRule *rule, LinearRun *run,
                       const PerturbedSink *sink, const StateWatch *watch, Error *error)
{
    for (int64_t i = 0; i < run->count; i++)
        run->taken[i] = sink->has && sink->has(sink->self, run->images[i]);
    for (int64_t i = 0; watch && i < run->count; i++)
        if (run->images[i] == watch->image && !run->taken[i] &&
            !run_size(attack, rule, run, i, i + 1, sink, watch, error))
            return false;
    for (int64_t i = 0; i < run->count; i++)
        if (!run->taken[i] && !run_size(attack, rule, run, i, run->count, sink, NULL, error))
            return false;
    return true;
}

static bool run_open(LinearRun *run, LinearAttack *attack, Error *error)
{
    size_t total = (size_t)run->count;
    run->weights = memory_new(total, attack->map_size * sizeof(float), error);
    run->windows = memory_new(total, sizeof *run->windows, error);
    run->taken   = memory_new(total, sizeof *run->taken, error);
    return run->weights && run->windows && run->taken && weigh_images(attack, run, error);
}

static void run_close(LinearRun *run)
{
    memory_free(run->weights);
    memory_free(run->windows);
    memory_free(run->taken);
}

bool linear_attack_shares(LinearAttack *attack, const int64_t *images, int64_t count, float *shares,
                          Error *error)
{
    LinearRun run   = {.images = images, .count = count};
    double    whole = (double)(attack->grid.image_height * attack->grid.image_width);
    bool      done  = run_open(&run, attack, error);
    for (int64_t i = 0; done && i < count; i++)
        shares[i] = (float)((double)(run.windows[i].height * run.windows[i].width) / whole);
    run_close(&run);
    return done;
}

bool linear_attack_run(LinearAttack *attack, const PgdRule *rule, const int64_t *images,
                       int64_t count, const PerturbedSink *sink, const StateWatch *watch,
                       Error *error)
{
    LinearRun run = {.images = images, .count = count};
    bool done = run_open(&run, attack, error) && run_images(attack, rule, &run, sink, watch, error);
    run_close(&run);
    return done;
}
