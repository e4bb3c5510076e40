/* models/pyramid.c - see pyramid.h. */
#include "pyramid.h"

#include "../base/parallel.h"

#include <string.h>

static const struct {
    const char *architecture;
    const char *layers[PYRAMID_LEVELS];
} encoders[] = {
    {"resnet18", {"conv1", "layer1", "layer2", "layer3", "layer4"}},
    {"resnet50", {"conv1", "layer1", "layer2", "layer3", "layer4"}},
    {"resnet101", {"conv1", "layer1", "layer2", "layer3", "layer4"}},
    {"alexnet", {"conv1", "conv2", "conv3", "conv4", "conv5"}},
    {"mini", {"conv1_2", "conv2_2", "conv3_2", "conv4_2"}},
    {"clip_mini", {"conv1_2", "conv2_2", "conv3_2", "conv4_2"}}, // the same convolutions
};
enum { ENCODERS = sizeof encoders / sizeof *encoders };

/* The cells of a layer that a mask reaches. */
struct Cells {
    int32_t *at;     // place in the layer's map
    double  *weight; // what the mask has there, then divided by the sum
    int64_t  count;
};

/* ---- opening --------------------------------------------------------------------------------- */

static bool find_layers(const WeightBlob *blob, const char *const **layers, int *count,
                        Error *error)
{
    const char *name = network_architecture(blob);
    int         row  = 0;
    while (row < ENCODERS && strcmp(encoders[row].architecture, name) != 0)
        row++;
    if (row == ENCODERS)
        return fail(error, ERROR_DATA,
                    "%s: its encoder is '%.64s', expected resnet18, resnet50, resnet101, alexnet "
                    "or mini",
                    blob_path(blob), name);
    *layers = encoders[row].layers;
    for (*count = 0; *count < PYRAMID_LEVELS && encoders[row].layers[*count];)
        ++*count;
    return true;
}

static bool level_open(Pyramid *pyramid, int i, Error *error)
{
    const LayerRunner *runner = &pyramid->runner;
    LayerSize          size   = runner->sizes[i];
    PyramidLevel      *level  = &pyramid->levels[i];
    size_t             count  = (size_t)(runner->batch * size.units) * (size_t)size.height;
    pyramid->features += size.units;
    level->maps = memory_new(count * (size_t)size.width, sizeof(real), error);
    return level->maps &&
           axis_half_pixel(&level->y, runner->image_height, size.height, AXIS_CLAMPED, error) &&
           axis_half_pixel(&level->x, runner->image_width, size.width, AXIS_CLAMPED, error);
}

static bool scratch_open(Pyramid *pyramid, Error *error)
{
    int64_t most = 0;
    for (int i = 0; i < pyramid->level_count; i++) {
        int64_t cells = pyramid->runner.sizes[i].height * pyramid->runner.sizes[i].width;
        most          = cells > most ? cells : most;
    }
    pyramid->threads = parallel_threads();
    pyramid->scratch = memory_new((size_t)pyramid->threads, sizeof *pyramid->scratch, error);
    for (int i = 0; pyramid->scratch && i < pyramid->threads; i++) {
        struct Cells *cells = &pyramid->scratch[i];
        cells->at           = memory_new((size_t)most, sizeof *cells->at, error);
        cells->weight       = memory_new((size_t)most, sizeof *cells->weight, error);
        if (!cells->at || !cells->weight)
            return false;
    }
    return pyramid->scratch != NULL;
}

bool pyramid_open(Pyramid *out, WeightBlob *blob, int64_t batch, Error *error)
{
    Pyramid        pyramid = {0};
    NetworkRequest request = {.batch = batch, .unit = -1, .post_relu = true};
    if (!find_layers(blob, &request.layers, &request.layer_count, error))
        return false;
    pyramid.level_count = request.layer_count;
    bool ok             = layer_runner_open(&pyramid.runner, blob, &request, error);
    for (int i = 0; ok && i < pyramid.level_count; i++)
        ok = level_open(&pyramid, i, error);
    if (!ok || !scratch_open(&pyramid, error)) {
        pyramid_close(&pyramid);
        return false;
    }
    *out = pyramid;
    return true;
}

void pyramid_close(Pyramid *pyramid)
{
    layer_runner_close(&pyramid->runner);
    for (int i = 0; i < pyramid->level_count; i++) {
        memory_free(pyramid->levels[i].maps);
        axis_close(&pyramid->levels[i].y);
        axis_close(&pyramid->levels[i].x);
    }
    for (int i = 0; pyramid->scratch && i < pyramid->threads; i++) {
        memory_free(pyramid->scratch[i].at);
        memory_free(pyramid->scratch[i].weight);
    }
    memory_free(pyramid->scratch);
    *pyramid = (Pyramid){0};
}

/* ---- running --------------------------------------------------------------------------------- */

void pyramid_run(Pyramid *pyramid, const real *pixels, int64_t count)
{
    real *maps[NETWORK_LAYERS] = {NULL};
    for (int i = 0; i < pyramid->level_count; i++)
        maps[i] = pyramid->levels[i].maps;
    layer_runner_run_all(&pyramid->runner, pixels, count, maps);
}

static double mask_at(const PyramidLevel *level, const uint8_t *mask, int32_t row, int32_t column)
{
    const Axis *y = &level->y, *x = &level->x;
    double      sum = 0;
    for (int32_t v = 0; v < y->count[row]; v++)
        for (int32_t u = 0; u < x->count[column]; u++) {
            size_t at =
                (size_t)(y->first[row] + v) * (size_t)x->in + (size_t)(x->first[column] + u);
            sum += y->weight[row * y->room + v] * x->weight[column * x->room + u] * mask[at];
        }
    return sum;
}

static const double SMALLEST = 1e-8; // a mask without a larger number counts as empty

// The mask at the layer's size, divided by its sum; no cells if it vanishes.
static void mask_cells(const PyramidLevel *level, const uint8_t *mask, struct Cells *cells)
{
    double sum = 0, largest = 0;
    cells->count = 0;
    for (int32_t row = 0; row < level->y.out; row++)
        for (int32_t column = 0; column < level->x.out; column++) {
            double weight = mask_at(level, mask, row, column);
            if (weight == 0)
                continue;
            cells->at[cells->count]       = row * level->x.out + column;
            cells->weight[cells->count++] = weight;
            sum += weight;
            largest = weight > largest ? weight : largest;
        }
    if (!(largest > SMALLEST))
        cells->count = 0;
    for (int64_t i = 0; i < cells->count; i++)
        cells->weight[i] /= sum;
}

typedef struct Pooling {
    Pyramid           *pyramid;
    const PyramidMask *masks;
} Pooling;

static void pool_mask(void *data, int64_t index, int thread)
{
    const Pooling     *pooling = data;
    const PyramidMask *item    = &pooling->masks[index];
    const Pyramid     *pyramid = pooling->pyramid;
    struct Cells      *cells   = &pyramid->scratch[thread];
    real              *out     = item->out;
    for (int i = 0; i < pyramid->level_count; i++) {
        LayerSize   size  = pyramid->runner.sizes[i];
        int64_t     place = size.height * size.width;
        const real *map   = pyramid->levels[i].maps + item->image * size.units * place;
        mask_cells(&pyramid->levels[i], item->mask, cells);
        for (int64_t unit = 0; unit < size.units; unit++, map += place) {
            double sum = 0;
            for (int64_t k = 0; k < cells->count; k++)
                sum += cells->weight[k] * (double)map[cells->at[k]];
            *out++ = (real)sum;
        }
    }
}

void pyramid_pool(Pyramid *pyramid, const PyramidMask *masks, int64_t count)
{
    Pooling pooling = {pyramid, masks};
    parallel_for(count, pool_mask, &pooling);
}
