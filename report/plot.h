/* report/plot.h - axes and curves of charts; only the files of this folder include it. */
#ifndef REPORT_PLOT_H
#define REPORT_PLOT_H

#include "../base/file.h"

/* ---- axes ------------------------------------------------------------------------------------ */

enum { AXIS_TICKS = 8 };

/* A range of numbers. On a logarithmic axis numbers up to 0 are at its low end. */
typedef struct Axis {
    double low, high;
    bool   is_log, is_open; // open: has no number yet
} Axis;

Axis axis_new(bool is_log);
void axis_add(Axis *axis, double value);             // the range takes it in
int  axis_ticks(Axis *axis, double out[AXIS_TICKS]); // round numbers; the range then ends at some
/* 0 at the low end, 1 at the high one; cut to these. */
double axis_place(const Axis *axis, double value);

/* ---- curves ---------------------------------------------------------------------------------- */

/* A line over `count` places; where low and high are there, with a band between them. */
typedef struct Curve {
    const char   *name;
    const double *middle, *low, *high; // [count]
} Curve;

typedef struct CurveChart {
    const char        *caption, *description; // description: for those who cannot see it
    const char        *axis_name;             // of the places
    const char *const *labels;                // [count] of each place; NULL: 0 and last
    int                count, curve_count;
    int64_t            last;
    const Curve       *curves;
    bool               is_log, has_dots;
} CurveChart;

/* A figure. Curves are told apart by colour and by dashes. */
void chart_curves(Writer *page, const CurveChart *chart);

#endif
