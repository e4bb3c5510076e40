/* engine/op_leaf.c - leaves: what a run is given, weights, constants. */
#include "graph.h"

static bool infer_leaf(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    size_t count;
    (void)in;
    if (!shape_count(params->shape, &count))
        return fail(error, ERROR_DATA, "a leaf of shape %s is empty or too large",
                    SHAPE_TEXT(params->shape));
    *out = params->shape;
    return true;
}

static bool infer_index_input(const Shape *in, const OpParams *params, Shape *out, Error *error)
{
    if (params->count < 1 || params->count > INT32_MAX)
        return fail(error, ERROR_DATA, "an index of positions below %lld cannot be",
                    (long long)params->count);
    return infer_leaf(in, params, out, error);
}

const OpInfo op_info_input = {
    .name = "input", .flags = OP_IS_LEAF | OP_IS_INPUT, .infer = infer_leaf};
const OpInfo op_info_index_input = {.name  = "index_input",
                                    .flags = OP_IS_LEAF | OP_IS_INPUT,
                                    .gives = ELEMENT_INDEX,
                                    .infer = infer_index_input};
const OpInfo op_info_parameter   = {.name = "parameter", .flags = OP_IS_LEAF, .infer = infer_leaf};
const OpInfo op_info_constant    = {.name = "constant", .flags = OP_IS_LEAF, .infer = infer_leaf};

NodeId op_input(Graph *graph, Shape shape, const char *name)
{
    NodeId node = graph_append(graph, OP_INPUT, NULL, &(OpParams){.shape = shape});
    graph_name(graph, node, name);
    return node;
}

NodeId op_scalar_input(Graph *graph, real value, const char *name)
{
    OpParams params = {.shape = shape_scalar(), .value = value};
    NodeId   node   = graph_append(graph, OP_INPUT, NULL, &params);
    graph_name(graph, node, name);
    return node;
}

NodeId op_index_input(Graph *graph, Shape shape, int64_t limit, const char *name)
{
    OpParams params = {.shape = shape, .count = limit};
    NodeId   node   = graph_append(graph, OP_INDEX_INPUT, NULL, &params);
    graph_name(graph, node, name);
    return node;
}

NodeId op_parameter(Graph *graph, Shape shape, const real *data)
{
    OpParams params = {.shape = shape, .data = data};
    return graph_append(graph, OP_PARAMETER, NULL, &params);
}

NodeId op_constant(Graph *graph, Shape shape, real value)
{
    OpParams params = {.shape = shape, .value = value};
    return graph_append(graph, OP_CONSTANT, NULL, &params);
}
