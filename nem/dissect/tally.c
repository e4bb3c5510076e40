/* nem/dissect/tally.c - counting masks against labels, block by block of images.
 *
 * Planes of a block are fetched in parallel over images; then each unit counts its own masks into
 * its own rows, so nothing is shared and nothing is merged. A unit first lists its counts as
 * triples, so that a mode may limit an image's record before they are added. */
#include "dissect_private.h"

#include "../../base/parallel.h"

#include <string.h>

typedef struct ThreadScratch {
    MaskScratch mask;
    float      *room;    // [height, width] of the layer
    uint32_t   *pixels;  // [map_height, map_width]
    uint32_t   *counts;  // [label_count], zero between uses
    int32_t    *touched; // [label_count]
} ThreadScratch;

typedef struct BlockImage {
    ImagePlanes  planes;
    PlaneScratch scratch;
    ImageLabels  labels;
} BlockImage;

struct TallyRun {
    const DissectRules *rules;
    const ProbeSet     *probe;
    const PlaneCache   *planes;
    const Resampler    *resampler;
    Dissection         *out;
    int64_t             block;
    BlockImage         *images; // [block]
    TripleList         *lists;  // [unit_count]
    ThreadScratch      *threads;
    int                 thread_count;
    LoopErrors          errors;
    int64_t             first, count; // the block at hand
    MapOf              *map_of;
    void               *map_self;
};

/* ---- one unit -------------------------------------------------------------------------------- */

static bool list_add(TripleList *list, int64_t image, int32_t label, int64_t count, Error *error)
{
    if (list->count == list->room) {
        int64_t larger = list->room ? 2 * list->room : 64;
        Triple *moved  = memory_grow(list->items, (size_t)list->count, (size_t)larger,
                                     sizeof *list->items, error);
        if (!moved)
            return false;
        list->items = moved;
        list->room  = larger;
    }
    list->items[list->count++] =
        (Triple){.image = (int32_t)image, .label = label, .count = (uint32_t)count};
    return true;
}

static int32_t touch(ThreadScratch *scratch, int32_t touched, int32_t label, int64_t more)
{
    if (scratch->counts[label] == 0)
        scratch->touched[touched++] = label;
    scratch->counts[label] += (uint32_t)more;
    return touched;
}

// The labels of an image inside a mask; a pixel counts once for each label map (D12, D26).
static int32_t count_labels(const TallyRun *run, const ImagePlanes *planes, int64_t area,
                            ThreadScratch *scratch)
{
    int32_t touched = 0;
    size_t  cells   = (size_t)(run->probe->map_height * run->probe->map_width);
    for (int map = 0; map < planes->map_count; map++) {
        const uint16_t *labels = planes->maps + (size_t)map * cells;
        for (int64_t i = 0; i < area; i++)
            if (labels[scratch->pixels[i]] != 0)
                touched = touch(scratch, touched, labels[scratch->pixels[i]], 1);
    }
    for (int i = 0; i < planes->whole_count; i++)
        if (planes->whole[i] != 0 || run->rules->label0_leaks)
            touched = touch(scratch, touched, planes->whole[i], area);
    return touched;
}

static bool list_image(TallyRun *run, int64_t unit, int64_t image, ThreadScratch *scratch,
                       Error *error)
{
    float        threshold = run->out->threshold[unit];
    TripleList  *list      = &run->lists[unit];
    const float *map       = run->map_of(run->map_self, unit, run->first + image, scratch->room);
    int64_t      area =
        map ? resampler_mask(run->resampler, map, threshold, &scratch->mask, scratch->pixels) : 0;
    if (area == 0)
        return true;
    if (!list_add(list, image, -1, area, error))
        return false;
    int32_t touched = count_labels(run, &run->images[image].planes, area, scratch);
    bool    ok      = true;
    for (int32_t i = 0; i < touched; i++) {
        int32_t label          = scratch->touched[i];
        ok                     = ok && list_add(list, image, label, scratch->counts[label], error);
        scratch->counts[label] = 0;
    }
    return ok;
}

static void list_unit(void *data, int64_t unit, int thread)
{
    TallyRun *run          = data;
    Error     error        = {0};
    run->lists[unit].count = 0;
    for (int64_t image = 0; image < run->count; image++)
        if (!list_image(run, unit, image, &run->threads[thread], &error)) {
            loop_errors_add(&run->errors, unit, thread, &error);
            return;
        }
}

/* ---- adding a block up ----------------------------------------------------------------------- */

// The second rule for presence (D14): any label of the category anywhere in the image.
static uint64_t categories_of_image(const TallyRun *run, const BlockImage *image)
{
    uint64_t present = 0;
    for (int i = 0; i < image->labels.count; i++)
        if (image->labels.items[i].pixels > 0)
            present |= (uint64_t)1 << run->probe->labels[image->labels.items[i].label].category;
    return present;
}

// Adds a unit's counts of each label, and its mask's pixels to every category that is present: by
// the first rule (D13), one that has a label inside the mask.
static void add_unit(void *data, int64_t unit, int thread)
{
    TallyRun     *run      = data;
    ConceptTally *tally    = &run->out->tally;
    TripleList   *list     = &run->lists[unit];
    uint64_t     *both     = tally->both + unit * tally->label_count;
    uint64_t     *activity = tally->activity + unit * tally->category_count;
    (void)thread;
    for (int64_t i = 0; i < list->count;) {
        const Triple *mask    = &list->items[i];
        uint64_t      present = 0;
        for (i++; i < list->count && list->items[i].label >= 0; i++) {
            const Triple *triple = &list->items[i];
            both[triple->label] += triple->count;
            present |= (uint64_t)(triple->count > 0) << run->probe->labels[triple->label].category;
        }
        if (run->rules->presence == PRESENCE_IN_IMAGE)
            present = categories_of_image(run, &run->images[mask->image]);
        for (int category = 0; category < tally->category_count; category++)
            if (present >> category & 1)
                activity[category] += mask->count;
    }
}

// Pixels of each label, whatever the masks (D12); label 0 only where the mode counts it (Q7).
static void add_truth(TallyRun *run)
{
    uint64_t *truth = run->out->tally.truth;
    uint64_t  cells = (uint64_t)(run->probe->map_height * run->probe->map_width);
    for (int64_t image = 0; image < run->count; image++) {
        const BlockImage *entry = &run->images[image];
        for (int i = 0; i < entry->labels.count; i++)
            truth[entry->labels.items[i].label] += entry->labels.items[i].pixels;
        for (int i = 0; i < entry->planes.whole_count && run->rules->label0_leaks; i++)
            truth[0] += entry->planes.whole[i] == 0 ? cells : 0;
    }
}

/* ---- a block --------------------------------------------------------------------------------- */

static void fetch_image(void *data, int64_t index, int thread)
{
    TallyRun          *run   = data;
    BlockImage        *image = &run->images[index];
    Error              error = {0};
    int                count;
    const LabelPixels *labels = planes_labels(run->planes, run->first + index, &count);
    memory_free(image->labels.items);
    image->labels.items = memory_new((size_t)count, sizeof *labels, &error);
    image->labels.count = image->labels.items ? count : 0;
    if (image->labels.items)
        memcpy(image->labels.items, labels, (size_t)count * sizeof *labels);
    if (!image->labels.items ||
        !planes_get(run->planes, run->first + index, &image->scratch, &image->planes, &error))
        loop_errors_add(&run->errors, index, thread, &error);
}

bool tally_block(TallyRun *run, int64_t first, int64_t count, MapOf *map_of, void *self,
                 Error *error)
{
    run->first    = first;
    run->count    = count;
    run->map_of   = map_of;
    run->map_self = self;
    parallel_for(count, fetch_image, run);
    if (!loop_errors_check(&run->errors, error))
        return false;
    parallel_for(run->out->tally.unit_count, list_unit, run);
    if (!loop_errors_check(&run->errors, error))
        return false;
    for (int64_t image = 0; image < count && run->rules->triples_per_image > 0; image++)
        if (!triples_limit(run->lists, run->out->tally.unit_count, (int32_t)image,
                           &run->images[image].labels, &run->images[image].planes,
                           run->rules->triples_per_image, error))
            return false;
    parallel_for(run->out->tally.unit_count, add_unit, run);
    add_truth(run);
    return true;
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool thread_open(ThreadScratch *scratch, const TallyRun *run, int64_t map_cells,
                        Error *error)
{
    size_t pixels    = (size_t)(run->probe->map_height * run->probe->map_width);
    size_t labels    = (size_t)run->probe->label_count;
    scratch->room    = memory_new((size_t)map_cells, sizeof *scratch->room, error);
    scratch->pixels  = memory_new(pixels, sizeof *scratch->pixels, error);
    scratch->counts  = memory_new(labels, sizeof *scratch->counts, error);
    scratch->touched = memory_new(labels, sizeof *scratch->touched, error);
    return scratch->room && scratch->pixels && scratch->counts && scratch->touched &&
           mask_scratch_open(&scratch->mask, run->resampler, error);
}

bool tally_open(TallyRun **out, const DissectRules *rules, const Inputs *inputs,
                const Resampler *resampler, Dissection *dissection, int64_t block, Error *error)
{
    TallyRun *run = memory_new(1, sizeof *run, error);
    if (!run)
        return false;
    *run          = (TallyRun){.rules        = rules,
                               .probe        = inputs->probe,
                               .planes       = inputs->label_planes,
                               .resampler    = resampler,
                               .out          = dissection,
                               .block        = block,
                               .thread_count = parallel_threads()};
    size_t  units = (size_t)dissection->tally.unit_count;
    int64_t cells = inputs->layer.height * inputs->layer.width;
    run->images   = memory_new((size_t)block, sizeof *run->images, error);
    run->lists    = memory_new(units, sizeof *run->lists, error);
    run->threads  = memory_new((size_t)run->thread_count, sizeof *run->threads, error);
    bool ok = run->images && run->lists && run->threads && loop_errors_open(&run->errors, error);
    for (int i = 0; ok && i < run->thread_count; i++)
        ok = thread_open(&run->threads[i], run, cells, error);
    if (!ok) {
        tally_close(run);
        return false;
    }
    *out = run;
    return true;
}

void tally_close(TallyRun *run)
{
    if (!run)
        return;
    for (int i = 0; run->threads && i < run->thread_count; i++) {
        mask_scratch_close(&run->threads[i].mask);
        memory_free(run->threads[i].room);
        memory_free(run->threads[i].pixels);
        memory_free(run->threads[i].counts);
        memory_free(run->threads[i].touched);
    }
    for (int64_t i = 0; run->images && i < run->block; i++) {
        plane_scratch_free(&run->images[i].scratch);
        memory_free(run->images[i].labels.items);
    }
    for (int64_t i = 0; run->lists && i < run->out->tally.unit_count; i++)
        memory_free(run->lists[i].items);
    memory_free(run->images);
    memory_free(run->lists);
    memory_free(run->threads);
    loop_errors_close(&run->errors);
    memory_free(run);
}
