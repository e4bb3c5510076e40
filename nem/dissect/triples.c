/* nem/dissect/triples.c - the 2017 program's bounded record of an image (Q9).
 *
 * It stores at most 2,048 triples (unit, label, pixels) of an image. First come the margins: each
 * label's pixels, each unit's mask, and whole-image labels inside masks. If these alone are too
 * many, those with the most pixels stay and nothing else does. Otherwise the remaining places go to
 * the pairs of a unit and a label of a map with the most pixels. What is left out counts as zero,
 * in truth and presence too. Among equal counts the 2017 program's choice depends on its sorting
 * routine; here the earlier one stays: labels before units, then by unit, then by label.
 * Source: CSAILVision/NetDissect, src/labelprobe.py and intersect.py (tallyLabels). */
#include "dissect_private.h"

#include <stdlib.h>

typedef struct Entry {
    uint32_t *count;
    uint32_t  pixels;
    int64_t   order;
} Entry;

static int by_pixels(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    if (x->pixels != y->pixels)
        return x->pixels < y->pixels ? 1 : -1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static bool is_whole(const ImagePlanes *planes, int32_t label)
{
    for (int i = 0; i < planes->whole_count; i++)
        if (planes->whole[i] == label)
            return true;
    return false;
}

// Zeroes all but the `places` largest of the entries.
static void keep_largest(Entry *entries, int64_t count, int64_t places)
{
    if (count <= places)
        return;
    qsort(entries, (size_t)count, sizeof *entries, by_pixels);
    for (int64_t i = places; i < count; i++)
        *entries[i].count = 0;
}

static bool of_image(const TripleList *list, int64_t *first, int64_t *end, int32_t image)
{
    int64_t at = 0;
    while (at < list->count && list->items[at].image != image)
        at++;
    *first = at;
    while (at < list->count && list->items[at].image == image)
        at++;
    *end = at;
    return *first < *end;
}

bool triples_limit(TripleList *lists, int64_t unit_count, int32_t image, ImageLabels *labels,
                   const ImagePlanes *planes, int64_t limit, Error *error)
{
    int64_t total = labels->count, first, end;
    for (int64_t unit = 0; unit < unit_count; unit++)
        if (of_image(&lists[unit], &first, &end, image))
            total += end - first;
    if (total <= limit)
        return true;
    Entry  *margins      = memory_new((size_t)total, sizeof *margins, error);
    Entry  *pairs        = memory_new((size_t)total, sizeof *pairs, error);
    int64_t margin_count = 0, pair_count = 0;
    if (margins && pairs) {
        for (int i = 0; i < labels->count; i++)
            margins[margin_count++] = (Entry){&labels->items[i].pixels, labels->items[i].pixels, i};
        for (int64_t unit = 0; unit < unit_count; unit++) {
            of_image(&lists[unit], &first, &end, image);
            for (int64_t at = first; at < end; at++) {
                Triple *triple    = &lists[unit].items[at];
                bool    is_margin = triple->label < 0 || is_whole(planes, triple->label);
                Entry   entry = {&triple->count, triple->count, ((unit + 1) << 32) + triple->label};
                if (is_margin)
                    margins[margin_count++] = entry;
                else
                    pairs[pair_count++] = entry;
            }
        }
        keep_largest(margins, margin_count, limit);
        keep_largest(pairs, pair_count, limit > margin_count ? limit - margin_count : 0);
    }
    bool ok = margins && pairs;
    memory_free(margins);
    memory_free(pairs);
    return ok;
}
