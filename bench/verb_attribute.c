/* bench/verb_attribute.c - explanation maps, one image at a time, of the network with softplus: a
 * map, and a step of an attack on it (the map and the gradient of its distance to another map), in
 * milliseconds and in forward passes (processor time) of the same network and convolutions. And
 * what two ways to smooth a map cost: softplus, and the mean over noisy copies. */
#include "bench.h"

#include "../attribution/runner.h"
#include "../base/parallel.h"

#include <stdio.h>
#include <string.h>

enum {
    STEPS  = 4, // points of a path; its figures are for one point
    COPIES = 10 // of SmoothGrad
};

typedef struct Maps {
    const Options *options;
    WeightBlob    *blob;
    double         forward; // ms
} Maps;

static void run_plan(void *data)
{
    plan_run(data);
}

// A plan of `outputs`, its input filled, timed.
static bool time_plan(const Maps *maps, Graph *graph, NodeId image, const NodeId *outputs,
                      int count, const Map *map, Row *row, Error *error)
{
    PlanOptions options = {.conv = maps->options->conv, .even_forward = true};
    Plan       *plan    = NULL;
    if (!plan_create(&plan, graph, outputs, count, &options, error))
        return false;
    material_fill(plan_input(plan, image), (size_t)shape_elements(graph_shape(graph, image)),
                  "pixels", 0, 1);
    if (map)
        map_choose(plan, map, 0);
    for (int64_t i = 0; map && map->factor != NODE_NONE && i < map->points; i++)
        plan_input(plan, map->factor)[i] = plan_input(plan, map->share)[i] = 1 / (real)STEPS;
    bool ok         = row_time(row, maps->options->runs, run_plan, plan, error);
    row->figures[1] = (Figure){"plan_mb", (double)plan_bytes(plan) / 1e6};
    plan_destroy(plan);
    return ok;
}

static Row new_row(const Maps *maps, const char *method, const char *what)
{
    Row row = {.verb = "attribute", .threads = parallel_threads()};
    snprintf(row.name, sizeof row.name, "%s %s %s", maps->options->arch, method, what);
    return row;
}

static bool bench_forward(Maps *maps, Error *error)
{
    Graph         *graph = NULL;
    Network        network;
    NetworkRequest request = {.batch = 1, .unit = -1, .raw_input = true, .softplus_beta = 10};
    Row            row     = new_row(maps, "softplus", "forward");
    bool           ok      = graph_create(&graph, error) &&
              network_build(graph, maps->blob, &request, &network, error) &&
              time_plan(maps, graph, network.pixels, &network.layer, 1, NULL, &row, error);
    maps->forward = row.ms.cpu;
    if (ok)
        row_print(maps->options, &row);
    graph_destroy(graph);
    return ok;
}

// `with_step`: also the gradient of the map's distance to zeros.
static bool bench_map(const Maps *maps, const MapMethod *method, bool with_step, Error *error)
{
    Graph *graph   = NULL;
    Map    map     = {0};
    bool   is_path = method->kind == MAP_INTEGRATED;
    Row    row     = new_row(maps, method->name, with_step ? "step" : "map");
    bool   ok      = graph_create(&graph, error);
    if (ok) {
        NodeId     beta    = op_scalar_input(graph, 10, "beta"), outputs[2];
        MapRequest request = {
            .method = method, .mode = map_mode_at(0), .beta = &beta, .points = is_path ? STEPS : 0};
        ok = map_build(graph, maps->blob, &request, &map, error);
        if (ok) {
            outputs[0] = map.map;
            graph_gradient(graph, op_dot(graph, map.map, map.map), &map.image, 1, &outputs[1]);
            ok = time_plan(maps, graph, map.image, outputs, with_step ? 2 : 1, &map, &row, error);
        }
    }
    if (ok) {
        row.ms         = timing_scaled(row.ms, is_path ? 1.0 / STEPS : 1);
        row.figures[0] = (Figure){"forwards", row.ms.cpu / maps->forward};
        row_print(maps->options, &row);
    }
    map_close(&map);
    graph_destroy(graph);
    return ok;
}

typedef struct Smoothed {
    MapRunner   runner;
    const real *image;
} Smoothed;

static void run_smoothed(void *data)
{
    Smoothed *smoothed = data;
    map_runner_run(&smoothed->runner, smoothed->image, 0, 0);
}

// One gradient map as `nemesis attribute` makes it: of softplus, or with ReLU over noisy copies.
static bool bench_smoothed(const Maps *maps, int64_t copies, Timing *ms, Error *error)
{
    const Preparation *p        = blob_preparation(maps->blob);
    size_t             values   = 3 * (size_t)(p->height * p->width);
    Smoothed           smoothed = {0};
    MapJob             job      = {.mode     = *map_mode_at(0),
                                   .method   = map_method_named("gradient"),
                                   .softplus = copies == 0,
                                   .height   = p->height,
                                   .width    = p->width,
                                   .batch    = 1,
                                   .conv     = maps->options->conv,
                                   .copies   = copies,
                                   .level    = 0.05};
    Row   row   = new_row(maps, copies ? "SmoothGrad of 10" : "softplus gradient", "map");
    real *image = memory_new(values, sizeof *image, error);
    bool  ok    = image && map_runner_open(&smoothed.runner, maps->blob, &job, error);
    if (ok) {
        material_fill(image, values, "pixels", 0, 1);
        smoothed.image = image;
        ok             = row_time(&row, maps->options->runs, run_smoothed, &smoothed, error);
    }
    if (ok && copies)
        row.figures[0] = (Figure){"softplus_maps", row.ms.cpu / ms->cpu};
    if (ok) {
        *ms = row.ms;
        row_print(maps->options, &row);
    }
    map_runner_close(&smoothed.runner);
    memory_free(image);
    return ok;
}

bool bench_attribute(const Options *options, Error *error)
{
    Maps             maps = {.options = options};
    const MapMethod *method;
    bool             ok = material_blob(&maps.blob, options, error);
    if (ok) {
        row_header(options, "attribute");
        ok = bench_forward(&maps, error);
    }
    Timing softplus = {0};
    if (ok && row_wanted(options, "SmoothGrad"))
        ok = bench_smoothed(&maps, 0, &softplus, error) &&
             bench_smoothed(&maps, COPIES, &softplus, error);
    for (int m = 0; ok && (method = map_method_at(m)); m++)
        for (int step = 0; ok && step < 2; step++)
            ok = method->needs_patterns || !row_wanted(options, method->name) ||
                 !map_method_suits(method, maps.blob, NULL, 0, 0, NULL) ||
                 bench_map(&maps, method, step == 1, error);
    blob_close(maps.blob);
    return ok;
}
