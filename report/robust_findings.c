/* report/robust_findings.c - runs of robustness in a few sentences. */
#include "robust_page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- networks -------------------------------------------------------------------------------- */

// What a training lowered, in words, by its recipe (docs/methods/gradient-alignment.md).
static const char *aim_of(const char *recipe)
{
    static const struct {
        const char *option, *aim;
    } aims[] = {
        {" --objective l2-cosd ", "trained for right answers and for gradients that stay where "
                                  "they are when a photo moves a little"},
        {" --objective hessian ", "trained for right answers and for little curvature"},
        {" --objective pgd ", "trained for right answers at attacked photos"},
        {" --objective triplet ", "trained for right answers at attacked photos, and for gradients "
                                  "that look like them"},
    };
    if (strncmp(recipe, "nemesis train ", 14) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof aims / sizeof *aims; i++)
        if (strstr(recipe, aims[i].option))
            return aims[i].aim;
    return "trained for right answers alone";
}

void robust_page_networks(RobustPage *page)
{
    Writer *out = page->page;
    for (int i = 0; i < robust_run_count(page); i++) {
        const RobustReportRun *run = page->job->runs[i];
        const char            *aim = aim_of(run->recipe);
        writer_text(out, "<p>");
        if (robust_has_two(page))
            writer_text(out, "<b>%c</b>: ", 'A' + i);
        html_name(out, run->weights);
        if (aim)
            writer_text(out, ", %s", aim);
        writer_text(out, ".</p>\n");
        if (*run->recipe) {
            writer_text(out, "<p class=\"note\">");
            html_text(out, run->recipe, HTML_VALUE_LENGTH);
            writer_text(out, "</p>\n");
        }
    }
    for (int i = 0; i < page->job->difference_count; i++) {
        const RobustDifference *difference = &page->job->differences[i];
        writer_text(out, i ? ", " : "<p class=\"note\">Beside their weights the runs differ in ");
        html_text(out, difference->setting, HTML_VALUE_LENGTH);
        writer_text(out, " (A: ");
        html_text(out, difference->a, HTML_VALUE_LENGTH);
        writer_text(out, ", B: ");
        html_text(out, difference->b, HTML_VALUE_LENGTH);
        writer_text(out, ")");
    }
    if (page->job->difference_count > 0)
        writer_text(out, ".</p>\n");
}

/* ---- findings -------------------------------------------------------------------------------- */

// A mean with its interval; an interval of no width is that of a control.
static void mean_text(Writer *out, const RobustRecord *record, int64_t row)
{
    double value = 0, low = 0, high = 0;
    robust_page_number(record, row, "value", &value);
    robust_page_number(record, row, "low", &low);
    robust_page_number(record, row, "high", &high);
    writer_text(out, "<b>%.3f</b>", value);
    if (low < high)
        writer_text(out, " (%.3f to %.3f)", low, high);
}

// The row of B that is paired with one of A.
static const RobustPair *pair_of(const RobustPage *page, int64_t row)
{
    for (int64_t i = 0; i < page->pair_count; i++)
        if (page->pairs[i].row_a == row)
            return &page->pairs[i];
    return NULL;
}

static bool is_row(const RobustPage *page, int64_t row, const char *column, const char *text)
{
    return strcmp(robust_record_text(&page->job->runs[0]->record, row, column), text) == 0;
}

// Of right answers, which are few and count 0 or 1, the difference would look surer than it is.
static void write_means(RobustPage *page, int64_t row)
{
    const RobustPair *pair = pair_of(page, row);
    Writer           *out  = page->page;
    mean_text(out, &page->job->runs[0]->record, row);
    if (pair) {
        writer_text(out, " in A, ");
        mean_text(out, &page->job->runs[1]->record, pair->row_b);
        writer_text(out, " in B");
    }
    if (pair && !is_row(page, row, "measure", "accuracy") && pair->above + pair->below > 0)
        writer_text(out, "; B\xc2\xa0\xe2\x88\x92\xc2\xa0\x41 is <b>%+.3f</b> (%+.3f to %+.3f)",
                    pair->difference, pair->low, pair->high);
    writer_text(out, ".</li>\n");
}

static void write_move(RobustPage *page, int64_t row)
{
    const RobustRecord *record  = &page->job->runs[0]->record;
    const char         *measure = robust_record_text(record, row, "measure");
    double              levels  = 255 * strtod(robust_record_text(record, row, "setting"), NULL);
    Writer             *out     = page->page;
    if (strcmp(measure, "rps") == 0 && levels > 0)
        writer_text(out, "<li><b>Moved at random</b> by up to %.3g of 255 levels: ", levels);
    else if (strcmp(measure, "rps") == 0)
        writer_text(out, "<li><b>Not moved</b>, the control: ");
    else if (strcmp(measure, "aam") == 0)
        writer_text(out, "<li><b>Attacked</b> within %.3g of 255 levels: ", levels);
    else
        return;
    write_means(page, row);
}

static bool is_control(const RobustPage *page, int64_t row)
{
    return is_row(page, row, "measure", "rps") && is_row(page, row, "setting", "0") &&
           is_row(page, row, "similarity", "pcc");
}

// Why the control is not 1 (R2), where it says that the mode is such.
static void explain_control(RobustPage *page)
{
    const RobustReportRun *run   = page->job->runs[0];
    double                 cells = (double)(run->height * run->width), own = (cells - 1) / cells;
    double                 value = 0;
    int64_t                row   = 0;
    while (row < run->record.row_count && !is_control(page, row))
        row++;
    if (row < run->record.row_count && robust_page_number(&run->record, row, "value", &value) &&
        fabs(value - own) < 1e-6)
        writer_text(
            page->page,
            "<p class=\"note\">A map and itself have %.4f here, not 1: the program that mode "
            "aligned23 follows divides covariances by the number of cells, %.0f, and "
            "variances by one less.</p>\n",
            own, cells);
}

static void find_moves(RobustPage *page, const char *method)
{
    writer_text(page->page, "<p>Correlation (PCC) of ");
    html_name(page->page, method);
    writer_text(page->page, " maps with those of the photos as they are:</p>\n"
                            "<ul class=\"findings\">\n");
    for (int64_t r = 0; r < page->job->runs[0]->record.row_count; r++)
        if (is_row(page, r, "method", method) && is_row(page, r, "similarity", "pcc"))
            write_move(page, r);
    writer_text(page->page, "</ul>\n");
}

void robust_page_findings(RobustPage *page)
{
    int64_t rows = page->job->runs[0]->record.row_count;
    writer_text(page->page, "<p>Means of %lld photos, with 95 %% intervals.</p>\n",
                (long long)page->job->runs[0]->record.images);
    for (int m = 0; m < page->methods[0].count; m++)
        find_moves(page, page->methods[0].names[m]);
    explain_control(page);
    for (int64_t r = 0; r < rows; r++)
        if (is_row(page, r, "measure", "accuracy") && is_row(page, r, "setting", "clean")) {
            writer_text(page->page, "<p>Right answers:</p>\n<ul class=\"findings\">\n<li>");
            write_means(page, r);
            writer_text(page->page, "</ul>\n");
        }
}
