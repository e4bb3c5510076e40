/* nem/milan/looks.c - exemplars through the captioner's encoder: each image once, whatever the
 * number of units that have it among theirs. */
#include "milan_private.h"

#include "../../base/parallel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MASKS_AT_ONCE = 32 };

/* ---- the list -------------------------------------------------------------------------------- */

static int by_image(const void *a, const void *b)
{
    const Look   *x = a, *y = b;
    const int64_t first[3] = {x->image, x->unit, x->rank}, other[3] = {y->image, y->unit, y->rank};
    for (int i = 0; i < 3; i++)
        if (first[i] != other[i])
            return first[i] < other[i] ? -1 : 1;
    return 0;
}

bool looks_open(Looks *out, const Gathering *gathering, int64_t features, Error *error)
{
    Looks  looks = {.count = gathering->unit_count * gathering->exemplar_count};
    size_t count = (size_t)looks.count, numbers = 0;
    if (!size_mul(count, (size_t)features, &numbers))
        return fail(error, ERROR_MEMORY, "features of %lld exemplars do not fit into memory",
                    (long long)looks.count);
    looks.items    = memory_new(count, sizeof *looks.items, error);
    looks.place    = memory_new(count, sizeof *looks.place, error);
    looks.features = memory_new(numbers, sizeof *looks.features, error);
    if (!looks.items || !looks.place || !looks.features) {
        looks_close(&looks);
        return false;
    }
    for (int64_t i = 0; i < looks.count; i++) {
        int64_t unit = i / gathering->exemplar_count, rank = i % gathering->exemplar_count;
        looks.items[i] = (Look){gathering->units[unit].exemplars.image[rank], unit, rank};
    }
    qsort(looks.items, count, sizeof *looks.items, by_image);
    for (int64_t i = 0; i < looks.count; i++) {
        looks.place[looks.items[i].unit * gathering->exemplar_count + looks.items[i].rank] = i;
        looks.distinct += i == 0 || looks.items[i].image != looks.items[i - 1].image;
    }
    *out = looks;
    return true;
}

void looks_close(Looks *looks)
{
    memory_free(looks->items);
    memory_free(looks->place);
    memory_free(looks->features);
    *looks = (Looks){0};
}

bool collecting_looks(Collecting *collecting, Error *error)
{
    for (int64_t unit = 0; unit < collecting->gathering.unit_count; unit++)
        collecting->evidence->exemplars[unit] = collecting->gathering.units[unit].exemplars;
    return looks_open(&collecting->looks, &collecting->gathering,
                      collecting->milan->pyramid.features, error);
}

void looks_gather(const Looks *looks, const Milan *milan, int64_t unit, real *out)
{
    int64_t features = milan->pyramid.features;
    for (int64_t rank = 0; rank < milan->exemplar_count; rank++)
        memcpy(out + rank * features,
               looks->features + looks->place[unit * milan->exemplar_count + rank] * features,
               (size_t)features * sizeof *out);
}

/* ---- one exemplar ---------------------------------------------------------------------------- */

void exemplar_bytes(const Milan *milan, const Inputs *inputs, const float *planes, uint8_t *bytes)
{
    int64_t height = inputs->layer.image_height, width = inputs->layer.image_width;
    for (int64_t c = 0; c < 3; c++)
        for (int64_t y = 0; y < milan->height; y++) {
            const float *row = planes + (c * height + y * height / milan->height) * width;
            for (int64_t x = 0; x < milan->width; x++) {
                float value = row[x * width / milan->width];
                float level = 255 * (value < 0 ? 0 : value > 1 ? 1 : value);
                *bytes++    = (uint8_t)(milan->rules->is_rounded ? lroundf(level) : (long)level);
            }
        }
}

int64_t exemplar_mask(const Milan *milan, const float *map, float level, float *room, uint8_t *mask)
{
    int64_t count = 0;
    resampler_map(milan->upward, map, room);
    for (int64_t i = 0; i < milan->height * milan->width; i++) {
        mask[i] = room[i] > level;
        count += mask[i];
    }
    return count;
}

/* ---- a batch of images ----------------------------------------------------------------------- */

typedef struct Looking {
    Looks           *looks;
    Milan           *milan;
    const Gathering *gathering;
    RowLoader        loader;
    int64_t         *images; // [batch]
    real            *photos; // [batch, 3, image_height, image_width] of the layer
    float           *planes; // [3, image_height, image_width]
    uint8_t         *bytes;  // [3, height, width]
    real            *pixels; // [batch, 3, height, width] of the encoder
    uint8_t         *masks;  // [MASKS_AT_ONCE, height, width]
    float           *rooms;  // [threads, height, width]
    int64_t          first;  // item of the first mask at hand
    PyramidMask      mask[MASKS_AT_ONCE];
} Looking;

static bool looking_open(Looking *self, const ImageSource *images, Error *error)
{
    const ActivationSource *layer = &self->gathering->inputs->layer;
    size_t                  photo = 3 * (size_t)layer->image_height * (size_t)layer->image_width;
    size_t                  area  = (size_t)self->milan->height * (size_t)self->milan->width;
    size_t                  batch = (size_t)self->milan->pyramid.runner.batch;
    self->images                  = memory_new(batch, sizeof *self->images, error);
    self->photos                  = memory_new(batch * photo, sizeof *self->photos, error);
    self->planes                  = memory_new(photo, sizeof *self->planes, error);
    self->bytes                   = memory_new(3 * area, 1, error);
    self->pixels                  = memory_new(batch * 3 * area, sizeof *self->pixels, error);
    self->masks                   = memory_new(MASKS_AT_ONCE * area, 1, error);
    self->rooms = memory_new((size_t)parallel_threads() * area, sizeof *self->rooms, error);
    return self->images && self->photos && self->planes && self->bytes && self->pixels &&
           self->masks && self->rooms && row_loader_open(&self->loader, images, photo, error);
}

static void looking_close(Looking *self)
{
    memory_free(self->images);
    memory_free(self->photos);
    memory_free(self->planes);
    memory_free(self->bytes);
    memory_free(self->pixels);
    memory_free(self->masks);
    memory_free(self->rooms);
    row_loader_close(&self->loader);
}

// Images from item `at` on, as many as a batch has; *end is the item behind theirs.
static int64_t list_images(Looking *self, int64_t at, int64_t *end)
{
    const Looks *looks = self->looks;
    int64_t      count = 0;
    for (*end = at; *end < looks->count; ++*end) {
        int64_t image = looks->items[*end].image;
        if (count > 0 && self->images[count - 1] == image)
            continue;
        if (count == self->milan->pyramid.runner.batch)
            break;
        self->images[count++] = image;
    }
    return count;
}

static bool encode_images(Looking *self, int64_t count, Error *error)
{
    const Inputs *inputs = self->gathering->inputs;
    int64_t       photo  = 3 * inputs->layer.image_height * inputs->layer.image_width;
    int64_t       size   = 3 * self->milan->height * self->milan->width;
    if (!row_loader_load(&self->loader, self->images, count, self->photos, error))
        return false;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t k = 0; k < photo; k++)
            self->planes[k] = (float)self->photos[i * photo + k];
        exemplar_bytes(self->milan, inputs, self->planes, self->bytes);
        for (int64_t k = 0; k < size; k++)
            self->pixels[i * size + k] = (real)self->bytes[k] / 255;
    }
    pyramid_run(&self->milan->pyramid, self->pixels, count);
    return true;
}

static void cut_mask(void *data, int64_t index, int thread)
{
    Looking         *self      = data;
    const Gathering *gathering = self->gathering;
    const Look      *item      = &self->looks->items[self->first + index];
    int64_t          area      = self->milan->height * self->milan->width;
    exemplar_mask(self->milan, gather_exemplar(gathering, item->unit, item->rank),
                  gathering->units[item->unit].exemplars.level, self->rooms + thread * area,
                  self->masks + index * area);
}

// The features of items first..end-1, whose images are those at hand.
static void pool_items(Looking *self, int64_t first, int64_t end)
{
    Milan  *milan = self->milan;
    int64_t area = milan->height * milan->width, image = 0;
    for (int64_t at = first, count; at < end; at += count) {
        count       = end - at < MASKS_AT_ONCE ? end - at : MASKS_AT_ONCE;
        self->first = at;
        parallel_for(count, cut_mask, self);
        for (int64_t i = 0; i < count; i++) {
            while (self->images[image] != self->looks->items[at + i].image)
                image++;
            self->mask[i] =
                (PyramidMask){image, self->masks + i * area,
                              self->looks->features + (at + i) * milan->pyramid.features};
        }
        pyramid_pool(&milan->pyramid, self->mask, count);
    }
}

bool looks_run(Looks *looks, Milan *milan, const Gathering *gathering, const ImageSource *images,
               int64_t start, LooksPause *pause, void *self, Error *error)
{
    Looking looking = {.looks = looks, .milan = milan, .gathering = gathering};
    bool    ok      = looking_open(&looking, images, error);
    for (int64_t at = start, end = start; ok && at < looks->count; at = end) {
        int64_t count = list_images(&looking, at, &end);
        ok            = encode_images(&looking, count, error);
        if (ok) {
            pool_items(&looking, at, end);
            ok = pause(self, end, count, error);
        }
    }
    looking_close(&looking);
    return ok;
}
