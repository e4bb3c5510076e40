/* attack/unit_objective.c - what an attack minimises: weights on the maps of one unit. */
#include "soft_iou.h"
#include "soft_rank.h"
#include "unit_attack.h"

static const float AREA_EPSILON = 1e-8f; // added to the areas of coupled objectives (C10)

struct UnitObjective {
    const Aim *aim;
    AttackLoss loss;
    bool       coupled;
    int64_t    map_count;
    int64_t    count; // current images
    int64_t    images[ATTACK_GROUP];
    uint8_t   *source, *target; // [ATTACK_GROUP, mask_count], of the current images
    float     *full;            // [mask_count]: weights at the masks' resolution
    SoftIou   *soft;            // of soft_images images, made when first needed
    int64_t    soft_images;
};

bool unit_objective_open(UnitObjective **out, const Aim *aim, AttackLoss loss, bool coupled,
                         int64_t map_count, Error *error)
{
    size_t pixels = (size_t)aim->mask_count;
    if (loss == LOSS_SOFT_WPMI && !aim->gain)
        return fail(error, ERROR_USAGE,
                    "the loss soft-wpmi is for units whose words rank images, which CLIP-Dissect's "
                    "soft-wpmi and wpmi do");
    UnitObjective *objective = memory_new(1, sizeof *objective, error);
    if (!objective)
        return false;
    *objective =
        (UnitObjective){.aim = aim, .loss = loss, .coupled = coupled, .map_count = map_count};
    objective->source = memory_new(ATTACK_GROUP, pixels, error);
    objective->target = memory_new(ATTACK_GROUP, pixels, error);
    objective->full   = memory_new(pixels, sizeof(float), error);
    if (!objective->source || !objective->target || !objective->full) {
        unit_objective_close(objective);
        return false;
    }
    *out = objective;
    return true;
}

void unit_objective_close(UnitObjective *objective)
{
    if (!objective)
        return;
    soft_iou_close(objective->soft);
    memory_free(objective->source);
    memory_free(objective->target);
    memory_free(objective->full);
    memory_free(objective);
}

bool unit_objective_load(UnitObjective *objective, const int64_t *images, int64_t count,
                         Error *error)
{
    const Aim *aim = objective->aim;
    for (int64_t i = 0; i < count; i++) {
        int64_t at           = i * aim->mask_count;
        objective->images[i] = images[i];
        if (!aim->masks(aim->self, images[i], objective->source + at, objective->target + at,
                        error))
            return false;
    }
    objective->count = count;
    return true;
}

bool unit_objective_is_linear(const UnitObjective *objective)
{
    return objective->loss == LOSS_MEAN;
}

/* ---- mean activation ------------------------------------------------------------------------- */

static float area_of(const uint8_t *mask, int64_t pixels)
{
    int64_t area = 0;
    for (int64_t i = 0; i < pixels; i++)
        area += mask[i];
    return (float)area;
}

// One over the area a mask is averaged over; 0 where there is nothing to average (C8).
static float share_of_pixel(const UnitObjective *objective, const uint8_t *masks, int64_t image)
{
    int64_t pixels = objective->aim->mask_count;
    if (objective->coupled)
        return 1 / (area_of(masks, objective->count * pixels) + AREA_EPSILON);
    float area = area_of(masks + image * pixels, pixels);
    return area > 0 ? 1 / area : 0;
}

// The weights of the mean loss (C9): constants on the masks, brought back to the map's cells (D10).
static void weigh_mean(const UnitObjective *objective, float *weights)
{
    const Aim *aim     = objective->aim;
    int64_t    pixels  = aim->mask_count;
    float      falling = 0, rising = 0;
    for (int64_t image = 0; image < objective->count; image++) {
        const uint8_t *source = objective->source + image * pixels;
        const uint8_t *target = objective->target + image * pixels;
        float         *native = weights + image * objective->map_count;
        float         *full   = aim->transpose ? objective->full : native;
        if (image == 0 || !objective->coupled) {
            falling = share_of_pixel(objective, objective->source, image);
            rising  = share_of_pixel(objective, objective->target, image);
        }
        for (int64_t i = 0; i < pixels; i++)
            full[i] = falling * (float)source[i] - rising * (float)target[i];
        if (aim->transpose)
            aim->transpose(aim->self, full, native);
    }
}

/* ---- every loss ------------------------------------------------------------------------------ */

static bool weigh_soft_iou(UnitObjective *objective, const float *maps, float *weights,
                           double *loss, Error *error)
{
    int64_t images = objective->coupled ? objective->count : 1;
    if (objective->soft_images != images) {
        soft_iou_close(objective->soft);
        objective->soft        = NULL;
        objective->soft_images = 0;
        if (!soft_iou_open(&objective->soft, objective->aim, images, objective->map_count, error))
            return false;
        objective->soft_images = images;
    }
    double sum = 0;
    for (int64_t first = 0; first < objective->count; first += images) {
        int64_t mask = first * objective->aim->mask_count, map = first * objective->map_count;
        sum += soft_iou_run(objective->soft, objective->source + mask, objective->target + mask,
                            maps + map, weights + map);
    }
    if (loss)
        *loss = sum;
    return true;
}

bool unit_objective_weigh(UnitObjective *objective, const float *maps, float *weights, double *loss,
                          Error *error)
{
    double sum = 0;
    if (objective->loss == LOSS_SOFT_IOU)
        return weigh_soft_iou(objective, maps, weights, loss, error);
    if (objective->loss == LOSS_SOFT_WPMI) {
        sum = soft_rank_weigh(objective->aim, objective->images, objective->count,
                              objective->map_count, maps, weights);
        if (loss)
            *loss = sum;
        return true;
    }
    weigh_mean(objective, weights);
    for (int64_t i = 0; loss && i < objective->count * objective->map_count; i++)
        sum += (double)maps[i] * (double)weights[i];
    if (loss)
        *loss = sum;
    return true;
}
