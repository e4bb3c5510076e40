/* models/layer_runner.c - graph and plan of one request behind one call. */
#include "../base/parallel.h"
#include "models.h"

#include <string.h>

static LayerSize size_of(const Graph *graph, NodeId layer)
{
    Shape maps = graph_shape(graph, layer);
    bool  flat = maps.rank < 4;
    return (LayerSize){maps.dim[1], flat ? 1 : maps.dim[2], flat ? 1 : maps.dim[3]};
}

static bool runner_plan(LayerRunner *runner, WeightBlob *blob, const NetworkRequest *request,
                        Error *error)
{
    PlanOptions    options = {.conv = request->conv};
    const Network *network = &runner->network;
    if (!graph_create(&runner->graph, error) ||
        !network_build(runner->graph, blob, request, &runner->network, error) ||
        !plan_create(&runner->plan, runner->graph, network->layers, network->layer_count, &options,
                     error))
        return false;
    for (int i = 0; i < network->layer_count; i++)
        runner->sizes[i] = size_of(runner->graph, network->layers[i]);
    Shape pixels         = graph_shape(runner->graph, network->pixels);
    runner->batch        = request->batch;
    runner->units        = runner->sizes[0].units;
    runner->height       = runner->sizes[0].height;
    runner->width        = runner->sizes[0].width;
    runner->image_height = pixels.dim[2];
    runner->image_width  = pixels.dim[3];
    return true;
}

bool layer_runner_open(LayerRunner *out, WeightBlob *blob, const NetworkRequest *request,
                       Error *error)
{
    LayerRunner runner = {0};
    if (!runner_plan(&runner, blob, request, error)) {
        layer_runner_close(&runner);
        return false;
    }
    *out = runner;
    return true;
}

void layer_runner_close(LayerRunner *runner)
{
    plan_destroy(runner->plan);
    graph_destroy(runner->graph);
    *runner = (LayerRunner){0};
}

void layer_runner_run(LayerRunner *runner, const real *pixels, int64_t count, real *maps)
{
    real *const all[NETWORK_LAYERS] = {maps};
    layer_runner_run_all(runner, pixels, count, all);
}

enum { COPY_BYTES = 1 << 18 }; // of one turn

typedef struct Copy {
    char       *to;
    const char *from;
    size_t      bytes;
} Copy;

static void copy_piece(void *data, int64_t i, int thread)
{
    const Copy *copy  = data;
    size_t      first = (size_t)i * COPY_BYTES, left = copy->bytes - first;
    (void)thread;
    memcpy(copy->to + first, copy->from + first, left < COPY_BYTES ? left : COPY_BYTES);
}

// One core would copy the maps of a batch for as long as many cores compute them.
static void copy_by_all(real *to, const real *from, int64_t count)
{
    Copy copy = {(char *)to, (const char *)from, (size_t)count * sizeof *to};
    parallel_for((int64_t)((copy.bytes + COPY_BYTES - 1) / COPY_BYTES), copy_piece, &copy);
}

void layer_runner_run_all(LayerRunner *runner, const real *pixels, int64_t count, real *const *maps)
{
    copy_by_all(plan_input(runner->plan, runner->network.pixels), pixels,
                count * 3 * runner->image_height * runner->image_width);
    plan_run(runner->plan);
    for (int i = 0; i < runner->network.layer_count; i++) {
        LayerSize size = runner->sizes[i];
        if (maps[i])
            copy_by_all(maps[i], plan_output(runner->plan, runner->network.layers[i]),
                        count * size.units * size.height * size.width);
    }
}
