/* attribution/walk.c - which rule holds at which node, and the walk itself. */
#include "walk.h"

#include <stdio.h>
#include <string.h>

/* ---- what a node is -------------------------------------------------------------------------- */

static bool has_weights(const Graph *g, NodeId node)
{
    OpKind op = graph_op(g, node);
    return op == OP_CONV2D || op == OP_MATMUL;
}

// The index of a pool depends on the image, but nothing is handed down to it.
static bool hands_down(const Graph *g, NodeId node)
{
    return graph_op(g, node) != OP_MAXPOOL_INDEX;
}

// Two arrays put side by side, as op_concat does it.
static bool is_concat(const Graph *g, NodeId node)
{
    NodeId a = graph_input(g, node, 0), b = graph_input(g, node, 1);
    if (graph_op(g, a) != OP_PAD || graph_op(g, b) != OP_PAD)
        return false;
    OpParams left = graph_params(g, a), right = graph_params(g, b);
    return left.axis == right.axis && left.start == 0 && right.count == 0 &&
           right.start == graph_shape(g, graph_input(g, a, 0)).dim[left.axis];
}

// A factor and a term a channel, as op_affine makes them.
static bool is_norm(const Graph *g, NodeId node)
{
    NodeId scaled = graph_input(g, node, 0);
    return graph_op(g, node) == OP_ADD && graph_op(g, scaled) == OP_MUL &&
           graph_is_per_channel(g, graph_input(g, node, 1)) &&
           graph_is_per_channel(g, graph_input(g, scaled, 1));
}

static void mark(Walker *walker, const Graph *g)
{
    walker->is_between[walker->image] = true;
    for (NodeId node = walker->image + 1; node <= walker->from; node++) {
        walker->sum[node] = NODE_NONE;
        for (int i = 0; i < graph_input_count(g, node) && hands_down(g, node); i++) {
            NodeId input = graph_input(g, node, i);
            walker->is_between[node] |= walker->is_between[input];
            walker->is_weighed[node] |=
                walker->is_between[input] && (walker->is_weighed[input] || has_weights(g, node));
        }
        NodeId layer = graph_op(g, node) == OP_ADD ? graph_input(g, node, 0) : NODE_NONE;
        if (layer != NODE_NONE && has_weights(g, layer) &&
            graph_is_per_channel(g, graph_input(g, node, 1)))
            walker->sum[layer] = node;
    }
    bool *leads         = walker->leads;
    leads[walker->from] = true;
    for (NodeId node = walker->from; node > walker->image; node--)
        for (int i = 0; i < graph_input_count(g, node) && leads[node] && hands_down(g, node); i++)
            leads[graph_input(g, node, i)] = true;
    for (NodeId node = 0; node <= walker->from; node++)
        walker->is_between[node] &= leads[node];
}

static bool is_residual_sum(const Walker *walker, const Graph *g, NodeId node)
{
    return walker->is_between[graph_input(g, node, 0)] &&
           walker->is_between[graph_input(g, node, 1)] && !is_concat(g, node);
}

WalkName walk_name(const Walker *walker, const Graph *graph, NodeId node)
{
    WalkName    name;
    OpKind      op         = graph_op(graph, node);
    bool        is_of_norm = is_norm(graph, node);
    const char *kind       = is_of_norm        ? "norm"
                             : op == OP_ADD    ? "sum"
                             : op == OP_SUM_TO ? "mean"
                                               : op_name(op);
    int         number     = 0;
    snprintf(name.text, sizeof name.text, "%s", graph_name_of(graph, node));
    if (name.text[0])
        return name;
    for (NodeId i = 0; i <= node; i++)
        number += walker->is_between[i] && graph_op(graph, i) == op &&
                  is_norm(graph, i) == is_of_norm &&
                  (op != OP_ADD || is_of_norm || is_residual_sum(walker, graph, i));
    snprintf(name.text, sizeof name.text, "%s %d", kind, number);
    return name;
}

/* ---- rules ----------------------------------------------------------------------------------- */

static bool is_variable(const Walker *walker, const Graph *g, NodeId node, int input)
{
    return walker->is_between[graph_input(g, node, input)];
}

static SweepRule *gradient_rule(const Walker *walker, const Graph *g, NodeId node)
{
    const Walk *walk = walker->walk;
    OpKind      op   = graph_op(g, node);
    if (op == OP_RELU && (walk->gradient != GRADIENT_PLAIN || walk->mode.gate_at_zero))
        return rule_relu;
    if (op == OP_SOFTPLUS && walk->gradient != GRADIENT_PLAIN)
        return rule_softplus;
    if (walk->pattern && has_weights(g, node))
        return rule_pattern;
    return NULL;
}

static bool relevance_rule(const Walker *walker, const Graph *g, NodeId node, SweepRule **rule)
{
    *rule = NULL;
    switch (graph_op(g, node)) {
    case OP_CONV2D:
    case OP_MATMUL:
        *rule = rule_linear;
        return !is_variable(walker, g, node, 1) && !graph_params(g, node).transpose_a;
    case OP_ADD:
        *rule = rule_pass;
        if (is_variable(walker, g, node, 0) && is_variable(walker, g, node, 1))
            *rule = is_concat(g, node) ? rule_pass_to_both : rule_sum;
        else if (is_norm(g, node) && !walker->walk->mode.norms_pass &&
                 walker->walk->relevance->sum == SUM_PROPORTIONAL)
            *rule = rule_norm;
        return true;
    case OP_MUL:
        *rule = rule_pass;
        return !is_variable(walker, g, node, 0) || !is_variable(walker, g, node, 1);
    case OP_SUM_TO:
        *rule = rule_mean;
        return true;
    case OP_RELU:
    case OP_SOFTPLUS:
    case OP_SCALE_OFFSET:
        *rule = rule_pass;
        return true;
    case OP_RESHAPE: // numbers move, and their relevance moves back with them
    case OP_SLICE:
    case OP_PAD:
    case OP_GATHER:
        return true;
    default:
        return false;
    }
}

bool walker_rule(const Walker *walker, const Graph *graph, NodeId node, SweepRule **rule,
                 Error *error)
{
    if (!walker->walk->relevance) {
        *rule = gradient_rule(walker, graph, node);
        return *rule != rule_pattern || !is_variable(walker, graph, node, 1) ||
               fail(error, ERROR_USAGE, "layer '%s' has no weights of its own, so no pattern",
                    walk_name(walker, graph, node).text);
    }
    return relevance_rule(walker, graph, node, rule) ||
           fail(error, ERROR_USAGE, "layer '%s' (%s) has no rule of relevance",
                walk_name(walker, graph, node).text, op_name(graph_op(graph, node)));
}

static SweepRule *rule_at(void *self, const Graph *graph, NodeId node)
{
    SweepRule *rule = NULL;
    walker_rule(self, graph, node, &rule, NULL);
    return rule;
}

/* ---- the walk -------------------------------------------------------------------------------- */

static bool check_rules(const Walker *walker, const Graph *graph, Error *error)
{
    for (NodeId node = walker->from; node > walker->image; node--) {
        SweepRule *rule;
        if (walker->is_between[node] && !walker_rule(walker, graph, node, &rule, error))
            return false;
    }
    return true;
}

bool walk_back(Graph *graph, const Walk *walk, NodeId from, NodeId start, NodeId image,
               NodeId *result, Error *error)
{
    if (!graph_check(graph, error))
        return false;
    size_t     nodes  = (size_t)from + 1;
    Walker     walker = {.walk       = walk,
                         .image      = image,
                         .from       = from,
                         .is_between = memory_new(nodes, sizeof(bool), error),
                         .is_weighed = memory_new(nodes, sizeof(bool), error),
                         .leads      = memory_new(nodes, sizeof(bool), error),
                         .sum        = memory_new(nodes, sizeof(NodeId), error)};
    SweepRules rules  = {.rule_for = rule_at, .self = &walker};
    bool       ok     = walker.is_between && walker.is_weighed && walker.leads && walker.sum;
    if (ok) {
        mark(&walker, graph);
        ok = check_rules(&walker, graph, error);
    }
    if (ok) {
        graph_sweep(graph, &rules, from, start, &image, 1, result);
        ok = walker.error.code == ERROR_NONE ||
             fail(error, walker.error.code, "%s", walker.error.message);
        ok = ok && graph_check(graph, error);
    }
    memory_free(walker.is_between);
    memory_free(walker.is_weighed);
    memory_free(walker.leads);
    memory_free(walker.sum);
    return ok;
}
