/* training/alignment.c - l2-cosd: gradients at x and near x are to be alike.
 *
 *     l2   = mean |a - b|^2,  a = g(x), b = g(x + z)
 *     cosd = mean (1 - cos(a, b)) / 2 = mean |a/|a| - b/|b||^2 / 4
 *     loss = cross-entropy(x) + lambda_l2 l2 + lambda_cos cosd
 *
 * The second form of cosd keeps its digits where the two are nearly alike; mode aligned23 has the
 * first. The running statistics of batch norms take both passes, as the published code does.
 * Source: Joo et al., AAAI 2023. */
#include "objective_parts.h"

static const double published_least = 1e-8; // added to lengths, and under the cosine

static NodeId way_of(const ObjectiveBatch *batch, NodeId x)
{
    Graph *graph = batch->graph;
    if (!objective_mode(batch->settings->mode)->adds_to_length)
        return directions(graph, x);
    NodeId length = op_power(graph, squares(graph, x), (real)0.5);
    return times_column(graph, x,
                        op_power(graph, op_offset(graph, length, (real)published_least), -1));
}

// z, which passes no gradient on.
static NodeId perturbation(const ObjectiveBatch *batch, ObjectiveTerms *terms, NodeId gradient)
{
    Graph                   *graph = batch->graph;
    const ObjectiveSettings *s     = batch->settings;
    NodeId                   way   = batch->noise;
    if (s->perturbation == PERTURB_GRAD)
        way = way_of(batch, gradient);
    if (s->perturbation == PERTURB_GRAD_SIGN)
        way = way_of(batch, signs(graph, gradient));
    NodeId z = op_mul(graph, way, channel_numbers(batch, batch->unit, s->perturb_eps));
    hold(terms, z);
    return z;
}

// (1 - <a, b> / max(|a| |b|, 1e-8)) / 2, the mean over images.
static NodeId cosd_by_product(Graph *graph, NodeId a, NodeId b, double images)
{
    real   least   = (real)(published_least * published_least);
    NodeId lengths = op_mul(graph, squares(graph, a), squares(graph, b));
    lengths        = op_offset(graph, op_relu(graph, op_offset(graph, lengths, -least)), least);
    NodeId cosines = op_mul(graph, products(graph, a, b), op_power(graph, lengths, (real)-0.5));
    return op_offset(graph, op_scale(graph, op_sum(graph, cosines), (real)(-0.5 / images)),
                     (real)0.5);
}

// In place of the gradient of a gradient: what moves the terms through a and b, z held, by
// differences.
static bool by_difference(const ObjectiveBatch *batch, ObjectiveTerms *terms, NodeId penalty,
                          const NodeId points[2], const NodeId gradients[2], Error *error)
{
    for (int i = batch->settings->is_attached ? 0 : 1; i < 2; i++) {
        ObjectiveTerms penalised = *terms;
        NodeId         direction, part;
        penalised.descended = penalty;
        objective_gradient(batch->graph, &penalised, &gradients[i], 1, &direction);
        if (!objective_difference(batch, terms, points[i], direction, &part, error))
            return false;
        terms->descended = op_add(batch->graph, terms->descended, part);
    }
    return true;
}

bool alignment_build(const ObjectiveBatch *batch, ObjectiveTerms *terms, Error *error)
{
    Graph                   *graph  = batch->graph;
    const ObjectiveSettings *s      = batch->settings;
    double                   images = (double)graph_shape(graph, batch->input).dim[0];
    NodeId                   a      = label_gradient(batch, batch->logits, batch->input), logits;
    NodeId                   x      = op_add(graph, batch->input, perturbation(batch, terms, a));
    if (!objective_pass(batch, terms, x, &logits, error))
        return false;
    NodeId b       = label_gradient(batch, logits, x);
    terms->counted = 2;
    terms->l2      = op_scale(graph, op_squared_distance(graph, a, b), (real)(1 / images));
    terms->cosd =
        objective_mode(s->mode)->cosine_by_product
            ? cosd_by_product(graph, a, b, images)
            : op_scale(graph,
                       op_squared_distance(graph, directions(graph, a), directions(graph, b)),
                       (real)(0.25 / images));
    NodeId penalty = op_add(graph, op_scale(graph, terms->l2, (real)s->lambda_l2),
                            op_scale(graph, terms->cosd, (real)s->lambda_cos));
    terms->loss    = op_add(graph, terms->ce, penalty);
    if (s->by_difference)
        return by_difference(batch, terms, penalty, (NodeId[]){batch->input, x}, (NodeId[]){a, b},
                             error);
    terms->descended = terms->loss;
    if (!s->is_attached)
        hold(terms, a);
    return true;
}
