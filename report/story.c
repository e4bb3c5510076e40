/* report/story.c - one unit's label, from its activation maps to the margin. */
#include "report.h"

#include <math.h>

// Relative; instruction sets round differently, other weights or images are far apart.
static const float SAME_THRESHOLD = 1e-4f;

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

// A pixel that leaves the mask (or joins it) is in one area of the quotient only: the union of a
// label with the mask stays as it is while its intersection moves.
static void find_margin(UnitStory *story, double epsilon)
{
    const ConceptSum *best = &story->rank[0], *next = &story->rank[1];
    double            rival = story->rank_count > 1 ? next->concept.score : 0;
    if (story->rank_count == 0)
        return;
    while (story->leave < best->both &&
           (double)(best->both - story->leave) / ((double)best->either + epsilon) >= rival)
        story->leave++;
    if (story->rank_count < 2)
        return;
    uint64_t room = next->truth - next->both, join = 0;
    while (join <= room &&
           (double)(next->both + join) / ((double)next->either + epsilon) <= best->concept.score)
        join++;
    story->join = join <= room ? join : 0;
}

static void rank_concepts(const Dissection *dissection, UnitStory *story)
{
    Concept top[NEM_TOP];
    dissect_top(dissection, 0, top);
    for (int i = 0; i < NEM_TOP && top[i].label; i++)
        story->rank[story->rank_count++] = sum_of(dissection, top[i]);
    find_margin(story, dissection->epsilon);
}

/* ---- images ---------------------------------------------------------------------------------- */

static void keep_if_high(UnitStory *story, StoryImage candidate)
{
    int place = story->top_count;
    while (place > 0 && story->top[place - 1].peak < candidate.peak)
        place--;
    if (place == STORY_IMAGES)
        return;
    if (story->top_count < STORY_IMAGES)
        story->top_count++;
    for (int i = story->top_count - 1; i > place; i--)
        story->top[i] = story->top[i - 1];
    story->top[place] = candidate;
}

static void survey_maps(const CleanRun *clean, const float *maps, UnitStory *story)
{
    int64_t size = clean->layer.height * clean->layer.width;
    for (int64_t image = 0; image < clean->probe->image_count; image++) {
        const float *map  = maps + image * size;
        float        peak = map[0];
        for (int64_t i = 0; i < size; i++) {
            peak = map[i] > peak ? map[i] : peak;
            story->above += map[i] > story->threshold;
        }
        keep_if_high(story, (StoryImage){.image = image, .peak = peak});
    }
    story->values = clean->probe->image_count * size;
}

typedef struct MaskRoom {
    Resampler   *resampler;
    float       *large; // [map_height, map_width]
    uint8_t     *label; // [map_height, map_width]
    PlaneScratch scratch;
} MaskRoom;

static int64_t count_mask(const CleanRun *clean, MaskRoom *room, const float *map, float threshold)
{
    int64_t size   = clean->layer.height * clean->layer.width;
    int64_t pixels = clean->probe->map_height * clean->probe->map_width;
    int64_t count  = 0;
    bool    any    = false;
    for (int64_t i = 0; i < size && !any; i++)
        any = map[i] > threshold;
    if (!any)
        return 0;
    resampler_map(room->resampler, map, room->large);
    for (int64_t i = 0; i < pixels; i++)
        count += room->large[i] > threshold;
    return count;
}

static bool count_top(const CleanRun *clean, MaskRoom *room, const float *maps, UnitStory *story,
                      Error *error)
{
    int64_t size   = clean->layer.height * clean->layer.width;
    int64_t pixels = clean->probe->map_height * clean->probe->map_width;
    for (int k = 0; k < story->top_count; k++) {
        StoryImage *top = &story->top[k];
        top->mask       = count_mask(clean, room, maps + top->image * size, story->threshold);
        if (story->rank_count == 0 || top->mask == 0)
            continue;
        if (!planes_mask(clean->label_planes, top->image, story->rank[0].concept.label,
                         &room->scratch, room->label, NULL, error))
            return false;
        for (int64_t i = 0; i < pixels; i++)
            top->both += room->label[i] && room->large[i] > story->threshold;
    }
    return true;
}

static bool count_masks(const CleanRun *clean, const float *maps, UnitStory *story, Error *error)
{
    const ActivationSource *layer  = &clean->layer;
    size_t                  pixels = (size_t)(clean->probe->map_height * clean->probe->map_width);
    MaskRoom                room   = {0};
    room.large                     = memory_new(pixels, sizeof *room.large, error);
    room.label                     = memory_new(pixels, 1, error);
    bool done                      = room.large && room.label &&
                resampler_open(&room.resampler, clean->settings, clean->probe, layer->height,
                               layer->width, error);
    for (int64_t image = 0; done && image < clean->probe->image_count; image++) {
        const float *map   = maps + image * layer->height * layer->width;
        int64_t      count = count_mask(clean, &room, map, story->threshold);
        story->mask += count;
        story->images += count > 0;
    }
    done = done && count_top(clean, &room, maps, story, error);
    resampler_close(room.resampler);
    plane_scratch_free(&room.scratch);
    memory_free(room.large);
    memory_free(room.label);
    return done;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool dissect_maps(const CleanRun *clean, const float *maps, Dissection *out, Error *error)
{
    const ActivationSource *layer    = &clean->layer;
    DissectSettings         settings = *clean->settings;
    int64_t                 total    = clean->probe->image_count;
    const float           **list     = memory_new((size_t)total, sizeof *list, error);
    if (!list)
        return false;
    settings.progress = NULL;
    for (int64_t image = 0; image < total; image++)
        list[image] = maps + image * layer->height * layer->width;
    bool done = dissect_unit(out, &settings, clean->probe, clean->label_planes, layer->height,
                             layer->width, list, error);
    memory_free(list);
    return done;
}

bool unit_story_tell(const CleanRun *clean, int64_t unit, const float *maps, UnitStory *out,
                     Error *error)
{
    const UnitRecord *record     = &clean->record->units[unit];
    UnitStory         story      = {.unit = unit};
    Dissection        dissection = {0};
    if (!dissect_maps(clean, maps, &dissection, error))
        return false;
    story.threshold = dissection.threshold[0];
    rank_concepts(&dissection, &story);
    dissection_close(&dissection);
    int32_t label = story.rank_count ? story.rank[0].concept.label : 0;
    float   apart = fabsf(story.threshold - record->threshold);
    if (label != record->label || apart > SAME_THRESHOLD * fabsf(story.threshold))
        return fail(
            error, ERROR_DATA,
            "unit %lld: the run found '%.60s' at threshold %.6g, these weights and images give "
            "'%.60s' at %.6g",
            (long long)unit, record->label_name, (double)record->threshold,
            clean->probe->labels[label].name, (double)story.threshold);
    survey_maps(clean, maps, &story);
    if (!count_masks(clean, maps, &story, error))
        return false;
    *out = story;
    return true;
}
