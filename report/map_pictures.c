/* report/map_pictures.c - the images of a run of maps: copied, and the difference of two. */
#include "../format/npy.h"
#include "../image/image.h"
#include "map_page.h"

#include <math.h>
#include <string.h>

enum { PICTURED_CASES = 3, NAME = 160 };

/* ---- pictures -------------------------------------------------------------------------------- */

static void show(MapPage *page, const char *file, int width, int height, const char *description)
{
    writer_text(page->page,
                "<a class=\"shot%s\" href=\"%s\"><img loading=\"lazy\" src=\"%s\" width=\"%d\" "
                "height=\"%d\" alt=\"",
                width < 128 ? " pixels" : "", file, file, width, height);
    html_text(page->page, description, HTML_VALUE_LENGTH);
    writer_text(page->page, "\"></a>\n");
}

static bool next_file(MapPage *page, char file[NAME], char path[LIMIT_PATH], Error *error)
{
    snprintf(file, NAME, "pictures/%04lld.png", (long long)page->pictures++);
    return path_join(path, page->job->folder, file, error);
}

bool map_picture(MapPage *page, const char *name, const char *description, Error *error)
{
    char  path[LIMIT_PATH], file[NAME], copy[LIMIT_PATH];
    Bytes bytes = {0};
    Image image = {0};
    bool  ok    = path_join(path, page->job->run, name, error) &&
              file_read(path, LIMIT_IMAGE_FILE, &bytes, error) &&
              png_decode(bytes.data, bytes.size, path, &image, error) &&
              next_file(page, file, copy, error) &&
              file_publish(copy, bytes.data, bytes.size, error);
    if (ok)
        show(page, file, image.width, image.height, description);
    image_free(&image);
    bytes_close(&bytes);
    return ok;
}

/* ---- differences ----------------------------------------------------------------------------- */

// The prepared images before and after, [1, 3, height, width].
typedef struct Difference {
    float  *before, *after; // owned
    int64_t height, width;
    float   largest; // of pixels in 0..1
} Difference;

static void difference_close(Difference *change)
{
    memory_free(change->before);
    memory_free(change->after);
}

static bool read_image(const MapPage *page, const char *name, float **out, Shape *shape,
                       Error *error)
{
    char path[LIMIT_PATH];
    if (!path_join(path, page->job->run, name, error) || !npy_read(path, out, shape, error))
        return false;
    return (shape->rank == 4 && shape->dim[0] == 1 && shape->dim[1] == 3) ||
           fail(error, ERROR_DATA, "%s: is not an image [1, 3, h, w]", path);
}

static float step_of(const MapPage *page, const Difference *change, int64_t channel, int64_t cell)
{
    int64_t at = channel * change->height * change->width + cell;
    return (change->after[at] - change->before[at]) * page->job->levels[channel];
}

static bool difference_open(Difference *out, const MapPage *page, const char *before,
                            const char *after, Error *error)
{
    Shape first, second;
    if (!read_image(page, before, &out->before, &first, error) ||
        !read_image(page, after, &out->after, &second, error))
        return false;
    if (!shape_equal(first, second))
        return fail(error, ERROR_DATA, "%s: %s and %s have different sizes", page->job->run, before,
                    after);
    out->height = first.dim[2];
    out->width  = first.dim[3];
    if (!image_size_is_fine(out->width, out->height))
        return fail(error, ERROR_DATA, "%s: %s is too large a picture", page->job->run, before);
    for (int64_t c = 0; c < 3; c++)
        for (int64_t i = 0; i < out->height * out->width; i++)
            out->largest = fmaxf(out->largest, fabsf(step_of(page, out, c, i)));
    return true;
}

// Middle gray where nothing changed; the largest change is black or white.
static bool show_change(MapPage *page, const Difference *change, const char *description,
                        Error *error)
{
    char     path[LIMIT_PATH], file[NAME];
    uint8_t *bytes = NULL;
    size_t   size  = 0;
    Image    image = {.width       = (int)change->width,
                      .height      = (int)change->height,
                      .channels    = 3,
                      .orientation = 1};
    float    scale = change->largest > 0 ? change->largest : 1;
    image.pixels   = memory_new(3 * (size_t)(change->height * change->width), 1, error);
    if (!image.pixels)
        return false;
    for (int64_t i = 0; i < change->height * change->width; i++)
        for (int64_t c = 0; c < 3; c++)
            image.pixels[3 * i + c] =
                (uint8_t)lrintf(127.5f + 127.5f * step_of(page, change, c, i) / scale);
    bool ok = png_encode(&image, &bytes, &size, error) && next_file(page, file, path, error) &&
              file_publish(path, bytes, size, error);
    if (ok)
        show(page, file, image.width, image.height, description);
    memory_free(bytes);
    image_free(&image);
    return ok;
}

/* ---- cases ----------------------------------------------------------------------------------- */

typedef struct Case {
    const MapMeasure *row, *control; // as the maps are shown; control may be NULL
    const MapMeasure *answer;        // of the network itself, without what its maps are smoothed by
    char              folder[32], prefix[64];
} Case;

static void file_of(char out[NAME], const Case *shown, const char *name, bool is_shared)
{
    snprintf(out, NAME, "%s%s%s", shown->folder, is_shared ? "" : shown->prefix, name);
}

static bool figure(MapPage *page, const Case *shown, const char *name, const char *description,
                   Error *error)
{
    char file[NAME];
    file_of(file, shown, name, strcmp(name, "original.png") == 0);
    writer_text(page->page, "<figure>");
    return map_picture(page, file, description, error);
}

static bool figure_change(MapPage *page, const Case *shown, Error *error)
{
    char       before[NAME], after[NAME];
    Difference change = {0};
    file_of(before, shown, "original.npy", true);
    file_of(after, shown, "attacked.npy", false);
    writer_text(page->page, "<figure>");
    bool ok = difference_open(&change, page, before, after, error) &&
              show_change(page, &change, "what the attack added to the photo, amplified", error);
    if (ok && change.largest > 0)
        writer_text(page->page,
                    "<figcaption><b>difference</b>, amplified %.3g times: gray is no change, the "
                    "largest is %.3g of 255 levels</figcaption></figure>\n",
                    0.5 / (double)change.largest, 255 * (double)change.largest);
    else if (ok)
        writer_text(page->page, "<figcaption><b>difference</b>: there is none</figcaption>"
                                "</figure>\n");
    difference_close(&change);
    return ok;
}

static bool photos(MapPage *page, const Case *shown, Error *error)
{
    const MapMeasure *row = shown->answer;
    if (!figure(page, shown, "original.png", "the photo", error))
        return false;
    writer_text(
        page->page,
        "<figcaption><b>photo</b>: class %lld with probability %.3f</figcaption></figure>\n",
        (long long)row->class_before, row->probability_before);
    if (!figure(page, shown, "attacked.png", "the attacked photo", error))
        return false;
    writer_text(page->page,
                "<figcaption><b>attacked photo</b>: class %lld, probability of class %lld now %.3f"
                "</figcaption></figure>\n",
                (long long)row->class_after, (long long)row->class_before, row->probability_after);
    return figure_change(page, shown, error);
}

static bool maps(MapPage *page, const Case *shown, Error *error)
{
    if (!figure(page, shown, "map_before.png", "map of the photo", error))
        return false;
    writer_text(page->page, "<figcaption><b>its map</b>");
    if (shown->control)
        writer_text(page->page, ": PCC with the target %.3f", shown->control->target.pcc);
    writer_text(page->page, "</figcaption></figure>\n");
    if (!figure(page, shown, "map_after.png", "map of the attacked photo", error))
        return false;
    writer_text(page->page,
                "<figcaption><b>its map</b>: PCC with the target %.3f, with the map of the photo "
                "%.3f</figcaption></figure>\n",
                shown->row->target.pcc, shown->row->original.pcc);
    if (!figure(page, shown, "map_target.png", "the map aimed at", error))
        return false;
    writer_text(page->page, "<figcaption><b>target</b> of the map</figcaption></figure>\n");
    return true;
}

// The row of the same pair, method and store; NULL if it was not measured.
static const MapMeasure *row_beside(const MapPage *page, const MapMeasure *row, bool is_softplus,
                                    bool is_control)
{
    for (int64_t i = 0; i < page->results.measure_count; i++) {
        const MapMeasure *other = &page->results.measures[i];
        if (other->pair == row->pair && other->method == row->method &&
            other->is_softplus == is_softplus && other->store == row->store &&
            other->is_control == is_control)
            return other;
    }
    return NULL;
}

static bool show_case(MapPage *page, const MapMeasure *row, const char *place, Error *error)
{
    Case shown   = {.row     = row,
                    .control = row_beside(page, row, row->is_softplus, true),
                    .answer  = row_beside(page, row, false, false)};
    shown.answer = shown.answer ? shown.answer : row;
    if (page->job->has_pairs)
        snprintf(shown.folder, sizeof shown.folder, "pair-%03d/", row->pair);
    if (page->study.method_count > 1)
        snprintf(shown.prefix, sizeof shown.prefix, "%.60s-",
                 page->study.methods[row->method]->name);
    if (page->job->has_pairs)
        writer_text(page->page, "<h4>Pair %d%s</h4>\n", row->pair, place);
    writer_text(page->page, "<div class=\"case\">\n");
    if (!photos(page, &shown, error) || !maps(page, &shown, error))
        return false;
    writer_text(page->page, "</div>\n");
    return true;
}

// The case at a quantile of the correlation with the target.
static const MapMeasure *case_at(MapPage *page, const MapMeasure *like, double q)
{
    int     column = measure_index("map_pcc_target");
    int64_t count  = map_results_sorted(&page->results, like, column, page->values);
    double  wanted = page->values[(int64_t)(q * (double)(count - 1) + 0.5)];
    for (int64_t i = 0; i < page->results.measure_count; i++) {
        const MapMeasure *row = &page->results.measures[i];
        if (map_measures_are_alike(row, like) && row->target.pcc == wanted)
            return row;
    }
    return like;
}

static bool show_method(MapPage *page, int method, Error *error)
{
    static const double      places[PICTURED_CASES] = {0, 0.5, 1};
    static const char *const names[] = {", where the map ended farthest from its target",
                                        ", in the middle", ", where it came closest"};
    const MapMeasure        *like    = group_of(page, method, shows_softplus(page, method), false);
    const MapMeasure        *seen[PICTURED_CASES] = {0};
    if (!like)
        return true;
    writer_text(page->page, "<div class=\"unit\"><h3><span>%s</span></h3>\n",
                page->study.methods[method]->name);
    for (int i = 0; i < PICTURED_CASES; i++) {
        seen[i]       = case_at(page, like, places[i]);
        bool is_again = (i > 0 && seen[i] == seen[0]) || (i > 1 && seen[i] == seen[1]);
        if (!is_again && !show_case(page, seen[i], names[i], error))
            return false;
    }
    writer_text(page->page, "</div>\n");
    return true;
}

bool show_cases(MapPage *page, Error *error)
{
    writer_text(page->page, "<p class=\"note\">Maps are black at 0; white is what 99 of 100 of "
                            "their values do not exceed. PCC is Pearson\xe2\x80\x99s "
                            "correlation. A click opens a picture alone.</p>\n");
    for (int m = 0; m < page->study.method_count; m++)
        if (!show_method(page, m, error))
            return false;
    return true;
}
