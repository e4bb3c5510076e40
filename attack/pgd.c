/* attack/pgd.c - projected gradient descent on any scalar node of a graph. */
#include "../base/parallel.h"
#include "attack.h"

#include <string.h>

struct Pgd {
    Plan  *plan;
    NodeId input, objective, gradient;
    size_t count; // elements of the input
    real  *clean; // [count]
};

static real clamp(real value, real low, real high)
{
    return value < low ? low : value > high ? high : value;
}

enum { UPDATE_PIECE = 1 << 15 }; // elements of one turn

typedef struct Update {
    const real *clean, *gradient;
    real       *x, eps, step;
    size_t      count;
} Update;

static void update_piece(void *data, int64_t piece, int thread)
{
    const Update *update = data;
    size_t        first = (size_t)piece * UPDATE_PIECE, end = first + UPDATE_PIECE;
    (void)thread;
    for (size_t i = first; i < end && i < update->count; i++) {
        real gradient = update->gradient[i], clean = update->clean[i];
        real sign    = (real)((gradient > 0) - (gradient < 0));
        real offset  = clamp(update->x[i] - update->step * sign - clean, -update->eps, update->eps);
        update->x[i] = clamp(clean + offset, 0, 1);
    }
}

// One step against the sign of the gradient, then the projection (C14).
void pgd_update(const PgdRule *rule, const real *clean, const real *gradient, size_t count, real *x)
{
    real   eps    = rule->eps;
    real   step   = rule->variant == PGD_FGSM ? eps : 2 * eps / (real)rule->steps;
    Update update = {clean, gradient, x, eps, step, count};
    parallel_for((int64_t)((count + UPDATE_PIECE - 1) / UPDATE_PIECE), update_piece, &update);
}

bool pgd_create(Pgd **out, Graph *graph, NodeId input, NodeId objective, const PlanOptions *options,
                Error *error)
{
    NodeId gradient = NODE_NONE;
    graph_gradient(graph, objective, &input, 1, &gradient);
    if (!graph_check(graph, error))
        return false;
    Pgd *pgd = memory_new(1, sizeof *pgd, error);
    if (!pgd)
        return false;
    *pgd              = (Pgd){.input = input, .objective = objective, .gradient = gradient};
    PlanOptions plan  = options ? *options : (PlanOptions){0};
    plan.even_forward = true; // Winograd would break ties of flat regions its own way
    pgd->count        = (size_t)shape_elements(graph_shape(graph, input));
    pgd->clean        = memory_new(pgd->count, sizeof *pgd->clean, error);
    if (!pgd->clean ||
        !plan_create(&pgd->plan, graph, (NodeId[]){objective, gradient}, 2, &plan, error)) {
        pgd_destroy(pgd);
        return false;
    }
    *out = pgd;
    return true;
}

void pgd_destroy(Pgd *pgd)
{
    if (!pgd)
        return;
    plan_destroy(pgd->plan);
    memory_free(pgd->clean);
    memory_free(pgd);
}

Plan *pgd_plan(Pgd *pgd)
{
    return pgd->plan;
}

const real *pgd_gradient(Pgd *pgd, const real *x)
{
    memcpy(plan_input(pgd->plan, pgd->input), x, pgd->count * sizeof *x);
    plan_run(pgd->plan);
    return plan_output(pgd->plan, pgd->gradient);
}

// Shows the state that was evaluated last.
static bool show_state(Pgd *pgd, const PgdWatch *watch, int step, const real *x)
{
    return watch->state(watch->self, step, (double)*plan_output(pgd->plan, pgd->objective), x);
}

bool pgd_run(Pgd *pgd, const PgdRule *rule, real *x, const PgdWatch *watch,
             const volatile bool *cancel)
{
    int steps = rule->variant == PGD_FGSM ? 1 : rule->steps;
    memcpy(pgd->clean, x, pgd->count * sizeof *x);
    for (int step = 0; step < steps; step++) {
        if (cancel && *cancel)
            return false;
        const real *gradient = pgd_gradient(pgd, x);
        if (watch && !show_state(pgd, watch, step, x))
            return false;
        pgd_update(rule, pgd->clean, gradient, pgd->count, x);
    }
    if (!watch)
        return true;
    pgd_gradient(pgd, x);
    return show_state(pgd, watch, steps, x);
}
