/* cli/unit_data.c - see unit_data.h. */
#include "unit_data.h"

#include "../mini/units.h"
#include "../models/pyramid.h"
#include "../training/vocabulary.h"
#include "caption_data.h"
#include "training_data.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_PHOTOS = 20, BATCH = 16, UNIT_ROW = 8 };

/* An exemplar of a unit: its photo. */
typedef struct Exemplar {
    int32_t image, unit;
    int     number;
} Exemplar;

typedef struct UnitData {
    TrainingSet photos; // with captions
    uint64_t    seed;
    UnitSet    *units;
    Exemplar   *exemplars; // [units, MINI_UNIT_EXEMPLARS], then by photo
} UnitData;

/* ---- which photos ---------------------------------------------------------------------------- */

// The n-th of the photos that a claim is true of.
static int32_t photo_of(const CaptionSet *captions, int64_t claim, int64_t n)
{
    for (int64_t image = 0; image < captions->images; image++)
        if (captions_true(captions, image, claim) && n-- == 0)
            return (int32_t)image;
    return 0;
}

static int64_t photos_of(const CaptionSet *captions, int64_t claim)
{
    int64_t count = 0;
    for (int64_t image = 0; image < captions->images; image++)
        count += captions_true(captions, image, claim);
    return count;
}

// Claims in turn: every one has as many units, or one more.
static bool choose_claims(UnitData *data, bool is_test, Error *error)
{
    const CaptionSet *captions = data->photos.captions;
    int64_t           claims = captions->claims, count[2] = {0};
    int32_t          *fit[2] = {memory_new((size_t)claims, sizeof(int32_t), error),
                                memory_new((size_t)claims, sizeof(int32_t), error)};
    bool              ok     = fit[0] && fit[1];
    for (int64_t claim = 0; ok && claim < claims; claim++)
        if (photos_of(captions, claim) >= LEAST_PHOTOS) {
            int kept                 = captions->is_kept[claim];
            fit[kept][count[kept]++] = (int32_t)claim;
        }
    if (ok && (!count[0] || (is_test && !count[1])))
        ok = fail(error, ERROR_USAGE, "%lld photos are too few for units, expected some thousands",
                  (long long)captions->images);
    for (int64_t i = 0; ok && i < data->units->count; i++) {
        int     kept           = is_test && i % 2;
        int64_t turn           = is_test ? i / 2 : i;
        data->units->claims[i] = fit[kept][turn % count[kept]];
    }
    memory_free(fit[0]);
    memory_free(fit[1]);
    return ok;
}

static void choose_photos(UnitData *data)
{
    const CaptionSet *captions = data->photos.captions;
    for (int64_t i = 0; i < data->units->count; i++) {
        int64_t  claim = data->units->claims[i], count = photos_of(captions, claim);
        MiniUnit unit = {data->seed, i, (int)claim};
        for (int k = 0; k < MINI_UNIT_EXEMPLARS; k++) {
            uint32_t  word = 0;
            int64_t   of   = mini_unit_is_wrong(&unit, k, &word) ? captions->images : count;
            int64_t   n    = (int64_t)((uint64_t)word * (uint64_t)of >> 32);
            Exemplar *to   = &data->exemplars[i * MINI_UNIT_EXEMPLARS + k];
            *to =
                (Exemplar){of == count ? photo_of(captions, claim, n) : (int32_t)n, (int32_t)i, k};
        }
    }
}

static int by_photo(const void *a, const void *b)
{
    const Exemplar *p = a, *q = b;
    if (p->image != q->image)
        return p->image < q->image ? -1 : 1;
    int64_t at = (int64_t)p->unit * MINI_UNIT_EXEMPLARS + p->number,
            to = (int64_t)q->unit * MINI_UNIT_EXEMPLARS + q->number;
    return (at > to) - (at < to);
}

/* ---- features -------------------------------------------------------------------------------- */

// Masks of exemplars first..last-1 of the photos that the pyramid has seen, from photo `base` on.
static bool pool(UnitData *data, Pyramid *pyramid, int64_t first, int64_t last, int32_t base,
                 bool is_random, Error *error)
{
    size_t       count = (size_t)(last - first);
    PyramidMask *items = memory_new(count, sizeof *items, error);
    uint8_t     *masks = memory_new(count * MINI_PIXELS, 1, error);
    real        *to    = is_random ? data->units->random : data->units->values;
    for (size_t i = 0; items && masks && i < count; i++) {
        const Exemplar *e    = &data->exemplars[first + (int64_t)i];
        MiniUnit        unit = {data->seed, e->unit, (int)data->units->claims[e->unit]};
        MiniImage       image;
        mini_draw(data->seed, e->image, &image);
        mini_unit_mask(&unit, e->number, &image, is_random, masks + i * MINI_PIXELS);
        int64_t row = (int64_t)e->unit * MINI_UNIT_EXEMPLARS + e->number;
        items[i] =
            (PyramidMask){e->image - base, masks + i * MINI_PIXELS, to + row * pyramid->features};
    }
    bool ok = items && masks;
    if (ok)
        pyramid_pool(pyramid, items, (int64_t)count);
    memory_free(items);
    memory_free(masks);
    return ok;
}

static bool features(UnitData *data, Pyramid *pyramid, Error *error)
{
    const TrainingSet *photos = &data->photos;
    int64_t            size = 3 * MINI_PIXELS, all = data->units->count * MINI_UNIT_EXEMPLARS;
    real              *pixels = memory_new((size_t)(BATCH * size), sizeof *pixels, error);
    bool               ok     = pixels != NULL;
    for (int64_t base = 0, first = 0; ok && base < photos->count; base += BATCH) {
        int64_t count = photos->count - base < BATCH ? photos->count - base : BATCH, last = first;
        while (last < all && data->exemplars[last].image < base + count)
            last++;
        if (last == first)
            continue;
        for (int64_t i = 0; i < count; i++)
            training_image(photos, base + i, NULL, 0, pixels + i * size);
        pyramid_run(pyramid, pixels, count);
        ok = pool(data, pyramid, first, last, (int32_t)base, false, error) &&
             (!data->units->random || pool(data, pyramid, first, last, (int32_t)base, true, error));
        first = last;
    }
    memory_free(pixels);
    return ok;
}

/* ---- the set --------------------------------------------------------------------------------- */

static const char *shortest(const CaptionSet *captions, int64_t claim)
{
    return captions->written[captions->first[claim]];
}

static bool words_of(const CaptionSet *captions, char **out, Error *error)
{
    WordCounts counts = {0};
    bool       ok     = true;
    for (int64_t claim = 0; ok && claim < captions->claims; claim++)
        ok = word_counts_add(&counts, shortest(captions, claim), error);
    ok = ok && word_counts_lines(&counts, CAPTION_WORDS, out, error);
    word_counts_free(&counts);
    return ok;
}

// What is said of units: of each its claim alone, in its shortest form.
static bool say_of_units(const CaptionSet *of_photos, const UnitSet *units, CaptionSet **out,
                         Error *error)
{
    CaptionSet *captions = NULL;
    char       *words    = NULL;
    int64_t     claims   = of_photos->claims;
    bool        ok       = words_of(of_photos, &words, error) &&
              captions_new(&captions, units->count, claims, claims, UNIT_ROW, words, error);
    memory_free(words);
    for (int64_t claim = 0; ok && claim < claims; claim++) {
        captions->first[claim]     = (int32_t)claim;
        captions->first[claim + 1] = (int32_t)claim + 1;
        captions->is_kept[claim]   = of_photos->is_kept[claim];
        ok = captions_add(captions, claim, shortest(of_photos, claim), error);
    }
    for (int64_t i = 0; ok && i < units->count; i++)
        captions_say(captions, i, units->claims[i]);
    *out = captions;
    return ok;
}

static bool fill(UnitData *data, TrainingSet *out, const char *name, int64_t units,
                 WeightBlob *encoder, bool is_test, Error *error)
{
    Pyramid pyramid = {0};
    int64_t images  = 0;
    bool    ok =
        caption_data_open(&data->photos, name, "mini", NULL, error) &&
        training_data_mini(name, &images, &data->seed, error) &&
        pyramid_open(&pyramid, encoder, BATCH, error) &&
        training_set_new(out, units, 1, 1, 1, error) &&
        unit_set_new(&out->units, units, MINI_UNIT_EXEMPLARS, pyramid.features, is_test, error) &&
        (data->exemplars =
             memory_new((size_t)(units * MINI_UNIT_EXEMPLARS), sizeof *data->exemplars, error));
    data->units = out->units;
    ok          = ok && choose_claims(data, is_test, error);
    if (ok) {
        choose_photos(data);
        qsort(data->exemplars, (size_t)(units * MINI_UNIT_EXEMPLARS), sizeof *data->exemplars,
              by_photo);
    }
    ok = ok && features(data, &pyramid, error) &&
         say_of_units(data->photos.captions, data->units, &out->captions, error) &&
         (is_test || captions_finish(out->captions, error));
    pyramid_close(&pyramid);
    return ok;
}

bool unit_data_open(TrainingSet *out, const char *name, int64_t units, WeightBlob *encoder,
                    bool is_test, Error *error)
{
    UnitData    data = {0};
    TrainingSet set  = {0};
    bool        ok   = fill(&data, &set, name, units, encoder, is_test, error);
    training_set_free(&data.photos);
    memory_free(data.exemplars);
    if (ok)
        *out = set;
    else
        training_set_free(&set);
    return ok;
}
