/* report/chart.c - charts as inline SVG, in the colours of the page. */
#include "page.h"

#include <stdlib.h>

// Of an axis along which bars grow from `x` on, at the bottom of a chart.
static void write_axis_name(Writer *page, int x, int bottom)
{
    writer_text(page, "<text class=\"tick\" x=\"%d\" y=\"%d\">number of units</text>\n", x,
                bottom - 4);
}

/* ---- detectors by category ------------------------------------------------------------------- */

void chart_categories(Report *report, const int64_t *detectors)
{
    enum { ROW = 34, LEFT = 96, WIDTH = 400, ROOM = 256, NAME = 20 };
    const Labels *labels = report->explainer->labels;
    Writer       *page   = report->page;
    int64_t       most   = 1;
    for (int g = 0; g < labels->category_count; g++)
        most = detectors[g] > most ? detectors[g] : most;
    writer_text(page,
                "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" "
                "aria-label=\"Detectors by category:",
                WIDTH, labels->category_count * ROW + 6 + NAME);
    for (int g = 0; g < labels->category_count; g++) {
        writer_text(page, "%s ", g ? "," : "");
        html_text(page, labels->category[g], HTML_NAME_LENGTH);
        writer_text(page, " %lld", (long long)detectors[g]);
    }
    writer_text(page, "\">\n<line class=\"axis\" x1=\"%d\" y1=\"0\" x2=\"%d\" y2=\"%d\"/>\n", LEFT,
                LEFT, labels->category_count * ROW + 6);
    for (int g = 0; g < labels->category_count; g++) {
        double length = (double)detectors[g] / (double)most * ROOM;
        writer_text(page, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", LEFT - 10, g * ROW + 25);
        html_text(page, labels->category[g], 12);
        writer_text(page,
                    "</text><rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"22\"/>"
                    "<text class=\"figure\" x=\"%.1f\" y=\"%d\">%lld</text>\n",
                    category_class(labels->category[g]), LEFT, g * ROW + 9, length,
                    LEFT + length + 8, g * ROW + 25, (long long)detectors[g]);
    }
    write_axis_name(page, LEFT, labels->category_count * ROW + 6 + NAME);
    writer_text(page, "</svg>\n");
}

/* ---- detectors of each concept --------------------------------------------------------------- */

typedef struct Tower {
    int32_t label;
    int64_t count;
} Tower;

static int by_count(const void *a, const void *b)
{
    const Tower *first = a, *second = b;
    if (first->count != second->count)
        return first->count < second->count ? 1 : -1;
    return first->label < second->label ? -1 : first->label > second->label;
}

static void draw_towers(Report *report, const Tower *towers, int32_t count, int32_t all)
{
    enum { ROW = 20, LEFT = 146, WIDTH = 400, ROOM = 214, NAME = 20, SHOWN = 16 };
    const Labels *labels = report->explainer->labels;
    Writer       *page   = report->page;
    writer_text(page,
                "<figure>\n<figcaption>Detectors of each concept%s</figcaption>\n<svg "
                "class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Detectors of "
                "each concept\">\n<line class=\"axis\" x1=\"%d\" y1=\"0\" x2=\"%d\" "
                "y2=\"%d\"/>\n",
                count < all ? ", the most frequent" : "", WIDTH, count * ROW + 6 + NAME, LEFT, LEFT,
                count * ROW + 6);
    for (int i = 0; i < count; i++) {
        const char *name   = labels->category[labels->category_of[towers[i].label]];
        double      length = (double)towers[i].count / (double)towers[0].count * ROOM;
        writer_text(page, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", LEFT - 8, i * ROW + 16);
        html_text(page, labels->text[towers[i].label], SHOWN);
        writer_text(page,
                    "</text><rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"14\"/>"
                    "<text class=\"figure\" x=\"%.1f\" y=\"%d\">%lld</text>\n",
                    category_class(name), LEFT, i * ROW + 5, length, LEFT + length + 7,
                    i * ROW + 16, (long long)towers[i].count);
    }
    write_axis_name(page, LEFT, count * ROW + 6 + NAME);
    writer_text(page, "</svg>\n</figure>\n");
}

bool chart_concepts(Report *report, Error *error)
{
    enum { MOST = 20 };
    const RunRecord *record = report->job->clean.record;
    int32_t          labels = report->explainer->labels->count, found = 0;
    Tower           *towers = memory_new((size_t)labels, sizeof *towers, error);
    if (!towers)
        return false;
    for (int32_t label = 0; label < labels; label++)
        towers[label].label = label;
    for (int64_t i = 0; i < record->unit_count; i++)
        if (record->units[i].label &&
            is_detector(report->explainer->method, record->units[i].score))
            towers[record->units[i].label].count++;
    qsort(towers, (size_t)labels, sizeof *towers, by_count);
    while (found < labels && towers[found].count)
        found++;
    if (found)
        draw_towers(report, towers, found < MOST ? found : MOST, found);
    memory_free(towers);
    return true;
}

/* ---- share changed --------------------------------------------------------------------------- */

enum { PANEL_WIDTH = 400, PANEL_HEIGHT = 236, PLOT_LEFT = 44, PLOT_TOP = 14, PLOT_BOTTOM = 186 };

static double y_of(double share, double top)
{
    return PLOT_BOTTOM - share / top * (PLOT_BOTTOM - PLOT_TOP);
}

// The end of the axis of shares: one for all panels, so that they can be compared.
static double axis_top(const Report *report)
{
    const double ends[]    = {0.1, 0.2, 0.4, 0.6, 1};
    ChangeGroup  detectors = group_detectors(report->explainer->method);
    double       most      = 0;
    int          end       = 0;
    for (int i = 0; i < report->settings.count; i++) {
        const ChangeRow *row  = report->settings.rows[i];
        ChangeShare      all  = changes_share(report->job->changes, row, group_all());
        ChangeShare      some = changes_share(report->job->changes, row, detectors);
        most                  = all.high > most ? all.high : most;
        most                  = some.units && some.high > most ? some.high : most;
    }
    while (end < 4 && ends[end] < most)
        end++;
    return ends[end];
}

static void open_panel(Writer *page, const ChangeRow *setting, double top)
{
    writer_text(page,
                "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Share of "
                "units whose label changed, stored as %s, with 95 %% Wilson intervals; the same "
                "numbers are in the table below\">\n",
                PANEL_WIDTH, PANEL_HEIGHT, store_arm_name(setting->store));
    for (int tick = 0; tick <= 4; tick++)
        writer_text(page,
                    "<line class=\"%s\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
                    "<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g %%</text>\n",
                    tick ? "grid" : "axis", PLOT_LEFT, y_of(tick / 4.0, 1), PANEL_WIDTH - 8,
                    y_of(tick / 4.0, 1), PLOT_LEFT - 7, y_of(tick / 4.0, 1) + 4, 25 * tick * top);
}

static void write_interval(Writer *page, double x, const ChangeShare *share, const char *series,
                           bool control, double top)
{
    writer_text(page,
                "<g class=\"%s%s\"><line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/></g>\n",
                series, control ? " control" : "", x, y_of(share->low, top), x,
                y_of(share->high, top), x, y_of(share->share, top));
}

static void write_legend(Writer *page, int x, const char *series, const char *name)
{
    writer_text(page,
                "<g class=\"%s\"><circle cx=\"%d\" cy=\"%d\" r=\"5\"/></g><text x=\"%d\" "
                "y=\"%d\">%s</text>",
                series, x, PANEL_HEIGHT - 10, x + 11, PANEL_HEIGHT - 6, name);
}

// Settings first..first+count-1 share their storage. Detectors are drawn where they are not all.
static void chart_panel(Report *report, int first, int count, double top)
{
    const ChangeRow **rows       = report->settings.rows + first;
    Writer           *page       = report->page;
    double            step       = (double)(PANEL_WIDTH - 8 - PLOT_LEFT) / count;
    bool              two_groups = false;
    writer_text(page,
                "<figure>\n<figcaption>Share of units whose label changed, stored as <b>%s</b>"
                "</figcaption>\n",
                store_arm_name(rows[0]->store));
    open_panel(page, rows[0], top);
    for (int i = 0; i < count; i++) {
        const ChangeRow *setting   = rows[i];
        ChangeShare      all       = changes_share(report->job->changes, setting, group_all());
        ChangeShare      detectors = changes_share(report->job->changes, setting,
                                                   group_detectors(report->explainer->method));
        double           x         = PLOT_LEFT + step * (i + 0.5);
        char             name[32];
        strength_text(setting, name);
        two_groups = detectors.units && detectors.units < all.units;
        write_interval(page, two_groups ? x - 7 : x, &all, "all", setting->strength == 0, top);
        if (two_groups)
            write_interval(page, x + 7, &detectors, "detectors", setting->strength == 0, top);
        writer_text(page,
                    "<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
                    x, PLOT_BOTTOM + 19, name);
    }
    write_legend(page, PLOT_LEFT + 6, "all", unit_group(rows[0]));
    if (two_groups)
        write_legend(page, PLOT_LEFT + 6 + 130, "detectors", "detectors");
    writer_text(page,
                "<text class=\"tick\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n</svg>\n"
                "</figure>\n",
                PANEL_WIDTH - 8, PANEL_HEIGHT - 6,
                setting_is_noise(rows[0]) ? "strength (std)" : "strength (eps)");
}

void chart_shares(Report *report)
{
    const SettingList *list = &report->settings;
    for (int first = 0, count = 0; first < list->count; first += count) {
        for (count = 0; first + count < list->count &&
                        list->rows[first + count]->store == list->rows[first]->store;)
            count++;
        chart_panel(report, first, count, axis_top(report));
    }
}

/* ---- loss of an attack ----------------------------------------------------------------------- */

void chart_loss(Report *report, const double *loss, int count)
{
    enum { WIDTH = 400, HEIGHT = 156, LEFT = 76, RIGHT = 12, TOP = 12, BOTTOM = 112 };
    Writer *page = report->page;
    double  low = loss[0], high = loss[0];
    for (int i = 1; i < count; i++) {
        low  = loss[i] < low ? loss[i] : low;
        high = loss[i] > high ? loss[i] : high;
    }
    double range = high > low ? high - low : 1, step = (double)(WIDTH - LEFT - RIGHT) / (count - 1);
    writer_text(page,
                "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Loss over "
                "the steps, from %.4g to %.4g\">\n<line class=\"grid\" x1=\"%d\" y1=\"%d\" "
                "x2=\"%d\" y2=\"%d\"/><line class=\"axis\" x1=\"%d\" y1=\"%d\" x2=\"%d\" "
                "y2=\"%d\"/>\n<text class=\"tick\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%.4g"
                "</text><text class=\"tick\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%.4g</text>\n"
                "<polyline class=\"curve\" points=\"",
                WIDTH, HEIGHT, loss[0], loss[count - 1], LEFT, TOP, WIDTH - RIGHT, TOP, LEFT,
                BOTTOM, WIDTH - RIGHT, BOTTOM, LEFT - 8, TOP + 4, high, LEFT - 8, BOTTOM + 4, low);
    for (int i = 0; i < count; i++)
        writer_text(page, "%s%.1f,%.1f", i ? " " : "", LEFT + step * i,
                    BOTTOM - (loss[i] - low) / range * (BOTTOM - TOP));
    writer_text(page, "\"/>\n");
    for (int i = 0; i < count; i++)
        writer_text(page, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>",
                    LEFT + step * i, BOTTOM - (loss[i] - low) / range * (BOTTOM - TOP));
    writer_text(page,
                "\n<text class=\"tick\" x=\"%d\" y=\"%d\">0</text><text class=\"tick\" x=\"%d\" "
                "y=\"%d\" text-anchor=\"middle\">steps taken</text><text class=\"tick\" x=\"%d\" "
                "y=\"%d\" text-anchor=\"end\">loss</text><text class=\"tick\" "
                "x=\"%d\" y=\"%d\" text-anchor=\"end\">%d</text>\n</svg>\n",
                LEFT, BOTTOM + 22, (LEFT + WIDTH - RIGHT) / 2, BOTTOM + 22, LEFT - 8,
                (TOP + BOTTOM) / 2 + 4, WIDTH - RIGHT, BOTTOM + 22, count - 1);
}
