/* attribution/walk.c - which rule holds at which node, and the walk itself. */
#include "walk.h"

#include <stdio.h>
#include <string.h>

/* ---- what lies between ------------------------------------------------------------------------- */

int held_input(const Walker *walker, const Graph *g, NodeId node)
{
    const Composite *relevance = walker->walk->relevance;
    if (!relevance)
        return -1;
    if (is_centring(g, node))
        return 1;
    if (graph_op(g, node) == OP_MATMUL && relevance->attention == ATTENTION_HELD)
        for (int i = 0; i < 2; i++)
            if (graph_op(g, graph_input(g, node, i)) == OP_SOFTMAX)
                return i;
    return gate_input(g, node);
}

// The index of a pool depends on the image, but nothing is handed down to it.
static bool hands_down(const Walker *walker, const Graph *g, NodeId node, int input)
{
    return graph_op(g, node) != OP_MAXPOOL_INDEX && input != held_input(walker, g, node);
}

static void mark(Walker *walker, const Graph *g)
{
    walker->is_between[walker->image] = true;
    for (NodeId node = walker->image + 1; node <= walker->from; node++) {
        walker->sum[node] = NODE_NONE;
        for (int i = 0; i < graph_input_count(g, node); i++) {
            NodeId input = graph_input(g, node, i);
            if (!hands_down(walker, g, node, i))
                continue;
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
        for (int i = 0; i < graph_input_count(g, node) && leads[node]; i++)
            leads[graph_input(g, node, i)] |= hands_down(walker, g, node, i);
    for (NodeId node = 0; node <= walker->from; node++)
        walker->is_between[node] &= leads[node];
}

static bool is_residual_sum(const Walker *walker, const Graph *g, NodeId node)
{
    return walker->is_between[graph_input(g, node, 0)] &&
           walker->is_between[graph_input(g, node, 1)] && !is_concat(g, node);
}

static bool is_variable(const Walker *walker, const Graph *g, NodeId node, int input)
{
    return walker->is_between[graph_input(g, node, input)];
}

static bool is_product(const Walker *walker, const Graph *g, NodeId node)
{
    bool has_held = held_input(walker, g, node) >= 0;
    return graph_op(g, node) == OP_MATMUL &&
           (has_held || (is_variable(walker, g, node, 0) && is_variable(walker, g, node, 1)));
}

// A term a channel behind a layer is its bias, which the rule of the layer sees.
static bool is_bias(const Walker *walker, const Graph *g, NodeId node)
{
    NodeId layer = graph_input(g, node, 0);
    return has_weights(g, layer) && walker->sum[layer] == node;
}

// What a node without a name is called; nodes of one kind are counted.
static const char *kind_of(const Walker *walker, const Graph *g, NodeId node)
{
    OpKind op = graph_op(g, node);
    if (is_product(walker, g, node))
        return graph_op(g, graph_input(g, node, 0)) == OP_SOFTMAX ||
                       graph_op(g, graph_input(g, node, 1)) == OP_SOFTMAX
                   ? "attention"
                   : "scores";
    if (op == OP_ADD)
        return is_norm(g, node)                   ? "norm"
               : is_centring(g, node)             ? "centring"
               : is_bias(walker, g, node)         ? "bias"
               : is_residual_sum(walker, g, node) ? "sum"
                                                  : "term";
    return op == OP_SUM_TO ? "mean" : op == OP_SOFTMAX ? "soft-max" : op_name(op);
}

WalkName walk_name(const Walker *walker, const Graph *graph, NodeId node)
{
    WalkName    name;
    const char *kind   = kind_of(walker, graph, node);
    int         number = 0;
    snprintf(name.text, sizeof name.text, "%s", graph_name_of(graph, node));
    if (name.text[0])
        return name;
    for (NodeId i = 0; i <= node; i++)
        number += walker->is_between[i] && strcmp(kind_of(walker, graph, i), kind) == 0;
    snprintf(name.text, sizeof name.text, "%s %d", kind, number);
    return name;
}

/* ---- rules ----------------------------------------------------------------------------------- */

static SweepRule *gradient_rule(const Walker *walker, const Graph *g, NodeId node)
{
    const Walk *walk = walker->walk;
    OpKind      op   = graph_op(g, node);
    if (op == OP_RELU && (walk->gradient != GRADIENT_PLAIN || walk->mode.gate_at_zero))
        return rule_relu;
    if (op == OP_CLAMP && walk->gradient != GRADIENT_PLAIN)
        return rule_clamp;
    if (op == OP_SOFTPLUS && walk->gradient != GRADIENT_PLAIN)
        return rule_softplus;
    if (walk->pattern && has_weights(g, node))
        return rule_pattern;
    return NULL;
}

static SweepRule *rule_of_add(const Walker *walker, const Graph *g, NodeId node)
{
    const Composite *relevance = walker->walk->relevance;
    if (is_centring(g, node))
        return relevance->norms_pass ? rule_pass : rule_centring;
    if (is_variable(walker, g, node, 0) && is_variable(walker, g, node, 1))
        return is_concat(g, node) ? rule_pass_to_both : rule_sum;
    if (is_bias(walker, g, node))
        return rule_pass;
    if (is_layer_norm(g, node))
        return relevance->norms_pass ? rule_pass : rule_term;
    if (!is_norm(g, node))
        return rule_term;
    return !walker->walk->mode.norms_pass && relevance->sum == SUM_PROPORTIONAL ? rule_term
                                                                                : rule_pass;
}

static bool relevance_rule(const Walker *walker, const Graph *g, NodeId node, SweepRule **rule)
{
    *rule = NULL;
    switch (graph_op(g, node)) {
    case OP_CONV2D:
    case OP_MATMUL:
        *rule = is_product(walker, g, node) ? rule_product : rule_linear;
        return *rule == rule_product
                   ? walker->walk->relevance->attention != ATTENTION_NONE
                   : !is_variable(walker, g, node, 1) && !graph_params(g, node).transpose_a;
    case OP_ADD:
        *rule = rule_of_add(walker, g, node);
        return true;
    case OP_MUL:
        *rule = rule_pass;
        return !is_variable(walker, g, node, 0) || !is_variable(walker, g, node, 1);
    case OP_SUM_TO:
        *rule = rule_mean;
        return true;
    case OP_SOFTMAX:
        *rule = rule_soft_max;
        return true;
    case OP_RELU:
    case OP_CLAMP:
    case OP_SOFTPLUS:
    case OP_SIGMOID:
    case OP_NORMAL_CDF:
    case OP_SCALE_OFFSET:
        *rule = rule_pass;
        return true;
    case OP_RESHAPE: // numbers move, and their relevance moves back with them
    case OP_BROADCAST_TO:
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
