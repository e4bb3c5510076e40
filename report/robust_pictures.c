/* report/robust_pictures.c - photos and maps of a run of robustness, or of two below each other:
 * as they are, moved at random, attacked. */
#include "../attribution/similarity.h"
#include "../image/image.h"
#include "robust_page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- files ----------------------------------------------------------------------------------- */

static uint8_t level(float value)
{
    value = value < 0 ? 0 : value > 1 ? 1 : value;
    return (uint8_t)lrintf(255 * value);
}

static bool picture_open(Image *out, const RobustReportRun *run, Error *error)
{
    *out = (Image){
        .width = (int)run->width, .height = (int)run->height, .channels = 3, .orientation = 1};
    out->pixels = memory_new(3 * (size_t)(run->height * run->width), 1, error);
    return out->pixels != NULL;
}

// Publishes the picture beside the page and frees it.
static bool picture_publish(const RobustPage *page, const char *name, Image *image, Error *error)
{
    char     path[LIMIT_PATH];
    uint8_t *bytes = NULL;
    size_t   size  = 0;
    bool     ok    = path_join(path, page->job->folder, name, error) &&
              png_encode(image, &bytes, &size, error) && file_publish(path, bytes, size, error);
    memory_free(bytes);
    image_free(image);
    return ok;
}

// Planes [3, cells]; a pixel is a value times `step` plus `middle`.
static bool write_photo(const RobustPage *page, const RobustReportRun *run, const char *name,
                        const float *planes, const float step[3], const float middle[3],
                        Error *error)
{
    int64_t cells = run->height * run->width;
    Image   image;
    if (!picture_open(&image, run, error))
        return false;
    for (int64_t i = 0; i < 3 * cells; i++)
        image.pixels[i] = level(planes[i % 3 * cells + i / 3] * step[i % 3] + middle[i % 3]);
    return picture_publish(page, name, &image, error);
}

// A map [cells] in heat colours: black, red, yellow, white at its largest value.
static bool write_map(const RobustPage *page, const RobustReportRun *run, const char *name,
                      const float *map, Error *error)
{
    int64_t cells = run->height * run->width;
    float   most  = 1e-30f;
    Image   image;
    if (!picture_open(&image, run, error))
        return false;
    for (int64_t i = 0; i < cells; i++)
        most = fmaxf(most, map[i]);
    for (int64_t i = 0; i < 3 * cells; i++)
        image.pixels[i] = level(3 * map[i / 3] / most - (float)(i % 3));
    return picture_publish(page, name, &image, error);
}

/* ---- cells ----------------------------------------------------------------------------------- */

static bool has_values(const float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (values[i] != 0)
            return true;
    return false;
}

static void not_made(RobustPage *page)
{
    writer_text(page->page, "<td class=\"none\">not made</td>");
}

static void picture(RobustPage *page, const char *name, const char *what, int64_t image)
{
    writer_text(page->page,
                "<div class=\"shot pixels\"><img src=\"%s\" alt=\"%s of image %lld\" "
                "width=\"128\" height=\"128\"></div>",
                name, what, (long long)image);
}

// A photo as it is; of two runs it stands beside both.
static bool photo_cell(RobustPage *page, int64_t image, Error *error)
{
    static const float     step[3] = {1, 1, 1}, middle[3];
    const RobustReportRun *run     = page->job->runs[0];
    const float           *planes  = run->photos + 3 * image * run->height * run->width;
    char                   name[64];
    snprintf(name, sizeof name, "photo-%lld.png", (long long)image);
    if (!write_photo(page, run, name, planes, step, middle, error))
        return false;
    writer_text(page->page, "<td%s>", robust_has_two(page) ? " rowspan=\"2\"" : "");
    picture(page, name, "photo", image);
    writer_text(page->page, "</td>");
    return true;
}

static bool attacked_cell(RobustPage *page, int run_index, int method, int64_t image, Error *error)
{
    const RobustReportRun *run    = page->job->runs[run_index];
    int64_t                values = 3 * run->height * run->width;
    const float           *planes = run->attacked + (method * run->shown + image) * values;
    char                   name[64];
    if (!run->has_levels || !has_values(planes, values)) {
        not_made(page);
        return true;
    }
    snprintf(name, sizeof name, "attacked-%d-%d-%lld.png", run_index, method, (long long)image);
    if (!write_photo(page, run, name, planes, run->step, run->middle, error))
        return false;
    writer_text(page->page, "<td>");
    picture(page, name, "attacked photo", image);
    writer_text(page->page, "</td>");
    return true;
}

// A map, and how alike it is to that of the photo as it is.
static bool map_cell(RobustPage *page, int run_index, int method, int64_t image, int state,
                     Error *error)
{
    static const char *const whats[] = {"map", "map after random noise", "map after the attack"};
    const RobustReportRun   *run     = page->job->runs[run_index];
    int64_t                  cells   = run->height * run->width;
    const float             *clean   = run->maps + (method * run->shown + image) * 3 * cells;
    const float             *map     = clean + state * cells;
    char                     name[64];
    if (!has_values(map, cells)) {
        not_made(page);
        return true;
    }
    snprintf(name, sizeof name, "map-%d-%d-%lld-%d.png", run_index, method, (long long)image,
             state);
    if (!write_map(page, run, name, map, error))
        return false;
    writer_text(page->page, "<td>");
    picture(page, name, whats[state], image);
    if (state > 0)
        writer_text(page->page, "PCC %.2f<br>cos %.2f", similarity_pcc(map, clean, cells),
                    similarity_cosine(map, clean, cells));
    writer_text(page->page, "</td>");
    return true;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static bool image_row(RobustPage *page, int run_index, const char *name, int64_t image,
                      Error *error)
{
    const RobustReportRun *run    = page->job->runs[run_index];
    int                    method = robust_method_place(&page->methods[run_index], name);
    writer_text(page->page, "<tr>");
    if (run_index == 0 && !photo_cell(page, image, error))
        return false;
    if (robust_has_two(page))
        writer_text(page->page, "<th scope=\"row\">%c</th>", 'A' + run_index);
    if (method < 0 || image >= run->shown)
        for (int i = 0; i < 4; i++)
            not_made(page);
    else if (!map_cell(page, run_index, method, image, 0, error) ||
             !map_cell(page, run_index, method, image, 1, error) ||
             !attacked_cell(page, run_index, method, image, error) ||
             !map_cell(page, run_index, method, image, 2, error))
        return false;
    writer_text(page->page, "</tr>\n");
    return true;
}

bool robust_page_maps(RobustPage *page, Error *error)
{
    const RobustMethods *methods = &page->methods[0];
    writer_text(
        page->page,
        "<p class=\"note\">The first images. Each map is drawn up to its own largest value: "
        "black, red, yellow, white. At random: by the largest eps, the first draw. Below a map: "
        "how alike it is to that of the photo as it is, as correlation and as cosine.</p>\n");
    for (int m = 0; m < methods->count; m++) {
        writer_text(page->page, "<h3>");
        html_name(page->page, methods->names[m]);
        writer_text(page->page,
                    "</h3>\n<div class=\"scroll\" tabindex=\"0\"><table class=\"looks\">\n<thead>"
                    "<tr><th>photo</th>%s<th>its map</th><th>moved at random</th><th>attacked "
                    "photo</th><th>its map</th></tr></thead>\n<tbody>\n",
                    robust_has_two(page) ? "<th></th>" : "");
        for (int64_t i = 0; i < page->job->runs[0]->shown; i++)
            for (int r = 0; r < robust_run_count(page); r++)
                if (!image_row(page, r, methods->names[m], i, error))
                    return false;
        writer_text(page->page, "</tbody></table></div>\n");
    }
    return true;
}
