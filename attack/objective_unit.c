/* attack/objective_unit.c - masks of one unit and the weights its maps are summed with. */
#include "unit_attack.h"

#include <string.h>

static const float AREA_EPSILON = 1e-8f; // of the published batch objective

bool unit_masks_get(const UnitMasks *masks, int64_t image, PlaneScratch *scratch, uint8_t *source,
                    uint8_t *target, Error *error)
{
    size_t bytes = (size_t)masks->mask_count;
    memset(target, 0, bytes);
    if (masks->source_maps) {
        memcpy(source, masks->source_maps + (size_t)image * bytes, bytes);
        if (masks->target_maps)
            memcpy(target, masks->target_maps + (size_t)image * bytes, bytes);
        return true;
    }
    const PlaneCache *planes = masks->label_planes;
    return planes_mask(planes, image, masks->source_label, scratch, source, NULL, error) &&
           (!masks->target_label ||
            planes_mask(planes, image, masks->target_label, scratch, target, NULL, error));
}

bool unit_objective_open(UnitObjective *out, const UnitMasks *masks, AttackLoss loss, bool coupled,
                         float threshold, Error *error)
{
    size_t        pixels    = (size_t)masks->mask_count;
    UnitObjective objective = {
        .masks = *masks, .loss = loss, .coupled = coupled, .threshold = threshold};
    objective.source = memory_new(ATTACK_GROUP, pixels, error);
    objective.target = memory_new(ATTACK_GROUP, pixels, error);
    objective.pixels = memory_new(pixels, sizeof(float), error);
    if (!objective.source || !objective.target || !objective.pixels) {
        unit_objective_close(&objective);
        return false;
    }
    *out = objective;
    return true;
}

void unit_objective_close(UnitObjective *objective)
{
    soft_iou_close(objective->soft);
    memory_free(objective->source);
    memory_free(objective->target);
    memory_free(objective->pixels);
    plane_scratch_free(&objective->scratch);
    *objective = (UnitObjective){0};
}

bool unit_objective_load(UnitObjective *objective, const int64_t *images, int64_t count,
                         Error *error)
{
    int64_t pixels = objective->masks.mask_count;
    for (int64_t i = 0; i < count; i++) {
        if (!unit_masks_get(&objective->masks, images[i], &objective->scratch,
                            objective->source + i * pixels, objective->target + i * pixels, error))
            return false;
    }
    objective->count = count;
    return true;
}

/* ---- mean activation ------------------------------------------------------------------------- */

static float area_of(const uint8_t *mask, int64_t pixels)
{
    int64_t area = 0;
    for (int64_t i = 0; i < pixels; i++)
        area += mask[i];
    return (float)area;
}

// One over the area a mask is averaged over; 0 where there is nothing to average.
static float share_of_pixel(const UnitObjective *objective, const uint8_t *masks, int64_t image)
{
    int64_t pixels = objective->masks.mask_count;
    if (objective->coupled)
        return 1 / (area_of(masks, objective->count * pixels) + AREA_EPSILON);
    float area = area_of(masks + image * pixels, pixels);
    return area > 0 ? 1 / area : 0;
}

void unit_objective_mean(const UnitObjective *objective, float *weights)
{
    const UnitMasks *masks   = &objective->masks;
    int64_t          pixels  = masks->mask_count;
    float            falling = 0, rising = 0;
    for (int64_t image = 0; image < objective->count; image++) {
        const uint8_t *source = objective->source + image * pixels;
        const uint8_t *target = objective->target + image * pixels;
        float         *native = weights + image * masks->map_count;
        float         *summed = masks->resampler ? objective->pixels : native;
        if (image == 0 || !objective->coupled) {
            falling = share_of_pixel(objective, objective->source, image);
            rising  = share_of_pixel(objective, objective->target, image);
        }
        for (int64_t i = 0; i < pixels; i++)
            summed[i] = falling * (float)source[i] - rising * (float)target[i];
        if (masks->resampler)
            resampler_transpose(masks->resampler, summed, native);
    }
}
