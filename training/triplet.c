/* training/triplet.c - triplet: at attacked images, and a gradient that points where the image lies.
 *
 *     loss = cross-entropy(x') + 0.5 mean log(1 + exp(d_p - d_n))
 *
 * The mean is over x and x' of each image. Of p, one of them, d_p = 1 - cos(p, g) is the larger one
 * for g at x and at x', d_n = 1 - cos(p, h) the smaller one, h the gradient of the best other class.
 * x' is found by steps that raise the same term, there of one point alone and of `attack_inputs`
 * numbers of it alone: those with the largest gradients where the attack begins.
 * Source: Singh et al., ECCV 2020, and its published code. */
#include "objective_parts.h"

static const double triplet_factor = 0.5;

/* One-hot rows at the largest logit of another class: the class of which no other is larger. */
static NodeId best_other(const ObjectiveBatch *batch, NodeId logits)
{
    Graph  *graph = batch->graph;
    Shape   shape = graph_shape(graph, logits);
    int64_t n = shape.dim[0], k = shape.dim[1];
    NodeId  others = weighted_sum(graph, logits, batch->target, -1e6);
    Shape   table  = {.rank = 3, .dim = {n, k, k}};
    NodeId  row    = op_reshape(graph, others, (Shape){.rank = 3, .dim = {n, 1, k}}),
           column  = op_reshape(graph, others, (Shape){.rank = 3, .dim = {n, k, 1}});
    NodeId excess =
        op_sub(graph, op_broadcast_to(graph, row, table), op_broadcast_to(graph, column, table));
    NodeId larger = op_sum_to(graph, op_gate(graph, excess, op_constant(graph, table, 1)),
                              (Shape){.rank = 3, .dim = {n, k, 1}});
    NodeId is_best =
        op_offset(graph, op_scale(graph, op_reshape(graph, larger, shape), -1), (real)0.5);
    return op_gate(graph, is_best, op_constant(graph, shape, 1));
}

/* A point with the gradients of its logits: of the label, and of the best other class. */
typedef struct Anchor {
    NodeId point, label, other;
} Anchor;

static Anchor anchor_of(const ObjectiveBatch *batch, NodeId point, NodeId logits)
{
    Graph *graph  = batch->graph;
    Anchor anchor = {.point = point, .label = label_gradient(batch, logits, point)};
    NodeId best   = op_dot(graph, best_other(batch, logits), logits);
    graph_gradient(graph, best, &point, 1, &anchor.other);
    return anchor;
}

// [B, 1]: the cosine of two arrays [B, ...].
static NodeId cosine(Graph *graph, NodeId a, NodeId b)
{
    return products(graph, directions(graph, a), directions(graph, b));
}

// log(1 + exp(d_p - d_n)), the sum over images, is softplus of the other cosine minus the label's.
static NodeId triplet_sum(Graph *graph, NodeId label, NodeId other)
{
    return op_sum(graph, op_softplus(graph, op_sub(graph, other, label), 1));
}

/* ---- the attack ------------------------------------------------------------------------------ */

// 1 at the numbers of each image whose gradients are the largest, in the shape of the batch.
static NodeId most_salient(const ObjectiveBatch *batch, NodeId gradient)
{
    Graph  *graph = batch->graph;
    Shape   shape = graph_shape(graph, gradient);
    int64_t n = shape_elements(shape) / shape.dim[0], count = batch->settings->attack_inputs;
    NodeId  size =
        op_add(graph, op_relu(graph, gradient), op_relu(graph, op_scale(graph, gradient, -1)));
    NodeId rows = op_reshape(graph, size, shape_2d(shape.dim[0], n));
    return op_reshape(graph, op_largest(graph, rows, count < n ? count : n), shape);
}

/* `self`: the NodeId of what is seen, chosen at the first point. */
static NodeId raised_triplet(const ObjectiveBatch *batch, void *self, NodeId point, NodeId logits)
{
    Graph  *graph  = batch->graph;
    NodeId *seen   = self;
    Anchor  anchor = anchor_of(batch, point, logits);
    if (batch->settings->attack_inputs && *seen == NODE_NONE)
        *seen = most_salient(batch, anchor.label);
    if (*seen != NODE_NONE) {
        anchor.point = op_mul(graph, anchor.point, *seen);
        anchor.label = op_mul(graph, anchor.label, *seen);
        anchor.other = op_mul(graph, anchor.other, *seen);
    }
    return triplet_sum(graph, cosine(graph, anchor.point, anchor.label),
                       cosine(graph, anchor.point, anchor.other));
}

/* ---- the objective --------------------------------------------------------------------------- */

static NodeId larger(Graph *graph, NodeId a, NodeId b)
{
    return op_add(graph, a, op_relu(graph, op_sub(graph, b, a)));
}

static NodeId smaller(Graph *graph, NodeId a, NodeId b)
{
    return op_sub(graph, a, op_relu(graph, op_sub(graph, a, b)));
}

bool triplet_build(const ObjectiveBatch *batch, ObjectiveTerms *terms, Error *error)
{
    Graph *graph = batch->graph;
    NodeId seen  = NODE_NONE, point, sum[2];
    if (!attacked_pass(batch, terms, raised_triplet, &seen, &point, error))
        return false;
    Anchor at[2] = {anchor_of(batch, batch->input, batch->logits),
                    anchor_of(batch, point, terms->logits)};
    for (int i = 0; i < 2; i++) {
        NodeId label[2], other[2];
        for (int j = 0; j < 2; j++) {
            label[j] = cosine(graph, at[i].point, at[j].label);
            other[j] = cosine(graph, at[i].point, at[j].other);
        }
        sum[i] = triplet_sum(graph, smaller(graph, label[0], label[1]),
                             larger(graph, other[0], other[1]));
    }
    double images = (double)graph_shape(graph, batch->input).dim[0];
    terms->other  = op_scale(graph, op_add(graph, sum[0], sum[1]), (real)(0.5 / images));
    terms->loss = terms->descended = weighted_sum(graph, terms->ce, terms->other, triplet_factor);
    return true;
}
