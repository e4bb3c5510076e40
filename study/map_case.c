/* study/map_case.c - see map_case.h. */
#include "map_case.h"

#include <string.h>

enum { CHANNELS = 3, SMOOTHING_COPIES = 10 };

/* Of smoothing.csv: the study's figures reach from beta 1 to 100 and from 0.1 to 10 % of noise. */
static const double smoothing_betas[]  = {100, 30, 10, 5, 3, 2, 1};
static const double smoothing_levels[] = {0.001, 0.003, 0.01, 0.03, 0.1};
enum {
    SMOOTHING_BETAS  = sizeof smoothing_betas / sizeof *smoothing_betas,
    SMOOTHING_LEVELS = sizeof smoothing_levels / sizeof *smoothing_levels
};

int64_t case_measures(const MapStudy *study, int method)
{
    return (int64_t)study->arm_count * 2 * (study->rules[method].beta_last > 0 ? 2 : 1);
}

int64_t case_smoothings(void)
{
    return 1 + SMOOTHING_BETAS + SMOOTHING_LEVELS;
}

int64_t case_passes(const MapStudy *study, int method)
{
    int64_t networks = study->rules[method].beta_last > 0 ? 2 : 1;
    int64_t copies   = study->copies > 0 ? study->copies : 1;
    int64_t measured = networks * (2 * study->arm_count + 2) + 3; // with the maps of files
    int64_t again    = 2 * (1 + SMOOTHING_BETAS + SMOOTHING_LEVELS * SMOOTHING_COPIES);
    return map_method_passes(study->methods[method], &study->mode, measured * copies + again);
}

/* ---- room ------------------------------------------------------------------------------------ */

bool case_room_open(CaseRoom *out, const MapMachine *machine, Error *error)
{
    const MapStudy *study = machine->study;
    CaseRoom room = {.cells = study->height * study->width, .classes = machine->relu_outputs.units};
    float **const maps[] = {&room.wanted,   &room.before,   &room.target,
                            &room.shown[0], &room.shown[1], &room.shown[2]};
    bool          ok     = true;
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        *maps[i] = memory_new((size_t)room.cells, sizeof(float), error);
        ok       = ok && *maps[i];
    }
    room.clean     = memory_new((size_t)(CHANNELS * room.cells), sizeof(float), error);
    room.planes    = memory_new((size_t)(CHANNELS * room.cells), sizeof(float), error);
    room.stored    = memory_new((size_t)(CHANNELS * room.cells), sizeof(real), error);
    room.logits[0] = memory_new((size_t)room.classes, sizeof(real), error);
    room.logits[1] = memory_new((size_t)room.classes, sizeof(real), error);
    if (!ok || !room.clean || !room.planes || !room.stored || !room.logits[0] || !room.logits[1]) {
        case_room_close(&room);
        return false;
    }
    *out = room;
    return true;
}

void case_room_close(CaseRoom *room)
{
    memory_free(room->wanted);
    memory_free(room->before);
    memory_free(room->target);
    for (int i = 0; i < 3; i++)
        memory_free(room->shown[i]);
    memory_free(room->clean);
    memory_free(room->planes);
    memory_free(room->stored);
    memory_free(room->logits[0]);
    memory_free(room->logits[1]);
    *room = (CaseRoom){0};
}

/* ---- before the attack ----------------------------------------------------------------------- */

static int64_t predict(MapMachine *machine, CaseRoom *room, const real *image)
{
    map_machine_outputs(machine, false, image, room->logits[0]);
    return logits_predicted(room->logits[0], room->classes);
}

static MapView view_of(const MapStudy *study, double beta)
{
    return (MapView){beta, study->copies, study->level};
}

// The map that is aimed at, as this network makes it of the target image.
static void make_target(const CaseFacts *facts, MapMachine *machine, MapView view, int64_t cells,
                        float *out)
{
    const float *map = facts->pair.target_image
                           ? map_machine_explain(machine, view, facts->pair.target_image,
                                                 facts->target_class, facts->index)
                           : facts->pair.target_map;
    memcpy(out, map, (size_t)cells * sizeof *out);
}

void case_begin(CaseFacts *facts, CaseRoom *room, MapMachine *machine)
{
    const MapStudy *study = machine->study;
    double          beta  = map_attack_reference_beta(&study->rules[machine->method]);
    facts->class          = predict(machine, room, facts->pair.image);
    if (facts->pair.target_image)
        facts->target_class = predict(machine, room, facts->pair.target_image);
    make_target(facts, machine, view_of(study, beta), room->cells, room->wanted);
}

/* ---- what became of the map ------------------------------------------------------------------ */

static Similarity maps_alike(const MapStudy *study, const float *a, const float *b)
{
    return similarity(&ssim_default, a, b, 1, study->height, study->width);
}

// The image as a reader of the stored file prepares it, into room->stored.
static bool store(CaseRoom *room, const MapStudy *study, StoreArm arm, const real *image,
                  Error *error)
{
    const Preparation *preparation = blob_preparation(study->blob);
    pixels_restore(preparation, image, room->cells, room->planes);
    if (arm == STORE_FLOAT) {
        memcpy(room->stored, image, (size_t)(CHANNELS * room->cells) * sizeof *image);
        return true;
    }
    if (!store_image(arm, study->height, study->width, room->planes, NULL, error))
        return false;
    pixels_prepare(preparation, room->planes, room->cells, room->stored);
    return true;
}

static bool measure(const CaseFacts *facts, CaseRoom *room, MapMachine *machine, MapMeasure *row,
                    Error *error)
{
    const MapStudy *study = machine->study;
    const real     *image = row->is_control ? facts->pair.image : machine->attack.state.image;
    if (!store(room, study, row->store, image, error))
        return false;
    map_machine_outputs(machine, row->is_softplus, room->stored, room->logits[1]);
    const float *after = map_machine_explain(machine, view_of(study, row->beta), room->stored,
                                             facts->class, facts->index);
    row->target        = maps_alike(study, after, room->target);
    row->original      = maps_alike(study, after, room->before);
    row->image =
        similarity(&ssim_default, room->clean, room->planes, CHANNELS, study->height, study->width);
    row->linf =
        (double)planes_distance(room->clean, room->planes, (size_t)(CHANNELS * room->cells));
    row->class_before       = logits_predicted(room->logits[0], room->classes);
    row->class_after        = logits_predicted(room->logits[1], room->classes);
    row->probability_before = logits_probability(room->logits[0], room->classes, row->class_before);
    row->probability_after  = logits_probability(room->logits[1], room->classes, row->class_before);
    row->output_change      = logits_distance(room->logits[0], room->logits[1], room->classes);
    return true;
}

// Every row of one network: each way to store the attacked image, and the clean one.
static bool measure_network(const CaseFacts *facts, CaseRoom *room, MapMachine *machine,
                            bool softplus, MapResults *results, Error *error)
{
    const MapStudy *study = machine->study;
    double          beta  = softplus ? study->rules[machine->method].beta_last : 0;
    MapView         view  = view_of(study, beta);
    make_target(facts, machine, view, room->cells, room->target);
    memcpy(room->before,
           map_machine_explain(machine, view, facts->pair.image, facts->class, facts->index),
           (size_t)room->cells * sizeof *room->before);
    map_machine_outputs(machine, softplus, facts->pair.image, room->logits[0]);
    for (int arm = 0; arm < study->arm_count; arm++)
        for (int control = 0; control < 2; control++) {
            MapMeasure *row  = &results->measures[results->measure_count++];
            row->pair        = (int32_t)facts->index;
            row->method      = machine->method;
            row->is_softplus = softplus;
            row->is_control  = control == 1;
            row->store       = study->arms[arm];
            row->beta        = beta;
            if (!measure(facts, room, machine, row, error))
                return false;
        }
    return true;
}

// The maps for files: of the ReLU network, or of softplus with a beta that is fixed.
static void show_maps(const CaseFacts *facts, CaseRoom *room, MapMachine *machine)
{
    const MapStudy      *study = machine->study;
    const MapAttackRule *rule  = &study->rules[machine->method];
    bool                 fixed = rule->beta_first == rule->beta_last;
    MapView              view  = view_of(study, fixed ? rule->beta_last : 0);
    size_t               size  = (size_t)room->cells * sizeof(float);
    memcpy(room->shown[0],
           map_machine_explain(machine, view, facts->pair.image, facts->class, facts->index), size);
    memcpy(room->shown[1], room->wanted, size);
    memcpy(
        room->shown[2],
        map_machine_explain(machine, view, machine->attack.state.image, facts->class, facts->index),
        size);
}

bool case_measure(const CaseFacts *facts, CaseRoom *room, MapMachine *machine, MapResults *results,
                  Error *error)
{
    bool has_softplus = machine->study->rules[machine->method].beta_last > 0;
    pixels_restore(blob_preparation(machine->study->blob), facts->pair.image, room->cells,
                   room->clean);
    if (!measure_network(facts, room, machine, false, results, error) ||
        (has_softplus && !measure_network(facts, room, machine, true, results, error)))
        return false;
    show_maps(facts, room, machine);
    return true;
}

/* ---- explained again ------------------------------------------------------------------------- */

static void explain_again(const CaseFacts *facts, CaseRoom *room, MapMachine *machine, MapView view,
                          MapSmoothing *row)
{
    const MapStudy *study = machine->study;
    memcpy(room->before,
           map_machine_explain(machine, view, facts->pair.image, facts->class, facts->index),
           (size_t)room->cells * sizeof *room->before);
    const float *map =
        map_machine_explain(machine, view, machine->attack.state.image, facts->class, facts->index);
    row->pair     = (int32_t)facts->index;
    row->method   = machine->method;
    row->copies   = (int32_t)view.copies;
    row->beta     = view.beta;
    row->level    = view.level;
    row->target   = maps_alike(study, map, room->wanted);
    row->original = maps_alike(study, map, room->before);
}

void case_smooth(const CaseFacts *facts, CaseRoom *room, MapMachine *machine, MapResults *results)
{
    MapSmoothing *row = results->smoothings + results->smoothing_count;
    explain_again(facts, room, machine, (MapView){0}, row++);
    for (int i = 0; i < SMOOTHING_BETAS; i++)
        explain_again(facts, room, machine, (MapView){.beta = smoothing_betas[i]}, row++);
    for (int i = 0; i < SMOOTHING_LEVELS; i++)
        explain_again(facts, room, machine, (MapView){0, SMOOTHING_COPIES, smoothing_levels[i]},
                      row++);
    results->smoothing_count = row - results->smoothings;
}
