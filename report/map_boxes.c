/* report/map_boxes.c - what was measured of the pairs, as box plots. */
#include "../study/quantile.h"
#include "map_page.h"
#include "plot.h"

#include <math.h>

enum { WIDTH = 400, LEFT = 124, RIGHT = 22, ROW = 36, TOP = 6, BAR = 11, FOOT = 24 };

typedef struct BoxPlot {
    MapPage *page;
    int      column;
    bool     softplus;
    Axis     axis;
} BoxPlot;

// Groups of this network, an attacked one and its control behind each other.
static const MapMeasure *group_at(const BoxPlot *plot, int index, bool control)
{
    for (int i = 0; i < plot->page->group_count; i++) {
        const MapMeasure *group = plot->page->groups[i];
        if (group->is_softplus == plot->softplus && group->is_control == control && index-- == 0)
            return group;
    }
    return NULL;
}

static double x_of(const BoxPlot *plot, double value)
{
    return LEFT + axis_place(&plot->axis, value) * (WIDTH - LEFT - RIGHT);
}

/* The box is from the 25 to the 75 % quantile with the median in it, whiskers end at 10 and 90 %,
 * and what lies outside of them is a circle each. */
static void write_box(const BoxPlot *plot, const MapMeasure *group, int y)
{
    MapPage *page   = plot->page;
    Writer  *out    = page->page;
    double  *values = page->values;
    int64_t  count  = map_results_sorted(&page->results, group, plot->column, values);
    double   at[5];
    for (int i = 0; i < 5; i++)
        at[i] = sorted_quantile(values, count, (double[]){0.1, 0.25, 0.5, 0.75, 0.9}[i]);
    int middle = y + BAR / 2;
    writer_text(out,
                "<g class=\"box%s\"><title>%s: median %.4g, half of the pairs in %.4g to %.4g"
                "</title><line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/><rect x=\"%.1f\" "
                "y=\"%d\" width=\"%.1f\" height=\"%d\"/><line class=\"median\" x1=\"%.1f\" "
                "y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>",
                group->is_control ? " control" : "", group->is_control ? "clean" : "attacked",
                at[2], at[1], at[3], x_of(plot, at[0]), middle, x_of(plot, at[4]), middle,
                x_of(plot, at[1]), y, fmax(x_of(plot, at[3]) - x_of(plot, at[1]), 0.5), BAR,
                x_of(plot, at[2]), y, x_of(plot, at[2]), y + BAR);
    for (int i = 0; i < 5; i += 4)
        writer_text(out, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>", x_of(plot, at[i]),
                    middle - 3, x_of(plot, at[i]), middle + 3);
    for (int64_t i = 0; i < count; i++)
        if (values[i] < at[0] || values[i] > at[4])
            writer_text(out, "<circle cx=\"%.1f\" cy=\"%d\" r=\"2.5\"/>", x_of(plot, values[i]),
                        middle);
    writer_text(out, "</g>\n");
}

static void write_row(const BoxPlot *plot, const MapMeasure *attacked, const MapMeasure *control,
                      int index)
{
    Writer *out = plot->page->page;
    int     y   = TOP + index * ROW;
    writer_text(out,
                "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text><text class=\"tick\" "
                "x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n",
                LEFT - 10, y + 13, plot->page->study.methods[attacked->method]->name, LEFT - 10,
                y + 26, store_arm_name(attacked->store));
    write_box(plot, attacked, y + 3);
    if (control)
        write_box(plot, control, y + 7 + BAR);
}

static void write_plot(BoxPlot *plot, const char *caption)
{
    MapPage          *page = plot->page;
    Writer           *out  = page->page;
    const MapMeasure *group;
    double            ticks[AXIS_TICKS];
    int               rows = 0;
    while (group_at(plot, rows, false))
        rows++;
    for (int64_t i = 0; i < page->results.measure_count; i++)
        if (page->results.measures[i].is_softplus == plot->softplus)
            axis_add(&plot->axis, map_measure_value(&page->results.measures[i], plot->column));
    int count = axis_ticks(&plot->axis, ticks), bottom = TOP + rows * ROW;
    writer_text(out,
                "<figure>\n<figcaption>%s</figcaption>\n<svg class=\"chart\" viewBox=\"0 0 %d "
                "%d\" role=\"img\" aria-label=\"Box plots of %s, of attacked and of clean images; "
                "the medians are in the table\">\n",
                caption, WIDTH, bottom + FOOT, caption);
    for (int i = 0; i < count; i++)
        writer_text(out,
                    "<line class=\"grid\" x1=\"%.1f\" y1=\"0\" x2=\"%.1f\" y2=\"%d\"/><text "
                    "class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.3g</text>\n",
                    x_of(plot, ticks[i]), x_of(plot, ticks[i]), bottom, x_of(plot, ticks[i]),
                    bottom + 17, ticks[i]);
    for (int i = 0; (group = group_at(plot, i, false)); i++)
        write_row(plot, group, group_at(plot, i, true), i);
    writer_text(out, "</svg>\n</figure>\n");
}

static void write_network(MapPage *page, bool softplus)
{
    static const struct {
        const char *measure, *caption;
        bool        is_log;
    } plots[] = {{"map_pcc_target", "PCC of the map with its target", false},
                 {"map_ssim_target", "SSIM of the map with its target", false},
                 {"map_mse_target", "MSE between the map and its target", true},
                 {"map_pcc_original", "PCC of the map with that of the photo", false},
                 {"map_ssim_original", "SSIM of the map with that of the photo", false},
                 {"map_mse_original", "MSE between the map and that of the photo", true},
                 {"image_pcc", "PCC of the two photos", false},
                 {"image_ssim", "SSIM of the two photos", false},
                 {"image_mse", "MSE between the two photos", true}};
    writer_text(page->page, "<div class=\"charts\">\n");
    for (size_t i = 0; i < sizeof plots / sizeof *plots; i++) {
        BoxPlot plot = {.page     = page,
                        .column   = measure_index(plots[i].measure),
                        .softplus = softplus,
                        .axis     = axis_new(plots[i].is_log)};
        write_plot(&plot, plots[i].caption);
    }
    writer_text(page->page, "</div>\n");
}

void section_boxes(MapPage *page)
{
    bool has[2] = {false, false};
    for (int64_t i = 0; i < page->results.measure_count; i++)
        has[page->results.measures[i].is_softplus] = true;
    writer_text(page->page,
                "<section id=\"boxes\">\n<h2>All pairs</h2>\n<p class=\"note\">In colour the "
                "attacked photos, below them without colour the clean ones, stored in the same "
                "way. A box is where the middle half of the pairs lies, the line in it the median; "
                "whiskers end at 10 and 90\xc2\xa0%%, each pair outside of them is a circle. "
                "Where the axis is logarithmic, 0 stands at its left end.</p>\n");
    if (has[0])
        write_network(page, false);
    if (has[1])
        writer_text(page->page,
                    "<details%s><summary>The same of the network with softplus in "
                    "place of ReLU</summary>\n",
                    has[0] ? "" : " open");
    if (has[1])
        write_network(page, true);
    writer_text(page->page, "%s</section>\n", has[1] ? "</details>\n" : "");
}
