/* training/adversarial.c - an attack that finds a point near x, and the objective there.
 *
 *     pgd   cross-entropy(x'), x' from signed steps that raise the cross-entropy
 *
 * An attack begins at a random point of the box of +-attack_eps around x, takes attack_steps steps
 * of 2.5 attack_eps / attack_steps and stays in the box and among pixels. It is part of the graph;
 * only signs leave a step, so no gradient of the weights goes through it.
 * Source: Madry et al., ICLR 2018. */
#include "objective_parts.h"

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

static bool attack(const ObjectiveBatch *batch, ObjectiveTerms *terms, AttackTerm *raised,
                   void *self, NodeId *point, Error *error)
{
    Graph *graph = batch->graph;
    Box    box   = box_of(batch);
    NodeId x     = op_add(graph, batch->input, op_mul(graph, batch->noise, box.edge));
    x            = between(graph, x, box.least, box.most);
    for (int64_t i = 0; i < batch->settings->attack_steps; i++) {
        NodeId logits, slope;
        if (!objective_pass(batch, terms, x, &logits, error))
            return false;
        graph_gradient(graph, raised(batch, self, x, logits), &x, 1, &slope);
        NodeId moved = op_add(graph, x, op_mul(graph, signs(graph, slope), box.step));
        x            = between(graph, moved, box.least, box.most);
    }
    *point = x;
    return true;
}

bool attacked_pass(const ObjectiveBatch *batch, ObjectiveTerms *terms, AttackTerm *raised,
                   void *self, NodeId *point, Error *error)
{
    if (!attack(batch, terms, raised, self, point, error) ||
        !objective_pass(batch, terms, *point, &terms->logits, error))
        return false;
    terms->counted_first = terms->pass_count - 1;
    terms->ce = terms->loss = terms->descended =
        cross_entropy_mean(batch->graph, terms->logits, batch->target);
    return true;
}

/* ---- pgd ------------------------------------------------------------------------------------- */

static NodeId raised_entropy(const ObjectiveBatch *batch, void *self, NodeId point, NodeId logits)
{
    (void)self, (void)point;
    return cross_entropy_sum(batch->graph, logits, batch->target);
}

bool adversarial_build(const ObjectiveBatch *batch, ObjectiveTerms *terms, Error *error)
{
    NodeId point;
    return attacked_pass(batch, terms, raised_entropy, NULL, &point, error);
}
