/* study/map_machine.c - see map_machine.h. */
#include "map_machine.h"

enum { MEASURING = 1 << 20 }; // draws of noise from here on are for measuring

static const MapAttackRule *rule_of(const MapMachine *machine)
{
    return &machine->study->rules[machine->method];
}

/* ---- maps and outputs ------------------------------------------------------------------------ */

static bool open_runners(MapMachine *machine, Error *error)
{
    const MapStudy *study = machine->study;
    MapJob          job   = {.mode     = study->mode,
                             .method   = study->methods[machine->method],
                             .patterns = study->patterns,
                             .height   = study->height,
                             .width    = study->width,
                             .batch    = study->batch,
                             .conv     = study->conv,
                             .copies   = 1, // so that the box of pixels is known
                             .seed     = study->seed};
    if (!map_runner_open(&machine->relu, study->blob, &job, error))
        return false;
    job.softplus = true;
    return map_runner_open(&machine->softplus, study->blob, &job, error);
}

static bool open_outputs(MapMachine *machine, Error *error)
{
    const MapStudy *study   = machine->study;
    double          beta    = rule_of(machine)->beta_last;
    NetworkRequest  request = {.batch     = 1,
                               .unit      = -1,
                               .raw_input = true,
                               .height    = study->height,
                               .width     = study->width,
                               .conv      = study->conv};
    if (!layer_runner_open(&machine->relu_outputs, study->blob, &request, error))
        return false;
    request.softplus_beta = (real)beta;
    return beta <= 0 || layer_runner_open(&machine->softplus_outputs, study->blob, &request, error);
}

const float *map_machine_explain(MapMachine *machine, MapView view, const real *image,
                                 int64_t class, int64_t pair)
{
    MapRunner *runner  = view.beta > 0 ? &machine->softplus : &machine->relu;
    runner->job.copies = view.copies;
    runner->job.level  = view.level;
    if (view.beta > 0)
        map_runner_beta(runner, view.beta);
    map_runner_run(runner, image, class, (uint64_t)(MEASURING + pair));
    return runner->form;
}

void map_machine_outputs(MapMachine *machine, bool softplus, const real *image, real *logits)
{
    layer_runner_run(softplus ? &machine->softplus_outputs : &machine->relu_outputs, image, 1,
                     logits);
}

/* ---- the attack ------------------------------------------------------------------------------ */

static bool open_attack(MapMachine *machine, Error *error)
{
    const MapStudy  *study  = machine->study;
    const MapMethod *method = study->methods[machine->method];
    NodeId           logits;
    if (!graph_create(&machine->graph, error))
        return false;
    if (rule_of(machine)->beta_first > 0)
        machine->beta = op_scalar_input(machine->graph, 1, "beta");
    MapRequest request = {.method   = method,
                          .mode     = &study->mode,
                          .beta     = machine->beta == NODE_NONE ? NULL : &machine->beta,
                          .patterns = study->patterns,
                          .width    = study->width,
                          .height   = study->height};
    map_slices_request(&request, rule_of(machine)->copies);
    if (!map_build(machine->graph, study->blob, &request, &machine->map, error) ||
        !map_logits(machine->graph, study->blob, &request, &machine->map, &logits, error) ||
        !pixel_bounds(study->blob, machine->low, machine->high, error))
        return false;
    PlanOptions    options = map_plan_options;
    MapAttackNodes nodes   = {machine->graph, &machine->map, logits,       machine->beta,
                              &study->mode,   machine->low,  machine->high};
    options.conv           = study->conv;
    return map_attack_open(&machine->attack, &nodes, rule_of(machine), &options, error);
}

bool map_machine_open(MapMachine *out, const MapStudy *study, int method, Error *error)
{
    Error cause = {0};
    *out        = (MapMachine){.study = study, .method = method, .beta = NODE_NONE};
    // In its place, since the attack points to its nodes.
    if (open_attack(out, &cause) && open_runners(out, &cause) && open_outputs(out, &cause))
        return true;
    map_machine_close(out);
    return fail(error, cause.code, "method %s: %s", study->methods[method]->name, cause.message);
}

void map_machine_close(MapMachine *machine)
{
    map_attack_close(&machine->attack);
    map_close(&machine->map);
    graph_destroy(machine->graph);
    map_runner_close(&machine->relu);
    map_runner_close(&machine->softplus);
    layer_runner_close(&machine->relu_outputs);
    layer_runner_close(&machine->softplus_outputs);
    *machine = (MapMachine){0};
}
