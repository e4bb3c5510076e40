/* report/plot.c - see plot.h. */
#include "plot.h"
#include "../format/html.h"

#include <math.h>

/* ---- axes ------------------------------------------------------------------------------------ */

Axis axis_new(bool is_log)
{
    return (Axis){.is_log = is_log, .is_open = true};
}

void axis_add(Axis *axis, double value)
{
    if (!isfinite(value) || (axis->is_log && value <= 0))
        return;
    axis->low     = axis->is_open || value < axis->low ? value : axis->low;
    axis->high    = axis->is_open || value > axis->high ? value : axis->high;
    axis->is_open = false;
}

// Powers of ten, every second where there are many; what is below them all is cut off.
static int log_ticks(Axis *axis, double out[AXIS_TICKS])
{
    axis->low = fmax(axis->low, axis->high * 1e-8);
    int low = (int)floor(log10(axis->low)), high = (int)ceil(log10(axis->high));
    int step  = (high - low + 4) / 5 > 1 ? (high - low + 4) / 5 : 1;
    int count = 1 + (high > low ? (high - low + step - 1) / step : 1);
    for (int i = 0; i < count; i++)
        out[i] = pow(10, low + i * step);
    axis->low  = pow(10, low);
    axis->high = pow(10, low + (count - 1) * step);
    return count;
}

static int linear_ticks(Axis *axis, double out[AXIS_TICKS])
{
    static const double steps[] = {0.1, 0.2, 0.5, 1, 2};
    double              decade  = pow(10, floor(log10(axis->high - axis->low))), step, low, high;
    int                 wanted  = 0;
    do {
        step = decade * steps[wanted++];
        low  = floor(axis->low / step);
        high = ceil(axis->high / step);
    } while (high - low > AXIS_TICKS - 2 && wanted < (int)(sizeof steps / sizeof *steps));
    int count = high - low < AXIS_TICKS - 1 ? (int)(high - low) + 1 : AXIS_TICKS;
    for (int i = 0; i < count; i++)
        out[i] = (low + i) * step;
    axis->low  = low * step;
    axis->high = out[count - 1];
    return count;
}

int axis_ticks(Axis *axis, double out[AXIS_TICKS])
{
    if (axis->is_open)
        *axis = (Axis){.low = axis->is_log ? 0.1 : 0, .high = 1, .is_log = axis->is_log};
    if (!axis->is_log && axis->high <= axis->low)
        axis->high = axis->low + (axis->low != 0 ? fabs(axis->low) : 1);
    return axis->is_log ? log_ticks(axis, out) : linear_ticks(axis, out);
}

double axis_place(const Axis *axis, double value)
{
    double place;
    if (axis->is_log)
        place = value > 0 ? log10(value / axis->low) / log10(axis->high / axis->low) : 0;
    else
        place = (value - axis->low) / (axis->high - axis->low);
    return isfinite(place) ? fmin(fmax(place, 0), 1) : 0;
}

/* ---- curves ---------------------------------------------------------------------------------- */

enum { WIDTH = 400, LEFT = 54, RIGHT = 10, TOP = 10, BOTTOM = 170, LEGEND = 226, HEIGHT = 236 };

static double x_of(const CurveChart *chart, int place)
{
    double inner = chart->has_dots ? 14 : 0; // dots stay off the axis
    return LEFT + inner +
           (WIDTH - LEFT - RIGHT - 2 * inner) * place / (chart->count > 1 ? chart->count - 1 : 1);
}

static double y_of(const Axis *axis, double value)
{
    return BOTTOM - axis_place(axis, value) * (BOTTOM - TOP);
}

static void write_axes(Writer *page, const CurveChart *chart, Axis *axis)
{
    double ticks[AXIS_TICKS];
    int    count = axis_ticks(axis, ticks);
    for (int i = 0; i < count; i++)
        writer_text(page,
                    "<line class=\"%s\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/><text "
                    "class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n",
                    i ? "grid" : "axis", LEFT, y_of(axis, ticks[i]), WIDTH - RIGHT,
                    y_of(axis, ticks[i]), LEFT - 7, y_of(axis, ticks[i]) + 4, ticks[i]);
    for (int i = 0; chart->labels && i < chart->count; i++)
        writer_text(page,
                    "<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>",
                    x_of(chart, i), BOTTOM + 18, chart->labels[i]);
    if (!chart->labels)
        writer_text(page,
                    "<text class=\"tick\" x=\"%d\" y=\"%d\">0</text><text class=\"tick\" x=\"%d\" "
                    "y=\"%d\" text-anchor=\"end\">%lld</text>",
                    LEFT, BOTTOM + 18, WIDTH - RIGHT, BOTTOM + 18, (long long)chart->last);
    writer_text(page, "<text class=\"tick\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
                (LEFT + WIDTH - RIGHT) / 2, BOTTOM + 36, chart->axis_name);
}

static void write_band(Writer *page, const CurveChart *chart, const Axis *axis, int index)
{
    const Curve *curve = &chart->curves[index];
    if (!curve->low || !curve->high)
        return;
    writer_text(page, "<polygon class=\"band s%d\" points=\"", index);
    for (int i = 0; i < chart->count; i++)
        writer_text(page, "%s%.1f,%.1f", i ? " " : "", x_of(chart, i), y_of(axis, curve->low[i]));
    for (int i = chart->count - 1; i >= 0; i--)
        writer_text(page, " %.1f,%.1f", x_of(chart, i), y_of(axis, curve->high[i]));
    writer_text(page, "\"/>\n");
}

static void write_line(Writer *page, const CurveChart *chart, const Axis *axis, int index)
{
    const Curve *curve = &chart->curves[index];
    writer_text(page, "<polyline class=\"line s%d\" points=\"", index);
    for (int i = 0; i < chart->count; i++)
        writer_text(page, "%s%.1f,%.1f", i ? " " : "", x_of(chart, i),
                    y_of(axis, curve->middle[i]));
    writer_text(page, "\"/>\n");
    for (int i = 0; chart->has_dots && i < chart->count; i++)
        writer_text(page, "<circle class=\"spot s%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>", index,
                    x_of(chart, i), y_of(axis, curve->middle[i]));
    int x = LEFT + index * (WIDTH - LEFT) / chart->curve_count;
    writer_text(page,
                "\n<line class=\"line s%d\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/><text "
                "class=\"tick\" x=\"%d\" y=\"%d\">%s</text>\n",
                index, x, LEGEND, x + 26, LEGEND, x + 32, LEGEND + 4, curve->name);
}

void chart_curves(Writer *page, const CurveChart *chart)
{
    Axis axis = axis_new(chart->is_log);
    for (int k = 0; k < chart->curve_count; k++)
        for (int i = 0; i < chart->count; i++) {
            const Curve *curve = &chart->curves[k];
            axis_add(&axis, curve->middle[i]);
            if (curve->low && curve->high) {
                axis_add(&axis, curve->low[i]);
                axis_add(&axis, curve->high[i]);
            }
        }
    writer_text(page,
                "<figure>\n<figcaption>%s</figcaption>\n<svg class=\"chart\" viewBox=\"0 0 "
                "%d %d\" role=\"img\" aria-label=\"%s\">\n",
                chart->caption, WIDTH, HEIGHT, chart->description);
    write_axes(page, chart, &axis);
    for (int k = 0; k < chart->curve_count; k++)
        write_band(page, chart, &axis, k);
    for (int k = 0; k < chart->curve_count; k++)
        write_line(page, chart, &axis, k);
    writer_text(page, "</svg>\n</figure>\n");
}
