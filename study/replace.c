/* study/replace.c - store a corrupted image, run the layer on it, keep the maps asked for. */
#include "replace.h"
#include "../attack/rows.h"
#include "../base/file.h"
#include "../base/parallel.h"

#include <stdio.h>
#include <string.h>

enum { CHANNELS = 3 };

bool replacement_open(Replacement *out, StoreArm arm, const int64_t *units, int64_t unit_count,
                      const int64_t *images, int64_t count, size_t map_size,
                      const char *keep_folder, const char *name, Error *error)
{
    Replacement made = {.arm        = arm,
                        .units      = units,
                        .unit_count = unit_count,
                        .images     = images,
                        .count      = count,
                        .map_size   = map_size};
    size_t      maps, floats;
    if (keep_folder &&
        (!path_join(made.keep, keep_folder, name, error) || !folder_create(made.keep, error) ||
         !temporaries_remove(made.keep, error)))
        return false;
    if (!size_mul((size_t)unit_count, (size_t)count, &maps) || !size_mul(maps, map_size, &floats))
        return fail(error, ERROR_MEMORY, "maps of %lld units over %lld images do not fit",
                    (long long)unit_count, (long long)count);
    made.maps        = memory_new(floats, sizeof(float), error);
    made.linf_before = memory_new((size_t)count, sizeof(float), error);
    made.linf_after  = memory_new((size_t)count, sizeof(float), error);
    made.filled      = memory_new((size_t)count, 1, error);
    if (!made.maps || !made.linf_before || !made.linf_after || !made.filled) {
        replacement_close(&made);
        return false;
    }
    *out = made;
    return true;
}

void replacement_close(Replacement *replacement)
{
    memory_free(replacement->maps);
    memory_free(replacement->linf_before);
    memory_free(replacement->linf_after);
    memory_free(replacement->filled);
    *replacement = (Replacement){0};
}

bool replacer_open(Replacer *out, const CleanRun *clean, Error *error)
{
    const ActivationSource *layer    = &clean->layer;
    size_t                  batch    = (size_t)layer->batch;
    Replacer                replacer = {.clean = clean};
    replacer.image_size = (size_t)(CHANNELS * layer->image_height * layer->image_width);
    replacer.map_size   = (size_t)(layer->height * layer->width);
    size_t maps         = (size_t)layer->units * replacer.map_size;
    replacer.before     = memory_new(batch * replacer.image_size, sizeof(float), error);
    replacer.after      = memory_new(batch * replacer.image_size, sizeof(float), error);
    replacer.pixels     = memory_new(batch * replacer.image_size, sizeof(real), error);
    replacer.maps       = memory_new(batch * maps, sizeof(real), error);
    replacer.errors     = memory_new(batch, sizeof(Error), error);
    if (!replacer.before || !replacer.after || !replacer.pixels || !replacer.maps ||
        !replacer.errors) {
        replacer_close(&replacer);
        return false;
    }
    *out = replacer;
    return true;
}

void replacer_close(Replacer *replacer)
{
    memory_free(replacer->before);
    memory_free(replacer->after);
    memory_free(replacer->pixels);
    memory_free(replacer->maps);
    memory_free(replacer->errors);
    *replacer = (Replacer){0};
}

typedef struct StoreTask {
    Replacer      *replacer;
    Replacement   *out;
    const int64_t *images;            // of row 0
    const real    *clean, *perturbed; // of row 0
} StoreTask;

int64_t replacement_place(const Replacement *replacement, int64_t image)
{
    int64_t low = 0, high = replacement->count - 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (replacement->images[middle] < image)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void store_row(void *data, int64_t row, int thread)
{
    (void)thread;
    const StoreTask        *task     = data;
    Replacer               *replacer = task->replacer;
    Replacement            *out      = task->out;
    const ActivationSource *layer    = &replacer->clean->layer;
    size_t                  size     = replacer->image_size;
    float                  *before   = replacer->before + (size_t)row * size;
    float                  *after    = replacer->after + (size_t)row * size;
    Error                  *error    = &replacer->errors[row];
    int64_t                 number   = replacement_place(out, task->images[row]);
    char                    name[32], keep[LIMIT_PATH] = "";
    for (size_t i = 0; i < size; i++) {
        before[i] = (float)task->clean[(size_t)row * size + i];
        after[i]  = (float)task->perturbed[(size_t)row * size + i];
    }
    out->linf_before[number] = planes_distance(before, after, size);
    snprintf(name, sizeof name, "%06lld", (long long)out->images[number]);
    if ((out->keep[0] && !path_join(keep, out->keep, name, error)) ||
        !store_image(out->arm, layer->image_height, layer->image_width, after,
                     keep[0] ? keep : NULL, error))
        return;
    out->linf_after[number] = planes_distance(before, after, size);
    for (size_t i = 0; i < size; i++)
        replacer->pixels[(size_t)row * size + i] = after[i];
}

// Maps of one batch of stored images; untouched images keep the clean ones.
static void fill_maps(Replacer *replacer, Replacement *out, const int64_t *images, int64_t count,
                      const float *const *clean_maps)
{
    const ActivationSource *layer   = &replacer->clean->layer;
    size_t                  size    = out->map_size;
    bool                    changed = false;
    for (int64_t row = 0; row < count; row++)
        changed = changed || out->linf_after[replacement_place(out, images[row])] > 0;
    if (changed)
        layer->run(layer->self, replacer->pixels, count, replacer->maps);
    for (int64_t u = 0; u < out->unit_count; u++) {
        for (int64_t row = 0; row < count; row++) {
            int64_t     number = replacement_place(out, images[row]);
            size_t      from   = (size_t)(row * layer->units + out->units[u]);
            const real *found  = replacer->maps + from * size;
            float      *kept   = out->maps + (size_t)(u * out->count + number) * size;
            if (out->linf_after[number] > 0) {
                for (size_t i = 0; i < size; i++)
                    kept[i] = (float)found[i];
            } else {
                memcpy(kept, clean_maps[u] + (size_t)images[row] * size, size * sizeof *kept);
            }
        }
    }
}

bool replacer_fill(Replacer *replacer, Replacement *out, const int64_t *images, int64_t count,
                   const real *clean, const real *perturbed, const float *const *clean_maps,
                   Error *error)
{
    int64_t batch = replacer->clean->layer.batch;
    for (int64_t done = 0; done < count; done += batch) {
        int64_t   rows = count - done < batch ? count - done : batch;
        size_t    at   = (size_t)done * replacer->image_size;
        StoreTask task = {replacer, out, images + done, clean + at, perturbed + at};
        memset(replacer->errors, 0, (size_t)rows * sizeof *replacer->errors);
        parallel_for(rows, store_row, &task);
        if (!rows_succeeded(replacer->errors, rows, error))
            return false;
        fill_maps(replacer, out, images + done, rows, clean_maps);
        for (int64_t row = 0; row < rows; row++)
            out->filled[replacement_place(out, images[done + row])] = 1;
    }
    return true;
}
