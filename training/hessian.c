/* training/hessian.c - hessian: the curvature of f in random directions is to be small.
 *
 *     hessian = mean |H v|^2, v drawn from N(0, 1), whose expectation is the squared norm of H
 *     loss    = cross-entropy(x) + lambda_hessian hessian
 *
 * H v is the gradient of <v, g>, so a step has third derivatives. By differences
 *     H v ~ q = (g(x + tv) - g(x - tv)) / 2t
 * and the gradient of <q, H v>, q held, is that of a second difference of f along v and q.
 * Source: the baseline of Joo et al., AAAI 2023; the estimate is Hutchinson's. */
#include "objective_parts.h"

// q and a number whose gradient is that of <q, H v>, q held.
static bool differences(const ObjectiveBatch *batch, ObjectiveTerms *terms, NodeId *q,
                        NodeId *product, Error *error)
{
    Graph *graph = batch->graph;
    Move   along = move_along(batch, batch->noise);
    NodeId half  = op_scale(graph, along.inverse, (real)0.5), points[2], gradients[2], rises[2];
    for (int i = 0; i < 2; i++) {
        NodeId logits;
        points[i] = weighted_sum(graph, batch->input, along.way, i ? -1 : 1);
        if (!objective_pass(batch, terms, points[i], &logits, error))
            return false;
        gradients[i] = label_gradient(batch, logits, points[i]);
    }
    *q = op_scale_by(graph, op_sub(graph, gradients[0], gradients[1]), half);
    hold(terms, *q);
    for (int i = 0; i < 2; i++)
        if (!objective_difference(batch, terms, points[i], *q, &rises[i], error))
            return false;
    *product = op_scale_by(graph, op_sub(graph, rises[0], rises[1]), half);
    return true;
}

bool hessian_build(const ObjectiveBatch *batch, ObjectiveTerms *terms, Error *error)
{
    Graph *graph  = batch->graph;
    double images = (double)graph_shape(graph, batch->input).dim[0];
    double factor = batch->settings->lambda_hessian;
    NodeId q, product = NODE_NONE;
    if (batch->settings->by_difference) {
        if (!differences(batch, terms, &q, &product, error))
            return false;
    } else {
        NodeId g = label_gradient(batch, batch->logits, batch->input);
        graph_gradient(graph, op_dot(graph, batch->noise, g), &batch->input, 1, &q);
    }
    terms->hessian   = op_scale(graph, op_dot(graph, q, q), (real)(1 / images));
    terms->loss      = weighted_sum(graph, terms->ce, terms->hessian, factor);
    terms->descended = product == NODE_NONE
                           ? terms->loss
                           : weighted_sum(graph, terms->ce, product, 2 * factor / images);
    return true;
}
