/* study/robust_masks.c - what the network says where only some pixels stay: insertion and deletion
 * (R11). */
#include "../base/parallel.h"
#include "robust_parts.h"

#include <stdlib.h>
#include <string.h>

struct RobustMasks {
    MapBatch     batch; // of the method, where maps are made here
    LayerRunner  runner;
    float       *sorted;  // [room, cells], from the largest
    int64_t      kept;    // cells, about, of the ratio at hand
    bool         deletes; // what stays lies below
    const float *maps;
    RobustRun   *run;
};

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* ---- opening --------------------------------------------------------------------------------- */

bool robust_masks_open(RobustMasks **out, const RobustRun *run, Error *error)
{
    const RobustStudy *study   = run->study;
    NetworkRequest     request = {.batch     = study->batch,
                                  .unit      = -1,
                                  .raw_input = true,
                                  .height    = study->height,
                                  .width     = study->width,
                                  .conv      = study->conv};
    RobustMasks       *masks   = memory_new(1, sizeof *masks, error);
    if (!masks)
        return false;
    masks->sorted = memory_new((size_t)(run->room * run->cells), sizeof *masks->sorted, error);
    if (!masks->sorted || !layer_runner_open(&masks->runner, study->blob, &request, error)) {
        robust_masks_close(masks);
        return false;
    }
    *out = masks;
    return true;
}

void robust_masks_close(RobustMasks *masks)
{
    if (!masks)
        return;
    map_batch_close(&masks->batch);
    layer_runner_close(&masks->runner);
    memory_free(masks->sorted);
    memory_free(masks);
}

/* ---- masks ----------------------------------------------------------------------------------- */

static void sort_one(void *data, int64_t i, int thread)
{
    const RobustMasks *masks = data;
    int64_t            cells = masks->run->cells;
    (void)thread;
    memcpy(masks->sorted + i * cells, masks->maps + i * cells, (size_t)cells * sizeof(float));
    qsort(masks->sorted + i * cells, (size_t)cells, sizeof(float), by_size);
}

// The image times its mask: a pixel that goes becomes the mean colour, which is read as 0.
static void mask_one(void *data, int64_t i, int thread)
{
    const RobustMasks *masks = data;
    const RobustRun   *run   = masks->run;
    const real        *image = run->group.images + i * run->values;
    real              *moved = run->group.moved + i * run->values;
    float              limit = masks->sorted[i * run->cells + masks->kept];
    (void)thread;
    for (int64_t k = 0; k < run->values; k++) {
        float value = masks->maps[i * run->cells + k % run->cells];
        bool  stays = masks->deletes ? value < limit : value > limit;
        moved[k]    = stays ? image[k] : 0;
    }
}

bool robust_masks_run(RobustMasks *masks, RobustRun *run, const float *maps, bool deletes,
                      int64_t row, Error *error)
{
    RobustGroup *group = &run->group;
    int64_t      size  = run->study->batch;
    (void)error;
    masks->run     = run;
    masks->maps    = maps;
    masks->deletes = deletes;
    parallel_for(group->count, sort_one, masks);
    for (int64_t ratio = 0; ratio < ROBUST_RATIOS; ratio++) {
        masks->kept = ratio * run->cells / ROBUST_RATIOS;
        parallel_for(group->count, mask_one, masks);
        for (int64_t first = 0; first < group->count; first += size) {
            int64_t count = group->count - first < size ? group->count - first : size;
            layer_runner_run(&masks->runner, group->moved + first * run->values, count,
                             group->others + first * run->classes);
        }
        for (int64_t i = 0; i < group->count; i++) {
            double found = logits_probability(group->others + i * run->classes, run->classes,
                                              group->labels[i]);
            robust_row(run, row + ratio)[i] = found;
            robust_row(run, row + ROBUST_RATIOS)[i] += found / ROBUST_RATIOS;
        }
    }
    return robust_passed(run, group->count * ROBUST_RATIOS);
}

/* ---- the measure ----------------------------------------------------------------------------- */

static void close(void *made)
{
    robust_masks_close(made);
}

static bool open(void **out, RobustRun *run, Error *error)
{
    const MapMethod *method = run->study->methods[run->task->method];
    RobustMasks     *masks  = NULL;
    if (!robust_masks_open(&masks, run, error))
        return false;
    if (method && !robust_batch_open(&masks->batch, run, method, false, error)) {
        robust_masks_close(masks);
        return false;
    }
    *out = masks;
    return true;
}

static bool measure(void *made, RobustRun *run, Error *error)
{
    RobustMasks       *masks  = made;
    const RobustStudy *study  = run->study;
    RobustGroup       *group  = &run->group;
    int                method = run->task->method;
    if (study->methods[method])
        robust_maps(run, &masks->batch, group->images, group->clean, NULL);
    for (int64_t i = 0; i < group->count && !study->methods[method]; i++)
        if (!study->given_map(study->self, method, group->first + i, group->clean + i * run->cells,
                              error))
            return false;
    robust_show(run, 0, group->clean);
    return robust_masks_run(masks, run, group->clean, run->task->measure == ROBUST_DELETION, 0,
                            error);
}

const RobustKind robust_masks = {open, measure, close};
