/* engine/graph.c - the node array: appending, naming, sticky errors. */
#include "graph.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { GRAPH_MOST_NODES = 1 << 24 };

static const char *const element_names[] = {"numbers", "positions"};

bool graph_create(Graph **out, Error *error)
{
    Graph *graph = memory_new(1, sizeof *graph, error);
    if (!graph)
        return false;
    *out = graph;
    return true;
}

void graph_destroy(Graph *graph)
{
    if (graph)
        memory_free(graph->nodes);
    memory_free(graph);
}

bool graph_check(const Graph *graph, Error *error)
{
    if (graph->error.code == ERROR_NONE)
        return true;
    return fail(error, graph->error.code, "%s", graph->error.message);
}

Shape graph_shape(const Graph *graph, NodeId node)
{
    return node < 0 ? shape_scalar() : graph->nodes[node].shape;
}

void graph_name(Graph *graph, NodeId node, const char *name)
{
    if (node >= 0)
        snprintf(graph->nodes[node].name, NODE_NAME_BYTES, "%s", name);
}

const char *graph_name_of(const Graph *graph, NodeId node)
{
    return graph_node(graph, node)->name;
}

NodeId graph_find(const Graph *graph, const char *name)
{
    for (NodeId node = graph->count - 1; node >= 0; node--)
        if (!strcmp(graph->nodes[node].name, name))
            return node;
    return NODE_NONE;
}

int32_t graph_node_count(const Graph *graph)
{
    return graph->count;
}

OpKind graph_op(const Graph *graph, NodeId node)
{
    return graph_node(graph, node)->op;
}

int graph_input_count(const Graph *graph, NodeId node)
{
    return op_info(graph_node(graph, node)->op)->arity;
}

NodeId graph_input(const Graph *graph, NodeId node, int i)
{
    return graph_node(graph, node)->input[i];
}

OpParams graph_params(const Graph *graph, NodeId node)
{
    return graph_node(graph, node)->params;
}

bool graph_is_per_channel(const Graph *graph, NodeId node)
{
    if (graph_op(graph, node) != OP_BROADCAST_TO)
        return false;
    Shape large = graph_shape(graph, node), small = graph_shape(graph, graph_input(graph, node, 0));
    for (int i = 0; i < small.rank; i++)
        if (small.dim[i] != (i == 1 ? large.dim[1] : 1))
            return false;
    return large.rank >= 2;
}

NodeId graph_root(const Graph *graph, NodeId node)
{
    while (op_info(graph_op(graph, node))->flags & OP_SHARES_MEMORY)
        node = graph_input(graph, node, 0);
    return node;
}

int64_t graph_group_start(const Graph *graph, NodeId conv, int64_t channel)
{
    const Node *node  = graph_node(graph, conv);
    Shape       w     = graph_shape(graph, node->input[1]);
    int64_t     group = channel * graph_shape(graph, node->input[0]).dim[1] / (w.dim[0] * w.dim[1]);
    return group * w.dim[1];
}

bool graph_reads(const Graph *graph, NodeId node, NodeId input)
{
    for (int i = 0; i < OP_ARITY; i++)
        if (graph_node(graph, node)->input[i] == input)
            return true;
    return false;
}

NodeId graph_append(Graph *graph, OpKind op, const NodeId *input, const OpParams *params)
{
    const OpInfo *info         = op_info(op);
    Shape         in[OP_ARITY] = {{0}}, shape = {0};
    size_t        elements = 0;
    if (graph->error.code != ERROR_NONE)
        return NODE_NONE;
    assert(info->arity <= OP_ARITY);
    for (int i = 0; i < info->arity; i++) {
        if (input[i] < 0 || input[i] >= graph->count) {
            fail(&graph->error, ERROR_INTERNAL, "%s: input %d is not a node", info->name, i);
            return NODE_NONE;
        }
        Element gives = op_info(graph->nodes[input[i]].op)->gives;
        if (gives != info->takes[i]) {
            fail(&graph->error, ERROR_INTERNAL, "%s: input %d holds %s, expected %s", info->name, i,
                 element_names[gives], element_names[info->takes[i]]);
            return NODE_NONE;
        }
        in[i] = graph->nodes[input[i]].shape;
    }
    if (!info->infer(in, params, &shape, &graph->error))
        return NODE_NONE;
    if (!shape_count(shape, &elements)) {
        fail(&graph->error, ERROR_DATA, "%s: result %s is empty or too large", info->name,
             SHAPE_TEXT(shape));
        return NODE_NONE;
    }
    if (graph->count == graph->room) {
        int32_t room = graph->room ? 2 * graph->room : 64;
        Node   *more = room > GRAPH_MOST_NODES ? NULL
                                               : memory_grow(graph->nodes, (size_t)graph->count,
                                                             (size_t)room, sizeof(Node), NULL);
        if (!more) {
            fail(&graph->error, ERROR_MEMORY, "no memory for a graph of %d nodes", room);
            return NODE_NONE;
        }
        graph->nodes = more;
        graph->room  = room;
    }
    Node *node = &graph->nodes[graph->count];
    *node      = (Node){.op = op, .params = *params, .shape = shape};
    for (int i = 0; i < OP_ARITY; i++)
        node->input[i] = i < info->arity ? input[i] : NODE_NONE;
    return graph->count++;
}
