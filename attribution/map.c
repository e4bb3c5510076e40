/* attribution/map.c - a network, a walk back, a form: the nodes of a map. */
#include "attention.h"
#include "form.h"
#include "making.h"

const PlanOptions map_plan_options = {.conv = CONV_DIRECT, .even_forward = true};

/* ---- what the network reads ------------------------------------------------------------------ */

// Points of a path, baseline + factor (image - baseline), or noisy copies, image + noise.
static void make_points(Making *making)
{
    Graph  *g     = making->graph;
    Map    *map   = making->map;
    int64_t count = making->request->points;
    Shape   all = graph_shape(g, map->image), each = shape_4d(count, 1, 1, 1);
    map->images    = all.dim[0];
    all.dim[0]     = count > 0 ? count : map->images;
    map->points    = all.dim[0];
    making->points = making->end = map->image;
    if (making_is_path(making->request))
        map->baseline = op_input(g, graph_shape(g, map->image), "baseline");
    if (count == 0)
        return;
    map->share = op_input(g, each, "share");
    if (making->request->noisy_path) {
        map->noise  = op_input(g, graph_shape(g, map->image), "noise");
        making->end = op_add(g, map->image, map->noise);
    }
    NodeId image = op_broadcast_to(g, making->end, all);
    if (making_is_path(making->request)) {
        map->factor     = op_input(g, each, "factor");
        NodeId start    = op_broadcast_to(g, map->baseline, all);
        NodeId distance = op_sub(g, image, start);
        making->points =
            op_add(g, start, op_mul(g, distance, op_broadcast_to(g, map->factor, all)));
    } else {
        map->noise     = op_input(g, all, "noise");
        making->points = op_add(g, image, map->noise);
    }
}

static bool make_network(Making *making, Error *error)
{
    const MapNetwork *network = making->network;
    Map              *map     = making->map;
    if (!network->build(network->self, making->graph, making->points, &map->layer, error))
        return false;
    map->units  = graph_shape(making->graph, map->layer).dim[1];
    map->target = op_input(making->graph, shape_2d(map->images, map->units), "target");
    return graph_check(making->graph, error);
}

/* ---- the map --------------------------------------------------------------------------------- */

// The weighted sum over points.
static NodeId add_points(Graph *g, const Map *map, NodeId values)
{
    Shape all = graph_shape(g, values), one = all;
    one.dim[0] = 1;
    if (map->share == NODE_NONE)
        return values;
    return op_sum_to(g, op_mul(g, values, op_broadcast_to(g, map->share, all)), one);
}

// Takes an input in place of what one slice adds.
static NodeId cut_sum(Graph *g, NodeId part, MapSum *sum)
{
    *sum = (MapSum){part, op_input(g, graph_shape(g, part), "whole")};
    return sum->whole;
}

static void make_form(Making *making)
{
    Graph            *g       = making->graph;
    Map              *map     = making->map;
    const MapRequest *request = making->request;
    const MapMode    *mode    = request->mode;
    bool   path = making_is_path(request), averages = map->noise != NODE_NONE && mode->smooths_maps;
    bool   of_points = averages && !path; // a map of each point
    NodeId sum = add_points(g, map, of_points ? form_nodes(g, mode->form, map->each) : map->each);
    if (request->in_slices)
        sum = cut_sum(g, sum, &map->over_points);
    if (path && mode->path_times_input)
        sum = op_mul(g, sum, op_sub(g, making->end, map->baseline));
    map->raw = of_points ? add_points(g, map, map->each) : sum;
    if (request->noisy_path)
        sum = cut_sum(g, averages ? form_nodes(g, mode->form, sum) : sum, &map->over_copies);
    NodeId form  = averages ? sum : form_nodes(g, mode->form, sum);
    Shape  shape = graph_shape(g, form);
    map->map     = making->request->images
                       ? op_reshape(g, form, shape_3d(map->images, shape.dim[2], shape.dim[3]))
                       : op_reshape(g, form, shape_2d(shape.dim[2], shape.dim[3]));
}

static bool make_map(Making *making, Error *error)
{
    Map *map = making->map;
    if (!rule_weights_open(&map->weights, error))
        return false;
    make_points(making);
    if (!make_network(making, error))
        return false;
    if (!attention_suits(making->graph, map->layer, making->request->method, error))
        return false;
    bool ok = false;
    switch (making->request->method->kind) {
    case MAP_GRADCAM:
        ok = make_gradcam(making, error);
        break;
    case MAP_ROLLOUT:
    case MAP_GRADIENT_ROLLOUT:
        ok = make_rollout(making, error);
        break;
    default:
        ok = making_walk(making, making->points, &map->each, error);
    }
    if (!ok)
        return false;
    if (making->request->method->times_input)
        map->each = op_mul(making->graph, map->each, making->points);
    make_form(making);
    return graph_check(making->graph, error);
}

bool map_build_on(Graph *graph, const MapNetwork *network, const MapRequest *request, NodeId image,
                  Map *out, Error *error)
{
    Map    map    = {.image       = image,
                     .target      = NODE_NONE,
                     .baseline    = NODE_NONE,
                     .factor      = NODE_NONE,
                     .noise       = NODE_NONE,
                     .share       = NODE_NONE,
                     .over_points = {NODE_NONE, NODE_NONE},
                     .over_copies = {NODE_NONE, NODE_NONE}};
    Making making = {.graph = graph, .network = network, .request = request, .map = &map};
    if (!graph_check(graph, error))
        return false;
    if (!make_map(&making, error)) {
        map_close(&map);
        return false;
    }
    *out = map;
    return true;
}

void map_close(Map *map)
{
    account_close(&map->account);
    rule_weights_close(map->weights);
    *map = (Map){0};
}

static void choose(Plan *plan, const Map *map, int64_t image, int64_t unit)
{
    real *target = plan_input(plan, map->target) + image * map->units;
    for (int64_t i = 0; i < map->units; i++)
        target[i] = (real)(i == unit);
}

void map_choose(Plan *plan, const Map *map, int64_t unit)
{
    for (int64_t image = 0; image < map->images; image++)
        choose(plan, map, image, unit);
}

void map_choose_each(Plan *plan, const Map *map, const int64_t *units)
{
    for (int64_t image = 0; image < map->images; image++)
        choose(plan, map, image, units[image]);
}
