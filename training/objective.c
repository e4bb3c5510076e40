/* training/objective.c - the rows, one line each. */
#include "objective_parts.h"

#include "../base/words.h"
#include "../engine/sweep.h"

/* ---- rows ------------------------------------------------------------------------------------ */

static bool cross_entropy_build(const ObjectiveBatch *batch, ObjectiveTerms *terms, Error *error)
{
    (void)batch, (void)terms, (void)error;
    return true; // what every objective begins with
}

static const struct {
    ObjectiveBuild *build;
    bool            has_difference, is_aligned23; // the published code of that name has it
} rows[] = {
    {cross_entropy_build, false, true},
    {alignment_build, true, true},
    {hessian_build, true, true},
    {adversarial_build, false, false},
    {triplet_build, false, false},
    {contrastive_build, false, false},
    {NULL, false, false}, // of units
};
enum { ROWS = sizeof rows / sizeof *rows, ROW_ALIGNMENT = 1, ROW_CONTRASTIVE = 5, ROW_CAPTION = 6 };

DrawnKind objective_noise(const ObjectiveSettings *settings)
{
    static const DrawnKind of_rows[ROWS] = {DRAWN_NONE,    DRAWN_NONE, DRAWN_NORMAL, DRAWN_UNIFORM,
                                            DRAWN_UNIFORM, DRAWN_NONE, DRAWN_NONE};
    static const DrawnKind of_perturbations[] = {DRAWN_UNIFORM, DRAWN_NORMAL, DRAWN_NONE,
                                                 DRAWN_NONE};
    return settings->row == ROW_ALIGNMENT ? of_perturbations[settings->perturbation]
                                          : of_rows[settings->row];
}

ObjectiveData objective_data(const ObjectiveSettings *settings)
{
    return settings->row == ROW_CONTRASTIVE ? DATA_CAPTIONS
           : settings->row == ROW_CAPTION   ? DATA_UNITS
                                            : DATA_CLASSES;
}

int objective_of_units(void)
{
    return ROW_CAPTION;
}

bool objective_check(const ObjectiveSettings *s, Error *error)
{
    const char *name = s->row >= 0 && s->row < ROWS ? word_text(OBJECTIVE_NAMES, s->row) : NULL;
    if (!name)
        return fail(error, ERROR_USAGE, "objective %d is none of " OBJECTIVE_NAMES, s->row);
    if (!(s->lambda_l2 >= 0 && s->lambda_cos >= 0 && s->lambda_hessian >= 0))
        return fail(error, ERROR_USAGE, "factors of a loss are not negative");
    if (!(s->perturb_eps >= 0 && s->perturb_eps <= 1 && s->attack_eps >= 0 && s->attack_eps <= 1))
        return fail(error, ERROR_USAGE, "perturbations are %g and %g, expected 0 to 1",
                    s->perturb_eps, s->attack_eps);
    if (s->attack_steps < 0 || s->attack_steps > 20)
        return fail(error, ERROR_USAGE, "an attack has %lld steps, expected up to 20",
                    (long long)s->attack_steps);
    if (s->attack_inputs < 0)
        return fail(error, ERROR_USAGE,
                    "an attack sees %lld numbers of an image, expected 0 or more",
                    (long long)s->attack_inputs);
    if (!objective_mode(s->mode) || (s->mode && !rows[s->row].is_aligned23))
        return fail(
            error, ERROR_USAGE,
            "the published code has no objective %s, expected ce, l2-cosd, hessian, or mode "
            "clean",
            name);
    if (s->by_difference && !rows[s->row].has_difference)
        return fail(error, ERROR_USAGE, "objective %s has no form by differences, expected exact",
                    name);
    return true;
}

bool objective_build(const ObjectiveBatch *batch, ObjectiveTerms *out, Error *error)
{
    ObjectiveTerms terms = {.ce         = NODE_NONE,
                            .l2         = NODE_NONE,
                            .cosd       = NODE_NONE,
                            .hessian    = NODE_NONE,
                            .other      = NODE_NONE,
                            .logits     = batch->logits,
                            .pass_count = 1,
                            .counted    = 1};
    if (!objective_check(batch->settings, error))
        return false;
    if (objective_data(batch->settings) == DATA_CLASSES)
        terms.ce = terms.loss = terms.descended =
            cross_entropy_mean(batch->graph, batch->logits, batch->target);
    if (!rows[batch->settings->row].build(batch, &terms, error) ||
        !graph_check(batch->graph, error))
        return false;
    *out = terms;
    return true;
}

/* ---- gradients ------------------------------------------------------------------------------- */

static void hand_nothing(void *self, Graph *graph, NodeId node, NodeId arrived, const bool *wanted,
                         NodeId *handed)
{
    (void)self, (void)graph, (void)node, (void)arrived, (void)wanted, (void)handed;
}

static SweepRule *rule_for(void *self, const Graph *graph, NodeId node)
{
    const ObjectiveTerms *terms = self;
    (void)graph;
    for (int i = 0; i < terms->held_count; i++)
        if (terms->held[i] == node)
            return hand_nothing;
    return NULL;
}

void objective_gradient(Graph *graph, const ObjectiveTerms *terms, const NodeId *weights, int count,
                        NodeId *gradients)
{
    ObjectiveTerms copy  = *terms;
    SweepRules     rules = {.rule_for = rule_for, .self = &copy};
    NodeId         one   = op_constant(graph, shape_scalar(), 1);
    graph_sweep(graph, &rules, terms->descended, one, weights, count, gradients);
}
