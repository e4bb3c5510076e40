/* probe/planes.c - the decoded label maps of a whole set, kept as far as there is room. */
#include "probe.h"

#include "../base/loop_errors.h"
#include "../base/parallel.h"

#include <string.h>

struct PlaneCache {
    const ProbeSet *probe;
    uint16_t       *cells;     // maps of the first `kept` images, one after another
    size_t         *first_map; // [kept] offset into cells, in maps
    int64_t         kept;
    uint16_t       *whole;       // [items] whole-image labels, from first_item of each image on
    LabelPixels   **labels;      // [image_count]
    int32_t        *label_count; // [image_count]
    int32_t        *map_count;   // [image_count]
};

static size_t map_cells(const ProbeSet *probe)
{
    return (size_t)probe->map_height * (size_t)probe->map_width;
}

static bool decode_maps(const ProbeSet *probe, int64_t image, uint16_t *cells, Error *error)
{
    const ProbeImage *entry = &probe->images[image];
    for (int32_t i = 0; i < entry->item_count; i++) {
        const ProbeItem *item = &probe->items[entry->first_item + i];
        if (item->label >= 0)
            continue;
        if (!probe_map(probe, item, cells, NULL, error))
            return false;
        cells += map_cells(probe);
    }
    return true;
}

/* ---- filling, image by image in parallel ----------------------------------------------------- */

typedef struct Filler {
    PlaneCache   *planes;
    uint32_t     *counts;  // [threads, label_count]
    PlaneScratch *scratch; // [threads]
    LoopErrors    errors;
} Filler;

static bool count_labels(PlaneCache *planes, int64_t image, const ImagePlanes *view,
                         uint32_t *counts, Error *error)
{
    size_t  cells    = map_cells(planes->probe);
    int32_t distinct = 0;
    memset(counts, 0, (size_t)planes->probe->label_count * sizeof *counts);
    for (size_t i = 0; i < (size_t)view->map_count * cells; i++)
        counts[view->maps[i]]++;
    for (int i = 0; i < view->whole_count; i++)
        counts[view->whole[i]] += (uint32_t)cells;
    counts[0] = 0;
    for (int32_t label = 0; label < planes->probe->label_count; label++)
        distinct += counts[label] > 0;
    LabelPixels *labels = memory_new((size_t)distinct, sizeof *labels, error);
    if (!labels)
        return false;
    distinct = 0;
    for (int32_t label = 0; label < planes->probe->label_count; label++)
        if (counts[label] > 0)
            labels[distinct++] = (LabelPixels){.label = label, .pixels = counts[label]};
    planes->labels[image]      = labels;
    planes->label_count[image] = distinct;
    return true;
}

static void fill_image(void *data, int64_t image, int thread)
{
    Filler     *filler = data;
    PlaneCache *planes = filler->planes;
    ImagePlanes view;
    Error       error = {0};
    bool        ok =
        image >= planes->kept ||
        decode_maps(planes->probe, image,
                    planes->cells + planes->first_map[image] * map_cells(planes->probe), &error);
    ok = ok && planes_get(planes, image, &filler->scratch[thread], &view, &error) &&
         count_labels(planes, image, &view,
                      filler->counts + (size_t)thread * (size_t)planes->probe->label_count, &error);
    if (!ok)
        loop_errors_add(&filler->errors, image, thread, &error);
}

static bool fill(PlaneCache *planes, Error *error)
{
    size_t threads = (size_t)parallel_threads(), all_counts = 0;
    Filler filler = {.planes = planes};
    if (!size_mul(threads, (size_t)planes->probe->label_count, &all_counts))
        return fail(error, ERROR_MEMORY, "too many threads for %d labels",
                    planes->probe->label_count);
    filler.counts  = memory_new(all_counts, sizeof *filler.counts, error);
    filler.scratch = memory_new(threads, sizeof *filler.scratch, error);
    bool ok        = filler.counts && filler.scratch && loop_errors_open(&filler.errors, error);
    if (ok) {
        parallel_for(planes->probe->image_count, fill_image, &filler);
        ok = loop_errors_check(&filler.errors, error);
    }
    for (size_t i = 0; filler.scratch && i < threads; i++)
        plane_scratch_free(&filler.scratch[i]);
    loop_errors_close(&filler.errors);
    memory_free(filler.scratch);
    memory_free(filler.counts);
    return ok;
}

/* ---- opening --------------------------------------------------------------------------------- */

// Sorts items into maps and whole-image labels and decides how many images are kept.
static bool lay_out(PlaneCache *planes, size_t bytes, Error *error)
{
    const ProbeSet   *probe = planes->probe;
    const ProbeImage *last  = &probe->images[probe->image_count - 1];
    size_t            maps = 0, room = bytes / sizeof(uint16_t) / map_cells(probe);
    size_t            images = (size_t)probe->image_count;
    planes->whole =
        memory_new((size_t)(last->first_item + last->item_count), sizeof *planes->whole, error);
    planes->first_map   = memory_new(images, sizeof *planes->first_map, error);
    planes->map_count   = memory_new(images, sizeof *planes->map_count, error);
    planes->label_count = memory_new(images, sizeof *planes->label_count, error);
    planes->labels      = memory_new(images, sizeof *planes->labels, error);
    if (!planes->whole || !planes->first_map || !planes->map_count || !planes->label_count ||
        !planes->labels)
        return false;
    bool fits = true;
    for (int64_t image = 0; image < probe->image_count; image++) {
        const ProbeImage *entry  = &probe->images[image];
        int32_t           whole  = 0;
        size_t            pixels = 0;
        if (!size_mul((size_t)entry->item_count, map_cells(probe), &pixels) || pixels > UINT32_MAX)
            return fail(error, ERROR_DATA, "%s/index.csv: image '%.100s' has too many label planes",
                        probe->folder, probe_image_path(probe, image));
        for (int32_t i = 0; i < entry->item_count; i++) {
            int32_t label = probe->items[entry->first_item + i].label;
            if (label >= 0)
                planes->whole[entry->first_item + whole++] = (uint16_t)label;
        }
        planes->map_count[image] = entry->item_count - whole;
        planes->first_map[image] = maps;
        fits                     = fits && maps + (size_t)planes->map_count[image] <= room;
        if (fits) {
            maps += (size_t)planes->map_count[image];
            planes->kept = image + 1;
        }
    }
    size_t cells = 0;
    if (!size_mul(maps, map_cells(probe), &cells))
        return fail(error, ERROR_MEMORY, "%s: label maps do not fit into memory", probe->folder);
    planes->cells = memory_new(cells, sizeof *planes->cells, error);
    return planes->cells != NULL;
}

bool planes_open(PlaneCache **out, const ProbeSet *probe, size_t bytes, Error *error)
{
    PlaneCache *planes = memory_new(1, sizeof *planes, error);
    if (!planes)
        return false;
    planes->probe = probe;
    if (!lay_out(planes, bytes, error) || !fill(planes, error)) {
        planes_close(planes);
        return false;
    }
    *out = planes;
    return true;
}

void planes_close(PlaneCache *planes)
{
    if (!planes)
        return;
    for (int64_t i = 0; planes->labels && i < planes->probe->image_count; i++)
        memory_free(planes->labels[i]);
    memory_free(planes->labels);
    memory_free(planes->label_count);
    memory_free(planes->map_count);
    memory_free(planes->first_map);
    memory_free(planes->whole);
    memory_free(planes->cells);
    memory_free(planes);
}

/* ---- asking ---------------------------------------------------------------------------------- */

bool planes_get(const PlaneCache *planes, int64_t image, PlaneScratch *scratch, ImagePlanes *out,
                Error *error)
{
    const ProbeImage *entry = &planes->probe->images[image];
    int32_t           maps  = planes->map_count[image];
    const uint16_t   *cells = NULL;
    if (image < planes->kept) {
        cells = planes->cells + planes->first_map[image] * map_cells(planes->probe);
    } else {
        size_t needed = 0;
        if (!size_mul((size_t)maps, map_cells(planes->probe), &needed))
            return fail(error, ERROR_MEMORY, "%s: label maps of one image do not fit into memory",
                        planes->probe->folder);
        if (scratch->capacity < needed) {
            plane_scratch_free(scratch);
            scratch->cells = memory_new(needed, sizeof *scratch->cells, error);
            if (!scratch->cells)
                return false;
            scratch->capacity = needed;
        }
        if (!decode_maps(planes->probe, image, scratch->cells, error))
            return false;
        cells = scratch->cells;
    }
    *out = (ImagePlanes){
        .map_count   = maps,
        .maps        = cells,
        .whole_count = entry->item_count - maps,
        .whole       = planes->whole + entry->first_item,
    };
    return true;
}

void plane_scratch_free(PlaneScratch *scratch)
{
    memory_free(scratch->cells);
    *scratch = (PlaneScratch){0};
}

const LabelPixels *planes_labels(const PlaneCache *planes, int64_t image, int *count)
{
    *count = planes->label_count[image];
    return planes->labels[image];
}

int64_t planes_images_with(const PlaneCache *planes, int32_t label, int64_t *list)
{
    int64_t found = 0;
    for (int64_t image = 0; image < planes->probe->image_count; image++)
        for (int32_t i = 0; i < planes->label_count[image]; i++)
            if (planes->labels[image][i].label == label) {
                list[found++] = image;
                break;
            }
    return found;
}

bool planes_mask(const PlaneCache *planes, int64_t image, int32_t label, PlaneScratch *scratch,
                 uint8_t *mask, int64_t *pixels, Error *error)
{
    ImagePlanes view;
    size_t      cells = map_cells(planes->probe);
    int64_t     found = 0;
    if (!planes_get(planes, image, scratch, &view, error))
        return false;
    memset(mask, 0, cells);
    for (int i = 0; i < view.whole_count; i++)
        if (view.whole[i] == label && label != 0)
            memset(mask, 1, cells);
    for (int map = 0; map < view.map_count && label != 0; map++)
        for (size_t i = 0; i < cells; i++)
            mask[i] |= view.maps[(size_t)map * cells + i] == label;
    for (size_t i = 0; i < cells; i++)
        found += mask[i];
    if (pixels)
        *pixels = found;
    return true;
}
