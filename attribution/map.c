/* attribution/map.c - a network, a walk back, a form: the nodes of a map. */
#include "attribution.h"
#include "form.h"
#include "walk.h"

const PlanOptions map_plan_options = {.conv = CONV_DIRECT, .even_forward = true};

/* What is known while a map is made. */
typedef struct Making {
    Graph            *graph;
    const MapNetwork *network;
    const MapRequest *request;
    Map              *map;
    NodeId            points; // what the network reads: the image, or points
    NodeId            end;    // of a path: the image, or a noisy copy of it
} Making;

static bool is_path(const MapRequest *request)
{
    return request->method->kind == MAP_INTEGRATED;
}

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
    if (is_path(making->request))
        map->baseline = op_input(g, graph_shape(g, map->image), "baseline");
    if (count == 0)
        return;
    map->share = op_input(g, each, "share");
    if (making->request->noisy_path) {
        map->noise  = op_input(g, graph_shape(g, map->image), "noise");
        making->end = op_add(g, map->image, map->noise);
    }
    NodeId image = op_broadcast_to(g, making->end, all);
    if (is_path(making->request)) {
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

/* ---- the walk -------------------------------------------------------------------------------- */

// What arrives at the layer that is explained: (E1).
static NodeId make_start(Making *making)
{
    Graph *g     = making->graph;
    Map   *map   = making->map;
    Shape  shape = graph_shape(g, map->layer), one = shape;
    bool   is_class = shape.rank == 2;
    for (int i = 0; i < one.rank; i++)
        one.dim[i] = i == 0 ? map->images : i == 1 ? map->units : 1;
    NodeId chosen = op_broadcast_to(g, op_reshape(g, map->target, one), shape), start;
    if (is_path(making->request)) {
        if (!making->request->mode->path_of_probability || !is_class)
            return chosen;
        NodeId probability = op_dot(g, op_exp(g, op_log_softmax(g, map->layer)), chosen);
        graph_gradient(g, probability, &map->layer, 1, &start);
        return start;
    }
    return making->request->mode->starts_at_value ? op_mul(g, map->layer, chosen) : chosen;
}

// The bounds of pixels, as the network reads them: (E15).
static bool make_bounds(Making *making, NodeId *low, NodeId *high, Error *error)
{
    int64_t channels = graph_shape(making->graph, making->points).dim[1];
    Shape   shape    = shape_4d(1, channels, 1, 1);
    real   *data     = rule_weights_own(making->map->weights, 2 * (size_t)channels, error);
    if (!data || !making->network->bounds(making->network->self, data, data + channels, error))
        return false;
    bool shares = making->request->mode->shared_bounds;
    for (int64_t c = 1; c < channels && shares; c++) {
        data[0]        = data[c] < data[0] ? data[c] : data[0];
        data[channels] = data[channels + c] > data[channels] ? data[channels + c] : data[channels];
    }
    for (int64_t c = 1; c < channels && shares; c++) {
        data[c]            = data[0];
        data[channels + c] = data[channels];
    }
    *low  = op_parameter(making->graph, shape, data);
    *high = op_parameter(making->graph, shape, data + channels);
    return graph_check(making->graph, error);
}

static bool make_walk(Making *making, NodeId to, NodeId *result, Error *error)
{
    const MapRequest *request   = making->request;
    const Composite  *relevance = request->method->relevance;
    Map              *map       = making->map;
    NodeId            low = NODE_NONE, high = NODE_NONE;
    if (relevance && request->relevance)
        relevance = request->relevance;
    Walk walk = {.mode      = request->mode->sweep,
                 .gradient  = request->method->rule,
                 .relevance = relevance,
                 .low       = &low,
                 .high      = &high,
                 .weights   = map->weights,
                 .account   = &map->account};
    if (is_path(request)) // published as the derivative of a framework, closed at zero
        walk.mode.gate_at_zero = false;
    if (request->method->needs_patterns) {
        walk.pattern      = making->network->pattern;
        walk.pattern_self = making->network->self;
    }
    if (relevance && relevance->first == RULE_BOX && !make_bounds(making, &low, &high, error))
        return false;
    return walk_back(making->graph, &walk, map->layer, make_start(making), to, result, error);
}

/* ---- Grad-CAM -------------------------------------------------------------------------------- */

// The last activation with places before the layer.
static NodeId last_maps(const Graph *g, NodeId layer)
{
    for (NodeId node = layer - 1; node >= 0; node--)
        if ((graph_op(g, node) == OP_RELU || graph_op(g, node) == OP_SOFTPLUS) &&
            graph_shape(g, node).rank == 4)
            return node;
    return NODE_NONE;
}

/* A matrix [large, small] whose product with a row of `small` cells is that row resized, linearly
 * between the centres of cells. */
static NodeId resizer(Making *making, int64_t small, int64_t large, Error *error)
{
    real *data = rule_weights_own(making->map->weights, (size_t)(small * large), error);
    for (int64_t i = 0; data && i < large; i++) {
        double at    = ((double)i + 0.5) * (double)small / (double)large - 0.5;
        at           = at < 0 ? 0 : at > (double)(small - 1) ? (double)(small - 1) : at;
        int64_t left = (int64_t)at, right = left + 1 < small ? left + 1 : left;
        data[i * small + left] += (real)(1 - (at - (double)left));
        data[i * small + right] += (real)(at - (double)left);
    }
    return data ? op_parameter(making->graph, shape_2d(large, small), data) : NODE_NONE;
}

/* (E10): relu(sum of channels, each times its mean derivative), as large as the image. */
static bool make_gradcam(Making *making, Error *error)
{
    Graph *g    = making->graph;
    Map   *map  = making->map;
    NodeId maps = last_maps(g, map->layer), slope;
    if (maps == NODE_NONE)
        return fail(error, ERROR_USAGE, "gradcam: no activation with places lies before the layer");
    if (!make_walk(making, maps, &slope, error))
        return false;
    Shape   a = graph_shape(g, maps), one = a, flat = a, image = graph_shape(g, map->image);
    int64_t count = a.dim[0], h = image.dim[2], w = image.dim[3];
    one.dim[2] = one.dim[3] = flat.dim[1] = 1;
    NodeId mean    = op_scale(g, op_sum_to(g, slope, one), 1 / (real)(a.dim[2] * a.dim[3]));
    NodeId sum     = op_sum_to(g, op_mul(g, maps, op_broadcast_to(g, mean, a)), flat);
    NodeId rows    = resizer(making, a.dim[2], h, error),
           columns = resizer(making, a.dim[3], w, error);
    if (rows == NODE_NONE || columns == NODE_NONE)
        return graph_check(g, error);
    // A product an image, so that no image's bits depend on how many there are.
    Shape  tall = shape_3d(count, h, a.dim[2]), broad = shape_3d(count, w, a.dim[3]);
    NodeId small = op_reshape(g, op_relu(g, sum), shape_3d(count, a.dim[2], a.dim[3]));
    rows         = op_broadcast_to(g, op_reshape(g, rows, shape_3d(1, h, a.dim[2])), tall);
    columns      = op_broadcast_to(g, op_reshape(g, columns, shape_3d(1, w, a.dim[3])), broad);
    NodeId cells = op_matmul(g, rows, op_matmul(g, small, columns, false, true), false, false);
    map->each    = op_reshape(g, cells, shape_4d(count, 1, h, w));
    return graph_check(g, error);
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
    bool   path = is_path(request), averages = map->noise != NODE_NONE && mode->smooths_maps;
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
    if (making->request->method->kind == MAP_GRADCAM) {
        if (!make_gradcam(making, error))
            return false;
    } else if (!make_walk(making, making->points, &map->each, error)) {
        return false;
    }
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
