/* study/robust_noise.c - maps and gradients of randomly moved images: RPS (R8) and the quantities
 * of the upper bound (R12). */
#include "robust_parts.h"

#include <math.h>
#include <string.h>

/* The distance of a value of one draw from the image, in units of the network's input: uniform in
 * -1..1, or standard normal, times eps and the radius of its channel. Every number has its address:
 * image, draw, block of four values; so it is the same for every eps, method and network. */
static void draw_noise(const RobustRun *run, int64_t index, int64_t draw, bool is_normal,
                       real *noise)
{
    const RobustGroup *group = &run->group;
    uint64_t           key   = random_key(run->study->seed, is_normal ? "bound" : "rps");
    uint64_t           place = (uint64_t)(group->first + index) * 65536 + (uint64_t)draw;
    for (int64_t i = 0; i < run->values; i += 4) {
        RandomBlock block = random_block(key, place, (uint64_t)i / 4);
        double      z[4];
        if (is_normal) {
            random_gaussian(block.word[0], block.word[1], &z[0], &z[1]);
            random_gaussian(block.word[2], block.word[3], &z[2], &z[3]);
        }
        for (int64_t k = i; k < i + 4 && k < run->values; k++) {
            double unit = is_normal ? z[k - i] : 2 * (double)random_unit(block.word[k - i]) - 1;
            noise[k]    = (real)(run->task->eps * run->radius[k / run->cells] * unit);
        }
    }
}

// The moved images of a draw, and where `noise` is not NULL how far they would have moved.
static void move(RobustRun *run, int64_t draw, bool is_normal, real *noise)
{
    RobustGroup *group = &run->group;
    for (int64_t i = 0; i < group->count; i++) {
        real       *moved = group->moved + i * run->values;
        const real *image = group->images + i * run->values;
        draw_noise(run, i, draw, is_normal, moved);
        if (noise)
            memcpy(noise + i * run->values, moved, (size_t)run->values * sizeof *noise);
        for (int64_t k = 0; k < run->values; k++) {
            moved[k] += image[k];
            robust_cut(run, k, &moved[k]);
        }
    }
}

/* ---- maps ------------------------------------------------------------------------------------ */

static void noise_close(void *made)
{
    MapBatch *batch = made;
    if (batch)
        map_batch_close(batch);
    memory_free(batch);
}

static bool noise_open(void **out, RobustRun *run, Error *error)
{
    MapBatch        *batch  = memory_new(1, sizeof *batch, error);
    const MapMethod *method = run->study->methods[run->task->method];
    if (batch && !robust_batch_open(batch, run, method, false, error)) {
        noise_close(batch);
        return false;
    }
    *out = batch;
    return batch != NULL;
}

static bool noise_measure(void *made, RobustRun *run, Error *error)
{
    MapBatch          *batch  = made;
    const RobustStudy *study  = run->study;
    RobustGroup       *group  = &run->group;
    bool               is_rps = run->task->measure == ROBUST_RPS;
    int64_t            draws  = run->task->eps > 0 ? study->draws : 1; // without noise all are one
    robust_maps(run, batch, group->images, group->clean, NULL);
    for (int64_t draw = run->place.part; draw < draws; draw++) {
        bool is_summed = is_rps && study->mode->forgets_clean && draw > 0;
        move(run, draw, !is_rps, NULL);
        robust_maps(run, batch, group->moved, group->maps, NULL);
        if (!robust_alike(run, 0, group->maps, group->clean, is_summed, 1 / (double)draws, error))
            return false;
        if (draw == 0 && run->task->is_strongest) {
            robust_show(run, 0, group->clean);
            robust_show(run, 1, group->maps);
        }
        if (!robust_part_done(run, draw + 1, group->count * run->task->passes / draws, error))
            return false;
    }
    return true;
}

const RobustKind robust_noise = {noise_open, noise_measure, noise_close};

/* ---- gradients ------------------------------------------------------------------------------- */

typedef struct GradientMachine {
    MapBatch along, plain; // with products of the Hessian, and without
    real    *noise;        // [room, values]
    double  *gradient;     // [room, values], of the images
    double  *curved;       // [room], |H r|
} GradientMachine;

static void gradient_close(void *made)
{
    GradientMachine *machine = made;
    if (machine) {
        map_batch_close(&machine->along);
        map_batch_close(&machine->plain);
        memory_free(machine->noise);
        memory_free(machine->gradient);
        memory_free(machine->curved);
    }
    memory_free(machine);
}

static bool gradient_open(void **out, RobustRun *run, Error *error)
{
    const MapMethod *method  = map_method_named("gradient");
    GradientMachine *machine = memory_new(1, sizeof *machine, error);
    size_t           values  = (size_t)(run->room * run->values);
    bool             ok      = machine != NULL;
    if (ok) {
        machine->noise    = memory_new(values, sizeof *machine->noise, error);
        machine->gradient = memory_new(values, sizeof *machine->gradient, error);
        machine->curved   = memory_new((size_t)run->room, sizeof *machine->curved, error);
        ok                = machine->noise && machine->gradient && machine->curved &&
             robust_batch_open(&machine->along, run, method, true, error) &&
             robust_batch_open(&machine->plain, run, method, false, error);
    }
    if (!ok) {
        gradient_close(machine);
        return false;
    }
    *out = machine;
    return true;
}

// Gradients of the images, and the sizes of H r.
static void curve(GradientMachine *machine, RobustRun *run)
{
    RobustGroup *group = &run->group;
    int64_t      size  = machine->along.job.batch;
    for (int64_t first = 0; first < group->count; first += size) {
        int64_t     count = group->count - first < size ? group->count - first : size;
        const real *slope;
        map_batch_along(&machine->along, group->images + first * run->values, group->labels + first,
                        machine->noise + first * run->values, count, &slope);
        memcpy(machine->gradient + first * run->values, machine->along.raw,
               (size_t)(count * run->values) * sizeof *machine->gradient);
        for (int64_t i = 0; i < count; i++) {
            double sum = 0;
            for (int64_t k = i * run->values; k < (i + 1) * run->values; k++)
                sum += (double)slope[k] * (double)slope[k];
            machine->curved[first + i] = sqrt(sum);
        }
    }
}

// (R12) of one image, in the order of the task's rows.
static void add_bound(GradientMachine *machine, RobustRun *run, int64_t i, const double *moved,
                      bool is_right)
{
    const RobustStudy *study = run->study;
    double             share = 1 / (double)study->draws, curved = machine->curved[i];
    Alignment          a = alignment_of(machine->gradient + i * run->values, moved, run->values);
    const double       found[] = {a.distance,
                                  a.cosd,
                                  a.size_b,
                                  curved,
                                  curved / (a.size_b + 1e-8),
                                  a.bound,
                                  is_right,
                                  curved * curved / (255 * run->task->eps) / share};
    for (int64_t r = 0; r < run->task->row_count; r++)
        robust_row(run, r)[i] += share * found[r];
}

static bool gradient_measure(void *made, RobustRun *run, Error *error)
{
    GradientMachine *machine = made;
    RobustGroup     *group   = &run->group;
    MapBatch        *plain   = &machine->plain;
    int64_t          draws   = run->study->draws;
    for (int64_t draw = run->place.part; draw < draws; draw++) {
        move(run, draw, true, machine->noise);
        curve(machine, run);
        for (int64_t first = 0; first < group->count; first += plain->job.batch) {
            int64_t left  = group->count - first,
                    count = left < plain->job.batch ? left : plain->job.batch;
            map_batch_run(plain, group->moved + first * run->values, group->labels + first, count);
            for (int64_t i = 0; i < count; i++)
                add_bound(machine, run, first + i, plain->raw + i * run->values,
                          logits_predicted(plain->logits + i * run->classes, run->classes) ==
                              group->labels[first + i]);
        }
        if (!robust_part_done(run, draw + 1, group->count * run->task->passes / draws, error))
            return false;
    }
    return true;
}

const RobustKind robust_gradient = {gradient_open, gradient_measure, gradient_close};
