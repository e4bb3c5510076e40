/* attribution/relevance.c - layer-wise relevance propagation: the rules of layers with weights.
 *
 * Every rule is a row: which parts of the input meet which parts of the weights (E11).
 * Sources: Bach et al., PLOS ONE 2015 (epsilon, alpha-beta); Montavon et al., Pattern Recognition
 * 2017 (z+, bounds of pixels); Montavon et al., "Layer-wise relevance propagation: an overview",
 * 2019 (gamma, flat). */
#include "walk.h"

typedef enum Part { PART_X, PART_POSITIVE, PART_NEGATIVE, PART_LOW, PART_HIGH, PART_ONE } Part;

enum { MOST_TERMS = 3, MOST_BRANCHES = 2 };

typedef struct Term {
    Part       part;
    WeightPart weight;
    real       factor;
} Term;

typedef enum BiasUse { BIAS_NEVER, BIAS_OF_MODE, BIAS_ALWAYS } BiasUse;

typedef enum Side { SIDE_BOTH, SIDE_POSITIVE, SIDE_NEGATIVE } Side;

/* Terms that share one Z; `factor` of what arrived goes through them. */
typedef struct Branch {
    real       factor;
    int        count;
    Term       term[MOST_TERMS];
    BiasUse    use;  // whether the bias takes part
    WeightPart bias; // which part of it
    Side       side; // of what arrived only that where the layer, with its bias, has this sign
} Branch;

typedef struct Rule {
    const char *name;
    real        stabiliser;
    bool        is_positive; // Z is never negative
    int         count;
    Branch      branch[MOST_BRANCHES];
} Rule;

#define POSITIVE_CONTRIBUTIONS                                                                     \
    .count = 2, .term = {{PART_POSITIVE, WEIGHT_POSITIVE, 1}, {PART_NEGATIVE, WEIGHT_NEGATIVE, 1}}
#define NEGATIVE_CONTRIBUTIONS                                                                     \
    .count = 2, .term = {{PART_POSITIVE, WEIGHT_NEGATIVE, 1}, {PART_NEGATIVE, WEIGHT_POSITIVE, 1}}

#define ONE_TERM(part, weight) .count = 1, .term = {{(part), (weight), 1}}
// All contributions, and more of those of one sign (T7).
#define ALL_AND(of_positive, of_negative)                                                          \
    .count = 3, .term = {{PART_X, WEIGHT_PLAIN, 1},                                                \
                         {PART_POSITIVE, (of_positive), RULE_GAMMA_SHARE},                         \
                         {PART_NEGATIVE, (of_negative), RULE_GAMMA_SHARE}}

static const Rule rules[RULE_COUNT] = {
    [RULE_ZPLUS] =
        {"z-plus", (real)1e-9, true, 1, {{1, POSITIVE_CONTRIBUTIONS, BIAS_NEVER, WEIGHT_PLAIN}}},
    [RULE_EPSILON]     = {"epsilon",
                          (real)1e-8,
                          false,
                          1,
                          {{1, ONE_TERM(PART_X, WEIGHT_PLAIN), BIAS_ALWAYS, WEIGHT_PLAIN}}},
    [RULE_GAMMA]       = {"gamma",
                          (real)1e-6,
                          false,
                          1,
                          {{1, ONE_TERM(PART_X, WEIGHT_GAMMA), BIAS_ALWAYS, WEIGHT_GAMMA}}},
    [RULE_ALPHA1BETA0] = {"alpha1beta0",
                          (real)1e-8,
                          true,
                          1,
                          {{1, POSITIVE_CONTRIBUTIONS, BIAS_OF_MODE, WEIGHT_POSITIVE}}},
    [RULE_ALPHA2BETA1] = {"alpha2beta1",
                          (real)1e-8,
                          false,
                          2,
                          {{2, POSITIVE_CONTRIBUTIONS, BIAS_OF_MODE, WEIGHT_POSITIVE},
                           {-1, NEGATIVE_CONTRIBUTIONS, BIAS_OF_MODE, WEIGHT_NEGATIVE}}},
    [RULE_BOX]         = {"box",
                          (real)1e-6,
                          true,
                          1,
                          {{1, .count = 3,
                            .term = {{PART_X, WEIGHT_PLAIN, 1},
                                     {PART_LOW, WEIGHT_POSITIVE, -1},
                                     {PART_HIGH, WEIGHT_NEGATIVE, -1}},
                            BIAS_NEVER, WEIGHT_PLAIN}}},
    [RULE_FLAT]        = {"flat",
                          (real)1e-6,
                          true,
                          1,
                          {{1, ONE_TERM(PART_ONE, WEIGHT_ONE), BIAS_NEVER, WEIGHT_PLAIN}}},

    [RULE_GAMMA_SIGNED] = {"gamma-signed",
                           (real)1e-6,
                           false,
                           2,
                           {{1, ALL_AND(WEIGHT_POSITIVE, WEIGHT_NEGATIVE), BIAS_ALWAYS,
                             WEIGHT_PLAIN, SIDE_POSITIVE},
                            {1, ALL_AND(WEIGHT_NEGATIVE, WEIGHT_POSITIVE), BIAS_ALWAYS,
                             WEIGHT_PLAIN, SIDE_NEGATIVE}}},
};

/* ---- parts ----------------------------------------------------------------------------------- */

/* A bound of the image [1, c, 1, 1] as it is at a node before the first layer: norms and zeros
 * around the image do to it what they do to a pixel. */
// NOLINTNEXTLINE(misc-no-recursion): as deep as what lies before the first layer
static NodeId bound_at(const Walker *walker, Graph *g, NodeId node, NodeId bound)
{
    OpParams p = graph_params(g, node);
    if (node == walker->image)
        return op_broadcast_to(g, bound, graph_shape(g, node));
    bool   is_first = walker->is_between[graph_input(g, node, 0)];
    NodeId below    = bound_at(walker, g, graph_input(g, node, is_first ? 0 : 1), bound);
    NodeId other = graph_input_count(g, node) > 1 ? graph_input(g, node, is_first ? 1 : 0) : below;
    switch (graph_op(g, node)) {
    case OP_MUL:
        return op_mul(g, below, other);
    case OP_ADD:
        return op_add(g, below, other);
    case OP_PAD:
        return op_pad(g, below, p.axis, p.start, p.count);
    case OP_SCALE_OFFSET:
        return op_offset(g, op_scale(g, below, p.value), p.term);
    default:
        return below;
    }
}

// A norm with a negative factor turns the bounds round.
static NodeId bound_part(const Walker *walker, Graph *g, NodeId x, Part part)
{
    NodeId low  = bound_at(walker, g, x, *walker->walk->low);
    NodeId high = bound_at(walker, g, x, *walker->walk->high);
    if (x == walker->image)
        return part == PART_LOW ? low : high;
    NodeId over = op_relu(g, op_sub(g, low, high));
    return part == PART_LOW ? op_sub(g, low, over) : op_add(g, high, over);
}

// A part of the input; NODE_NONE where it is zero throughout.
static NodeId input_part(const Walker *walker, Graph *g, const LinearLayer *layer, Part part)
{
    bool  is_positive = is_never_negative(g, layer->x);
    Shape shape       = graph_shape(g, layer->x);
    switch (part) {
    case PART_POSITIVE:
        return is_positive ? layer->x : positive_part(g, layer->x);
    case PART_NEGATIVE:
        return is_positive ? NODE_NONE : negative_part(g, layer->x);
    case PART_LOW:
    case PART_HIGH:
        return bound_part(walker, g, layer->x, part);
    case PART_ONE:
        return op_constant(g, shape, 1);
    default:
        return layer->x;
    }
}

// Of weights that are no constant (in training) the part is made of nodes, so it has a gradient.
static NodeId computed_part(Graph *g, NodeId w, WeightPart part)
{
    switch (part) {
    case WEIGHT_POSITIVE:
        return positive_part(g, w);
    case WEIGHT_NEGATIVE:
        return negative_part(g, w);
    case WEIGHT_GAMMA:
        return op_add(g, w, op_scale(g, positive_part(g, w), RULE_GAMMA_SHARE));
    case WEIGHT_ONE:
        return op_constant(g, graph_shape(g, w), 1);
    default:
        return w;
    }
}

static NodeId weight_part(Walker *walker, Graph *g, NodeId w, WeightPart part)
{
    Shape shape = graph_shape(g, w);
    if (part == WEIGHT_PLAIN || graph_op(g, w) != OP_PARAMETER)
        return computed_part(g, w, part);
    const real *data = rule_weights_part(walker->walk->weights, graph_params(g, w).data, shape,
                                         part, &walker->error);
    return data ? op_parameter(g, shape, data) : NODE_NONE;
}

// The part of a layer's bias, as large as the layer; NODE_NONE: it has none or it is not used.
static NodeId bias_part(const Walker *walker, Graph *g, const LinearLayer *layer,
                        const Branch *branch)
{
    NodeId sum = walker->sum[layer->node];
    bool   uses =
        branch->use == BIAS_ALWAYS || (branch->use == BIAS_OF_MODE && walker->walk->mode.uses_bias);
    if (sum == NODE_NONE || !uses)
        return NODE_NONE;
    NodeId bias = graph_input(g, sum, 1);
    if (branch->bias == WEIGHT_PLAIN)
        return bias;
    return op_broadcast_to(g, computed_part(g, graph_input(g, bias, 0), branch->bias),
                           graph_shape(g, bias));
}

/* ---- a rule ---------------------------------------------------------------------------------- */

static NodeId add_up(Graph *g, NodeId sum, NodeId more)
{
    return sum == NODE_NONE ? more : more == NODE_NONE ? sum : op_add(g, sum, more);
}

// Z of a branch; that of all weights is in the graph already, with the bias or without.
static NodeId branch_sum(Walker *walker, Graph *g, const LinearLayer *layer, const Branch *branch,
                         NodeId bias)
{
    NodeId z = NODE_NONE, rest = bias;
    for (int i = 0; i < branch->count; i++) {
        Term   term = branch->term[i];
        NodeId x    = input_part(walker, g, layer, term.part), y;
        if (x == NODE_NONE)
            continue;
        if (term.part == PART_X && term.weight == WEIGHT_PLAIN && bias != NODE_NONE) {
            y    = walker->sum[layer->node];
            rest = NODE_NONE;
        } else if (term.part == PART_X && term.weight == WEIGHT_PLAIN)
            y = layer->node;
        else
            y = linear_forward(g, layer, x, weight_part(walker, g, layer->w, term.weight));
        z = add_up(g, z, term.factor == 1 ? y : op_scale(g, y, term.factor));
    }
    return add_up(g, z, rest);
}

static NodeId branch_shares(Walker *walker, Graph *g, const LinearLayer *layer,
                            const Branch *branch, NodeId s)
{
    NodeId sum = NODE_NONE;
    for (int i = 0; i < branch->count; i++) {
        Term   term = branch->term[i];
        NodeId x    = input_part(walker, g, layer, term.part);
        if (x == NODE_NONE)
            continue;
        NodeId back  = linear_backward(g, layer, s, weight_part(walker, g, layer->w, term.weight));
        NodeId share = op_mul(g, x, back);
        sum          = add_up(g, sum, term.factor == 1 ? share : op_scale(g, share, term.factor));
    }
    return sum;
}

// What of all that arrived goes through a branch.
static NodeId branch_part(const Walker *walker, Graph *g, const LinearLayer *layer,
                          const Branch *branch, NodeId arrived)
{
    NodeId y = walker->sum[layer->node] == NODE_NONE ? layer->node : walker->sum[layer->node];
    if (branch->side == SIDE_BOTH)
        return branch->factor == 1 ? arrived : op_scale(g, arrived, branch->factor);
    NodeId positive = op_gate(g, y, arrived);
    return branch->side == SIDE_POSITIVE ? positive : op_sub(g, arrived, positive);
}

static RelevanceRule rule_of_layer(const Walker *walker, const LinearLayer *layer)
{
    const Composite *composite = walker->walk->relevance;
    if (!layer->is_conv)
        return composite->dense;
    return walker->is_weighed[layer->x] || composite->first == RULE_NONE ? composite->conv
                                                                         : composite->first;
}

void rule_linear(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
                 NodeId *handed)
{
    Walker     *walker = self;
    LinearLayer layer  = linear_layer(g, node);
    const Rule *rule   = &rules[rule_of_layer(walker, &layer)];
    real        stabiliser =
        walker->walk->mode.stabiliser > 0 ? walker->walk->mode.stabiliser : rule->stabiliser;
    NodeId biases = NODE_NONE, stabilised = NODE_NONE, dead = NODE_NONE;
    (void)wanted;
    for (int i = 0; i < rule->count; i++) {
        const Branch *branch = &rule->branch[i];
        NodeId        bias   = bias_part(walker, g, &layer, branch);
        NodeId        z      = branch_sum(walker, g, &layer, branch, bias);
        if (z == NODE_NONE)
            continue;
        NodeId   part     = branch_part(walker, g, &layer, branch, arrived);
        Division division = relevance_divide(g, part, z, stabiliser, rule->is_positive);
        handed[0]  = add_up(g, handed[0], branch_shares(walker, g, &layer, branch, division.s));
        biases     = add_up(g, biases, bias == NODE_NONE ? NODE_NONE : op_dot(g, division.s, bias));
        stabilised = add_up(g, stabilised, division.stabiliser);
        dead       = add_up(g, dead, division.dead);
    }
    account_add(walker, g, node, rule->name, arrived, biases, stabilised, dead);
}
