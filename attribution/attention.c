/* attribution/attention.c - relevance of attention and of layer norms.
 *
 * Attention is y = V A with A = softmax(Q K); both factors of a product depend on the image.
 * Sources: Ali et al., "XAI for transformers: better explanations through conservative
 * propagation", ICML 2022 (A and the deviation of a norm are held constant); Achtibat et al.,
 * "AttnLRP: attention-aware layer-wise relevance propagation for transformers", ICML 2024 (shares
 * of products, soft-max, norms as identities). */
#include "attention.h"
#include "walk.h"

/* ---- what a network has ---------------------------------------------------------------------- */

// The weights of any attention, as that of a pool with a single query.
static bool is_attention(const Graph *g, NodeId node)
{
    return graph_op(g, node) == OP_SOFTMAX && graph_shape(g, node).rank == 3;
}

static bool is_between_tokens(const Graph *g, NodeId node)
{
    Shape shape = graph_shape(g, node);
    return is_attention(g, node) && shape.dim[1] == shape.dim[2];
}

int attention_find(const Graph *g, NodeId layer, NodeId attention[ATTENTION_MOST])
{
    int count = 0;
    for (NodeId node = 0; node < layer; node++)
        if (is_between_tokens(g, node) && count++ < ATTENTION_MOST)
            attention[count - 1] = node;
    return count;
}

bool attention_suits(const Graph *g, NodeId layer, const MapMethod *method, Error *error)
{
    bool has_any = false, has_tokens = false;
    for (NodeId node = 0; node < layer; node++) {
        has_any |= is_attention(g, node);
        has_tokens |= is_between_tokens(g, node);
    }
    if (map_method_needs_attention(method) && !(method->relevance ? has_any : has_tokens))
        return fail(error, ERROR_USAGE, "%s needs attention%s, and this network has none",
                    method->name, method->relevance ? "" : " between patches");
    if (method->relevance && has_any && !map_method_needs_attention(method))
        return fail(error, ERROR_USAGE,
                    "%s has no rule for the attention of this network, expected lrp-transformer or "
                    "attnlrp",
                    method->name);
    if (method->needs_patterns && has_any)
        return fail(error, ERROR_USAGE,
                    "%s has no rule for the attention of this network, which has no weights of its "
                    "own to take patterns of",
                    method->name);
    return method->kind != MAP_GRADCAM || !has_tokens ||
           fail(error, ERROR_USAGE,
                "gradcam weighs the maps of a last convolution, and this network ends with tokens, "
                "expected rollout or gradient-rollout");
}

/* ---- relevance ------------------------------------------------------------------------------- */

static real own_stabiliser(const Walker *walker)
{
    real own = walker->walk->mode.stabiliser;
    return own > 0 ? own : (real)1e-8;
}

/* (T4, T6): y = a b. With both factors open each gets half of its share, else one gets all:
 *     R_a = a (s b'),   R_b = b (a' s),   s = R / (y + e), or half of that */
void rule_product(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
                  NodeId *handed)
{
    Walker  *walker = self;
    NodeId   a = graph_input(g, node, 0), b = graph_input(g, node, 1);
    OpParams p        = graph_params(g, node);
    int      held     = held_input(walker, g, node);
    Division division = relevance_divide(g, arrived, node, own_stabiliser(walker), false);
    NodeId   s        = held < 0 ? op_scale(g, division.s, (real)0.5) : division.s;
    bool     ta = p.transpose_a, tb = p.transpose_b;
    (void)wanted;
    if (held != 0)
        handed[0] =
            op_mul(g, a, ta ? op_matmul(g, b, s, tb, true) : op_matmul(g, s, b, false, !tb));
    if (held != 1)
        handed[1] =
            op_mul(g, b, tb ? op_matmul(g, s, a, true, ta) : op_matmul(g, a, s, !ta, false));
    account_add(walker, g, node, held < 0 ? "halves" : "held", arrived, NODE_NONE,
                division.stabiliser, NODE_NONE);
}

/* (T6): the first terms of Taylor's series at x, R_x = x (R - p sum(R)); the constant term keeps
 * what is left over. */
void rule_soft_max(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
                   NodeId *handed)
{
    Shape  shape = graph_shape(g, node), one = shape;
    NodeId x = graph_input(g, node, 0);
    (void)wanted;
    one.dim[shape.rank - 1] = 1;
    NodeId all              = op_broadcast_to(g, op_sum_to(g, arrived, one), shape);
    handed[0]               = op_mul(g, x, op_sub(g, arrived, op_mul(g, node, all)));
    account_add(self, g, node, "soft-max", arrived,
                op_sub(g, op_sum(g, arrived), op_sum(g, handed[0])), NODE_NONE, NODE_NONE);
}

/* (T5): y = x - mean(x) is a layer with weights: R_x = x (s - mean(s)), s = R / (y + e). */
void rule_centring(void *self, Graph *g, NodeId node, NodeId arrived, const bool *wanted,
                   NodeId *handed)
{
    Walker  *walker = self;
    NodeId   x      = graph_input(g, node, 0);
    Shape    shape = graph_shape(g, node), one = shape;
    Division division = relevance_divide(g, arrived, node, own_stabiliser(walker), false);
    (void)wanted;
    one.dim[1]  = 1;
    NodeId mean = op_scale(g, op_sum_to(g, division.s, one), (real)1 / (real)shape.dim[1]);
    handed[0]   = op_mul(g, x, op_sub(g, division.s, op_broadcast_to(g, mean, shape)));
    account_add(walker, g, node, "centring", arrived, NODE_NONE, division.stabiliser, NODE_NONE);
}
