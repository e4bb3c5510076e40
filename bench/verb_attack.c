/* bench/verb_attack.c - ten PGD steps against one unit, in forward passes of its whole layer. */
#include "bench.h"

#include "../attack/attack.h"
#include "../base/parallel.h"

#include <stdio.h>
#include <string.h>

enum { STEPS = 10, UNIT = 3 };

/* The graph of one unit with weights on its map: the mean objective of an attack is this dot
 * product. */
typedef struct UnitAttack {
    Graph  *graph;
    Pgd    *pgd;
    Network network;
    NodeId  weights;
    size_t  count; // reals of the pixels
    real   *clean, *x;
    double  step_ms[STEPS];
} UnitAttack;

static bool attack_open(UnitAttack *attack, WeightBlob *blob, const Options *options, Error *error)
{
    NetworkRequest request = {.batch = options->batch, .layer = options->upto, .unit = UNIT};
    if (!graph_create(&attack->graph, error) ||
        !network_build(attack->graph, blob, &request, &attack->network, error))
        return false;
    Graph *graph     = attack->graph;
    Shape  map       = graph_shape(graph, attack->network.layer);
    attack->weights  = op_input(graph, map, "weights");
    attack->count    = (size_t)shape_elements(graph_shape(graph, attack->network.pixels));
    attack->clean    = memory_new(attack->count, sizeof(real), error);
    attack->x        = memory_new(attack->count, sizeof(real), error);
    NodeId objective = op_dot(graph, attack->network.layer, attack->weights);
    if (!attack->clean || !attack->x ||
        !pgd_create(&attack->pgd, graph, attack->network.pixels, objective,
                    &(PlanOptions){.conv = options->conv}, error))
        return false;
    material_fill(attack->clean, attack->count, "pixels", (real)0.5, (real)0.5);
    material_fill(plan_input(pgd_plan(attack->pgd), attack->weights), (size_t)shape_elements(map),
                  "map weights", 0, 1);
    return true;
}

static void attack_close(UnitAttack *attack)
{
    pgd_destroy(attack->pgd);
    graph_destroy(attack->graph);
    memory_free(attack->clean);
    memory_free(attack->x);
}

/* Keeps the slowest of the steps; a whole attack in ms. */
static double attack_once(UnitAttack *attack, double *slowest)
{
    PgdRule rule  = {.variant = PGD_STEPS, .eps = (real)4 / 255, .steps = STEPS};
    double  start = clock_seconds(), before = start;
    *slowest = 0;
    memcpy(attack->x, attack->clean, attack->count * sizeof(real));
    for (int step = 0; step < STEPS; step++) {
        const real *gradient = pgd_gradient(attack->pgd, attack->x);
        pgd_update(&rule, attack->clean, gradient, attack->count, attack->x);
        double now = clock_seconds(), ms = (now - before) * 1e3;
        before   = now;
        *slowest = ms > *slowest ? ms : *slowest;
    }
    return (before - start) * 1e3;
}

/* Attacks and forward passes take turns, so that both see the same machine. */
static bool measure(UnitAttack *attack, Model *model, const Options *options, Row *row,
                    Error *error)
{
    int     runs   = options->runs;
    double *ms     = memory_new((size_t)runs * 6, sizeof *ms, error);
    double  images = (double)options->batch;
    if (!ms)
        return false;
    double *cpu = ms + 3 * runs;
    for (int run = -1; run < runs; run++) { // the first is not counted
        int    at        = run < 0 ? 0 : run;
        double cpu_start = clock_cpu_seconds(), start = clock_seconds();
        plan_run(model->plan);
        ms[at]         = (clock_seconds() - start) * 1e3;
        cpu[at]        = (clock_cpu_seconds() - cpu_start) * 1e3;
        ms[runs + at]  = attack_once(attack, &ms[2 * runs + at]);
        cpu[runs + at] = (clock_cpu_seconds() - cpu_start) * 1e3 - cpu[at];
    }
    Timing forward = timing_of(ms, cpu, runs), whole = timing_of(ms + runs, cpu + runs, runs);
    Timing slowest  = timing_of(ms + 2 * runs, cpu + 2 * runs, runs);
    row->ms         = timing_scaled(whole, 1 / images);
    row->figures[0] = (Figure){"forward_ms", forward.median / images};
    row->figures[1] = (Figure){"forwards", whole.median / forward.median};
    row->figures[4] = (Figure){"cpu_forwards", whole.cpu / forward.cpu};
    row->figures[2] = (Figure){"slowest_step_forwards", slowest.median / forward.median};
    row->figures[3] = (Figure){"plan_mb", (double)plan_bytes(pgd_plan(attack->pgd)) / 1e6};
    memory_free(ms);
    return true;
}

bool bench_attack(const Options *given, Error *error)
{
    Options     options = *given;
    WeightBlob *blob    = NULL;
    UnitAttack  attack  = {0};
    Model       model   = {0};
    Row         row     = {.verb = "attack", .threads = parallel_threads()};
    if (!options.upto)
        options.upto = strncmp(options.arch, "vgg", 3) == 0 ? "conv3_3" : "layer3";
    options.input_gradient = false;
    bool ok                = material_blob(&blob, &options, error) &&
              attack_open(&attack, blob, &options, error) &&
              model_open(&model, blob, &options, options.batch, CONV_AUTO, error);
    if (ok) {
        row_header(&options, "attack on one unit, in forward passes of its whole layer");
        snprintf(row.name, sizeof row.name, "%s %s pgd%d b%lld", options.arch, options.upto, STEPS,
                 (long long)options.batch);
        ok = measure(&attack, &model, &options, &row, error);
    }
    if (ok)
        row_print(&options, &row);
    model_close(&model);
    attack_close(&attack);
    blob_close(blob);
    return ok;
}
