/* attack/map_slices.c - see map_slices.h. Stages of the plan, in the order of its nodes: one slice
 * of points; of a noisy path, the map of one copy; the loss; of a noisy path, the way back through
 * that map; the way back through one slice. */
#include "map_slices.h"
#include "../engine/sweep.h"

#include <string.h>

enum { MOST_POINTS = 16 }; // of a slice: docs/methods/map-attacks.md has the figures

static int64_t slices_of(int64_t points)
{
    return (points + MOST_POINTS - 1) / MOST_POINTS;
}

void map_slices_request(MapRequest *request, int64_t copies)
{
    bool    path        = request->method->kind == MAP_INTEGRATED;
    int64_t points      = path ? path_points(request->mode->path, request->mode->steps) : copies;
    request->in_slices  = points > 0;
    request->noisy_path = path && copies > 0;
    if (points > 0) // of equal size
        request->points = (points + slices_of(points) - 1) / slices_of(points);
}

static bool is_noisy_path(const MapSlices *slices)
{
    return slices->copy_count > 0;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void open_sum(SliceSum *sum, Graph *g, MapSum nodes)
{
    sum->nodes = nodes;
    sum->count = shape_elements(graph_shape(g, nodes.whole));
}

static void begin_stage(MapSlices *slices, NodeId node)
{
    slices->stage[slices->stage_count++] = node;
}

// From a part of a sum down to the image, and to the sum below it if there is one.
static void append_back(MapSlices *slices, Graph *g, SliceSum *sum, SliceSum *below)
{
    NodeId wrt[] = {slices->map->image, below ? below->nodes.whole : NODE_NONE}, found[2];
    sum->pull    = op_input(g, graph_shape(g, sum->nodes.whole), "slope of the loss");
    begin_stage(slices, sum->pull);
    graph_sweep(g, NULL, sum->nodes.part, sum->pull, wrt, below ? 2 : 1, found);
    sum->back = found[0];
    if (below)
        below->slope = found[1];
}

static void append(MapSlices *slices, Graph *g, NodeId loss)
{
    const Map *map = slices->map;
    SliceSum  *top = &slices->points;
    open_sum(&slices->points, g, map->over_points);
    begin_stage(slices, map->over_points.whole);
    if (is_noisy_path(slices)) {
        top = &slices->copies;
        open_sum(&slices->copies, g, map->over_copies);
        begin_stage(slices, map->over_copies.whole);
    }
    NodeId wrt[] = {map->image, top->nodes.whole}, found[2];
    graph_gradient(g, loss, wrt, 2, found);
    slices->direct = found[0];
    top->slope     = found[1];
    if (is_noisy_path(slices))
        append_back(slices, g, &slices->copies, &slices->points);
    append_back(slices, g, &slices->points, NULL);
}

static bool open_arrays(MapSlices *slices, const MapMode *mode, Error *error)
{
    size_t points        = (size_t)slices->point_count;
    slices->factor       = memory_new(points, sizeof *slices->factor, error);
    slices->share        = memory_new(points, sizeof *slices->share, error);
    slices->points.total = memory_new((size_t)slices->points.count, sizeof(double), error);
    slices->copies.total = memory_new((size_t)slices->copies.count, sizeof(double), error);
    slices->sum          = memory_new((size_t)slices->values, sizeof *slices->sum, error);
    slices->gradient     = memory_new((size_t)slices->values, sizeof *slices->gradient, error);
    if (!slices->factor || !slices->share || !slices->points.total || !slices->copies.total ||
        !slices->sum || !slices->gradient)
        return false;
    for (size_t i = 0; i < points; i++)
        slices->share[i] = 1 / (double)points;
    if (slices->map->factor != NODE_NONE)
        path_fill(mode->path, mode->steps, slices->factor, slices->share);
    return true;
}

bool map_slices_open(MapSlices *out, Graph *graph, const Map *map, const MapMode *mode,
                     int64_t copies, NodeId loss, Error *error)
{
    bool      path     = map->factor != NODE_NONE;
    MapSlices slices   = {.map         = map,
                          .point_count = path ? path_points(mode->path, mode->steps) : copies,
                          .copy_count  = path ? copies : 0,
                          .values      = shape_elements(graph_shape(graph, map->image))};
    slices.slice_count = slices_of(slices.point_count);
    slices.cells       = slices.values / graph_shape(graph, map->image).dim[1];
    append(&slices, graph, loss);
    if (!graph_check(graph, error) || !open_arrays(&slices, mode, error)) {
        map_slices_close(&slices);
        return false;
    }
    *out = slices;
    return true;
}

void map_slices_close(MapSlices *slices)
{
    memory_free(slices->factor);
    memory_free(slices->share);
    memory_free(slices->points.total);
    memory_free(slices->copies.total);
    memory_free(slices->sum);
    memory_free(slices->gradient);
    *slices = (MapSlices){0};
}

int map_slices_plan(const MapSlices *slices, PlanOptions *options, NodeId outputs[SLICE_OUTPUTS])
{
    const SliceSum *points = &slices->points, *copies = &slices->copies;
    NodeId          nodes[] = {slices->direct,     points->nodes.part, points->slope, points->back,
                               copies->nodes.part, copies->slope,      copies->back};
    int             count   = is_noisy_path(slices) ? 7 : 4;
    memcpy(outputs, nodes, (size_t)count * sizeof *nodes);
    options->stages      = slices->stage;
    options->stage_count = slices->stage_count;
    return count;
}

/* ---- what a slice reads ---------------------------------------------------------------------- */

static void fill_noise(const MapSlices *slices, const SliceNoise *noise, int64_t copy, real *out)
{
    for (int64_t i = 0; i < slices->values; i += 4) {
        double z[4];
        smoothing_noise(noise->seed, noise->draw, (uint64_t)copy, noise->round, (uint64_t)i / 4, z);
        for (int64_t k = i; k < i + 4 && k < slices->values; k++)
            out[k] = (real)(noise->deviation[k / slices->cells] * z[k - i]);
    }
}

// Places of a slice that are left over repeat the last point and count nothing.
static void load_slice(const MapSlices *slices, Plan *plan, const SliceNoise *noise, int64_t slice)
{
    const Map *map = slices->map;
    for (int64_t i = 0; i < map->points; i++) {
        int64_t at = slice * map->points + i, last = slices->point_count - 1;
        plan_input(plan, map->share)[i] = (real)(at <= last ? slices->share[at] : 0);
        at                              = at <= last ? at : last;
        if (map->factor != NODE_NONE)
            plan_input(plan, map->factor)[i] = (real)slices->factor[at];
        else
            fill_noise(slices, noise, at, plan_input(plan, map->noise) + i * slices->values);
    }
}

/* ---- sums ------------------------------------------------------------------------------------ */

static void add(double *to, const Plan *plan, NodeId node, int64_t count, double share)
{
    const real *values = plan_output(plan, node);
    for (int64_t i = 0; i < count; i++)
        to[i] += share * (double)values[i];
}

static void clear(SliceSum *sum)
{
    memset(sum->total, 0, (size_t)sum->count * sizeof *sum->total);
}

static void set_whole(const SliceSum *sum, Plan *plan)
{
    real *whole = plan_input(plan, sum->nodes.whole);
    for (int64_t i = 0; i < sum->count; i++)
        whole[i] = (real)sum->total[i];
}

static void set_pull(const SliceSum *sum, Plan *plan, double share)
{
    const real *slope = plan_output(plan, sum->slope);
    real       *pull  = plan_input(plan, sum->pull);
    for (int64_t i = 0; i < sum->count; i++)
        pull[i] = (real)(share * (double)slope[i]);
}

/* ---- sweeps ---------------------------------------------------------------------------------- */

static void run_slice(MapSlices *slices, Plan *plan)
{
    plan_run_stage(plan, 0, slices->points.nodes.whole);
}

// The sum over all points, of one copy if the path is noisy, with the map that this gives.
static void run_points(MapSlices *slices, Plan *plan, const SliceNoise *noise, int64_t copy)
{
    SliceSum *points = &slices->points;
    if (is_noisy_path(slices))
        fill_noise(slices, noise, copy, plan_input(plan, slices->map->noise));
    clear(points);
    for (int64_t slice = 0; slice < slices->slice_count; slice++) {
        load_slice(slices, plan, noise, slice);
        run_slice(slices, plan);
        add(points->total, plan, points->nodes.part, points->count, 1);
    }
    set_whole(points, plan);
    if (is_noisy_path(slices))
        plan_run_stage(plan, points->nodes.whole, slices->copies.nodes.whole);
}

void map_slices_forward(MapSlices *slices, Plan *plan, const SliceNoise *noise)
{
    SliceSum *copies = &slices->copies, *top = &slices->points;
    clear(copies);
    if (!is_noisy_path(slices))
        run_points(slices, plan, noise, 0);
    for (int64_t copy = 0; copy < slices->copy_count; copy++) {
        run_points(slices, plan, noise, copy);
        add(copies->total, plan, copies->nodes.part, copies->count, 1 / (double)slices->copy_count);
    }
    if (is_noisy_path(slices)) {
        set_whole(copies, plan);
        top = copies;
    }
    plan_run_stage(plan, top->nodes.whole, top->pull);
}

// Through every slice, from the last one on, which ran last.
static void back_through_points(MapSlices *slices, Plan *plan, const SliceNoise *noise)
{
    const SliceSum *points = &slices->points;
    set_pull(points, plan, 1);
    for (int64_t slice = slices->slice_count - 1; slice >= 0; slice--) {
        if (slice < slices->slice_count - 1) {
            load_slice(slices, plan, noise, slice);
            run_slice(slices, plan);
        }
        plan_run_stage(plan, points->pull, INT32_MAX);
        add(slices->sum, plan, points->back, slices->values, 1);
    }
}

static void back_through_copies(MapSlices *slices, Plan *plan, const SliceNoise *noise)
{
    const SliceSum *copies = &slices->copies;
    set_pull(copies, plan, 1 / (double)slices->copy_count);
    for (int64_t copy = slices->copy_count - 1; copy >= 0; copy--) {
        if (copy < slices->copy_count - 1)
            run_points(slices, plan, noise, copy);
        plan_run_stage(plan, copies->pull, slices->points.pull);
        add(slices->sum, plan, copies->back, slices->values, 1);
        back_through_points(slices, plan, noise);
    }
}

void map_slices_backward(MapSlices *slices, Plan *plan, const SliceNoise *noise)
{
    memset(slices->sum, 0, (size_t)slices->values * sizeof *slices->sum);
    add(slices->sum, plan, slices->direct, slices->values, 1);
    if (is_noisy_path(slices))
        back_through_copies(slices, plan, noise);
    else
        back_through_points(slices, plan, noise);
    for (int64_t i = 0; i < slices->values; i++)
        slices->gradient[i] = (real)slices->sum[i];
}
