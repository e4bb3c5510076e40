/* study/activation_aim.c - see activation_aim.h. */
#include "activation_aim.h"

#include <string.h>

typedef struct ActivationAim {
    size_t   cells;
    uint8_t *source, *target; // [images, cells]; target NULL: nothing is raised
    int64_t *images;          // [images], the first of them in use
} ActivationAim;

static bool copy_masks(void *self, int64_t image, uint8_t *source, uint8_t *target, Error *error)
{
    const ActivationAim *aim = self;
    size_t               at  = (size_t)image * aim->cells;
    (void)error;
    memcpy(source, aim->source + at, aim->cells);
    if (aim->target)
        memcpy(target, aim->target + at, aim->cells);
    else
        memset(target, 0, aim->cells);
    return true;
}

static void close_aim(void *self)
{
    ActivationAim *aim = self;
    memory_free(aim->source);
    memory_free(aim->target);
    memory_free(aim->images);
    memory_free(aim);
}

static uint8_t *cut_maps(const UnitMaps *unit, size_t count, Error *error)
{
    uint8_t *masks = memory_new(count, 1, error);
    for (size_t i = 0; masks && i < count; i++)
        masks[i] = unit->maps[i] > unit->record->threshold;
    return masks;
}

static bool is_active(const ActivationAim *aim, int64_t image)
{
    size_t at = (size_t)image * aim->cells;
    return memchr(aim->source + at, 1, aim->cells) ||
           (aim->target && memchr(aim->target + at, 1, aim->cells));
}

bool activation_aim_open(Aim *out, const UnitMaps *source, const UnitMaps *target, int64_t images,
                         int64_t cells, Error *error)
{
    size_t         count = (size_t)(images * cells);
    ActivationAim *aim   = memory_new(1, sizeof *aim, error);
    if (!aim)
        return false;
    aim->cells  = (size_t)cells;
    aim->images = memory_new((size_t)images, sizeof *aim->images, error);
    aim->source = cut_maps(source, count, error);
    aim->target = target ? cut_maps(target, count, error) : NULL;
    if (!aim->images || !aim->source || (target && !aim->target)) {
        close_aim(aim);
        return false;
    }
    *out = (Aim){.images     = aim->images,
                 .mask_count = cells,
                 .masks      = copy_masks,
                 .threshold  = source->record->threshold,
                 .self       = aim,
                 .close      = close_aim};
    for (int64_t image = 0; image < images; image++)
        if (is_active(aim, image))
            out->images[out->image_count++] = image;
    return true;
}
