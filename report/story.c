/* report/story.c - one unit from its maps: checked against the clean run, then told. */
#include "report.h"

// Evidence of the unit alone, from its maps.
static bool collect_maps(const Explainer *explainer, int64_t unit, const float *maps,
                         Evidence **out, Error *error)
{
    const ActivationSource *layer = &explainer->inputs.layer;
    int64_t                 count = explainer->inputs.probe->image_count;
    const float           **list  = memory_new((size_t)count, sizeof *list, error);
    for (int64_t image = 0; list && image < count; image++)
        list[image] = maps + image * layer->height * layer->width;
    UnitView view = {.unit = unit, .maps = list, .images = &explainer->inputs.images};
    bool     done = list && explainer->method->collect_unit(explainer, &view, out, error);
    memory_free(list);
    return done;
}

bool unit_story_tell(const CleanRun *clean, int64_t unit, const float *maps, UnitStory *out,
                     Error *error)
{
    const Explainer *explainer = clean->explainer;
    const Method    *method    = explainer->method;
    const Inputs    *inputs    = &explainer->inputs;
    Evidence        *evidence  = NULL;
    UnitStory        told      = {.unit = unit};
    told.top_count             = peaks_find(maps, inputs->probe->image_count,
                                            inputs->layer.height * inputs->layer.width, told.top);
    bool done                  = collect_maps(explainer, unit, maps, &evidence, error) &&
                record_check(explainer, &clean->record->units[unit], evidence, 0, error);
    if (done && method->threshold)
        told.threshold = method->threshold(evidence, 0);
    if (done && method->story)
        done = method->story(explainer, evidence, unit, maps, told.top, told.top_count, &told.story,
                             error);
    method->release(evidence);
    if (done)
        *out = told;
    return done;
}

void unit_story_close(UnitStory *story, const Method *method)
{
    if (story->story)
        method->story_close(story->story);
    *story = (UnitStory){0};
}
