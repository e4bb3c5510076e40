/* tests/toy/brightest.c - the smallest method: a unit stands for the image it is most active in.
 * Label n is image n - 1. */
#include "../../nem/scores.h"

#include <string.h>

static bool open_labels(Explainer *explainer, Error *error)
{
    static const char *const category = "images";
    const ProbeSet          *probe    = explainer->inputs.probe;
    size_t                   count    = (size_t)probe->image_count + 1;
    const char **text = memory_new(count, sizeof *text + sizeof(int), error); // and categories, 0
    if (!text)
        return false;
    for (size_t label = 0; label < count; label++)
        text[label] = label ? probe_image_path(probe, (int64_t)label - 1) : "";
    explainer->state   = text;
    *explainer->labels = (Labels){.count          = (int32_t)count,
                                  .text           = text,
                                  .category_of    = (const int *)(text + count),
                                  .category_count = 1,
                                  .category       = &category};
    return true;
}

static void close_labels(Explainer *explainer)
{
    memory_free(explainer->state);
}

static void score_map(const Explainer *explainer, int64_t image, const float *map, float *scores)
{
    const ActivationSource *layer = &explainer->inputs.layer;
    scores[image + 1]             = map_peak(map, layer->height * layer->width);
}

typedef struct Pair {
    int64_t images[2]; // in order
    int64_t source, target, cells;
} Pair;

// The whole map is lowered on the unit's image, and raised on the target's.
static bool masks(void *self, int64_t image, uint8_t *source, uint8_t *target, Error *error)
{
    const Pair *pair = self;
    (void)error;
    memset(source, image == pair->source, (size_t)pair->cells);
    memset(target, image == pair->target, (size_t)pair->cells);
    return true;
}

static bool aim(const Explainer *explainer, const UnitRecord *unit, AimTarget target, Aim *out,
                Error *error)
{
    int64_t cells  = explainer->inputs.layer.height * explainer->inputs.layer.width;
    int64_t source = unit->label - 1, other = target.label ? target.label - 1 : source;
    Pair   *pair = memory_new(1, sizeof *pair, error);
    if (!pair)
        return false;
    *pair = (Pair){{source, other}, source, target.label - 1, cells};
    if (other < source) {
        pair->images[0] = other;
        pair->images[1] = source;
    }
    *out =
        (Aim){pair->images, target.label ? 2 : 1, cells, masks, .self = pair, .close = memory_free};
    return true;
}

static const Mode mode = {.name = "plain", .store = "float"};

const Method method_brightest = {.name           = "brightest",
                                 .title          = "The brightest image",
                                 .score_name     = "peak",
                                 .detector_score = 1,
                                 .modes          = &mode,
                                 .mode_count     = 1,
                                 .open           = open_labels,
                                 .close          = close_labels,
                                 .score_map      = score_map,
                                 SCORE_TABLE,
                                 .aim = aim};
