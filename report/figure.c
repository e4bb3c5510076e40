/* report/figure.c - pictures, with masks as vector outlines: edges of pixels, run by run.
 *
 * Two masks may lie on a picture: the unit's, and that of its concept, so that their overlap shows.
 * Paths are drawn in the masks' pixels and scaled with the picture, so they stay sharp on paper.
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

// A rectangle for each run of a row.
static void write_runs(Writer *page, const Mask *mask)
{
    for (int64_t y = 0; y < mask->height; y++)
        for (int64_t x = 0, start = 0; x < mask->width; x++) {
            if (!is_inside(mask, y, x))
                continue;
            start = is_inside(mask, y, x - 1) ? start : x;
            if (!is_inside(mask, y, x + 1))
                writer_text(page, "M%lld %lldh%lldv1H%lldZ", (long long)start, (long long)y,
                            (long long)(x + 1 - start), (long long)start);
        }
}

// Where an outline would hide more than it shows, a mask has a class that says why; else "".
// Pieces are " small" where a square of as much area for its edges is thinner than 1/36 of the
// picture, which on the page is what an outline covers; so it is for masks before and after an
// attack alike. A mask is a " tangle" where its outline is longer than the picture's border and has
// an edge for every second pixel inside.
static const char *texture_of(const Mask *mask)
{
    int64_t edges = 0, area = 0;
    for (int64_t y = 0; y <= mask->height; y++)
        for (int64_t x = 0; x <= mask->width; x++) {
            bool inside = is_inside(mask, y, x);
            area += inside;
            edges += (inside != is_inside(mask, y, x - 1)) + (inside != is_inside(mask, y - 1, x));
        }
    if (edges * mask->width > 4 * 36 * area)
        return " small";
    return 2 * edges > area && edges > 2 * (mask->width + mask->height) ? " tangle" : "";
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

// A mask in its colour: its area lightly, and its border where that does not bury it. A dark line
// under a light one shows on any photo.
static void write_mask(Writer *page, const Mask *mask, const char *name)
{
    const char *texture = texture_of(mask);
    writer_text(page, "<g class=\"%s%s\"><path class=\"area\" d=\"M0 0", name, texture);
    write_runs(page, mask);
    writer_text(page, "\"/>");
    for (int layer = 0; layer < 2 && !*texture; layer++) {
        writer_text(page, "<path class=\"%s\" d=\"M0 0", layer ? "edge" : "halo");
        write_edges(page, mask);
        writer_text(page, "\"/>");
    }
    writer_text(page, "</g>");
}

// What lies on the picture: the ground outside the unit's mask dimmed, then both masks.
static void write_masks(Writer *page, const Mask *unit, const Mask *label)
{
    writer_text(page,
                "<svg viewBox=\"0 0 %lld %lld\" preserveAspectRatio=\"none\" "
                "aria-hidden=\"true\"><path class=\"ground\" fill-rule=\"evenodd\" "
                "d=\"M0 0H%lldV%lldH0Z",
                (long long)unit->width, (long long)unit->height, (long long)unit->width,
                (long long)unit->height);
    write_runs(page, unit);
    writer_text(page, "\"/>");
    if (label)
        write_mask(page, label, "label");
    write_mask(page, unit, "mask");
    writer_text(page, "</svg>");
}

// A click opens the picture alone.
static void write_figure(Report *report, const char *file, const char *description,
                         const Mask *unit, const Mask *label)
{
    const ActivationSource *layer = &report->explainer->inputs.layer;
    writer_text(report->page,
                "<a class=\"shot\" href=\"%s\"><img loading=\"lazy\" src=\"%s\" width=\"%lld\" "
                "height=\"%lld\" alt=\"",
                file, file, (long long)layer->image_width, (long long)layer->image_height);
    html_text(report->page, description, HTML_VALUE_LENGTH);
    writer_text(report->page, "\">");
    if (unit)
        write_masks(report->page, unit, label);
    writer_text(report->page, "</a>");
}

void plain_figure(Report *report, const char *file, const char *description)
{
    write_figure(report, file, description, NULL, NULL);
}

bool overlap_find(Report *report, const Shot *shot, Overlap *out, Error *error)
{
    const Explainer *explainer = report->explainer;
    const Method    *method    = explainer->method;
    const ProbeSet  *probe     = explainer->inputs.probe;
    Overlap          found     = {.mask = -1};
    bool             labelled  = shot->label && method->label_mask;
    if (method->mask)
        found.mask =
            method->mask(explainer, shot->map, shot->threshold, report->room, report->mask);
    if (labelled && !method->label_mask(explainer, shot->image, shot->label, report->label, error))
        return false;
    for (int64_t i = 0; labelled && i < probe->map_height * probe->map_width; i++) {
        found.label += report->label[i];
        found.both += found.mask > 0 && report->mask[i] & report->label[i];
    }
    *out = found;
    return true;
}

bool mask_figure(Report *report, const Shot *shot, Overlap *out, Error *error)
{
    const ProbeSet *probe    = report->explainer->inputs.probe;
    Mask            unit     = {report->mask, probe->map_height, probe->map_width};
    Mask            label    = {report->label, probe->map_height, probe->map_width};
    bool            labelled = shot->label && report->explainer->method->label_mask;
    if (!overlap_find(report, shot, out, error))
        return false;
    write_figure(report, shot->file, shot->description, out->mask < 0 ? NULL : &unit,
                 labelled ? &label : NULL);
    return true;
}
