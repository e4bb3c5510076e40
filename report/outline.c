/* report/outline.c - masks as vector outlines over a picture: edges of pixels, run by run.
 *
 * The path is drawn in label-map pixels and scaled with the picture, so it stays sharp on paper.
 * The ground outside the mask is dimmed by the same path with the picture's rectangle around it
 * (even-odd rule): each row's runs are rectangles that touch but never overlap. */
#include "page.h"

bool outliner_open(Outliner *out, const CleanRun *clean, Error *error)
{
    Outliner outliner = {.height = clean->probe->map_height, .width = clean->probe->map_width};
    size_t   pixels   = (size_t)(outliner.height * outliner.width);
    outliner.large    = memory_new(pixels, sizeof *outliner.large, error);
    outliner.mask     = memory_new(pixels, 1, error);
    if (!outliner.large || !outliner.mask ||
        !resampler_open(&outliner.resampler, clean->settings, clean->probe, clean->layer.height,
                        clean->layer.width, error)) {
        outliner_close(&outliner);
        return false;
    }
    *out = outliner;
    return true;
}

void outliner_close(Outliner *outliner)
{
    resampler_close(outliner->resampler);
    memory_free(outliner->large);
    memory_free(outliner->mask);
    *outliner = (Outliner){0};
}

int64_t outliner_cut(Outliner *outliner, const float *map, float threshold)
{
    int64_t count = 0;
    resampler_map(outliner->resampler, map, outliner->large);
    for (int64_t i = 0; i < outliner->height * outliner->width; i++) {
        outliner->mask[i] = outliner->large[i] > threshold;
        count += outliner->mask[i];
    }
    return count;
}

static bool is_inside(const Outliner *outliner, int64_t y, int64_t x)
{
    return y >= 0 && y < outliner->height && x >= 0 && x < outliner->width &&
           outliner->mask[y * outliner->width + x];
}

// The ground outside: the whole picture minus a rectangle for each run of a row.
static void write_ground(Writer *page, const Outliner *outliner)
{
    writer_text(page, "<path class=\"ground\" fill-rule=\"evenodd\" d=\"M0 0H%lldV%lldH0Z",
                (long long)outliner->width, (long long)outliner->height);
    for (int64_t y = 0; y < outliner->height; y++)
        for (int64_t x = 0, start = 0; x < outliner->width; x++) {
            if (!is_inside(outliner, y, x))
                continue;
            start = is_inside(outliner, y, x - 1) ? start : x;
            if (!is_inside(outliner, y, x + 1))
                writer_text(page, "M%lld %lldh%lldv1H%lldZ", (long long)start, (long long)y,
                            (long long)(x + 1 - start), (long long)start);
        }
    writer_text(page, "\"/>");
}

// Edges between a pixel of the mask and one outside, along rows and then along columns.
static void write_edges(Writer *page, const Outliner *outliner)
{
    for (int across = 0; across < 2; across++) {
        int64_t lines  = across ? outliner->width : outliner->height;
        int64_t length = across ? outliner->height : outliner->width;
        for (int64_t line = 0; line <= lines; line++)
            for (int64_t at = 0, start = -1; at <= length; at++) {
                bool edge =
                    at < length &&
                    (across ? is_inside(outliner, at, line) != is_inside(outliner, at, line - 1)
                            : is_inside(outliner, line, at) != is_inside(outliner, line - 1, at));
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

static void open_figure(Writer *page, const ReportJob *job, const char *file,
                        const char *description, const char *extra)
{
    writer_text(page,
                "<div class=\"shot%s%s\"><img loading=\"lazy\" src=\"%s\" width=\"%lld\" "
                "height=\"%lld\" alt=\"",
                *extra ? " " : "", extra, file, (long long)job->clean.layer.image_width,
                (long long)job->clean.layer.image_height);
    html_text(page, description, HTML_VALUE_LENGTH);
    writer_text(page, "\">");
}

void outline_figure(Writer *page, const ReportJob *job, const Outliner *outliner, const char *file,
                    const char *description, const char *extra)
{
    open_figure(page, job, file, description, extra);
    writer_text(page,
                "<svg viewBox=\"0 0 %lld %lld\" preserveAspectRatio=\"none\" "
                "aria-hidden=\"true\">",
                (long long)outliner->width, (long long)outliner->height);
    write_ground(page, outliner);
    for (int layer = 0; layer < 2; layer++) { // a dark line under a light one shows on any photo
        writer_text(page, "<path class=\"%s\" d=\"M0 0", layer ? "edge" : "halo");
        write_edges(page, outliner);
        writer_text(page, "\"/>");
    }
    writer_text(page, "</svg></div>");
}

void plain_figure(Writer *page, const ReportJob *job, const char *file, const char *description)
{
    open_figure(page, job, file, description, "");
    writer_text(page, "</div>");
}
