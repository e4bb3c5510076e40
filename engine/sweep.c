/* engine/sweep.c - the reverse sweep: what it makes are nodes, so it can be repeated on them.
 *
 * Knows no op by name: it marks what lies between the variables and the node it starts from, walks
 * indices down and adds up what is handed to a node. The gradient is the sweep with the ops' own
 * rules. */
#include "graph.h"

/* reaches[i]: node i depends on one of wrt through ops that have a gradient. */
static void mark_dependents(const Graph *graph, const NodeId *wrt, int count, NodeId last,
                            bool *reaches)
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

static SweepRule *rule_of(const SweepRules *rules, const Graph *graph, NodeId node)
{
    SweepRule *rule = NULL;
    if (rules && rules->rule_for)
        rule = rules->rule_for(rules->self, graph, node);
    return rules && !rule ? rules->rule[graph_op(graph, node)] : rule;
}

/* What has arrived at every node, and which of them pass it on. */
typedef struct Sweep {
    const SweepRules *rules;
    NodeId           *arrived;
    bool             *reaches;
} Sweep;

static void hand_down(Graph *graph, const Sweep *sweep, NodeId node, NodeId input, NodeId part)
{
    NodeId *sum = &sweep->arrived[input];
    if (!shape_equal(graph_shape(graph, part), graph_shape(graph, input)))
        fail(&graph->error, ERROR_INTERNAL, "sweep: %s hands %s down to %s",
             op_name(graph_op(graph, node)), SHAPE_TEXT(graph_shape(graph, part)),
             SHAPE_TEXT(graph_shape(graph, input)));
    *sum = *sum == NODE_NONE ? part : op_add(graph, *sum, part);
}

static void pass_node(Graph *graph, const Sweep *sweep, NodeId node)
{
    const OpInfo *info = op_info(graph_op(graph, node));
    SweepRule    *rule = rule_of(sweep->rules, graph, node);
    NodeId        part[OP_ARITY];
    bool          wanted[OP_ARITY], is_any_wanted = false;
    for (int i = 0; i < info->arity; i++) {
        part[i]   = NODE_NONE;
        wanted[i] = sweep->reaches[graph_input(graph, node, i)];
        is_any_wanted |= wanted[i];
    }
    if (!is_any_wanted)
        return;
    if (rule)
        rule(sweep->rules->self, graph, node, sweep->arrived[node], wanted, part);
    else if (info->backward)
        info->backward(graph, node, sweep->arrived[node], wanted, part);
    for (int i = 0; i < info->arity && graph->error.code == ERROR_NONE; i++)
        if (wanted[i] && part[i] != NODE_NONE)
            hand_down(graph, sweep, node, graph_input(graph, node, i), part[i]);
}

static bool check_start(Graph *graph, NodeId from, NodeId start)
{
    bool are_nodes = from >= 0 && from < graph->count && start >= 0 && start < graph->count;
    if (are_nodes && shape_equal(graph_shape(graph, from), graph_shape(graph, start)))
        return true;
    return fail(&graph->error, ERROR_INTERNAL, "sweep: begins with %s at a node of %s",
                SHAPE_TEXT(graph_shape(graph, start)), SHAPE_TEXT(graph_shape(graph, from)));
}

void graph_sweep(Graph *graph, const SweepRules *rules, NodeId from, NodeId start,
                 const NodeId *wrt, int count, NodeId *result)
{
    for (int i = 0; i < count; i++)
        result[i] = NODE_NONE;
    if (graph->error.code != ERROR_NONE || !check_start(graph, from, start))
        return;
    size_t nodes = (size_t)from + 1;
    Sweep  sweep = {.rules   = rules,
                    .arrived = memory_new(nodes, sizeof *sweep.arrived, &graph->error),
                    .reaches = memory_new(nodes, sizeof *sweep.reaches, &graph->error)};
    if (sweep.arrived && sweep.reaches) {
        for (NodeId node = 0; node <= from; node++)
            sweep.arrived[node] = NODE_NONE;
        mark_dependents(graph, wrt, count, from, sweep.reaches);
        sweep.arrived[from] = start;
        for (NodeId node = from; node >= 0; node--)
            if (sweep.arrived[node] != NODE_NONE && sweep.reaches[node])
                pass_node(graph, &sweep, node);
        for (int i = 0; i < count; i++) {
            bool known = wrt[i] >= 0 && wrt[i] <= from && sweep.arrived[wrt[i]] != NODE_NONE;
            result[i] =
                known ? sweep.arrived[wrt[i]] : op_constant(graph, graph_shape(graph, wrt[i]), 0);
        }
    }
    memory_free(sweep.arrived);
    memory_free(sweep.reaches);
}

void graph_gradient(Graph *graph, NodeId scalar, const NodeId *wrt, int count, NodeId *gradients)
{
    for (int i = 0; i < count; i++)
        gradients[i] = NODE_NONE;
    if (graph->error.code != ERROR_NONE)
        return;
    if (scalar < 0 || scalar >= graph->count || shape_elements(graph_shape(graph, scalar)) != 1) {
        fail(&graph->error, ERROR_INTERNAL, "gradient: the differentiated node must be one number");
        return;
    }
    NodeId one = op_constant(graph, graph_shape(graph, scalar), 1);
    graph_sweep(graph, NULL, scalar, one, wrt, count, gradients);
}
