/* models/layer_runner.c - graph and plan of one request behind one call. */
#include "models.h"

#include <string.h>

static bool runner_plan(LayerRunner *runner, WeightBlob *blob, const NetworkRequest *request,
                        Error *error)
{
    PlanOptions options = {.conv = request->conv};
    if (!graph_create(&runner->graph, error) ||
        !network_build(runner->graph, blob, request, &runner->network, error) ||
        !plan_create(&runner->plan, runner->graph, &runner->network.layer, 1, &options, error))
        return false;
    Shape maps           = graph_shape(runner->graph, runner->network.layer);
    Shape pixels         = graph_shape(runner->graph, runner->network.pixels);
    runner->batch        = request->batch;
    runner->units        = maps.dim[1];
    runner->height       = maps.rank == 4 ? maps.dim[2] : 1;
    runner->width        = maps.rank == 4 ? maps.dim[3] : 1;
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
    size_t image = (size_t)(3 * runner->image_height * runner->image_width);
    size_t map   = (size_t)(runner->units * runner->height * runner->width);
    memcpy(plan_input(runner->plan, runner->network.pixels), pixels,
           (size_t)count * image * sizeof *pixels);
    plan_run(runner->plan);
    memcpy(maps, plan_output(runner->plan, runner->network.layer),
           (size_t)count * map * sizeof *maps);
}
