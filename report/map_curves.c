/* report/map_curves.c - the losses of attacks over their steps, and their images explained again:
 * over beta and over noise. Of pairs: the median, and a band from 25 to 75 %. */
#include "../study/quantile.h"
#include "map_page.h"
#include "plot.h"

#include <stdlib.h>

enum { PLACES = 160, ROWS = 3 };

// Quartiles of curves at each place.
typedef struct Quartiles {
    double low[PLACES], middle[PLACES], high[PLACES];
} Quartiles;

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void set_place(Quartiles *out, int place, double *values, int64_t count)
{
    qsort(values, (size_t)count, sizeof *values, by_size);
    out->low[place]    = sorted_quantile(values, count, 0.25);
    out->middle[place] = sorted_quantile(values, count, 0.5);
    out->high[place]   = sorted_quantile(values, count, 0.75);
}

static Curve curve_of(const MapPage *page, const Quartiles *quartiles, const char *name)
{
    bool has_band = page->study.pairs > 1;
    return (Curve){name, quartiles->middle, has_band ? quartiles->low : NULL,
                   has_band ? quartiles->high : NULL};
}

/* ---- steps ----------------------------------------------------------------------------------- */

// Steps of one case stand behind each other.
static bool begins_case(const MapResults *results, int64_t row)
{
    return row == 0 || results->steps[row].pair != results->steps[row - 1].pair ||
           results->steps[row].method != results->steps[row - 1].method;
}

static int64_t rows_of_case(const MapResults *results, int64_t first)
{
    int64_t end = first + 1;
    while (end < results->step_count && !begins_case(results, end))
        end++;
    return end - first;
}

// Rows of the shortest case of a method; 0: it has none.
static int64_t rows_of_method(const MapResults *results, int method)
{
    int64_t least = 0;
    for (int64_t i = 0; i < results->step_count;) {
        int64_t rows = rows_of_case(results, i);
        if (results->steps[i].method == method && (!least || rows < least))
            least = rows;
        i += rows;
    }
    return least;
}

static double term_of(const MapAttackLoss *loss, int term)
{
    return term == 0 ? loss->loss : term == 1 ? loss->map_term : loss->output_term;
}

static void fill_place(MapPage *page, int method, int64_t step, int place, Quartiles terms[ROWS])
{
    const MapResults *results = &page->results;
    for (int term = 0; term < ROWS; term++) {
        int64_t count = 0;
        for (int64_t i = 0; i < results->step_count; i += rows_of_case(results, i))
            if (results->steps[i].method == method)
                page->values[count++] = term_of(&results->steps[i + step].loss, term);
        set_place(&terms[term], place, page->values, count);
    }
}

static void chart_steps(MapPage *page, int method, Quartiles terms[ROWS])
{
    int64_t rows   = rows_of_method(&page->results, method);
    int     places = (int)(rows < PLACES ? rows : PLACES);
    Curve   curves[ROWS];
    char    caption[160];
    if (rows < 2)
        return;
    for (int i = 0; i < places; i++)
        fill_place(page, method, i * (rows - 1) / (places - 1), i, terms);
    curves[0] = curve_of(page, &terms[0], "loss");
    curves[1] = curve_of(page, &terms[1], "map term");
    curves[2] = curve_of(page, &terms[2], "output term");
    snprintf(caption, sizeof caption, "Loss of the attack on the maps of <b>%s</b>",
             page->study.methods[method]->name);
    CurveChart chart = {.caption     = caption,
                        .description = "The loss over the steps, and its two terms",
                        .axis_name   = "step",
                        .count       = places,
                        .curve_count = ROWS,
                        .last        = rows - 1,
                        .curves      = curves,
                        .is_log      = true};
    chart_curves(page->page, &chart);
}

/* ---- explained again ------------------------------------------------------------------------- */

// Rows that differ in pair and method alone.
static bool is_same_smoothing(const MapSmoothing *a, const MapSmoothing *b)
{
    return a->copies == b->copies && a->beta == b->beta && a->level == b->level;
}

static void label_of(const MapSmoothing *row, bool noise, const char *activation, char out[32])
{
    if (row->copies)
        snprintf(out, 32, "%g %%", 100 * row->level);
    else if (row->beta > 0)
        snprintf(out, 32, "%g", row->beta);
    else
        snprintf(out, 32, "%.24s", noise ? "none" : activation);
}

static int64_t collect(MapPage *page, const MapSmoothing *like, int method, bool target)
{
    int64_t count = 0;
    for (int64_t i = 0; i < page->results.smoothing_count; i++) {
        const MapSmoothing *row = &page->results.smoothings[i];
        if (row->method == method && is_same_smoothing(row, like))
            page->values[count++] = target ? row->target.pcc : row->original.pcc;
    }
    return count;
}

// The kinds of smoothing are those of the method's first case.
static void chart_again(MapPage *page, int method, bool noise, Quartiles curves[ROWS])
{
    enum { LABELS = 24 };
    const MapResults   *results = &page->results;
    const MapSmoothing *first   = NULL;
    char                text[LABELS][32], caption[200];
    const char         *labels[LABELS];
    int                 count = 0;
    for (int64_t i = 0; i < results->smoothing_count && count < LABELS; i++) {
        const MapSmoothing *row = &results->smoothings[i];
        first                   = !first && row->method == method ? row : first;
        if (!first || row->method != method || row->pair != first->pair ||
            (noise ? row->beta > 0 : row->copies > 0))
            continue;
        label_of(row, noise, page->job->activation, text[count]);
        labels[count] = text[count];
        for (int target = 0; target < 2; target++)
            set_place(&curves[target], count, page->values,
                      collect(page, row, method, target == 1));
        count++;
    }
    if (count < 2)
        return;
    Curve drawn[2] = {curve_of(page, &curves[1], "with the target"),
                      curve_of(page, &curves[0], "with the photo's map")};
    snprintf(caption, sizeof caption, "PCC of the attacked photo's map, <b>%s</b>, %s",
             page->study.methods[method]->name,
             noise ? "as the mean over noisy copies" : "of the network with softplus");
    CurveChart chart = {.caption     = caption,
                        .description = "Correlations of the map, the more smoothed the further to "
                                       "the right",
                        .axis_name   = noise ? "noise, of the range of pixels" : "beta of softplus",
                        .labels      = labels,
                        .count       = count,
                        .curve_count = 2,
                        .curves      = drawn,
                        .has_dots    = true};
    chart_curves(page->page, &chart);
}

bool section_curves(MapPage *page, Error *error)
{
    Quartiles *room = memory_new(ROWS, sizeof *room, error);
    if (!room)
        return false;
    writer_text(page->page,
                "<section id=\"curves\">\n<h2>The attack over its steps</h2>\n<p>The map term is "
                "how far the map is from its target, the output term how far the network's answers "
                "are from those it gave the photo; each with its factor.%s</p>\n"
                "<div class=\"charts\">\n",
                page->study.pairs > 1 ? " Lines are medians of the pairs, the bands where the "
                                        "middle half of them is."
                                      : "");
    for (int m = 0; m < page->study.method_count; m++)
        chart_steps(page, m, room);
    writer_text(page->page,
                "</div>\n</section>\n<section id=\"again\">\n<h2>Explained again, "
                "smoothed</h2>\n<p>The same attacked photo, explained in a way that "
                "the attack did not know: %smore noise smooths more. Is the map still that "
                "of the target, or again that of the photo, smoothed in the same way?</p>\n"
                "<div class=\"charts\">\n",
                page->job->is_relu ? "a smaller beta of the softplus, or " : "");
    for (int m = 0; m < page->study.method_count; m++)
        for (int noise = page->job->is_relu ? 0 : 1; noise < 2; noise++)
            chart_again(page, m, noise == 1, room);
    writer_text(page->page, "</div>\n</section>\n");
    memory_free(room);
    return true;
}
