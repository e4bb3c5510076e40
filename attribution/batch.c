/* attribution/batch.c - see batch.h. */
#include "batch.h"
#include "../base/parallel.h"

#include <string.h>

/* ---- opening --------------------------------------------------------------------------------- */

static bool is_path(const MapBatch *batch)
{
    return batch->job.method->kind == MAP_INTEGRATED;
}

// The derivative of <attribution, direction> in the images, each of which moves its own part.
static void append_slope(MapBatch *batch)
{
    Graph *g         = batch->graph;
    batch->direction = op_input(g, graph_shape(g, batch->map.each), "direction");
    NodeId along     = op_dot(g, batch->map.each, batch->direction);
    graph_gradient(g, along, &batch->map.image, 1, &batch->slope);
}

static bool open_plan(MapBatch *batch, bool along, Error *error)
{
    PlanOptions options = map_plan_options;
    options.conv        = batch->job.conv;
    if (along)
        append_slope(batch);
    const NodeId outputs[] = {batch->map.each, batch->map.layer, batch->slope};
    return plan_create(&batch->plan, batch->graph, outputs, along ? 3 : 2, &options, error);
}

static bool open_graph(MapBatch *batch, WeightBlob *blob, bool along, Error *error)
{
    const MapJob *job = &batch->job;
    if (!graph_create(&batch->graph, error))
        return false;
    batch->beta        = job->softplus ? op_scalar_input(batch->graph, 1, "beta") : NODE_NONE;
    MapRequest request = {.method   = job->method,
                          .mode     = &job->mode,
                          .beta     = job->softplus ? &batch->beta : NULL,
                          .patterns = job->patterns,
                          .width    = job->width,
                          .height   = job->height,
                          .images   = job->batch};
    return map_build(batch->graph, blob, &request, &batch->map, error) &&
           open_plan(batch, along, error);
}

static bool open_arrays(MapBatch *batch, Error *error)
{
    Shape  shape   = graph_shape(batch->graph, batch->map.raw);
    size_t images  = (size_t)batch->job.batch;
    size_t points  = (size_t)path_points(batch->job.mode.path, batch->job.mode.steps);
    batch->cells   = shape.dim[2] * shape.dim[3];
    batch->values  = shape.dim[1] * batch->cells;
    batch->classes = graph_shape(batch->graph, batch->map.layer).dim[1];
    batch->raw     = memory_new(images * (size_t)batch->values, sizeof *batch->raw, error);
    batch->form    = memory_new(images * (size_t)batch->cells, sizeof *batch->form, error);
    batch->logits  = memory_new(images * (size_t)batch->classes, sizeof *batch->logits, error);
    batch->factor  = memory_new(points, sizeof *batch->factor, error);
    batch->share   = memory_new(points, sizeof *batch->share, error);
    if (!batch->raw || !batch->form || !batch->logits || !batch->factor || !batch->share)
        return false;
    path_fill(batch->job.mode.path, batch->job.mode.steps, batch->factor, batch->share);
    return true;
}

bool map_batch_open(MapBatch *out, WeightBlob *blob, const MapJob *job, bool along, Error *error)
{
    MapBatch batch = {.job = *job, .beta = NODE_NONE, .direction = NODE_NONE, .slope = NODE_NONE};
    if (!open_graph(&batch, blob, along, error) || !open_arrays(&batch, error)) {
        map_batch_close(&batch);
        return false;
    }
    *out = batch;
    return true;
}

void map_batch_close(MapBatch *batch)
{
    plan_destroy(batch->plan);
    map_close(&batch->map);
    graph_destroy(batch->graph);
    memory_free(batch->raw);
    memory_free(batch->form);
    memory_free(batch->logits);
    memory_free(batch->factor);
    memory_free(batch->share);
    *batch = (MapBatch){0};
}

/* ---- running --------------------------------------------------------------------------------- */

// Runs images times a factor, and zeros where there are fewer than a batch; adds up attributions.
static void run_scaled(MapBatch *batch, const real *images, int64_t count, double factor,
                       double share)
{
    int64_t size  = shape_elements(graph_shape(batch->graph, batch->map.image)) / batch->job.batch;
    real   *input = plan_input(batch->plan, batch->map.image);
    for (int64_t i = 0; i < batch->job.batch * size; i++)
        input[i] = i < count * size ? (real)(factor * (double)images[i]) : 0;
    plan_run(batch->plan);
    const real *each = plan_output(batch->plan, batch->map.each);
    for (int64_t i = 0; i < count * batch->values; i++)
        batch->raw[i] += share * (double)each[i];
}

/* The mean along the straight path from zero (E4). */
static void run_path(MapBatch *batch, const real *images, int64_t count)
{
    const MapMode *mode = &batch->job.mode;
    for (int i = 0; i < path_points(mode->path, mode->steps); i++)
        run_scaled(batch, images, count, batch->factor[i], batch->share[i]);
    for (int64_t i = 0; i < count * batch->values && mode->path_times_input; i++)
        batch->raw[i] *= (double)images[i];
    run_scaled(batch, images, count, 1, 0); // what the network says of the images
}

static void form_one(void *data, int64_t i, int thread)
{
    const MapBatch *batch = data;
    (void)thread;
    map_form(batch->job.mode.form, batch->raw + i * batch->values, batch->values / batch->cells,
             batch->cells, batch->form + i * batch->cells);
}

static void choose_units(MapBatch *batch, const int64_t *units, int64_t count)
{
    real *target = plan_input(batch->plan, batch->map.target);
    for (int64_t i = 0; i < batch->job.batch; i++)
        for (int64_t k = 0; k < batch->map.units; k++)
            target[i * batch->map.units + k] = (real)(i < count && k == units[i]);
}

void map_batch_run(MapBatch *batch, const real *images, const int64_t *units, int64_t count)
{
    memset(batch->raw, 0, (size_t)(count * batch->values) * sizeof *batch->raw);
    choose_units(batch, units, count);
    if (is_path(batch))
        run_path(batch, images, count);
    else
        run_scaled(batch, images, count, 1, 1);
    memcpy(batch->logits, plan_output(batch->plan, batch->map.layer),
           (size_t)(count * batch->classes) * sizeof(real));
    parallel_for(count, form_one, batch);
}

void map_batch_along(MapBatch *batch, const real *images, const int64_t *units,
                     const real *directions, int64_t count, const real **slope)
{
    real  *input = plan_input(batch->plan, batch->direction);
    size_t used  = (size_t)(count * batch->values);
    memset(input, 0, (size_t)(batch->job.batch * batch->values) * sizeof *input);
    memcpy(input, directions, used * sizeof *input);
    map_batch_run(batch, images, units, count);
    *slope = plan_output(batch->plan, batch->slope);
}
