/* study/robust_group.c - the images of one group, and what every measure does with them. */
#include "robust_parts.h"

#include <math.h>
#include <string.h>

double *robust_row(RobustRun *run, int64_t index)
{
    RobustResults *results = run->results;
    return results->values + (run->task->first_row + index) * results->images + run->group.first;
}

bool robust_passed(RobustRun *run, int64_t passes)
{
    const Pass *pass = run->study->pass;
    run->passed += passes;
    pass_progress(pass, run->passed, run->tasks.passes * (run->past - run->begin));
    run->is_cancelled = pass_cancelled(pass);
    return !run->is_cancelled;
}

/* ---- room ------------------------------------------------------------------------------------ */

bool robust_group_open(RobustRun *run, Error *error)
{
    RobustGroup *group = &run->group;
    size_t       room = (size_t)run->room, values = room * (size_t)run->values,
           cells = room * (size_t)run->cells, classes = room * (size_t)run->classes;
    group->images = memory_new(values, sizeof *group->images, error);
    group->moved  = memory_new(values, sizeof *group->moved, error);
    group->attacked_count =
        run->study->measures[ROBUST_AAM] || run->study->measures[ROBUST_ADV_INSERTION] ? values : 1;
    group->attacked = memory_new(group->attacked_count, sizeof *group->attacked, error);
    group->planes   = memory_new(values, sizeof *group->planes, error);
    group->labels   = memory_new(room, sizeof *group->labels, error);
    group->clean    = memory_new(cells, sizeof *group->clean, error);
    group->maps     = memory_new(cells, sizeof *group->maps, error);
    group->sum_a    = memory_new(cells, sizeof *group->sum_a, error);
    group->sum_b    = memory_new(cells, sizeof *group->sum_b, error);
    group->sorted   = memory_new(cells, sizeof *group->sorted, error);
    group->scores   = memory_new(room, sizeof *group->scores, error);
    group->logits   = memory_new(classes, sizeof *group->logits, error);
    group->others   = memory_new(classes, sizeof *group->others, error);
    return group->images && group->moved && group->attacked && group->planes && group->labels &&
           group->clean && group->maps && group->sum_a && group->sum_b && group->sorted &&
           group->scores && group->logits && group->others;
}

void robust_group_close(RobustRun *run)
{
    RobustGroup *group = &run->group;
    memory_free(group->images);
    memory_free(group->moved);
    memory_free(group->attacked);
    memory_free(group->planes);
    memory_free(group->labels);
    memory_free(group->clean);
    memory_free(group->maps);
    memory_free(group->sum_a);
    memory_free(group->sum_b);
    memory_free(group->sorted);
    memory_free(group->scores);
    memory_free(group->logits);
    memory_free(group->others);
    *group = (RobustGroup){0};
}

/* ---- images ---------------------------------------------------------------------------------- */

// Black and white of each channel, or the extremes of the whole group.
static bool find_box(RobustRun *run, Error *error)
{
    RobustGroup *group = &run->group;
    if (!run->study->mode->clamps_to_group)
        return pixel_bounds(run->study->blob, group->low, group->high, error);
    real low = group->images[0], high = low;
    for (int64_t i = 0; i < group->count * run->values; i++) {
        low  = group->images[i] < low ? group->images[i] : low;
        high = group->images[i] > high ? group->images[i] : high;
    }
    for (int c = 0; c < 3; c++) {
        group->low[c]  = low;
        group->high[c] = high;
    }
    return true;
}

bool robust_group_load(RobustRun *run, int64_t first, Error *error)
{
    const RobustStudy *study = run->study;
    RobustResults     *kept  = run->results;
    RobustGroup       *group = &run->group;
    group->first             = first;
    group->count = study->images - first < run->room ? study->images - first : run->room;
    for (int64_t i = 0; i < group->count; i++) {
        RobustImage image = {.planes = group->planes + i * run->values};
        if (!study->load(study->self, first + i, &image, error))
            return false;
        if (image.label < 0 || image.label >= run->classes)
            return fail(error, ERROR_DATA,
                        "image %lld has label %lld, but the network has %lld classes",
                        (long long)(first + i), (long long)image.label, (long long)run->classes);
        group->labels[i] = image.label;
        pixels_prepare(blob_preparation(study->blob), image.planes, run->cells,
                       group->images + i * run->values);
        if (first + i < kept->shown)
            memcpy(kept->photos + (first + i) * run->values, image.planes,
                   (size_t)run->values * sizeof *kept->photos);
    }
    return find_box(run, error);
}

void robust_cut(const RobustRun *run, int64_t value, real *pixel)
{
    int64_t c   = value / run->cells % 3;
    real    low = run->group.low[c], high = run->group.high[c];
    *pixel = *pixel < low ? low : *pixel > high ? high : *pixel;
}

/* ---- maps ------------------------------------------------------------------------------------ */

bool robust_batch_open(MapBatch *out, const RobustRun *run, const MapMethod *method, bool along,
                       Error *error)
{
    const RobustStudy *study = run->study;
    MapJob             job   = {.mode     = study->maps,
                                .method   = method,
                                .patterns = study->patterns,
                                .height   = study->height,
                                .width    = study->width,
                                .batch    = study->batch,
                                .conv     = study->conv};
    return map_batch_open(out, study->blob, &job, along, error);
}

void robust_maps(RobustRun *run, MapBatch *batch, const real *images, float *maps, real *logits)
{
    RobustGroup *group = &run->group;
    for (int64_t first = 0; first < group->count; first += batch->job.batch) {
        int64_t left  = group->count - first,
                count = left < batch->job.batch ? left : batch->job.batch;
        map_batch_run(batch, images + first * run->values, group->labels + first, count);
        memcpy(maps + first * run->cells, batch->form, (size_t)(count * run->cells) * sizeof *maps);
        if (logits)
            memcpy(logits + first * run->classes, batch->logits,
                   (size_t)(count * run->classes) * sizeof *logits);
    }
}

void robust_show(RobustRun *run, int which, const float *maps)
{
    RobustResults *kept = run->results;
    for (int64_t i = 0; i < run->group.count && run->group.first + i < kept->shown; i++) {
        int64_t place = (run->task->method * kept->shown + run->group.first + i) * 3 + which;
        memcpy(kept->maps + place * run->cells, maps + i * run->cells,
               (size_t)run->cells * sizeof *maps);
    }
}
