/* attribution/relevance_parts.c - relevance: what rules share, and the rules of layers without
 * weights. */
#include "walk.h"

#include <stdio.h>

/* ---- layers with weights --------------------------------------------------------------------- */

LinearLayer linear_layer(const Graph *graph, NodeId node)
{
    return (LinearLayer){.node    = node,
                         .x       = graph_input(graph, node, 0),
                         .w       = graph_input(graph, node, 1),
                         .is_conv = graph_op(graph, node) == OP_CONV2D,
                         .params  = graph_params(graph, node)};
}

NodeId linear_forward(Graph *graph, const LinearLayer *layer, NodeId x, NodeId w)
{
    const OpParams *p = &layer->params;
    return layer->is_conv ? op_conv2d(graph, x, w, p->stride, p->pad)
                          : op_matmul(graph, x, w, false, p->transpose_b);
}

NodeId linear_backward(Graph *graph, const LinearLayer *layer, NodeId s, NodeId w)
{
    const OpParams *p = &layer->params;
    return layer->is_conv
               ? op_conv2d_input(graph, s, w, graph_shape(graph, layer->x), p->stride, p->pad)
               : op_matmul(graph, s, w, false, !p->transpose_b);
}

/* ---- parts and division ---------------------------------------------------------------------- */

NodeId positive_part(Graph *graph, NodeId x)
{
    return op_relu(graph, x);
}

NodeId negative_part(Graph *graph, NodeId x)
{
    return op_scale(graph, op_relu(graph, op_scale(graph, x, -1)), -1);
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the last activation
bool is_never_negative(const Graph *graph, NodeId node)
{
    OpParams params = graph_params(graph, node);
    switch (graph_op(graph, node)) {
    case OP_RELU:
    case OP_CLAMP:
    case OP_SOFTPLUS:
    case OP_SIGMOID:
        return true;
    case OP_SCALE_OFFSET:
        return params.value >= 0 && params.term >= 0 &&
               is_never_negative(graph, graph_input(graph, node, 0));
    case OP_RESHAPE:
    case OP_SUM_TO:
    case OP_SLICE:
    case OP_PAD:
    case OP_GATHER:
        return is_never_negative(graph, graph_input(graph, node, 0));
    case OP_ADD:
        return is_never_negative(graph, graph_input(graph, node, 0)) &&
               is_never_negative(graph, graph_input(graph, node, 1));
    default:
        return false;
    }
}

/* stabiliser * sign(z), the sign of zero being 1. */
static NodeId signed_stabiliser(Graph *g, NodeId z, real stabiliser)
{
    NodeId negative =
        op_gate(g, op_scale(g, z, -1), op_constant(g, graph_shape(g, z), -2 * stabiliser));
    return op_offset(g, negative, stabiliser);
}

Division relevance_divide(Graph *graph, NodeId arrived, NodeId z, real stabiliser, bool is_positive)
{
    Graph *g = graph;
    if (is_positive) {
        // Only where z > 0: elsewhere nothing is handed on, and 1 / stabiliser is no slope.
        NodeId open  = op_gate(g, z, arrived);
        NodeId s     = op_mul(g, open, op_power(g, op_offset(g, z, stabiliser), -1));
        NodeId total = op_sum(g, s);
        return (Division){s, op_scale(g, total, stabiliser), op_sum(g, op_sub(g, arrived, open))};
    }
    NodeId added = signed_stabiliser(g, z, stabiliser);
    NodeId s     = op_mul(g, arrived, op_power(g, op_add(g, z, added), -1));
    return (Division){s, op_dot(g, s, added), NODE_NONE};
}

/* ---- relevance that goes on as it is --------------------------------------------------------- */

/* Activations, biases, norms that are not folded: to the one input that depends on the image and is
 * not held constant. */
void rule_pass(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
               NodeId *handed)
{
    const Walker *walker = self;
    (void)wanted;
    handed[walker->is_between[graph_input(g, node, 0)] ? 0 : 1] = arrived;
}

/* Channels put side by side: the zeros around each part take nothing. */
void rule_pass_to_both(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
                       NodeId *handed)
{
    (void)self, (void)g, (void)node, (void)wanted;
    handed[0] = handed[1] = arrived;
}

/* ---- sums and means -------------------------------------------------------------------------- */

static const struct {
    const char *name;
    real        stabiliser;
} sum_rules[] = {
    [SUM_POSITIVE] = {"positive", (real)1e-6}, [SUM_PROPORTIONAL] = {"proportional", (real)1e-8}};

static real sum_stabiliser(const Walker *walker, SumRule rule)
{
    real own = walker->walk->mode.stabiliser;
    return own > 0 ? own : sum_rules[rule].stabiliser;
}

static NodeId summand(Graph *g, NodeId x, SumRule rule)
{
    return rule == SUM_PROPORTIONAL || is_never_negative(g, x) ? x : positive_part(g, x);
}

/* (E17): each summand of a residual sum gets its share. */
void rule_sum(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted, NodeId *handed)
{
    Walker *walker = self;
    SumRule rule   = walker->walk->relevance->sum;
    NodeId  a      = summand(g, graph_input(g, node, 0), rule);
    NodeId  b      = summand(g, graph_input(g, node, 1), rule);
    NodeId  z      = rule == SUM_PROPORTIONAL ? node : op_add(g, a, b);
    (void)wanted;
    Division division =
        relevance_divide(g, arrived, z, sum_stabiliser(walker, rule), rule == SUM_POSITIVE);
    handed[0] = op_mul(g, a, division.s);
    handed[1] = op_mul(g, b, division.s);
    account_add(walker, g, node, sum_rules[rule].name, arrived, NODE_NONE, division.stabiliser,
                division.dead);
}

/* (E18): an average pool is a sum whose parts get their shares; the division by their number goes
 * into the stabiliser. */
void rule_mean(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
               NodeId *handed)
{
    Walker *walker = self;
    SumRule rule   = walker->walk->relevance->mean;
    NodeId  x = graph_input(g, node, 0), part = summand(g, x, rule);
    Shape   large = graph_shape(g, x), small = graph_shape(g, node);
    int64_t parts = shape_elements(large) / shape_elements(small);
    NodeId  z     = part == x ? node : op_sum_to(g, part, small);
    (void)wanted;
    Division division = relevance_divide(g, arrived, z, (real)parts * sum_stabiliser(walker, rule),
                                         rule == SUM_POSITIVE);
    handed[0]         = op_mul(g, part, op_broadcast_to(g, division.s, large));
    account_add(walker, g, node, sum_rules[rule].name, arrived, NODE_NONE, division.stabiliser,
                division.dead);
}

/* (E18, T1): y = x + t with a t that does not depend on the image: x gets its share, t the rest. A
 * norm f x + t that is not folded is such a sum, and then what arrives at x is a multiple of x,
 * which the rules of proportional shares need. */
void rule_term(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
               NodeId *handed)
{
    Walker  *walker   = self;
    int      open     = walker->is_between[graph_input(g, node, 0)] ? 0 : 1;
    real     own      = sum_stabiliser(walker, SUM_PROPORTIONAL);
    Division division = relevance_divide(g, arrived, node, own, false);
    (void)wanted;
    handed[open] = op_mul(g, graph_input(g, node, open), division.s);
    account_add(walker, g, node, sum_rules[SUM_PROPORTIONAL].name, arrived,
                op_dot(g, division.s, graph_input(g, node, 1 - open)), division.stabiliser,
                NODE_NONE);
}

/* ---- the account ----------------------------------------------------------------------------- */

static NodeId size_of(Graph *g, NodeId x)
{
    return op_add(g, op_relu(g, x), op_relu(g, op_scale(g, x, -1)));
}

static NodeId number_or_zero(Graph *g, NodeId node)
{
    return node == NODE_NONE ? op_constant(g, shape_scalar(), 0) : node;
}

void account_add(Walker *walker, Graph *graph, NodeId node, const char *rule, NodeId arrived,
                 NodeId bias, NodeId stabiliser, NodeId dead)
{
    Account *account = walker->walk->account;
    if (!account || walker->error.code)
        return;
    if (account->count == walker->account_room) {
        int         room = walker->account_room ? 2 * walker->account_room : 32;
        AccountRow *more = memory_grow(account->rows, (size_t)account->count, (size_t)room,
                                       sizeof *account->rows, &walker->error);
        if (!more)
            return;
        account->rows        = more;
        walker->account_room = room;
    }
    AccountRow *row = &account->rows[account->count++];
    *row            = (AccountRow){.rule       = rule,
                                   .relevance  = op_sum(graph, arrived),
                                   .size       = op_sum(graph, size_of(graph, arrived)),
                                   .bias       = number_or_zero(graph, bias),
                                   .stabiliser = number_or_zero(graph, stabiliser),
                                   .dead       = number_or_zero(graph, dead)};
    snprintf(row->layer, sizeof row->layer, "%s", walk_name(walker, graph, node).text);
}

void account_close(Account *account)
{
    memory_free(account->rows);
    *account = (Account){0};
}
