/* bench/verb_model.c - a network up to a layer, forward or with the gradient of the layer's sum
 * with respect to the pixels: step by step, then as a whole. */
#include "bench.h"

#include "../base/parallel.h"
#include "../engine/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- network, plan, input -------------------------------------------------------------------- */

bool model_open(Model *out, WeightBlob *blob, const Options *options, int64_t batch,
                ConvMethod conv, Error *error)
{
    Model          model   = {.blob = blob, .gradient = NODE_NONE};
    NetworkRequest request = {.batch = batch, .layer = options->upto, .unit = options->unit};
    PlanOptions    plan    = {.conv = conv};
    bool           ok      = graph_create(&model.graph, error) &&
              network_build(model.graph, blob, &request, &model.network, error);
    NodeId outputs[2] = {model.network.layer};
    if (ok && options->input_gradient) {
        NodeId sum = op_sum(model.graph, model.network.layer);
        graph_gradient(model.graph, sum, &model.network.pixels, 1, &model.gradient);
        outputs[1] = model.gradient;
    }
    ok = ok && plan_create(&model.plan, model.graph, outputs, options->input_gradient ? 2 : 1,
                           &plan, error);
    if (ok) {
        size_t count = (size_t)shape_elements(graph_shape(model.graph, model.network.pixels));
        material_fill(plan_input(model.plan, model.network.pixels), count, "pixels", (real)0.5,
                      (real)0.5);
        *out = model;
    } else {
        model_close(&model);
    }
    return ok;
}

void model_close(Model *model)
{
    plan_destroy(model->plan);
    graph_destroy(model->graph);
    *model = (Model){0};
}

double model_flops(const Model *model)
{
    double flops = 0;
    for (int32_t step = 0; step < plan_step_count(model->plan); step++)
        flops += plan_step_report(model->plan, step).flops;
    return flops;
}

/* ---- accuracy: against the direct convolutions, whose error `conv` measures in double -------- */

// sqrt(sum (a - b)^2 / sum b^2) of the layer, or of the gradient where there is one. A value within
// rounding of a ReLU's kink falls to either side and its whole path with it: a gradient is less
// smooth.
static double distance(const Model *a, const Model *b)
{
    NodeId      node = a->gradient != NODE_NONE ? a->gradient : a->network.layer;
    const real *x = plan_output(a->plan, node), *y = plan_output(b->plan, node);
    int64_t     count      = shape_elements(graph_shape(a->graph, node));
    double      difference = 0, size = 1e-300;
    for (int64_t i = 0; i < count; i++) {
        difference += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
        size += (double)y[i] * (double)y[i];
    }
    return sqrt(difference / size);
}

static bool residual(WeightBlob *blob, const Options *options, double *out, Error *error)
{
    Model fast = {0}, plain = {0}; // one image: its bits are those it has in any batch
    bool  ok = model_open(&fast, blob, options, 1, options->conv, error) &&
              model_open(&plain, blob, options, 1, CONV_DIRECT, error);
    if (ok) {
        plan_run(fast.plan);
        plan_run(plain.plan);
        *out = distance(&fast, &plain);
    }
    model_close(&fast);
    model_close(&plain);
    return ok;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static Row model_row(const char *name, const Options *options, Timing ms, double flops)
{
    double images = (double)options->batch;
    Row    row    = {.verb = "model", .threads = parallel_threads()};
    snprintf(row.name, sizeof row.name, "%s", name);
    row.ms    = timing_scaled(ms, 1 / images);
    row.flops = flops / images;
    return row;
}

/* Every step of every run is timed, so that the steps share one run's caches; text only. */
static bool bench_steps(const Model *model, const Options *options, Error *error)
{
    int32_t steps = plan_step_count(model->plan), runs = options->runs;
    double *ms = memory_new(2 * (size_t)steps * (size_t)runs, sizeof *ms, error);
    if (!ms)
        return false;
    double *cpu = ms + steps * runs;
    plan_run(model->plan);
    CoreTime before = core_time(0);
    for (int32_t run = 0; run < runs; run++)
        for (int32_t step = 0; step < steps; step++) {
            double cpu_start = clock_cpu_seconds(), start = clock_seconds();
            plan_run_step(model->plan, step);
            ms[step * runs + run]  = (clock_seconds() - start) * 1e3;
            cpu[step * runs + run] = (clock_cpu_seconds() - cpu_start) * 1e3;
        }
    double shared = core_time_shared(before, core_time(0));
    for (int32_t step = 0; step < steps; step++) {
        StepReport report = plan_step_report(model->plan, step);
        char       name[80];
        snprintf(name, sizeof name, "%.79s", report.text);
        Timing timing    = timing_of(ms + step * runs, cpu + step * runs, runs);
        Row    row       = model_row(name, options, timing, report.flops);
        row.shared       = shared;
        row.knows_shared = shared >= 0;
        row_print(options, &row);
    }
    memory_free(ms);
    return true;
}

static void run_model(void *data)
{
    plan_run(((Model *)data)->plan);
}

static bool bench_whole(Model *model, const Options *options, const char *name, Error *error)
{
    Row    row = model_row(name, options, (Timing){0}, model_flops(model));
    double far = 0;
    if (!row_time(&row, options->runs, run_model, model, error) ||
        !residual(model->blob, options, &far, error))
        return false;
    row.ms         = timing_scaled(row.ms, 1 / (double)options->batch);
    row.figures[0] = (Figure){"residual", far};
    row.figures[1] = (Figure){"plan_mb", (double)plan_bytes(model->plan) / 1e6};
    row_print(options, &row);
    return true;
}

bool bench_model(const Options *given, Error *error)
{
    Options     options = *given;
    WeightBlob *blob    = NULL;
    Model       model   = {0};
    char        name[80];
    if (!options.upto && strncmp(options.arch, "vgg", 3) == 0)
        options.upto = strcmp(options.arch, "vgg16") == 0 ? "conv5_3" : NULL;
    bool ok = material_blob(&blob, &options, error) &&
              model_open(&model, blob, &options, options.batch, options.conv, error);
    if (ok) {
        snprintf(name, sizeof name, "%s %s %s b%lld", options.arch,
                 options.upto ? options.upto : "logits",
                 options.input_gradient ? "input-gradient" : "forward", (long long)options.batch);
        row_header(&options, name);
        ok = (options.json || options.title || bench_steps(&model, &options, error)) &&
             bench_whole(&model, &options, name, error);
    }
    model_close(&model);
    blob_close(blob);
    return ok;
}
