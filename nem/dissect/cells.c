/* nem/dissect/cells.c - the few cells of a map that can still touch a mask, so that one forward
 * pass serves thresholds and tally.
 *
 * While images stream by, a unit's threshold T is not known, but a lower bound of it is: the least
 * of the largest values so far. Kept are the cells above the bound and their neighbours within
 * reach; at the end the map is rebuilt with FILL, the lowest float, elsewhere. Every pixel of the
 * mask comes out as from the whole map:
 *
 * A pixel is a weighted mean of cells that lie within reach (taps - 1) of each other, rounded to
 * float monotonically; weights are not negative and sum to one up to a double's rounding, which is
 * far below half a float's. So if no cell under it exceeds T, it does not exceed T: neither in the
 * whole map, nor in the rebuilt one, whose cells are equal or lower.
 *
 * If a cell under it exceeds T, that cell exceeds the bound, which only rises towards T. Then all
 * cells under the pixel were kept, and the pixel is computed from the same numbers in the same
 * order.
 *
 * FILL is finite, so a weight of zero times it is zero. */
#include "dissect_private.h"

#include <float.h>
#include <string.h>

#define FILL (-FLT_MAX)
enum { CELLS_START = 4096 }; // floats; pruning starts above this

bool cells_fit(const CellShape *shape)
{
    return shape->height * shape->width <= UINT16_MAX;
}

bool cells_open(CellStore *store, int64_t image_count, Error *error)
{
    *store            = (CellStore){.settled_bound = -FLT_MAX};
    store->image_runs = memory_new((size_t)image_count, sizeof *store->image_runs, error);
    return store->image_runs != NULL;
}

void cells_close(CellStore *store)
{
    memory_free(store->runs);
    memory_free(store->cells);
    memory_free(store->image_runs);
    *store = (CellStore){0};
}

size_t cells_bytes(const CellStore *store)
{
    return store->run_room * 2 * sizeof *store->runs + store->cell_room * sizeof *store->cells;
}

bool cell_scratch_open(CellScratch *scratch, const CellShape *shape, Error *error)
{
    size_t cells  = (size_t)(shape->height * shape->width);
    *scratch      = (CellScratch){0};
    scratch->keep = memory_new(cells, 1, error);
    scratch->map  = memory_new(cells, sizeof *scratch->map, error);
    return scratch->keep && scratch->map;
}

void cell_scratch_close(CellScratch *scratch)
{
    memory_free(scratch->keep);
    memory_free(scratch->map);
    *scratch = (CellScratch){0};
}

static bool make_room(void **list, size_t used, size_t more, size_t *room, size_t size,
                      Error *error)
{
    size_t wanted = *room ? *room : CELLS_START;
    while (wanted < used + more)
        wanted *= 2;
    if (wanted == *room)
        return true;
    void *moved = memory_grow(*list, used, wanted, size, error);
    if (!moved)
        return false;
    *list = moved;
    *room = wanted;
    return true;
}

// Marks what lies within reach of a cell above the bound, row by row; returns the rows from..to-1
// that may have marks, the only ones of `keep` that are written.
static void mark(const CellShape *shape, const float *map, float bound, uint8_t *keep,
                 int64_t *from, int64_t *to)
{
    int64_t width = shape->width;
    *from = *to = 0;
    for (int64_t row = 0; row < shape->height; row++) {
        const float *values = map + row * width;
        bool         finite;
        if (!(values_maximum(values, width, &finite) > bound))
            continue;
        int64_t top = row > shape->reach_rows ? row - shape->reach_rows : 0;
        int64_t bottom =
            row + shape->reach_rows < shape->height ? row + shape->reach_rows + 1 : shape->height;
        if (*to == 0)
            *from = *to = top;
        memset(keep + *to * width, 0, (size_t)((bottom - *to) * width));
        *to = bottom;
        for (int64_t start = 0, end; start < width; start = end + 1) {
            for (; start < width && !(values[start] > bound); start++)
                continue;
            for (end = start; end < width && values[end] > bound; end++)
                continue;
            int64_t left  = start > shape->reach_columns ? start - shape->reach_columns : 0;
            int64_t right = end + shape->reach_columns < width ? end + shape->reach_columns : width;
            for (int64_t y = top; y < bottom && start < width; y++)
                memset(keep + y * width + left, 1, (size_t)(right - left));
        }
    }
}

// Appends one image's map, above the bound somewhere. Runs go on from row to row.
static bool append(CellStore *store, const CellShape *shape, int64_t image, const float *map,
                   float bound, uint8_t *keep, Error *error)
{
    int64_t from, to;
    mark(shape, map, bound, keep, &from, &to);
    size_t         most = (size_t)((to - from) * shape->width);
    const uint8_t *at = keep + from * shape->width, *end = at + most;
    if (!make_room((void **)&store->cells, store->cell_count, most, &store->cell_room,
                   sizeof *store->cells, error) ||
        !make_room((void **)&store->runs, store->run_count, most / 2 + 1, &store->run_room,
                   2 * sizeof *store->runs, error))
        return false;
    while (at < end && (at = memchr(at, 1, (size_t)(end - at)))) {
        const uint8_t *past   = memchr(at, 0, (size_t)(end - at));
        size_t         length = (size_t)((past ? past : end) - at);
        memcpy(store->cells + store->cell_count, map + (at - keep), length * sizeof *map);
        store->runs[2 * store->run_count]     = (uint16_t)(at - keep);
        store->runs[2 * store->run_count + 1] = (uint16_t)length;
        store->cell_count += length;
        store->run_count++;
        store->image_runs[image]++;
        at += length;
    }
    return true;
}

bool cells_next(const CellStore *store, const CellShape *shape, int64_t image, CellCursor *cursor,
                float *map)
{
    if (store->image_runs[image] == 0)
        return false;
    for (int64_t i = 0; i < shape->height * shape->width; i++)
        map[i] = FILL;
    for (int run = 0; run < store->image_runs[image]; run++, cursor->run++) {
        const uint16_t *entry = store->runs + 2 * cursor->run;
        memcpy(map + entry[0], store->cells + cursor->cell, entry[1] * sizeof *map);
        cursor->cell += entry[1];
    }
    return true;
}

CellCursor cells_seek(const CellStore *store, int64_t image)
{
    CellCursor cursor = {0};
    for (int64_t i = 0; i < image; i++)
        cursor.run += store->image_runs[i];
    for (size_t run = 0; run < cursor.run; run++)
        cursor.cell += store->runs[2 * run + 1];
    return cursor;
}

bool cells_valid(const CellStore *store, const CellShape *shape, int64_t image_count)
{
    size_t runs = 0, cells = 0;
    if (store->images < 0 || store->images > image_count || store->run_count > store->run_room ||
        store->cell_count > store->cell_room)
        return false;
    for (int64_t i = 0; i < store->images; i++)
        runs += store->image_runs[i];
    for (size_t run = 0; run < store->run_count; run++) {
        const uint16_t *entry = store->runs + 2 * run;
        if (entry[0] + entry[1] > shape->height * shape->width)
            return false;
        cells += entry[1];
    }
    return runs == store->run_count && cells == store->cell_count;
}

// Keeps of the store what a higher bound still needs.
static bool prune(CellStore *store, const CellShape *shape, float bound, CellScratch *scratch,
                  Error *error)
{
    CellStore  pruned;
    CellCursor cursor = {0};
    if (!cells_open(&pruned, store->images, error))
        return false;
    for (int64_t image = 0; image < store->images; image++)
        if (cells_next(store, shape, image, &cursor, scratch->map) &&
            !append(&pruned, shape, image, scratch->map, bound, scratch->keep, error)) {
            cells_close(&pruned);
            return false;
        }
    memcpy(store->image_runs, pruned.image_runs, (size_t)store->images * sizeof *store->image_runs);
    memory_free(store->runs);
    memory_free(store->cells);
    memory_free(pruned.image_runs);
    store->runs       = pruned.runs;
    store->cells      = pruned.cells;
    store->run_count  = pruned.run_count;
    store->run_room   = pruned.run_room;
    store->cell_count = pruned.cell_count;
    store->cell_room  = pruned.cell_room;
    return true;
}

bool cells_add(CellStore *store, const CellShape *shape, const float *map, float maximum,
               float bound, CellScratch *scratch, Error *error)
{
    int64_t image = store->images++;
    if (maximum > bound && !append(store, shape, image, map, bound, scratch->keep, error))
        return false;
    if (store->cell_count < 2 * store->settled || store->cell_count < CELLS_START ||
        !(bound > store->settled_bound))
        return true;
    if (!prune(store, shape, bound, scratch, error))
        return false;
    store->settled       = store->cell_count;
    store->settled_bound = bound;
    return true;
}
