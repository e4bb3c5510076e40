/* report/figure.c - pictures, with masks as vector outlines: edges of pixels, run by run.
 *
 * The path is drawn in the mask's pixels and scaled with the picture, so it stays sharp on paper.
 * The ground outside the mask is dimmed by the same path with the picture's rectangle around it
 * (even-odd rule): each row's runs are rectangles that touch but never overlap. */
#include "page.h"

const float *map_of(const Report *report, int64_t index, int64_t image)
{
    const Inputs *inputs = &report->explainer->inputs;
    int64_t       cells  = inputs->layer.height * inputs->layer.width;
    return report->maps + (index * inputs->probe->image_count + image) * cells;
}

typedef struct Mask {
    const uint8_t *pixels; // [height, width], 0 or 1
    int64_t        height, width;
} Mask;

static bool is_inside(const Mask *mask, int64_t y, int64_t x)
{
    return y >= 0 && y < mask->height && x >= 0 && x < mask->width &&
           mask->pixels[y * mask->width + x];
}

// The ground outside: the whole picture minus a rectangle for each run of a row.
static void write_ground(Writer *page, const Mask *mask)
{
    writer_text(page, "<path class=\"ground\" fill-rule=\"evenodd\" d=\"M0 0H%lldV%lldH0Z",
                (long long)mask->width, (long long)mask->height);
    for (int64_t y = 0; y < mask->height; y++)
        for (int64_t x = 0, start = 0; x < mask->width; x++) {
            if (!is_inside(mask, y, x))
                continue;
            start = is_inside(mask, y, x - 1) ? start : x;
            if (!is_inside(mask, y, x + 1))
                writer_text(page, "M%lld %lldh%lldv1H%lldZ", (long long)start, (long long)y,
                            (long long)(x + 1 - start), (long long)start);
        }
    writer_text(page, "\"/>");
}

// Edges between a pixel of the mask and one outside, along rows and then along columns.
static void write_edges(Writer *page, const Mask *mask)
{
    for (int across = 0; across < 2; across++) {
        int64_t lines  = across ? mask->width : mask->height;
        int64_t length = across ? mask->height : mask->width;
        for (int64_t line = 0; line <= lines; line++)
            for (int64_t at = 0, start = -1; at <= length; at++) {
                bool edge = at < length &&
                            (across ? is_inside(mask, at, line) != is_inside(mask, at, line - 1)
                                    : is_inside(mask, line, at) != is_inside(mask, line - 1, at));
                if (edge && start < 0)
                    start = at;
                if (edge || start < 0)
                    continue;
                if (across)
                    writer_text(page, "M%lld %lldV%lld", (long long)line, (long long)start,
                                (long long)at);
                else
                    writer_text(page, "M%lld %lldH%lld", (long long)start, (long long)line,
                                (long long)at);
                start = -1;
            }
    }
}

static void write_outline(Writer *page, const Mask *mask)
{
    writer_text(page,
                "<svg viewBox=\"0 0 %lld %lld\" preserveAspectRatio=\"none\" "
                "aria-hidden=\"true\">",
                (long long)mask->width, (long long)mask->height);
    write_ground(page, mask);
    for (int layer = 0; layer < 2; layer++) { // a dark line under a light one shows on any photo
        writer_text(page, "<path class=\"%s\" d=\"M0 0", layer ? "edge" : "halo");
        write_edges(page, mask);
        writer_text(page, "\"/>");
    }
    writer_text(page, "</svg>");
}

static void write_figure(Report *report, const char *file, const char *description,
                         const Mask *mask)
{
    const ActivationSource *layer = &report->explainer->inputs.layer;
    writer_text(report->page,
                "<div class=\"shot\"><img loading=\"lazy\" src=\"%s\" width=\"%lld\" "
                "height=\"%lld\" alt=\"",
                file, (long long)layer->image_width, (long long)layer->image_height);
    html_text(report->page, description, HTML_VALUE_LENGTH);
    writer_text(report->page, "\">");
    if (mask)
        write_outline(report->page, mask);
    writer_text(report->page, "</div>");
}

void plain_figure(Report *report, const char *file, const char *description)
{
    write_figure(report, file, description, NULL);
}

int64_t mask_figure(Report *report, const char *file, const char *description, const float *map,
                    float threshold)
{
    const Explainer *explainer = report->explainer;
    const ProbeSet  *probe     = explainer->inputs.probe;
    Mask             mask      = {report->mask, probe->map_height, probe->map_width};
    int64_t          pixels    = -1;
    if (explainer->method->mask)
        pixels = explainer->method->mask(explainer, map, threshold, report->room, report->mask);
    write_figure(report, file, description, pixels < 0 ? NULL : &mask);
    return pixels;
}
