/* study/robust_accuracy.c - how many images the network names right: as they are, and after
 * projected gradient descent on the label (R13). */
#include "../attack/attack.h"
#include "robust_parts.h"

#include <string.h>

typedef struct AccuracyMachine {
    LayerRunner runner;
    Graph      *graph;
    Network     network;
    NodeId      label;
    Pgd        *pgd;
    real       *planes, *logits; // [batch, values], [batch, classes]
} AccuracyMachine;

static void close(void *made)
{
    AccuracyMachine *machine = made;
    if (machine) {
        layer_runner_close(&machine->runner);
        pgd_destroy(machine->pgd);
        graph_destroy(machine->graph);
        memory_free(machine->planes);
        memory_free(machine->logits);
    }
    memory_free(machine);
}

// PGD lowers the log-probability of the labels, each image its own.
static bool open_attack(AccuracyMachine *machine, const RobustStudy *study,
                        const NetworkRequest *request, Error *error)
{
    PlanOptions options = {.conv = study->conv};
    if (!graph_create(&machine->graph, error) ||
        !network_build(machine->graph, study->blob, request, &machine->network, error))
        return false;
    Graph *g         = machine->graph;
    machine->label   = op_input(g, graph_shape(g, machine->network.layer), "labels");
    NodeId objective = op_dot(g, op_log_softmax(g, machine->network.layer), machine->label);
    return pgd_create(&machine->pgd, g, machine->network.pixels, objective, &options, error);
}

static bool open(void **out, RobustRun *run, Error *error)
{
    const RobustStudy *study   = run->study;
    NetworkRequest     request = {.batch  = study->batch,
                                  .unit   = -1,
                                  .height = study->height,
                                  .width  = study->width,
                                  .conv   = study->conv};
    AccuracyMachine   *machine = memory_new(1, sizeof *machine, error);
    bool               ok      = machine != NULL;
    if (ok) {
        size_t batch    = (size_t)study->batch;
        machine->planes = memory_new(batch * (size_t)run->values, sizeof *machine->planes, error);
        machine->logits = memory_new(batch * (size_t)run->classes, sizeof *machine->logits, error);
        ok              = machine->planes && machine->logits &&
             layer_runner_open(&machine->runner, study->blob, &request, error) &&
             (run->task->eps <= 0 || open_attack(machine, study, &request, error));
    }
    if (!ok) {
        close(machine);
        return false;
    }
    *out = machine;
    return true;
}

// Of `count` images from `first` on; places of a batch that are left over hold zeros.
static bool attack(AccuracyMachine *machine, RobustRun *run, int64_t first, int64_t count)
{
    PgdRule rule   = {.variant = PGD_STEPS, .eps = (real)run->task->eps, .steps = ROBUST_PGD_STEPS};
    real   *labels = plan_input(pgd_plan(machine->pgd), machine->label);
    memset(labels, 0, (size_t)(run->study->batch * run->classes) * sizeof *labels);
    for (int64_t i = 0; i < count; i++)
        labels[i * run->classes + run->group.labels[first + i]] = 1;
    return pgd_run(machine->pgd, &rule, machine->planes, NULL, run->study->pass->cancel);
}

static bool measure(void *made, RobustRun *run, Error *error)
{
    AccuracyMachine *machine = made;
    RobustGroup     *group   = &run->group;
    int64_t          size    = run->study->batch;
    for (int64_t first = run->place.part; first < group->count; first += size) {
        int64_t count = group->count - first < size ? group->count - first : size;
        for (int64_t k = 0; k < size * run->values; k++)
            machine->planes[k] =
                k < count * run->values ? (real)group->planes[first * run->values + k] : 0;
        if (machine->pgd && !attack(machine, run, first, count))
            return robust_passed(run, 0);
        layer_runner_run(&machine->runner, machine->planes, count, machine->logits);
        for (int64_t i = 0; i < count; i++)
            robust_row(run, 0)[first + i] =
                logits_predicted(machine->logits + i * run->classes, run->classes) ==
                group->labels[first + i];
        if (!robust_part_done(run, first + count, count * run->task->passes, error))
            return false;
    }
    return true;
}

const RobustKind robust_accuracy = {open, measure, close};
