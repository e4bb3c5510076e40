/* engine/gradient.c - the reverse sweep: gradients are nodes, so the sweep can be repeated on them.
 *
 * Knows no op by name: it marks what lies between the variables and the scalar, seeds with one, walks
 * indices down and adds contributions. */
#include "graph.h"

/* reaches[i]: node i depends on one of wrt through ops that have a gradient. */
static void mark_dependents(const Graph *graph, const NodeId *wrt, int count, NodeId last, bool *reaches)
{
    for (int i = 0; i < count; i++)
        if (wrt[i] >= 0 && wrt[i] <= last)
            reaches[wrt[i]] = true;
    for (NodeId node = 0; node <= last; node++) {
        const OpInfo *info = op_info(graph_node(graph, node)->op);
        for (int i = 0; i < info->arity && !(info->flags & OP_NO_GRADIENT); i++)
            if (reaches[graph_node(graph, node)->input[i]])
                reaches[node] = true;
    }
}

void graph_gradient(Graph *graph, NodeId scalar, const NodeId *wrt, int count, NodeId *gradients)
{
    NodeId *gradient = NULL;
    bool   *reaches  = NULL;
    for (int i = 0; i < count; i++)
        gradients[i] = NODE_NONE;
    if (graph->error.code != ERROR_NONE)
        return;
    if (scalar < 0 || scalar >= graph->count || shape_elements(graph_shape(graph, scalar)) != 1) {
        fail(&graph->error, ERROR_INTERNAL, "gradient: the differentiated node must be one number");
        return;
    }
    size_t nodes = (size_t)scalar + 1;
    gradient     = memory_new(nodes, sizeof *gradient, &graph->error);
    reaches      = memory_new(nodes, sizeof *reaches, &graph->error);
    if (!gradient || !reaches)
        goto done;
    for (NodeId node = 0; node <= scalar; node++)
        gradient[node] = NODE_NONE;
    mark_dependents(graph, wrt, count, scalar, reaches);
    gradient[scalar] = op_constant(graph, graph_shape(graph, scalar), 1);
    for (NodeId node = scalar; node >= 0; node--) {
        const OpInfo *info = op_info(graph_node(graph, node)->op);
        if (gradient[node] == NODE_NONE || !reaches[node] || !info->backward)
            continue;
        NodeId part[OP_ARITY];
        bool   wanted[OP_ARITY];
        for (int i = 0; i < info->arity; i++) {
            part[i]   = NODE_NONE;
            wanted[i] = reaches[graph_node(graph, node)->input[i]];
        }
        info->backward(graph, node, gradient[node], wanted, part);
        for (int i = 0; i < info->arity; i++) {
            NodeId input = graph_node(graph, node)->input[i];
            if (part[i] == NODE_NONE)
                continue;
            gradient[input] =
                gradient[input] == NODE_NONE ? part[i] : op_add(graph, gradient[input], part[i]);
        }
    }
    for (int i = 0; i < count; i++) {
        bool known   = wrt[i] >= 0 && wrt[i] <= scalar && gradient[wrt[i]] != NODE_NONE;
        gradients[i] = known ? gradient[wrt[i]] : op_constant(graph, graph_shape(graph, wrt[i]), 0);
    }
done:
    memory_free(gradient);
    memory_free(reaches);
}
