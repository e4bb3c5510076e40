/* report/chart.c - charts as inline SVG, in the colours of the page. */
#include "page.h"

/* ---- detectors by category ------------------------------------------------------------------- */

void chart_categories(Report *report, const int64_t *detectors)
{
    enum { ROW = 34, LEFT = 96, WIDTH = 400, ROOM = 256 };
    const Labels *labels = &report->explainer->labels;
    Writer       *page   = report->page;
    int64_t       most   = 1;
    for (int g = 0; g < labels->category_count; g++)
        most = detectors[g] > most ? detectors[g] : most;
    writer_text(page,
                "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" "
                "aria-label=\"Detectors by category:",
                WIDTH, labels->category_count * ROW + 6);
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
                    category_class(g), LEFT, g * ROW + 9, length, LEFT + length + 8, g * ROW + 25,
                    (long long)detectors[g]);
    }
    writer_text(page, "</svg>\n");
}

/* ---- share changed --------------------------------------------------------------------------- */

enum { PANEL_WIDTH = 400, PANEL_HEIGHT = 236, PLOT_LEFT = 44, PLOT_TOP = 14, PLOT_BOTTOM = 186 };

static double y_of(double share)
{
    return PLOT_BOTTOM - share * (PLOT_BOTTOM - PLOT_TOP);
}

static void open_panel(Writer *page, const ChangeRow *setting)
{
    writer_text(page,
                "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Share of "
                "units whose label changed, stored as %s, with 95 %% Wilson intervals; the same "
                "numbers are in the table below\">\n",
                PANEL_WIDTH, PANEL_HEIGHT, store_arm_name(setting->store));
    for (int tick = 0; tick <= 4; tick++)
        writer_text(page,
                    "<line class=\"%s\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
                    "<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%d %%</text>\n",
                    tick ? "grid" : "axis", PLOT_LEFT, y_of(tick / 4.0), PANEL_WIDTH - 8,
                    y_of(tick / 4.0), PLOT_LEFT - 7, y_of(tick / 4.0) + 4, 25 * tick);
}

static void write_interval(Writer *page, double x, const ChangeShare *share, const char *series,
                           bool control)
{
    writer_text(page,
                "<g class=\"%s%s\"><line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/></g>\n",
                series, control ? " control" : "", x, y_of(share->low), x, y_of(share->high), x,
                y_of(share->share));
}

static void write_legend(Writer *page, int x, const char *series, const char *name)
{
    writer_text(page,
                "<g class=\"%s\"><circle cx=\"%d\" cy=\"%d\" r=\"5\"/></g><text x=\"%d\" "
                "y=\"%d\">%s</text>",
                series, x, PANEL_HEIGHT - 10, x + 11, PANEL_HEIGHT - 6, name);
}

// Settings first..first+count-1 share their storage. Detectors are drawn where they are not all.
static void chart_panel(Report *report, int first, int count)
{
    const ChangeRow **rows       = report->settings.rows + first;
    Writer           *page       = report->page;
    double            step       = (double)(PANEL_WIDTH - 8 - PLOT_LEFT) / count;
    bool              two_groups = false;
    writer_text(page,
                "<figure>\n<figcaption>Share of units whose label changed, stored as <b>%s</b>"
                "</figcaption>\n",
                store_arm_name(rows[0]->store));
    open_panel(page, rows[0]);
    for (int i = 0; i < count; i++) {
        const ChangeRow *setting   = rows[i];
        ChangeShare      all       = changes_share(report->job->changes, setting, group_all());
        ChangeShare      detectors = changes_share(report->job->changes, setting,
                                                   group_detectors(report->explainer->method));
        double           x         = PLOT_LEFT + step * (i + 0.5);
        char             name[32];
        strength_text(setting, name);
        two_groups = detectors.units && detectors.units < all.units;
        write_interval(page, two_groups ? x - 7 : x, &all, "all", setting->strength == 0);
        if (two_groups)
            write_interval(page, x + 7, &detectors, "detectors", setting->strength == 0);
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
                setting_is_noise(rows[0]) ? "std of the noise" : "eps");
}

void chart_shares(Report *report)
{
    const SettingList *list = &report->settings;
    for (int first = 0, count = 0; first < list->count; first += count) {
        for (count = 0; first + count < list->count &&
                        list->rows[first + count]->store == list->rows[first]->store;)
            count++;
        chart_panel(report, first, count);
    }
}

/* ---- loss of an attack ----------------------------------------------------------------------- */

void chart_loss(Report *report, const double *loss, int count)
{
    enum { WIDTH = 400, HEIGHT = 150, LEFT = 76, RIGHT = 12, TOP = 12, BOTTOM = 112 };
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
                "\n<text class=\"tick\" x=\"%d\" y=\"%d\">step 0</text><text class=\"tick\" "
                "x=\"%d\" y=\"%d\" text-anchor=\"end\">step %d</text>\n</svg>\n",
                LEFT, BOTTOM + 22, WIDTH - RIGHT, BOTTOM + 22, count - 1);
}
