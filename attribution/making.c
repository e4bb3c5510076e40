/* attribution/making.c - what is explained, and the walk from there; see making.h. */
#include "making.h"
#include "walk.h"

bool making_is_path(const MapRequest *request)
{
    return request->method->kind == MAP_INTEGRATED;
}

NodeId making_chosen(const Making *making)
{
    Graph     *g     = making->graph;
    const Map *map   = making->map;
    Shape      shape = graph_shape(g, map->layer), one = shape;
    for (int i = 0; i < one.rank; i++)
        one.dim[i] = i == 0 ? map->images : i == 1 ? map->units : 1;
    return op_broadcast_to(g, op_reshape(g, map->target, one), shape);
}

bool making_is_probability(const MapMode *mode, const char *layer)
{
    return mode->path_of_probability && !layer;
}

/* What arrives at the layer that is explained: (E1). The value of a unit with places is a map,
 * whose cells are relevance; times it a gradient would be that of another function. */
static NodeId make_start(Making *making)
{
    Graph            *g       = making->graph;
    Map              *map     = making->map;
    const MapRequest *request = making->request;
    const MapMode    *mode    = request->mode;
    NodeId            chosen  = making_chosen(making), start;
    if (making_is_path(request)) {
        if (!making_is_probability(mode, request->layer))
            return chosen;
        NodeId probability = op_dot(g, op_exp(g, op_log_softmax(g, map->layer)), chosen);
        graph_gradient(g, probability, &map->layer, 1, &start);
        return start;
    }
    bool has_places = graph_shape(g, map->layer).rank > 2;
    bool at_value   = request->method->relevance ? mode->relevance_at_value
                                                 : mode->gradient_at_value && !has_places &&
                                                     request->method->kind != MAP_GRADCAM;
    return at_value ? op_mul(g, map->layer, chosen) : chosen;
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

bool making_walk(Making *making, NodeId to, NodeId *result, Error *error)
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
    if (making_is_path(request)) // published as the derivative of a framework, closed at zero
        walk.mode.gate_at_zero = false;
    if (request->method->needs_patterns) {
        walk.pattern      = making->network->pattern;
        walk.pattern_self = making->network->self;
    }
    if (relevance && relevance->first == RULE_BOX && !make_bounds(making, &low, &high, error))
        return false;
    return walk_back(making->graph, &walk, map->layer, make_start(making), to, result, error);
}
