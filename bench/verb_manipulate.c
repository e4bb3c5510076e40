/* bench/verb_manipulate.c - a step of an attack on an explanation map, in forward passes of the
 * same network with softplus. */
#include "bench.h"

#include "../base/parallel.h"
#include "../engine/plan.h"

#include <stdio.h>
#include <string.h>

static const char *const methods[] = {"gradient", "gradient-x-input", "guided", "lrp"};
enum { METHODS = sizeof methods / sizeof *methods };

/* ---- an attack ------------------------------------------------------------------------------- */

void map_work_close(MapWork *work)
{
    map_attack_close(&work->attack);
    map_close(&work->map);
    graph_destroy(work->graph);
}

void map_work_step(void *data)
{
    MapWork      *work = data;
    MapAttackLoss loss;
    map_attack_step(&work->attack, 0, &loss, &work->error);
}

double map_work_flops(const MapWork *work)
{
    double flops = 0;
    for (int32_t step = 0; step < plan_step_count(work->attack.plan); step++)
        flops += plan_step_report(work->attack.plan, step).flops;
    return flops;
}

void map_work_images(real *clean, real *moved, size_t values)
{
    material_fill(clean, values, "pixels", 0, 1);
    material_fill(moved, values, "moved pixels", 0, 1);
}

// The wanted map is the same everywhere.
static bool begin(MapAttack *attack, Error *error)
{
    const MapAttackState *state  = &attack->state;
    size_t                values = (size_t)state->values;
    real                 *clean  = memory_new(values, sizeof *clean, error);
    float                *wanted = memory_new((size_t)state->cells, sizeof *wanted, error);
    bool                  ok     = clean && wanted;
    for (int64_t i = 0; ok && i < state->cells; i++)
        wanted[i] = 1 / (float)state->cells;
    if (ok) {
        map_work_images(clean, state->image, values);
        map_attack_begin(attack, clean, wanted, 0, 0);
        map_work_images(clean, state->image, values);
    }
    memory_free(clean);
    memory_free(wanted);
    return ok;
}

bool map_work_open(MapWork *work, WeightBlob *blob, const char *method, ConvMethod conv,
                   Error *error)
{
    static const MapAttackRule rule = {.steps         = 1000000,
                                       .rate          = 1e-3,
                                       .map_factor    = 1e11,
                                       .output_factor = 1e6,
                                       .beta_first    = MAP_BETA,
                                       .beta_last     = MAP_BETA};
    const MapMode             *mode = map_mode_at(0);
    PlanOptions                plan = map_plan_options;
    plan.conv                       = conv;
    if (!graph_create(&work->graph, error))
        return false;
    NodeId     beta    = op_scalar_input(work->graph, MAP_BETA, "beta");
    MapRequest request = {.method = map_method_named(method), .mode = mode, .beta = &beta};
    if (!map_build(work->graph, blob, &request, &work->map, error) ||
        !pixel_bounds(blob, work->low, work->high, error))
        return false;
    MapAttackNodes nodes = {work->graph, &work->map, work->map.layer, beta,
                            mode,        work->low,  work->high};
    return map_attack_open(&work->attack, &nodes, &rule, &plan, error) &&
           begin(&work->attack, error);
}

/* ---- beside a forward pass ------------------------------------------------------------------- */

typedef struct Manipulation {
    Graph  *graph;
    Plan   *forward;
    MapWork work;
} Manipulation;

static void manipulation_close(Manipulation *made)
{
    map_work_close(&made->work);
    plan_destroy(made->forward);
    graph_destroy(made->graph);
}

static bool open_forward(Manipulation *made, WeightBlob *blob, ConvMethod conv, Error *error)
{
    Network     network;
    PlanOptions plan = map_plan_options;
    plan.conv        = conv;
    if (!graph_create(&made->graph, error))
        return false;
    NodeId         beta    = op_scalar_input(made->graph, MAP_BETA, "beta");
    NetworkRequest request = {.batch = 1, .unit = -1, .raw_input = true, .softplus = &beta};
    if (!network_build(made->graph, blob, &request, &network, error) ||
        !plan_create(&made->forward, made->graph, &network.layer, 1, &plan, error))
        return false;
    Shape shape = graph_shape(made->graph, network.pixels);
    material_fill(plan_input(made->forward, network.pixels), (size_t)shape_elements(shape),
                  "pixels", 0, 1);
    return true;
}

/* Forward passes and steps take turns, so that both see the same machine. */
static bool measure(Manipulation *made, const Options *options, Row *row, Error *error)
{
    int     runs = options->runs;
    double *ms   = memory_new((size_t)runs * 4, sizeof *ms, error);
    bool    ok   = ms != NULL;
    for (int run = -1; ok && run < runs; run++) { // the first is not counted
        int    at        = run < 0 ? 0 : run;
        double cpu_start = clock_cpu_seconds(), start = clock_seconds();
        plan_run(made->forward);
        ms[at]            = (clock_seconds() - start) * 1e3;
        ms[2 * runs + at] = (clock_cpu_seconds() - cpu_start) * 1e3;
        cpu_start         = clock_cpu_seconds();
        start             = clock_seconds();
        map_work_step(&made->work);
        ms[runs + at]     = (clock_seconds() - start) * 1e3;
        ms[3 * runs + at] = (clock_cpu_seconds() - cpu_start) * 1e3;
        if (made->work.error.code)
            ok = fail(error, made->work.error.code, "%s", made->work.error.message);
    }
    if (ok) {
        Timing forward  = timing_of(ms, ms + 2 * runs, runs);
        row->ms         = timing_of(ms + runs, ms + 3 * runs, runs);
        row->figures[0] = (Figure){"forward_ms", forward.median};
        row->figures[1] = (Figure){"forwards", row->ms.median / forward.median};
        row->figures[2] = (Figure){"cpu_forwards", row->ms.cpu / forward.cpu};
        row->figures[3] = (Figure){"plan_mb", (double)plan_bytes(made->work.attack.plan) / 1e6};
    }
    memory_free(ms);
    return ok;
}

bool bench_manipulate(const Options *given, Error *error)
{
    Options     options = *given;
    WeightBlob *blob    = NULL;
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
        ok = open_forward(&made, blob, options.conv, error) &&
             map_work_open(&made.work, blob, methods[i], options.conv, error) &&
             measure(&made, &options, &row, error);
        if (ok)
            row_print(&options, &row);
        if (ok && !options.json && !options.title)
            profile_plan(made.work.attack.plan, options.runs);
        manipulation_close(&made);
    }
    blob_close(blob);
    return ok;
}
