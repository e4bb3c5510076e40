/* nem/milan/aim.c - where an attack lowers a unit and raises another concept: in the masks of the
 * unit's clean exemplars, and of those of a unit that has the target's caption (N14). */
#include "milan_private.h"

#include <stdlib.h>
#include <string.h>

enum { AIM_IMAGES = 2 * MILAN_EXEMPLARS };

typedef struct ExemplarAim {
    const Milan *milan;
    int64_t      images[AIM_IMAGES]; // increasing
    int64_t      count, area;
    uint8_t     *masks; // [2, count, area]: of the unit, of the target's
} ExemplarAim;

static uint8_t *mask_of(const ExemplarAim *aim, int side, int64_t place)
{
    return aim->masks + (side * aim->count + place) * aim->area;
}

static bool copy_masks(void *self, int64_t image, uint8_t *source, uint8_t *target, Error *error)
{
    const ExemplarAim *aim   = self;
    int64_t            place = 0;
    (void)error;
    while (aim->images[place] != image)
        place++;
    memcpy(source, mask_of(aim, 0, place), (size_t)aim->area);
    memcpy(target, mask_of(aim, 1, place), (size_t)aim->area);
    return true;
}

static void enlarge(const void *self, const float *map, float *out)
{
    const ExemplarAim *aim = self;
    resampler_map(aim->milan->smooth, map, out);
}

static void transpose(const void *self, const float *weights, float *out)
{
    const ExemplarAim *aim = self;
    resampler_transpose(aim->milan->smooth, weights, out);
}

static void close_aim(void *self)
{
    ExemplarAim *aim = self;
    memory_free(aim->masks);
    memory_free(aim);
}

/* ---- which images, and their masks ----------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void add_images(ExemplarAim *aim, const Exemplars *exemplars)
{
    for (int64_t i = 0; i < exemplars->count; i++)
        aim->images[aim->count++] = exemplars->image[i];
}

static void sort_images(ExemplarAim *aim)
{
    int64_t kept = 0;
    qsort(aim->images, (size_t)aim->count, sizeof *aim->images, by_number);
    for (int64_t i = 0; i < aim->count; i++)
        if (i == 0 || aim->images[i] != aim->images[i - 1])
            aim->images[kept++] = aim->images[i];
    aim->count = kept;
}

static bool has_image(const Exemplars *exemplars, int64_t image)
{
    for (int64_t i = 0; i < exemplars->count; i++)
        if (exemplars->image[i] == image)
            return true;
    return false;
}

/* One side of the aim: a unit of the clean run, or NULL. */
typedef struct Side {
    const UnitRecord *unit;
    const Exemplars  *exemplars;
} Side;

typedef struct MaskRoom {
    float *planes; // [3, image_height, image_width]
    real  *pixels; // the same
    real  *maps;   // [units, cells]
    float *map;    // [cells]
    float *wide;   // [area]
} MaskRoom;

static bool room_open(MaskRoom *room, const ActivationSource *layer, int64_t area, Error *error)
{
    size_t pixels = 3 * (size_t)layer->image_height * (size_t)layer->image_width;
    size_t cells  = (size_t)layer->height * (size_t)layer->width;
    room->planes  = memory_new(pixels, sizeof *room->planes, error);
    room->pixels  = memory_new(pixels, sizeof *room->pixels, error);
    room->maps    = memory_new((size_t)layer->units * cells, sizeof *room->maps, error);
    room->map     = memory_new(cells, sizeof *room->map, error);
    room->wide    = memory_new((size_t)area, sizeof *room->wide, error);
    return room->planes && room->pixels && room->maps && room->map && room->wide;
}

static void room_close(MaskRoom *room)
{
    memory_free(room->planes);
    memory_free(room->pixels);
    memory_free(room->maps);
    memory_free(room->map);
    memory_free(room->wide);
}

// The clean maps of one image, and the masks that follow.
static bool cut_masks(const ExemplarAim *aim, const Inputs *inputs, const Side sides[2],
                      int64_t place, MaskRoom *room, Error *error)
{
    const ActivationSource *layer  = &inputs->layer;
    int64_t                 pixels = 3 * layer->image_height * layer->image_width;
    int64_t                 cells  = layer->height * layer->width;
    if (!inputs->images.load(inputs->images.self, aim->images[place], room->planes, error))
        return false;
    for (int64_t i = 0; i < pixels; i++)
        room->pixels[i] = room->planes[i];
    layer->run(layer->self, room->pixels, 1, room->maps);
    for (int side = 0; side < 2; side++) {
        const UnitRecord *unit = sides[side].unit;
        if (!unit || !has_image(sides[side].exemplars, aim->images[place]))
            continue;
        exemplar_mask(aim->milan, map_floats(room->maps + unit->unit * cells, cells, room->map),
                      unit->threshold, room->wide, mask_of(aim, side, place));
    }
    return true;
}

static bool fill_aim(ExemplarAim *aim, const Explainer *explainer, const Side sides[2],
                     Error *error)
{
    MaskRoom room = {0};
    for (int side = 0; side < 2; side++)
        if (sides[side].unit)
            add_images(aim, sides[side].exemplars);
    sort_images(aim);
    aim->masks = memory_new((size_t)(2 * aim->count), (size_t)aim->area, error);
    bool ok    = aim->masks && room_open(&room, &explainer->inputs.layer, aim->area, error);
    for (int64_t place = 0; ok && place < aim->count; place++)
        ok = cut_masks(aim, &explainer->inputs, sides, place, &room, error);
    room_close(&room);
    return ok;
}

bool milan_aim(const Explainer *explainer, const UnitRecord *unit, AimTarget target, Aim *out,
               Error *error)
{
    const Milan *milan = explainer->state;
    if (!milan->clean.exemplars || unit->unit >= milan->clean.record.unit_count)
        return fail(error, ERROR_DATA, "unit %lld: the clean run has no exemplars of it",
                    (long long)unit->unit);
    if (target.label && !target.unit)
        return fail(error, ERROR_USAGE, "unit %lld: no other unit's clean caption is '%.200s'",
                    (long long)unit->unit, explainer->labels->text[target.label]);
    Side sides[2] = {{unit, &milan->clean.exemplars[unit->unit]}};
    if (target.label)
        sides[1] = (Side){target.unit, &milan->clean.exemplars[target.unit->unit]};
    ExemplarAim *aim = memory_new(1, sizeof *aim, error);
    if (!aim)
        return false;
    *aim = (ExemplarAim){.milan = milan, .area = milan->height * milan->width};
    if (!fill_aim(aim, explainer, sides, error)) {
        close_aim(aim);
        return false;
    }
    *out = (Aim){.images      = aim->images,
                 .image_count = aim->count,
                 .mask_count  = aim->area,
                 .masks       = copy_masks,
                 .enlarge     = enlarge,
                 .transpose   = transpose,
                 .threshold   = unit->threshold,
                 .self        = aim,
                 .close       = close_aim};
    return true;
}

// Captions of the clean run.
bool milan_candidates(const Explainer *explainer, bool *present, Error *error)
{
    const Milan *milan = explainer->state;
    (void)error;
    for (int64_t i = 0; i < milan->clean.record.unit_count; i++)
        present[milan->clean.record.units[i].label] = true;
    present[0] = false;
    return true;
}
