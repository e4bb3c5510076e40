/* study/stored_maps.c - see stored_maps.h. */
#include "stored_maps.h"
#include "../base/parallel.h"
#include "../probe/rows.h"

#include <string.h>

enum { CHANNELS = 3 };

bool stored_maps_open(StoredMaps *maps, StoreArm arm, const ActivationSource *layer,
                      const char *stored_folder, const char *name, Error *error)
{
    size_t count   = (size_t)maps->count, floats;
    maps->map_size = (size_t)(layer->height * layer->width);
    if (!storage_open(&maps->storage, arm, layer, stored_folder, name, error))
        return false;
    if (!size_mul((size_t)maps->unit_count, count, &floats) ||
        !size_mul(floats, maps->map_size, &floats))
        return fail(error, ERROR_MEMORY, "maps of %lld units over %lld images do not fit",
                    (long long)maps->unit_count, (long long)maps->count);
    maps->maps        = memory_new(floats, sizeof(float), error);
    maps->linf_before = memory_new(count, sizeof(float), error);
    maps->linf_after  = memory_new(count, sizeof(float), error);
    maps->filled      = memory_new(count, 1, error);
    if (!maps->maps || !maps->linf_before || !maps->linf_after || !maps->filled) {
        stored_maps_close(maps);
        return false;
    }
    return true;
}

bool stored_maps_keep_pixels(StoredMaps *maps, const ActivationSource *layer, Error *error)
{
    size_t count     = (size_t)maps->count, floats;
    maps->image_size = (size_t)(CHANNELS * layer->image_height * layer->image_width);
    if (!size_mul(maps->image_size, count, &floats) || floats > STORED_PIXEL_BYTES / sizeof(float))
        return fail(error, ERROR_MEMORY,
                    "the pixels of %lld perturbed images do not fit into %zu MB; a method that "
                    "sees them takes attacks on fewer images",
                    (long long)maps->count, STORED_PIXEL_BYTES >> 20);
    maps->pixels = memory_new(floats, sizeof(float), error);
    return maps->pixels != NULL;
}

void stored_maps_close(StoredMaps *maps)
{
    memory_free(maps->maps);
    memory_free(maps->linf_before);
    memory_free(maps->linf_after);
    memory_free(maps->filled);
    memory_free(maps->pixels);
    *maps = (StoredMaps){0};
}

// The place of an image in an increasing list, or where it would stand.
static int64_t place_in(const int64_t *images, int64_t count, int64_t image)
{
    int64_t low = 0, high = count - 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (images[middle] < image)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t stored_maps_place(const StoredMaps *maps, int64_t image)
{
    return place_in(maps->images, maps->count, image);
}

bool seen_images_load(void *self, int64_t image, float *planes, Error *error)
{
    const SeenImages *seen       = self;
    const StoredMaps *stored     = seen->stored;
    int64_t           at         = place_in(seen->changed, seen->changed_count, image);
    bool              is_changed = seen->changed_count && seen->changed[at] == image;
    if (is_changed && stored->pixels) {
        size_t size = stored->image_size;
        memcpy(planes, stored->pixels + (size_t)stored_maps_place(stored, image) * size,
               size * sizeof *planes);
        return true;
    }
    return seen->clean->load(seen->clean->self, image, planes, error) &&
           (!is_changed || store_image(stored->storage.arm, stored->storage.height,
                                       stored->storage.width, planes, NULL, error));
}

bool stored_layer_open(StoredLayer *out, const ActivationSource *layer, Error *error)
{
    size_t      batch  = (size_t)layer->batch;
    StoredLayer stored = {.layer = layer};
    stored.image_size  = (size_t)(CHANNELS * layer->image_height * layer->image_width);
    stored.map_size    = (size_t)(layer->height * layer->width);
    stored.before      = memory_new(batch * stored.image_size, sizeof(float), error);
    stored.after       = memory_new(batch * stored.image_size, sizeof(float), error);
    stored.pixels      = memory_new(batch * stored.image_size, sizeof(real), error);
    stored.maps   = memory_new(batch * (size_t)layer->units * stored.map_size, sizeof(real), error);
    stored.errors = memory_new(batch, sizeof(Error), error);
    if (!stored.before || !stored.after || !stored.pixels || !stored.maps || !stored.errors) {
        stored_layer_close(&stored);
        return false;
    }
    *out = stored;
    return true;
}

void stored_layer_close(StoredLayer *stored)
{
    memory_free(stored->before);
    memory_free(stored->after);
    memory_free(stored->pixels);
    memory_free(stored->maps);
    memory_free(stored->errors);
    *stored = (StoredLayer){0};
}

typedef struct StoreTask {
    StoredLayer   *stored;
    StoredMaps    *out;
    const int64_t *images;            // of row 0
    const real    *clean, *perturbed; // of row 0
} StoreTask;

static void store_row(void *data, int64_t row, int thread)
{
    (void)thread;
    const StoreTask *task   = data;
    StoredLayer     *stored = task->stored;
    StoredMaps      *out    = task->out;
    size_t           size = stored->image_size, at = (size_t)row * size;
    float           *before = stored->before + at, *after = stored->after + at;
    int64_t          place = stored_maps_place(out, task->images[row]);
    for (size_t i = 0; i < size; i++) {
        before[i] = (float)task->clean[at + i];
        after[i]  = (float)task->perturbed[at + i];
    }
    if (!storage_put(&out->storage, task->images[row], before, after, &out->linf_before[place],
                     &out->linf_after[place], &stored->errors[row]))
        return;
    for (size_t i = 0; i < size; i++)
        stored->pixels[at + i] = after[i];
    if (out->pixels)
        memcpy(out->pixels + (size_t)place * size, after, size * sizeof *after);
}

// Maps of one batch of stored images; untouched images keep the clean ones.
static void fill_maps(StoredLayer *stored, StoredMaps *out, const int64_t *images, int64_t count,
                      const float *const *clean_maps)
{
    const ActivationSource *layer   = stored->layer;
    size_t                  size    = out->map_size;
    bool                    changed = false;
    for (int64_t row = 0; row < count; row++)
        changed = changed || out->linf_after[stored_maps_place(out, images[row])] > 0;
    if (changed) {
        layer->run(layer->self, stored->pixels, count, stored->maps);
        stored->ran += count;
    }
    for (int64_t u = 0; u < out->unit_count; u++) {
        for (int64_t row = 0; row < count; row++) {
            int64_t     place = stored_maps_place(out, images[row]);
            size_t      from  = (size_t)(row * layer->units + out->units[u]);
            const real *found = stored->maps + from * size;
            float      *to    = out->maps + (size_t)(u * out->count + place) * size;
            if (out->linf_after[place] > 0) {
                for (size_t i = 0; i < size; i++)
                    to[i] = (float)found[i];
            } else {
                memcpy(to, clean_maps[u] + (size_t)images[row] * size, size * sizeof *to);
            }
        }
    }
}

bool stored_layer_fill(StoredLayer *stored, StoredMaps *out, const int64_t *images, int64_t count,
                       const real *clean, const real *perturbed, const float *const *clean_maps,
                       Error *error)
{
    int64_t batch = stored->layer->batch;
    for (int64_t done = 0; done < count; done += batch) {
        int64_t   rows = count - done < batch ? count - done : batch;
        size_t    at   = (size_t)done * stored->image_size;
        StoreTask task = {stored, out, images + done, clean + at, perturbed + at};
        memset(stored->errors, 0, (size_t)rows * sizeof *stored->errors);
        parallel_for(rows, store_row, &task);
        if (!rows_succeeded(stored->errors, rows, error))
            return false;
        fill_maps(stored, out, images + done, rows, clean_maps);
        for (int64_t row = 0; row < rows; row++)
            out->filled[stored_maps_place(out, images[done + row])] = 1;
    }
    return true;
}
