/* nem/dissect/margin.c - how far a label is from falling behind its runner-up (D29).
 *
 * The pixels of a unit's mask that carry its label leave the mask one by one, the weakest
 * activation first. Each takes itself out of the label's intersection, and of the activity of every
 * category that is present in its image; where it was the last of a category in that image's mask,
 * the whole rest of the mask counts no more for that category. So the runner-up's IoU moves too. */
#include "dissect_private.h"

#include <stdlib.h>

/* How often a pixel carries the label and the runner-up, and any label of their categories. */
typedef struct Carried {
    uint32_t label[2], category[2];
} Carried;

typedef struct Leaver {
    float    value; // of the enlarged map
    int32_t  image;
    uint32_t pixel;
    Carried  carried;
} Leaver;

/* An image's mask as it empties. */
typedef struct Emptying {
    uint32_t area, in_category[2];
    bool     always[2]; // present whatever the mask holds (D14)
} Emptying;

typedef struct Margin {
    const Explainer *explainer;
    ConceptSum       sum[2]; // label and runner-up
    bool             in_image;
    float           *room; // [map_height, map_width]
    Leaver          *leavers;
    size_t           count, capacity;
    Emptying        *images; // [image_count]
} Margin;

static void carry(const Margin *margin, int32_t label, Carried *carried)
{
    const Labels *labels = margin->explainer->labels;
    for (int i = 0; i < 2; i++) {
        carried->label[i] += label == margin->sum[i].concept.label;
        carried->category[i] += labels->category_of[label] == margin->sum[i].concept.category;
    }
}

// Counted as the tally counts: once for each label map, whole-image labels at every pixel.
static Carried carried_at(const Margin *margin, const ImagePlanes *planes, uint32_t pixel)
{
    const ProbeSet     *probe   = margin->explainer->inputs.probe;
    const DissectRules *rules   = margin->explainer->mode->rules;
    size_t              cells   = (size_t)(probe->map_height * probe->map_width);
    Carried             carried = {0};
    for (int map = 0; map < planes->map_count; map++)
        if (planes->maps[(size_t)map * cells + pixel])
            carry(margin, planes->maps[(size_t)map * cells + pixel], &carried);
    for (int i = 0; i < planes->whole_count; i++)
        if (planes->whole[i] || rules->label0_leaks)
            carry(margin, planes->whole[i], &carried);
    return carried;
}

static bool add_leaver(Margin *margin, const Leaver *leaver, Error *error)
{
    if (margin->count == margin->capacity) {
        size_t  larger = margin->capacity ? 2 * margin->capacity : 256;
        Leaver *moved  = memory_grow(margin->leavers, margin->count, larger, sizeof *moved, error);
        if (!moved)
            return false;
        margin->leavers  = moved;
        margin->capacity = larger;
    }
    margin->leavers[margin->count++] = *leaver;
    return true;
}

static bool add_image(Margin *margin, int32_t image, float threshold, const float *map,
                      PlaneScratch *scratch, Error *error)
{
    const Explainer   *explainer = margin->explainer;
    const Dissector   *dissector = explainer->state;
    const ProbeSet    *probe     = explainer->inputs.probe;
    Emptying          *state     = &margin->images[image];
    ImagePlanes        planes;
    int                count;
    const LabelPixels *labels = planes_labels(explainer->inputs.label_planes, image, &count);
    if (!planes_get(explainer->inputs.label_planes, image, scratch, &planes, error))
        return false;
    for (int i = 0; margin->in_image && i < count; i++)
        for (int k = 0; k < 2; k++)
    state->always[k] |= labels[i].pixels > 0 && explainer->labels->category_of[labels[i].label] ==
                                                    margin->sum[k].concept.category;
    resampler_map(dissector->resampler, map, margin->room);
    for (uint32_t at = 0; at < (uint32_t)(probe->map_height * probe->map_width); at++) {
        if (!(margin->room[at] > threshold))
            continue;
        Leaver leaver = {margin->room[at], image, at, carried_at(margin, &planes, at)};
        state->area++;
        for (int k = 0; k < 2; k++)
            state->in_category[k] += leaver.carried.category[k];
        if (leaver.carried.label[0] && !add_leaver(margin, &leaver, error))
            return false;
    }
    return true;
}

static int weakest_first(const void *a, const void *b)
{
    const Leaver *first = a, *second = b;
    if (first->value != second->value)
        return first->value < second->value ? -1 : 1;
    if (first->image != second->image)
        return first->image < second->image ? -1 : 1;
    return first->pixel < second->pixel ? -1 : first->pixel > second->pixel;
}

static uint64_t activity_in(const Margin *margin, const Emptying *image, int k)
{
    bool present = margin->in_image ? image->always[k] : image->in_category[k] > 0;
    return present ? image->area : 0;
}

static double iou_of(const ConceptSum *sum, double epsilon)
{
    return (double)sum->both / ((double)(sum->activity + (sum->truth - sum->both)) + epsilon);
}

static void leave(Margin *margin, const Leaver *leaver)
{
    Emptying *image = &margin->images[leaver->image];
    uint64_t  before[2];
    for (int k = 0; k < 2; k++)
        before[k] = activity_in(margin, image, k);
    image->area--;
    for (int k = 0; k < 2; k++) {
        image->in_category[k] -= leaver->carried.category[k];
        margin->sum[k].activity -= before[k] - activity_in(margin, image, k);
        margin->sum[k].both -= leaver->carried.label[k];
    }
}

// How many leave until the label is behind; 0: it never is.
static uint64_t step(Margin *margin, double epsilon)
{
    uint64_t shared = 0;
    for (size_t i = 0; i < margin->count; i++)
        shared += margin->leavers[i].carried.label[0];
    if (shared != margin->sum[0].both) // a mode that records only a part of an image (Q9)
        return 0;
    if (margin->count)
        qsort(margin->leavers, margin->count, sizeof *margin->leavers, weakest_first);
    for (size_t i = 0; i < margin->count; i++) {
        leave(margin, &margin->leavers[i]);
        if (iou_of(&margin->sum[0], epsilon) < iou_of(&margin->sum[1], epsilon))
            return i + 1;
    }
    return 0;
}

bool dissect_margin(const Explainer *explainer, const float *maps, double epsilon, Story *story,
                    Error *error)
{
    const ProbeSet     *probe  = explainer->inputs.probe;
    const DissectRules *rules  = explainer->mode->rules;
    int64_t             cells  = explainer->inputs.layer.height * explainer->inputs.layer.width;
    size_t              pixels = (size_t)(probe->map_height * probe->map_width);
    PlaneScratch        planes = {0};
    Margin              margin = {.explainer = explainer,
                                  .sum       = {story->rank[0], story->rank[1]},
                                  .in_image  = rules->presence == PRESENCE_IN_IMAGE};
    if (story->rank_count < 2 || rules->triples_per_image > 0)
        return true;
    margin.room   = memory_new(pixels, sizeof *margin.room, error);
    margin.images = memory_new((size_t)probe->image_count, sizeof *margin.images, error);
    bool ok       = margin.room && margin.images;
    for (int64_t i = 0; ok && i < probe->image_count; i++)
        ok = add_image(&margin, (int32_t)i, story->threshold, maps + i * cells, &planes, error);
    if (ok)
        story->leave = step(&margin, epsilon);
    plane_scratch_free(&planes);
    memory_free(margin.room);
    memory_free(margin.images);
    memory_free(margin.leavers);
    return ok;
}
