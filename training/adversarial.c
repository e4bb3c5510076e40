/* training/adversarial.c - objectives at a point that an attack finds near x.
 *
 *     pgd      cross-entropy(x'), x' from signed steps that raise the cross-entropy
 *     triplet  cross-entropy(x') + 0.5 log(1 + exp(d_p - d_n)), x' from steps that raise the second
 *              term; d_p = 1 - cos(x', g), d_n the same of the best other class
 *
 * An attack begins at a random point of the box of +-attack_eps around x, takes attack_steps steps
 * of 2.5 attack_eps / attack_steps and stays in the box and among pixels. It is part of the graph;
 * only signs leave a step, so no gradient of the weights goes through it.
 * Sources: Madry et al., ICLR 2018 (pgd); Singh et al., ECCV 2020 (triplet), of whose attack all
 * pixels are moved here, not the 1,000 most salient. */
#include "objective_parts.h"

static const double triplet_factor = 0.5;

// x, but at least `least` and at most `most`.
static NodeId between(Graph *graph, NodeId x, NodeId least, NodeId most)
{
    NodeId raised = op_add(graph, least, op_relu(graph, op_sub(graph, x, least)));
    return op_sub(graph, most, op_relu(graph, op_sub(graph, most, raised)));
}

typedef struct Box {
    NodeId least, most, edge, step; // edge: attack_eps in prepared numbers
} Box;

static Box box_of(const ObjectiveBatch *batch)
{
    Graph                   *graph = batch->graph;
    const ObjectiveSettings *s     = batch->settings;
    double                   step  = s->attack_steps ? 2.5 / (double)s->attack_steps : 0;
    NodeId                   low   = channel_numbers(batch, batch->low, 1),
           high                    = channel_numbers(batch, batch->high, 1);
    NodeId edge                    = channel_numbers(batch, batch->unit, s->attack_eps);
    Box    box                     = {.edge = edge, .step = op_scale(graph, edge, (real)step)};
    box.least                      = between(graph, op_sub(graph, batch->input, edge), low, high);
    box.most                       = between(graph, op_add(graph, batch->input, edge), low, high);
    return box;
}

// What an attack raises, of a point and its logits.
typedef NodeId Raised(const ObjectiveBatch *batch, NodeId point, NodeId logits);

static bool attack(const ObjectiveBatch *batch, ObjectiveTerms *terms, Raised *raised,
                   NodeId *point, Error *error)
{
    Graph *graph = batch->graph;
    Box    box   = box_of(batch);
    NodeId x     = op_add(graph, batch->input, op_mul(graph, batch->noise, box.edge));
    x            = between(graph, x, box.least, box.most);
    for (int64_t i = 0; i < batch->settings->attack_steps; i++) {
        NodeId logits, slope;
        if (!objective_pass(batch, terms, x, &logits, error))
            return false;
        graph_gradient(graph, raised(batch, x, logits), &x, 1, &slope);
        NodeId moved = op_add(graph, x, op_mul(graph, signs(graph, slope), box.step));
        x            = between(graph, moved, box.least, box.most);
    }
    *point = x;
    return true;
}

// The pass at the point that was found, which is the only one that counts.
static bool attacked(const ObjectiveBatch *batch, ObjectiveTerms *terms, Raised *raised,
                     NodeId *point, Error *error)
{
    if (!attack(batch, terms, raised, point, error) ||
        !objective_pass(batch, terms, *point, &terms->logits, error))
        return false;
    terms->counted_first = terms->pass_count - 1;
    terms->ce = terms->loss = terms->descended =
        cross_entropy_mean(batch->graph, terms->logits, batch->target);
    return true;
}

static NodeId raised_entropy(const ObjectiveBatch *batch, NodeId point, NodeId logits)
{
    (void)point;
    return cross_entropy_sum(batch->graph, logits, batch->target);
}

bool adversarial_build(const ObjectiveBatch *batch, ObjectiveTerms *terms, Error *error)
{
    NodeId point;
    return attacked(batch, terms, raised_entropy, &point, error);
}

/* ---- triplet --------------------------------------------------------------------------------- */

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

// [B, 1]: the cosine between a point and the gradient of its logits in `classes`.
static NodeId cosine(const ObjectiveBatch *batch, NodeId point, NodeId logits, NodeId classes)
{
    Graph *graph = batch->graph;
    NodeId gradient;
    graph_gradient(graph, op_dot(graph, classes, logits), &point, 1, &gradient);
    NodeId both = op_mul(graph, directions(graph, point), directions(graph, gradient));
    Shape  in   = graph_shape(graph, both);
    NodeId rows = op_reshape(graph, both, shape_2d(in.dim[0], shape_elements(in) / in.dim[0]));
    return op_sum_to(graph, rows, shape_2d(in.dim[0], 1));
}

// log(1 + exp(d_p - d_n)) is softplus of the other cosine minus the label's.
static NodeId triplet_term(const ObjectiveBatch *batch, NodeId point, NodeId logits)
{
    Graph *graph = batch->graph;
    NodeId label = cosine(batch, point, logits, batch->target);
    NodeId other = cosine(batch, point, logits, best_other(batch, logits));
    NodeId terms = op_softplus(graph, op_sub(graph, other, label), 1);
    return op_scale(graph, op_sum(graph, terms), 1 / (real)graph_shape(graph, label).dim[0]);
}

bool triplet_build(const ObjectiveBatch *batch, ObjectiveTerms *terms, Error *error)
{
    NodeId point;
    if (!attacked(batch, terms, triplet_term, &point, error))
        return false;
    terms->other = triplet_term(batch, point, terms->logits);
    terms->loss  = terms->descended =
        weighted_sum(batch->graph, terms->ce, terms->other, triplet_factor);
    return true;
}
