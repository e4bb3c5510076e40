/* study/robust_attack.c - AAM (R9): an attack within a small ball moves the map of each image to a
 * frame, or just away, and what becomes of maps and answers; insertion by the attacked maps. */
#include "robust_parts.h"

#include <math.h>
#include <string.h>

static const double attack_beta = 20; // of the softplus in place of ReLU while it is attacked

typedef struct AttackMachine {
    MapBatch     batch; // of the network that is measured
    Graph       *graph; // of the attack
    NodeId       beta;
    Map          map;
    MapAttack    attack;
    int64_t      size;                  // images of one attack
    real        *images, *least, *most; // [size, values]
    float       *wanted;                // [size, cells]
    int64_t     *labels;                // [size]
    float       *frame;                 // [room, cells], one and the same
    real         low[3], high[3];
    RobustMasks *masks; // NULL: insertion is not asked for
} AttackMachine;

/* ---- opening --------------------------------------------------------------------------------- */

static void close(void *made)
{
    AttackMachine *machine = made;
    if (machine) {
        map_batch_close(&machine->batch);
        map_attack_close(&machine->attack);
        map_close(&machine->map);
        graph_destroy(machine->graph);
        memory_free(machine->images);
        memory_free(machine->least);
        memory_free(machine->most);
        memory_free(machine->wanted);
        memory_free(machine->labels);
        memory_free(machine->frame);
        robust_masks_close(machine->masks);
    }
    memory_free(machine);
}

// Whether the blob's own network has ReLU; one that was trained with softplus says so.
static bool is_relu(const WeightBlob *blob)
{
    const char *activation = blob_about(blob, "activation");
    return !activation || strcmp(activation, "relu") == 0;
}

static bool is_path(const RobustRun *run)
{
    return run->study->methods[run->task->method]->kind == MAP_INTEGRATED;
}

// How far a pixel of a channel may move, in units of the network's input.
static double radius_of(const RobustRun *run, int channel)
{
    const Preparation *p     = blob_preparation(run->study->blob);
    double             fixed = run->study->mode->inverse_deviation,
           inverse           = fixed > 0 ? fixed : 1 / (double)p->std[channel];
    return run->task->eps * (double)p->scale * inverse;
}

static MapAttackRule rule_of(const AttackMachine *machine, const RobustRun *run)
{
    const RobustStudy *study  = run->study;
    double             radius = (radius_of(run, 0) + radius_of(run, 1) + radius_of(run, 2)) / 3;
    double             sign   = study->aam_target == AAM_NONE ? -1 : 1;
    double             beta   = machine->beta == NODE_NONE ? 0 : attack_beta;
    double images = (double)machine->size; // the loss is a mean over them, (R9) one of each
    return (MapAttackRule){.steps         = study->aam_steps,
                           .rate          = 4 * radius / (double)study->aam_steps,
                           .map_factor    = sign * 0.5 * images * (double)run->cells,
                           .output_factor = 0.5 * images,
                           .output_term   = OUTPUT_LOGITS,
                           .beta_first    = beta,
                           .beta_last     = beta,
                           .is_signed     = study->aam_is_signed,
                           .seed          = study->seed};
}

// Points of a path run side by side already, so its attack takes images one by one.
static bool open_nodes(AttackMachine *machine, const RobustRun *run, NodeId *logits, Error *error)
{
    const RobustStudy *study = run->study;
    if (!graph_create(&machine->graph, error))
        return false;
    if (is_relu(study->blob))
        machine->beta = op_scalar_input(machine->graph, (real)attack_beta, "beta");
    const NodeId *beta    = machine->beta == NODE_NONE ? NULL : &machine->beta;
    MapRequest    request = {.method   = study->methods[run->task->method],
                             .mode     = &study->maps,
                             .beta     = beta,
                             .patterns = study->patterns,
                             .width    = study->width,
                             .height   = study->height};
    map_slices_request(&request, 0);
    if (!is_path(run))
        request.images = machine->size;
    return map_build(machine->graph, study->blob, &request, &machine->map, error) &&
           map_logits(machine->graph, study->blob, &request, &machine->map, logits, error);
}

static bool open_attack(AttackMachine *machine, const RobustRun *run, Error *error)
{
    const RobustStudy *study = run->study;
    NodeId             logits;
    if (!open_nodes(machine, run, &logits, error) ||
        !pixel_bounds(study->blob, machine->low, machine->high, error))
        return false;
    MapAttackRule  rule    = rule_of(machine, run);
    PlanOptions    options = map_plan_options;
    MapAttackNodes nodes   = {.graph  = machine->graph,
                              .map    = &machine->map,
                              .logits = logits,
                              .beta   = machine->beta,
                              .mode   = &study->maps,
                              .low    = machine->low,
                              .high   = machine->high};
    options.conv           = study->conv;
    if (!map_attack_open(&machine->attack, &nodes, &rule, &options, error))
        return false;
    machine->attack.least = machine->least;
    machine->attack.most  = machine->most;
    return true;
}

static bool open_arrays(AttackMachine *machine, const RobustRun *run, Error *error)
{
    size_t values   = (size_t)(machine->size * run->values),
           cells    = (size_t)(machine->size * run->cells);
    machine->images = memory_new(values, sizeof *machine->images, error);
    machine->least  = memory_new(values, sizeof *machine->least, error);
    machine->most   = memory_new(values, sizeof *machine->most, error);
    machine->wanted = memory_new(cells, sizeof *machine->wanted, error);
    machine->labels = memory_new((size_t)machine->size, sizeof *machine->labels, error);
    machine->frame  = memory_new((size_t)(run->room * run->cells), sizeof *machine->frame, error);
    return machine->images && machine->least && machine->most && machine->wanted &&
           machine->labels && machine->frame;
}

/* The target: 1 in a border, 0 inside. Its width is 5 of 32 cells, 35 of 224 (R10). */
static void draw_frame(const RobustRun *run, float *frame)
{
    int64_t height = run->study->height, width = run->study->width,
            side = height < width ? height : width, border = (5 * side + 16) / 32;
    for (int64_t i = 0; i < run->room * run->cells; i++) {
        int64_t y = i % run->cells / width, x = i % width;
        bool    is_in = y >= border && x >= border && y < height - border && x < width - border;
        frame[i]      = is_in ? 0 : 1;
    }
}

static bool open(void **out, RobustRun *run, Error *error)
{
    const RobustStudy *study   = run->study;
    AttackMachine     *machine = memory_new(1, sizeof *machine, error);
    if (!machine)
        return false;
    machine->beta = NODE_NONE;
    machine->size = is_path(run) ? 1 : study->batch;
    if (!open_arrays(machine, run, error) ||
        !robust_batch_open(&machine->batch, run, study->methods[run->task->method], false, error) ||
        !open_attack(machine, run, error) ||
        (study->measures[ROBUST_ADV_INSERTION] &&
         !robust_masks_open(&machine->masks, run, error))) {
        close(machine);
        return false;
    }
    draw_frame(run, machine->frame);
    *out = machine;
    return true;
}

/* ---- attacking ------------------------------------------------------------------------------- */

// Image `from` of the group into place `to` of an attack, and what may become of it.
static void place(AttackMachine *machine, const RobustRun *run, int64_t from, int64_t to)
{
    const RobustGroup *group  = &run->group;
    const real        *image  = group->images + from * run->values;
    const float       *wanted = run->study->aam_target == AAM_NONE ? group->clean : machine->frame;
    for (int64_t k = 0; k < run->values; k++) {
        int64_t c = k / run->cells, at = to * run->values + k;
        real    radius      = (real)radius_of(run, (int)c);
        machine->images[at] = image[k];
        machine->least[at]  = image[k] - radius;
        machine->most[at]   = image[k] + radius;
        robust_cut(run, k, &machine->least[at]);
        robust_cut(run, k, &machine->most[at]);
    }
    memcpy(machine->wanted + to * run->cells, wanted + from * run->cells,
           (size_t)run->cells * sizeof *wanted);
    machine->labels[to] = group->labels[from];
}

/* Away from its own map an image has no slope where it stands: it begins anywhere in the ball. */
static void start_anywhere(AttackMachine *machine, const RobustRun *run, int64_t first)
{
    uint64_t key   = random_key(run->study->seed, "aam");
    real    *image = machine->attack.state.image;
    for (int64_t i = 0; i < machine->size * run->values; i++) {
        int64_t     index = i / run->values, k = i % run->values;
        uint64_t    place = (uint64_t)(run->group.first + first + index);
        RandomBlock block = random_block(key, place, (uint64_t)k / 4);
        double      share = (double)random_unit(block.word[k % 4]);
        image[i] = machine->least[i] + (real)share * (machine->most[i] - machine->least[i]);
    }
}

// Attacks `count` images from `first` on into group->attacked.
static bool attack(AttackMachine *machine, RobustRun *run, int64_t first, int64_t count,
                   Error *error)
{
    RobustGroup    *group = &run->group;
    MapAttack      *made  = &machine->attack;
    MapAttackState *state = &made->state;
    MapAttackLoss   loss;
    int64_t         last = count - 1;
    for (int64_t to = 0; to < machine->size; to++) // places that are left over repeat the last
        place(machine, run, first + (to < last ? to : last), to);
    made->rule.epsilon = 1e-8 * (run->study->mode->losses_by_group ? (double)group->count : 1);
    map_attack_begin_each(made, machine->images, machine->wanted, machine->labels, 0);
    for (int64_t to = 0; to < machine->size; to++) // of the network that is measured
        memcpy(state->outputs + to * run->classes,
               group->logits + (first + (to < last ? to : last)) * run->classes,
               (size_t)run->classes * sizeof(real));
    if (run->study->aam_target == AAM_NONE)
        start_anywhere(machine, run, first);
    while (state->step < made->rule.steps) {
        if (!map_attack_step(made, 0, &loss, error))
            return false;
        if (pass_cancelled(run->study->pass))
            return robust_passed(run, 0);
    }
    memcpy(group->attacked + first * run->values, state->image,
           (size_t)(count * run->values) * sizeof(real));
    return robust_part_done(run, first + count, count * run->task->passes, error);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void measure_outputs(RobustRun *run, int64_t row)
{
    RobustGroup *group = &run->group;
    for (int64_t i = 0; i < group->count; i++) {
        const real *now   = group->others + i * run->classes,
                   *clean = group->logits + i * run->classes;
        double sum        = 0;
        for (int64_t k = 0; k < run->classes; k++)
            sum += pow((double)now[k] - (double)clean[k], 2);
        robust_row(run, row)[i]     = sum;
        robust_row(run, row + 1)[i] = logits_predicted(now, run->classes) == group->labels[i];
    }
}

static void show_images(RobustRun *run)
{
    RobustResults     *kept  = run->results;
    const RobustGroup *group = &run->group;
    for (int64_t i = 0; i < group->count && group->first + i < kept->shown; i++) {
        int64_t place = run->task->method * kept->shown + group->first + i;
        for (int64_t k = 0; k < run->values; k++)
            kept->attacked[place * run->values + k] = (float)group->attacked[i * run->values + k];
    }
}

static bool measure(void *made, RobustRun *run, Error *error)
{
    AttackMachine     *machine = made;
    const RobustStudy *study   = run->study;
    RobustGroup       *group   = &run->group;
    int64_t            row     = 0;
    robust_maps(run, &machine->batch, group->images, group->clean, group->logits);
    for (int64_t first = run->place.part; first < group->count; first += machine->size) {
        int64_t left = group->count - first, count = left < machine->size ? left : machine->size;
        if (!attack(machine, run, first, count, error))
            return false;
    }
    robust_forget(run); // insertion may have been interrupted
    robust_maps(run, &machine->batch, group->attacked, group->maps, group->others);
    robust_show(run, 0, group->clean);
    robust_show(run, 2, group->maps);
    show_images(run);
    if (study->measures[ROBUST_AAM]) {
        if (!robust_alike(run, row, group->maps, group->clean, false, 1, error))
            return false;
        row += study->alike_count;
        if (study->aam_target == AAM_FRAME) {
            if (!robust_alike(run, row, group->maps, machine->frame, false, 1, error))
                return false;
            row += study->alike_count;
        }
        measure_outputs(run, row);
        row += 2;
    }
    return !machine->masks || robust_masks_run(machine->masks, run, group->maps, false, row, error);
}

const RobustKind robust_attack = {open, measure, close};
