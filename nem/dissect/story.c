/* nem/dissect/story.c - one unit's label, from its activation maps to the margin. */
#include "dissect_private.h"

/* ---- the quotient ---------------------------------------------------------------------------- */

static ConceptSum sum_of(const Dissection *dissection, Concept concept)
{
    const ConceptTally *tally = &dissection->tally;
    ConceptSum          sum   = {.concept  = concept,
                                 .both     = tally->both[concept.label],
                                 .activity = tally->activity[concept.category],
                                 .truth    = tally->truth[concept.label]};
    sum.either                = sum.activity + (sum.truth - sum.both);
    return sum;
}

static void rank_concepts(const Dissection *dissection, Story *story)
{
    Concept top[DISSECT_TOP];
    dissect_top(dissection, 0, top);
    for (int i = 0; i < DISSECT_TOP && top[i].label; i++)
        story->rank[story->rank_count++] = sum_of(dissection, top[i]);
}

/* ---- masks ----------------------------------------------------------------------------------- */

typedef struct MaskRoom {
    MaskScratch  mask;
    PlaneScratch planes;
    uint32_t    *pixels; // [map_height * map_width] of a mask
    uint8_t     *label;  // [map_height, map_width]
} MaskRoom;

static bool room_open(MaskRoom *room, const Explainer *explainer, Error *error)
{
    const ProbeSet  *probe     = explainer->inputs.probe;
    const Dissector *dissector = explainer->state;
    size_t           pixels    = (size_t)(probe->map_height * probe->map_width);
    room->pixels               = memory_new(pixels, sizeof *room->pixels, error);
    room->label                = memory_new(pixels, 1, error);
    return room->pixels && room->label &&
           mask_scratch_open(&room->mask, dissector->resampler, error);
}

static void room_close(MaskRoom *room)
{
    mask_scratch_close(&room->mask);
    plane_scratch_free(&room->planes);
    memory_free(room->pixels);
    memory_free(room->label);
}

static int64_t cut(const Explainer *explainer, MaskRoom *room, const float *map, float threshold)
{
    const Dissector *dissector = explainer->state;
    return resampler_mask(dissector->resampler, map, threshold, &room->mask, room->pixels);
}

static void count_maps(const Explainer *explainer, MaskRoom *room, const float *maps, Story *story)
{
    int64_t cells  = explainer->inputs.layer.height * explainer->inputs.layer.width;
    int64_t images = explainer->inputs.probe->image_count;
    story->values  = images * cells;
    for (int64_t i = 0; i < story->values; i++)
        story->above += maps[i] > story->threshold;
    for (int64_t image = 0; image < images; image++) {
        int64_t count = cut(explainer, room, maps + image * cells, story->threshold);
        story->mask += count;
        story->images += count > 0;
    }
}

static bool count_top(const Explainer *explainer, MaskRoom *room, const float *maps, Story *story,
                      Error *error)
{
    int64_t cells = explainer->inputs.layer.height * explainer->inputs.layer.width;
    for (int k = 0; k < story->top_count; k++) {
        StoryImage *top   = &story->top[k];
        int64_t     image = top->peak.image;
        top->mask         = cut(explainer, room, maps + image * cells, story->threshold);
        if (story->rank_count == 0 || top->mask == 0)
            continue;
        if (!planes_mask(explainer->inputs.label_planes, image, story->rank[0].concept.label,
                         &room->planes, room->label, NULL, error))
            return false;
        for (int64_t i = 0; i < top->mask; i++)
            top->both += room->label[room->pixels[i]];
    }
    return true;
}

/* ---- all of it ------------------------------------------------------------------------------- */

bool dissect_story(const Explainer *explainer, const Evidence *evidence, int64_t unit,
                   const float *maps, const PeakImage *top, int top_count, Story **out,
                   Error *error)
{
    Story   *story = memory_new(1, sizeof *story, error);
    MaskRoom room  = {0};
    bool     ok    = story && room_open(&room, explainer, error);
    (void)unit;
    if (ok) {
        story->threshold = evidence->dissection.threshold[0];
        story->top_count = top_count;
        for (int k = 0; k < top_count; k++)
            story->top[k].peak = top[k];
        rank_concepts(&evidence->dissection, story);
        count_maps(explainer, &room, maps, story);
        ok = count_top(explainer, &room, maps, story, error) &&
             dissect_margin(explainer, maps, evidence->dissection.epsilon, story, error);
    }
    room_close(&room);
    if (ok)
        *out = story;
    else
        memory_free(story);
    return ok;
}

void dissect_story_close(Story *story)
{
    memory_free(story);
}
