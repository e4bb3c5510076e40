/* report/replay.c - one image of an attack or of noise once more, step by step.
 *
 * The weights an image is attacked with depend on the images it shares an objective with, so these
 * are loaded as attack/ does; only the images that the objective needs are perturbed: one for the
 * mean loss, the group for soft-iou. */
#include "page.h"
#include "../attack/window.h"

#include <stdio.h>
#include <string.h>

/* ---- one unit's network ---------------------------------------------------------------------- */

typedef struct ReplayNetwork {
    Graph  *graph;
    Network network;
    NodeId  weights;
    Plan   *forward;
    Pgd    *pgd; // attacks only
    size_t  image_size, map_size;
} ReplayNetwork;

static void network_close(ReplayNetwork *network)
{
    pgd_destroy(network->pgd);
    plan_destroy(network->forward);
    graph_destroy(network->graph);
    *network = (ReplayNetwork){0};
}

static bool network_open(ReplayNetwork *out, const ReportJob *job, int64_t unit, bool with_gradient,
                         Error *error)
{
    const ActivationSource *layer = &job->clean.layer;
    ReplayNetwork network = {.image_size = (size_t)(3 * layer->image_height * layer->image_width),
                             .map_size   = (size_t)(layer->height * layer->width)};
    Shape         pixels  = shape_4d(1, 3, layer->image_height, layer->image_width);
    bool          done =
        graph_create(&network.graph, error) &&
        job->builder.build(job->builder.self, network.graph, pixels, unit, &network.network,
                           error) &&
        plan_create(&network.forward, network.graph, &network.network.layer, 1, NULL, error);
    if (done && with_gradient) {
        Graph *graph     = network.graph;
        network.weights  = op_input(graph, graph_shape(graph, network.network.layer), "weights");
        NodeId objective = op_dot(graph, network.network.layer, network.weights);
        done = pgd_create(&network.pgd, graph, network.network.pixels, objective, error);
    }
    if (!done) {
        network_close(&network);
        return false;
    }
    *out = network;
    return true;
}

static void run_forward(ReplayNetwork *network, const real *pixels, float *map)
{
    memcpy(plan_input(network->forward, network->network.pixels), pixels,
           network->image_size * sizeof *pixels);
    plan_run(network->forward);
    const real *found = plan_output(network->forward, network->network.layer);
    for (size_t i = 0; i < network->map_size; i++)
        map[i] = (float)found[i];
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool open_cases(Replay *replay, const int64_t *units, int64_t count, Error *error)
{
    const AttackJob *job = replay->job->attack;
    replay->present =
        memory_new((size_t)job->clean.probe->label_count, sizeof *replay->present, error);
    replay->cases = memory_new((size_t)count, sizeof *replay->cases, error);
    if (!replay->present || !replay->cases || !target_candidates(job, replay->present, error))
        return false;
    for (; replay->case_count < count; replay->case_count++)
        if (!unit_case_open(&replay->cases[replay->case_count], job, replay->present,
                            units[replay->case_count], error))
            return false;
    return job->masks == MASKS_LABELS || unit_cases_find_masks(replay->cases, 0, count, job, error);
}

bool replay_open(Replay *out, const ReportJob *job, const int64_t *units, int64_t count,
                 Error *error)
{
    const ActivationSource *layer  = &job->clean.layer;
    size_t                  size   = (size_t)(3 * layer->image_height * layer->image_width);
    Replay                  replay = {.job = job};
    replay.clean                   = memory_new(size, sizeof(float), error);
    replay.stored                  = memory_new(size, sizeof(float), error);
    replay.perturbed               = memory_new(size, sizeof(float), error);
    replay.map = memory_new((size_t)(layer->height * layer->width), sizeof(float), error);
    if (!replay.clean || !replay.stored || !replay.perturbed || !replay.map ||
        !resampler_open(&replay.resampler, job->clean.settings, job->clean.probe, layer->height,
                        layer->width, error) ||
        (job->attack && !open_cases(&replay, units, count, error))) {
        replay_close(&replay);
        return false;
    }
    *out = replay;
    return true;
}

void replay_close(Replay *replay)
{
    for (int64_t i = 0; i < replay->case_count; i++)
        unit_case_close(&replay->cases[i]);
    memory_free(replay->cases);
    memory_free(replay->present);
    memory_free(replay->clean);
    memory_free(replay->stored);
    memory_free(replay->perturbed);
    memory_free(replay->map);
    resampler_close(replay->resampler);
    *replay = (Replay){0};
}

static bool is_poisoned(const Replay *replay, int64_t index, int64_t image)
{
    if (!replay->job->attack)
        return noise_poisons(replay->job->noise, image);
    const UnitCase *unit_case = &replay->cases[index];
    for (int64_t i = 0; i < unit_case->image_count; i++)
        if (unit_case->images[i] == image)
            return true;
    return false;
}

int64_t replay_image(const Replay *replay, int64_t index, const UnitStory *story)
{
    for (int i = 0; i < story->top_count; i++)
        if (is_poisoned(replay, index, story->top[i].image))
            return story->top[i].image;
    for (int64_t image = 0; image < replay->job->clean.probe->image_count; image++)
        if (is_poisoned(replay, index, image))
            return image;
    return -1;
}

/* ---- an attack ------------------------------------------------------------------------------- */

typedef struct Attempt {
    const AttackJob *job;
    ReplayNetwork    network;
    UnitObjective    objective;
    int64_t          count, shown; // images that move; the one that is shown
    int64_t          images[ATTACK_GROUP];
    real            *clean, *pixels; // [count, image_size]
    float           *maps;           // [count, map_size]
    float           *weights;        // [ATTACK_GROUP, map_size]
    float           *planes;         // [image_size], as floats
    uint8_t         *movable;        // [image_size]: pixels the objective depends on
} Attempt;

static void attempt_close(Attempt *attempt)
{
    unit_objective_close(&attempt->objective);
    network_close(&attempt->network);
    memory_free(attempt->clean);
    memory_free(attempt->pixels);
    memory_free(attempt->maps);
    memory_free(attempt->weights);
    memory_free(attempt->planes);
    memory_free(attempt->movable);
}

// The poisoned images of the group that `image` belongs to.
static int64_t find_group(const UnitCase *unit_case, int64_t image, int64_t group[ATTACK_GROUP])
{
    int64_t count = 0;
    for (int64_t i = 0; i < unit_case->image_count; i++)
        if (unit_case->images[i] / ATTACK_GROUP == image / ATTACK_GROUP)
            group[count++] = unit_case->images[i];
    return count;
}

static bool load_images(Attempt *attempt, Error *error)
{
    const ImageSource *source = &attempt->job->clean.images;
    size_t             size   = attempt->network.image_size;
    for (int64_t i = 0; i < attempt->count; i++) {
        if (!source->load(source->self, attempt->images[i], attempt->planes, error))
            return false;
        for (size_t k = 0; k < size; k++)
            attempt->clean[(size_t)i * size + k] = attempt->planes[k];
    }
    memcpy(attempt->pixels, attempt->clean, (size_t)attempt->count * size * sizeof(real));
    return true;
}

// Pixels outside every receptive field of a weight stay as they are, as in attack/.
static bool find_movable(Attempt *attempt, Error *error)
{
    const ActivationSource *layer   = &attempt->job->clean.layer;
    const ReplayNetwork    *network = &attempt->network;
    Window                  whole   = {0, 0, layer->image_height, layer->image_width};
    WindowGrid              grid    = {.image_height = layer->image_height,
                                       .image_width  = layer->image_width,
                                       .map_height   = layer->height,
                                       .map_width    = layer->width};
    size_t                  plane   = (size_t)(whole.height * whole.width);
    size_t                  corners = (size_t)((whole.height + 1) * (whole.width + 1));
    grid.has_field =
        graph_field(network->graph, network->network.pixels, network->network.layer, grid.field);
    int32_t *counts  = memory_new(corners, sizeof *counts, error);
    attempt->movable = memory_new(3 * plane, 1, error);
    bool done        = counts && attempt->movable;
    if (done)
        window_movable(&grid, &whole, attempt->weights, counts, attempt->movable);
    for (size_t c = 1; done && c < 3; c++)
        memcpy(attempt->movable + c * plane, attempt->movable, plane);
    memory_free(counts);
    return done;
}

static bool attempt_open(Attempt *attempt, const Replay *replay, int64_t index, int64_t image,
                         float threshold, Error *error)
{
    const AttackJob *job       = replay->job->attack;
    const UnitCase  *unit_case = &replay->cases[index];
    UnitMasks        masks     = unit_case_masks(unit_case, job, replay->resampler);
    bool             coupled   = job->clean.settings->mode == COMPAT_CORRUPT23;
    int64_t          group[ATTACK_GROUP], members = find_group(unit_case, image, group), place = 0;
    attempt->job = job;
    if (!network_open(&attempt->network, replay->job, unit_case->record->unit, true, error) ||
        !unit_objective_open(&attempt->objective, &masks, job->loss, coupled, threshold, error) ||
        !unit_objective_load(&attempt->objective, group, members, error))
        return false;
    while (place < members && group[place] != image)
        place++;
    attempt->count = job->loss == LOSS_MEAN ? 1 : members;
    attempt->shown = job->loss == LOSS_MEAN ? 0 : place;
    memcpy(attempt->images, job->loss == LOSS_MEAN ? &image : group,
           (size_t)attempt->count * sizeof *group);
    size_t count = (size_t)attempt->count, size = attempt->network.image_size,
           map       = attempt->network.map_size;
    attempt->clean   = memory_new(count * size, sizeof(real), error);
    attempt->pixels  = memory_new(count * size, sizeof(real), error);
    attempt->maps    = memory_new(count * map, sizeof(float), error);
    attempt->weights = memory_new(ATTACK_GROUP * map, sizeof(float), error);
    attempt->planes  = memory_new(size, sizeof(float), error);
    if (!attempt->clean || !attempt->pixels || !attempt->maps || !attempt->weights ||
        !attempt->planes || !load_images(attempt, error))
        return false;
    if (job->loss == LOSS_MEAN) {
        unit_objective_mean(&attempt->objective, attempt->weights);
        memmove(attempt->weights, attempt->weights + (size_t)place * map, map * sizeof(float));
        return find_movable(attempt, error);
    }
    return true;
}

// Maps of every image, and with them the loss and the weights of this state.
static bool attempt_look(Attempt *attempt, double *loss, Error *error)
{
    ReplayNetwork *network = &attempt->network;
    for (int64_t i = 0; i < attempt->count; i++)
        run_forward(network, attempt->pixels + (size_t)i * network->image_size,
                    attempt->maps + (size_t)i * network->map_size);
    if (attempt->job->loss == LOSS_SOFT_IOU)
        return unit_objective_soft_iou(&attempt->objective, attempt->maps, attempt->weights, loss,
                                       error);
    *loss = 0;
    for (size_t i = 0; i < network->map_size; i++)
        *loss += (double)attempt->maps[i] * (double)attempt->weights[i];
    return true;
}

static void attempt_step(Attempt *attempt, const PgdRule *rule)
{
    ReplayNetwork *network = &attempt->network;
    real          *weights = plan_input(pgd_plan(network->pgd), network->weights);
    for (int64_t i = 0; i < attempt->count; i++) {
        size_t at = (size_t)i * network->image_size;
        for (size_t k = 0; k < network->map_size; k++)
            weights[k] = attempt->weights[(size_t)i * network->map_size + k];
        pgd_update(rule, attempt->clean + at, pgd_gradient(network->pgd, attempt->pixels + at),
                   attempt->movable, network->image_size, attempt->pixels + at);
    }
}

static const float *attempt_planes(Attempt *attempt)
{
    size_t at = (size_t)attempt->shown * attempt->network.image_size;
    for (size_t k = 0; k < attempt->network.image_size; k++)
        attempt->planes[k] = (float)attempt->pixels[at + k];
    return attempt->planes;
}

static bool run_attack(Replay *replay, int64_t index, int64_t image, const ChangeRow *setting,
                       float threshold, const FilmSink *film, Error *error)
{
    const AttackJob *job     = replay->job->attack;
    PgdRule          rule    = {job->method, (real)setting->strength, job->steps};
    int              steps   = job->method == PGD_FGSM ? 1 : job->steps;
    Attempt          attempt = {0};
    bool             done    = attempt_open(&attempt, replay, index, image, threshold, error);
    for (int step = 0; done && step <= steps; step++) {
        double loss = 0;
        if ((done = !attack_cancelled(&job->clean, error)) && (film || step < steps))
            done = attempt_look(&attempt, &loss, error);
        if (done && film)
            done =
                film->frame(film->self, step, loss, attempt_planes(&attempt),
                            attempt.maps + (size_t)attempt.shown * attempt.network.map_size, error);
        if (done && step < steps)
            attempt_step(&attempt, &rule);
    }
    if (done)
        memcpy(replay->perturbed, attempt_planes(&attempt),
               attempt.network.image_size * sizeof(float));
    attempt_close(&attempt);
    return done;
}

/* ---- either ---------------------------------------------------------------------------------- */

// The map of what a reader of the stored image sees.
static bool look_at_stored(Replay *replay, int64_t unit, Error *error)
{
    ReplayNetwork network = {0};
    if (!network_open(&network, replay->job, unit, false, error))
        return false;
    real *pixels = memory_new(network.image_size, sizeof *pixels, error);
    bool  done   = pixels != NULL;
    for (size_t i = 0; done && i < network.image_size; i++)
        pixels[i] = replay->stored[i];
    if (done)
        run_forward(&network, pixels, replay->map);
    memory_free(pixels);
    network_close(&network);
    return done;
}

bool replay_run(Replay *replay, int64_t index, const UnitStory *story, int64_t image,
                const ChangeRow *setting, const FilmSink *film, Error *error)
{
    const ReportJob        *job   = replay->job;
    const ActivationSource *layer = &job->clean.layer;
    size_t                  size  = (size_t)(3 * layer->image_height * layer->image_width);
    if (!job->clean.images.load(job->clean.images.self, image, replay->clean, error))
        return false;
    memcpy(replay->perturbed, replay->clean, size * sizeof(float));
    if (job->attack) {
        if (!run_attack(replay, index, image, setting, story->threshold, film, error))
            return false;
    } else {
        Noise noise    = *job->noise;
        noise.strength = setting->strength;
        noise_add(&noise, image, layer->image_height * layer->image_width, replay->perturbed);
    }
    memcpy(replay->stored, replay->perturbed, size * sizeof(float));
    return store_image(setting->store, layer->image_height, layer->image_width, replay->stored,
                       NULL, error) &&
           look_at_stored(replay, story->unit, error);
}
