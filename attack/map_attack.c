/* attack/map_attack.c - see map_attack.h. */
#include "map_attack.h"
#include "../engine/optimiser.h"

#include <math.h>
#include <string.h>

static const double reference_beta = 1000;

/* ---- beta ------------------------------------------------------------------------------------ */

static bool grows(const MapAttackRule *rule)
{
    return rule->beta_first != rule->beta_last;
}

double map_attack_beta(const MapAttackRule *rule, int64_t step)
{
    double share = rule->steps ? (double)step / (double)rule->steps : 0;
    return grows(rule) ? rule->beta_first * pow(rule->beta_last / rule->beta_first, share)
                       : rule->beta_first;
}

double map_attack_reference_beta(const MapAttackRule *rule)
{
    return grows(rule) ? reference_beta : rule->beta_first;
}

/* ---- opening --------------------------------------------------------------------------------- */

static NodeId mean_square(Graph *g, NodeId a, NodeId b, double factor)
{
    double count = (double)shape_elements(graph_shape(g, a));
    return op_scale(g, op_squared_distance(g, a, b), (real)(factor / count));
}

// (M4)
static void append_loss(MapAttack *attack)
{
    const MapAttackRule *rule = &attack->rule;
    Graph               *g    = attack->nodes.graph;
    const Map           *map  = attack->nodes.map;
    attack->wanted            = op_input(g, graph_shape(g, map->map), "wanted map");
    attack->outputs           = op_input(g, graph_shape(g, attack->nodes.logits), "clean outputs");
    attack->found             = rule->output_term == OUTPUT_LOGITS
                                    ? attack->nodes.logits
                                    : op_exp(g, op_log_softmax(g, attack->nodes.logits));
    attack->map_term          = mean_square(g, map->map, attack->wanted, rule->map_factor);
    attack->output_term       = mean_square(g, attack->found, attack->outputs, rule->output_factor);
    attack->loss              = op_add(g, attack->map_term, attack->output_term);
}

static bool is_of_points(const MapAttack *attack)
{
    return attack->nodes.map->share != NODE_NONE;
}

static bool append_gradient(MapAttack *attack, Error *error)
{
    const MapAttackNodes *nodes = &attack->nodes;
    if (is_of_points(attack))
        return map_slices_open(&attack->slices, nodes->graph, nodes->map, nodes->mode,
                               attack->rule.copies, attack->loss, error);
    graph_gradient(nodes->graph, attack->loss, &nodes->map->image, 1, &attack->gradient);
    return true;
}

static bool open_plan(MapAttack *attack, const PlanOptions *options, Error *error)
{
    PlanOptions own                        = options ? *options : (PlanOptions){0};
    NodeId      outputs[4 + SLICE_OUTPUTS] = {attack->loss, attack->map_term, attack->output_term,
                                              attack->found};
    int         count                      = 4;
    if (is_of_points(attack))
        count += map_slices_plan(&attack->slices, &own, outputs + count);
    else
        outputs[count++] = attack->gradient;
    return plan_create(&attack->plan, attack->nodes.graph, outputs, count, &own, error);
}

static bool open_state(MapAttackState *state, const MapAttackNodes *nodes, Error *error)
{
    const Graph *g = nodes->graph;
    state->values  = shape_elements(graph_shape(g, nodes->map->image));
    state->cells   = shape_elements(graph_shape(g, nodes->map->map));
    state->classes = shape_elements(graph_shape(g, nodes->logits));
    state->image   = memory_new((size_t)state->values, sizeof(real), error);
    state->first   = memory_new((size_t)state->values, sizeof(real), error);
    state->second  = memory_new((size_t)state->values, sizeof(real), error);
    state->wanted  = memory_new((size_t)state->cells, sizeof(real), error);
    state->outputs = memory_new((size_t)state->classes, sizeof(real), error);
    return state->image && state->first && state->second && state->wanted && state->outputs;
}

bool map_attack_open(MapAttack *out, const MapAttackNodes *nodes, const MapAttackRule *rule,
                     const PlanOptions *options, Error *error)
{
    MapAttack attack   = {.nodes = *nodes, .rule = *rule, .gradient = NODE_NONE};
    int64_t   channels = graph_shape(nodes->graph, nodes->map->image).dim[1];
    append_loss(&attack);
    for (int64_t c = 0; c < channels && c < 3; c++)
        attack.span[c] = nodes->high[c] - nodes->low[c];
    if (!append_gradient(&attack, error) || !open_plan(&attack, options, error) ||
        !open_state(&attack.state, nodes, error)) {
        map_attack_close(&attack);
        return false;
    }
    *out = attack;
    return true;
}

void map_attack_close(MapAttack *attack)
{
    plan_destroy(attack->plan);
    map_slices_close(&attack->slices);
    memory_free(attack->state.image);
    memory_free(attack->state.first);
    memory_free(attack->state.second);
    memory_free(attack->state.wanted);
    memory_free(attack->state.outputs);
    *attack = (MapAttack){0};
}

/* ---- looking --------------------------------------------------------------------------------- */

// That of step 0, or of this step.
static SliceNoise noise_of(const MapAttack *attack, uint64_t draw)
{
    const MapAttackRule *rule  = &attack->rule;
    uint64_t             round = rule->noise == NOISE_REDRAWN ? (uint64_t)attack->state.step : 0;
    SliceNoise           noise = {.seed = rule->seed, .draw = draw, .round = round};
    for (int c = 0; c < 3; c++)
        noise.deviation[c] = rule->level * (double)attack->span[c];
    return noise;
}

// Afterwards the plan holds the loss.
static void run_at(MapAttack *attack, double beta, uint64_t draw)
{
    const MapAttackState *state = &attack->state;
    memcpy(plan_input(attack->plan, attack->nodes.map->image), state->image,
           (size_t)state->values * sizeof(real));
    memcpy(plan_input(attack->plan, attack->wanted), state->wanted,
           (size_t)state->cells * sizeof(real));
    memcpy(plan_input(attack->plan, attack->outputs), state->outputs,
           (size_t)state->classes * sizeof(real));
    if (attack->nodes.beta != NODE_NONE)
        plan_set_scalar(attack->plan, attack->nodes.beta, (real)beta);
    SliceNoise noise = noise_of(attack, draw);
    if (is_of_points(attack))
        map_slices_forward(&attack->slices, attack->plan, &noise);
    else
        plan_run(attack->plan);
}

static void begin(MapAttack *attack, const real *image, const float *wanted, uint64_t draw)
{
    MapAttackState *state = &attack->state;
    state->step           = 0;
    memcpy(state->image, image, (size_t)state->values * sizeof *image);
    memset(state->first, 0, (size_t)state->values * sizeof(real));
    memset(state->second, 0, (size_t)state->values * sizeof(real));
    for (int64_t i = 0; i < state->cells; i++)
        state->wanted[i] = (real)wanted[i];
    run_at(attack, map_attack_reference_beta(&attack->rule), draw);
    memcpy(state->outputs, plan_output(attack->plan, attack->found),
           (size_t)state->classes * sizeof(real));
}

void map_attack_begin(MapAttack *attack, const real *image, const float *wanted, int64_t unit,
                      uint64_t draw)
{
    map_choose(attack->plan, attack->nodes.map, unit);
    begin(attack, image, wanted, draw);
}

void map_attack_begin_each(MapAttack *attack, const real *images, const float *wanted,
                           const int64_t *units, uint64_t draw)
{
    map_choose_each(attack->plan, attack->nodes.map, units);
    begin(attack, images, wanted, draw);
}

MapAttackLoss map_attack_look(MapAttack *attack, uint64_t draw)
{
    MapAttackLoss loss = {.beta = map_attack_beta(&attack->rule, attack->state.step)};
    run_at(attack, loss.beta, draw);
    loss.loss        = (double)*plan_output(attack->plan, attack->loss);
    loss.map_term    = (double)*plan_output(attack->plan, attack->map_term);
    loss.output_term = (double)*plan_output(attack->plan, attack->output_term);
    SliceNoise noise = noise_of(attack, draw);
    if (is_of_points(attack))
        map_slices_backward(&attack->slices, attack->plan, &noise);
    return loss;
}

const real *map_attack_gradient(const MapAttack *attack)
{
    return is_of_points(attack) ? attack->slices.gradient
                                : plan_output(attack->plan, attack->gradient);
}

/* ---- stepping -------------------------------------------------------------------------------- */

static void cut_to_box(const MapAttack *attack)
{
    const MapAttackNodes *nodes = &attack->nodes;
    Shape                 shape = graph_shape(nodes->graph, nodes->map->image);
    real                 *image = attack->state.image;
    int64_t               plane = shape.dim[2] * shape.dim[3];
    for (int64_t i = 0; i < attack->state.values; i++) {
        int64_t channel = i / plane % shape.dim[1];
        real    low     = attack->least ? attack->least[i] : nodes->low[channel];
        real    high    = attack->most ? attack->most[i] : nodes->high[channel];
        image[i]        = image[i] < low ? low : image[i] > high ? high : image[i];
    }
}

static void step_by_sign(double rate, const real *gradient, MapAttackState *state)
{
    for (int64_t i = 0; i < state->values; i++)
        state->image[i] -= (real)rate * (real)((gradient[i] > 0) - (gradient[i] < 0));
}

bool map_attack_step(MapAttack *attack, uint64_t draw, MapAttackLoss *loss, Error *error)
{
    const MapAttackRule *rule  = &attack->rule;
    MapAttackState      *state = &attack->state;
    const Optimiser      adam  = {.kind     = OPTIMISER_ADAM,
                                  .momentum = 0.9,
                                  .beta2    = 0.999,
                                  .epsilon  = rule->epsilon > 0 ? rule->epsilon : 1e-8};
    *loss                      = map_attack_look(attack, draw);
    if (!isfinite(loss->loss))
        return fail(error, ERROR_DATA, "the loss of step %lld is not finite",
                    (long long)state->step);
    state->step++;
    if (rule->is_signed)
        step_by_sign(rule->rate, map_attack_gradient(attack), state);
    else
        optimiser_step(&adam, rule->rate, state->step, state->values, map_attack_gradient(attack),
                       state->image, state->first, state->second);
    cut_to_box(attack);
    return true;
}
