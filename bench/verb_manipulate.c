/* bench/verb_manipulate.c - a step of an attack on an explanation map, in forward passes of the
 * same network with softplus. */
#include "bench.h"

#include "../attack/map_attack.h"
#include "../base/parallel.h"

#include <stdio.h>
#include <string.h>

static const char *const methods[] = {"gradient", "gradient-x-input", "guided", "lrp"};
enum { METHODS = sizeof methods / sizeof *methods };

typedef struct Manipulation {
    Graph    *graph, *forward_graph;
    Plan     *forward;
    Map       map;
    MapAttack attack;
    real      low[3], high[3];
} Manipulation;

static void manipulation_close(Manipulation *made)
{
    map_attack_close(&made->attack);
    map_close(&made->map);
    plan_destroy(made->forward);
    graph_destroy(made->graph);
    graph_destroy(made->forward_graph);
}

static bool open_forward(Manipulation *made, WeightBlob *blob, const PlanOptions *plan,
                         Error *error)
{
    Network network;
    if (!graph_create(&made->forward_graph, error))
        return false;
    NodeId         beta    = op_scalar_input(made->forward_graph, 30, "beta");
    NetworkRequest request = {.batch = 1, .unit = -1, .raw_input = true, .softplus = &beta};
    if (!network_build(made->forward_graph, blob, &request, &network, error) ||
        !plan_create(&made->forward, made->forward_graph, &network.layer, 1, plan, error))
        return false;
    Shape shape = graph_shape(made->forward_graph, network.pixels);
    material_fill(plan_input(made->forward, network.pixels), (size_t)shape_elements(shape),
                  "pixels", 0, 1);
    return true;
}

static bool open_attack(Manipulation *made, WeightBlob *blob, const char *method,
                        const PlanOptions *plan, Error *error)
{
    static const MapAttackRule rule = {.steps         = 1000000,
                                       .rate          = 1e-3,
                                       .map_factor    = 1e11,
                                       .output_factor = 1e6,
                                       .beta_first    = 30,
                                       .beta_last     = 30};
    const MapMode             *mode = map_mode_at(0);
    if (!graph_create(&made->graph, error))
        return false;
    NodeId     beta    = op_scalar_input(made->graph, 30, "beta");
    MapRequest request = {.method = map_method_named(method), .mode = mode, .beta = &beta};
    if (!map_build(made->graph, blob, &request, &made->map, error) ||
        !pixel_bounds(blob, made->low, made->high, error))
        return false;
    MapAttackNodes nodes = {made->graph, &made->map, made->map.layer, beta,
                            mode,        made->low,  made->high};
    return map_attack_open(&made->attack, &nodes, &rule, plan, error);
}

static bool begin(Manipulation *made, Error *error)
{
    const MapAttackState *state  = &made->attack.state;
    real                 *image  = memory_new((size_t)state->values, sizeof *image, error);
    float                *wanted = memory_new((size_t)state->cells, sizeof *wanted, error);
    bool                  ok     = image && wanted;
    for (int64_t i = 0; ok && i < state->cells; i++)
        wanted[i] = 1 / (float)state->cells;
    if (ok) {
        material_fill(image, (size_t)state->values, "pixels", 0, 1);
        map_attack_begin(&made->attack, image, wanted, 0, 0);
    }
    memory_free(image);
    memory_free(wanted);
    return ok;
}

/* Forward passes and steps take turns, so that both see the same machine. */
static bool measure(Manipulation *made, const Options *options, Row *row, Error *error)
{
    int     runs = options->runs;
    double *ms   = memory_new((size_t)runs * 4, sizeof *ms, error);
    bool    ok   = ms != NULL;
    for (int run = -1; ok && run < runs; run++) { // the first is not counted
        int           at        = run < 0 ? 0 : run;
        double        cpu_start = clock_cpu_seconds(), start = clock_seconds();
        MapAttackLoss loss;
        plan_run(made->forward);
        ms[at]            = (clock_seconds() - start) * 1e3;
        ms[2 * runs + at] = (clock_cpu_seconds() - cpu_start) * 1e3;
        cpu_start         = clock_cpu_seconds();
        start             = clock_seconds();
        ok                = map_attack_step(&made->attack, 0, &loss, error);
        ms[runs + at]     = (clock_seconds() - start) * 1e3;
        ms[3 * runs + at] = (clock_cpu_seconds() - cpu_start) * 1e3;
    }
    if (ok) {
        Timing forward  = timing_of(ms, ms + 2 * runs, runs);
        row->ms         = timing_of(ms + runs, ms + 3 * runs, runs);
        row->figures[0] = (Figure){"forward_ms", forward.median};
        row->figures[1] = (Figure){"forwards", row->ms.median / forward.median};
        row->figures[2] = (Figure){"cpu_forwards", row->ms.cpu / forward.cpu};
        row->figures[3] = (Figure){"plan_mb", (double)plan_bytes(made->attack.plan) / 1e6};
    }
    memory_free(ms);
    return ok;
}

bool bench_manipulate(const Options *given, Error *error)
{
    Options     options = *given;
    WeightBlob *blob    = NULL;
    PlanOptions plan    = map_plan_options;
    plan.conv           = options.conv;
    options.upto        = NULL;
    bool ok             = material_blob(&blob, &options, error);
    if (ok)
        row_header(&options, "a step of an attack on a map, in forward passes with softplus");
    for (int i = 0; ok && i < METHODS; i++) {
        Manipulation made = {0};
        Row          row  = {.verb = "manipulate", .threads = parallel_threads()};
        snprintf(row.name, sizeof row.name, "%s %s step", options.arch, methods[i]);
        if (!row_wanted(&options, row.name))
            continue;
        ok = open_forward(&made, blob, &plan, error) &&
             open_attack(&made, blob, methods[i], &plan, error) && begin(&made, error) &&
             measure(&made, &options, &row, error);
        if (ok)
            row_print(&options, &row);
        manipulation_close(&made);
    }
    blob_close(blob);
    return ok;
}
