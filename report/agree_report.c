/* report/agree_report.c - see agree_report.h. */
#include "agree_report.h"

#include "../format/csv.h"
#include "../study/agreement.h"
#include "page.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN_UNITS = 40 }; // of the most alike, and again of all

typedef struct AgreePage {
    const AgreeReportJob *job;
    Csv                  *summary, *units;
    int                   a, b, group, figure; // columns of summary.csv
    int                   layer, unit;         // of agree.csv; a column a method follows them
    Writer               *page;
} AgreePage;

static const char *summary_text(const AgreePage *self, int64_t row, const char *column)
{
    return csv_text(self->summary, row, csv_column(self->summary, column));
}

/* ---- figures --------------------------------------------------------------------------------- */

static bool is_share(const char *figure)
{
    return strcmp(figure, "same") == 0 || strncmp(figure, "f1_below", 8) == 0 ||
           strncmp(figure, "stayed", 6) == 0;
}

static void number(AgreePage *self, int64_t row, const char *column, bool share)
{
    const char *text = summary_text(self, row, column);
    if (!*text)
        writer_text(self->page, "-");
    else if (share)
        writer_text(self->page, "%.1f %%", 100 * strtod(text, NULL));
    else
        writer_text(self->page, "%.3f", strtod(text, NULL));
}

// Whose column can be sorted; "-" is the least.
static void number_cell(AgreePage *self, int64_t row, const char *column, bool share)
{
    const char *text = summary_text(self, row, column);
    writer_text(self->page, "<td data-value=\"%.9g\">", *text ? strtod(text, NULL) : -2);
    number(self, row, column, share);
    writer_text(self->page, "</td>");
}

static void name_cell(AgreePage *self, const char *name)
{
    writer_text(self->page, "<td>");
    html_name(self->page, name);
    writer_text(self->page, "</td>");
}

// "same text", "word overlap", "F1-BERT", "F1-BERT < 0.3".
static void figure_cell(AgreePage *self, const char *name)
{
    static const char below[] = "f1_below_";
    writer_text(self->page, "<td>");
    if (strncmp(name, below, sizeof below - 1) == 0)
        writer_text(self->page, "F1-BERT &lt; %.3s", name + sizeof below - 1);
    else if (strcmp(name, "same") == 0)
        writer_text(self->page, "same text");
    else if (strcmp(name, "word_overlap") == 0)
        writer_text(self->page, "word overlap");
    else if (strcmp(name, "f1_bert") == 0)
        writer_text(self->page, "F1-BERT");
    else if (strcmp(name, "stayed_in_all") == 0)
        writer_text(self->page, "stayed in all");
    else
        html_text(self->page, name, HTML_NAME_LENGTH);
    writer_text(self->page, "</td>");
}

static void summary_row(AgreePage *self, int64_t row, bool has_layer)
{
    const char *name  = csv_text(self->summary, row, self->figure);
    bool        share = is_share(name);
    writer_text(self->page, "<tr>");
    name_cell(self, csv_name(self->summary, row, self->a));
    name_cell(self, csv_name(self->summary, row, self->b));
    if (has_layer)
        name_cell(self, csv_name(self->summary, row, self->group));
    figure_cell(self, name);
    number_cell(self, row, "value", share);
    writer_text(self->page, "<td>");
    number(self, row, "low", share);
    writer_text(self->page, " to ");
    number(self, row, "high", share);
    writer_text(self->page, "</td>");
    number_cell(self, row, "chance", share);
    const char *units = summary_text(self, row, "units");
    writer_text(self->page, "<td data-value=\"%.9g\">%.12s</td></tr>\n", strtod(units, NULL),
                units);
}

static bool tells_stable(const AgreePage *self, int64_t row)
{
    return strncmp(csv_text(self->summary, row, self->figure), "stayed", 6) == 0;
}

// Rows of all units, or those of the layers; `stayed`: the rows of runs of noise.
static void summary_table(AgreePage *self, bool all, bool stayed)
{
    int64_t shown = 0;
    for (int64_t row = 0; row < csv_row_count(self->summary); row++) {
        bool is_all = strcmp(csv_text(self->summary, row, self->group), "all") == 0;
        if (is_all != all || tells_stable(self, row) != stayed)
            continue;
        if (shown++ == 0)
            writer_text(self->page,
                        "<div class=\"scroll tall wide\" tabindex=\"0\"><table "
                        "class=\"sortable\">\n<thead><tr>"
                        "<th data-sort=\"text\">A</th><th data-sort=\"text\">B</th>%s"
                        "<th data-sort=\"text\">figure</th><th data-sort=\"number\">value</th>"
                        "<th>95 %%</th><th data-sort=\"number\">by chance</th>"
                        "<th data-sort=\"number\">units</th></tr></thead>\n<tbody>\n",
                        all ? "" : "<th data-sort=\"text\">layer</th>");
        summary_row(self, row, !all);
    }
    if (shown)
        writer_text(self->page, "</tbody></table></div>\n");
}

// Nothing where no run of noise or attack was given.
static void section_of_stable(AgreePage *self)
{
    int64_t row = 0, rows = csv_row_count(self->summary);
    while (row < rows && !tells_stable(self, row))
        row++;
    if (row == rows)
        return;
    writer_text(self->page, "<section id=\"stable\">\n<h2>Which stay</h2>\n<p>Units that kept "
                            "their description under every perturbation of a method's run. By "
                            "chance: if methods had nothing to do with each other.</p>\n");
    summary_table(self, true, true);
    writer_text(self->page, "</section>\n");
}

/* ---- units ----------------------------------------------------------------------------------- */

// The mean of a unit's columns of this kind.
static double mean_overlap(const AgreePage *self, int64_t row)
{
    static const char prefix[] = "word_overlap_";
    double            sum      = 0;
    int               count    = 0;
    for (int c = 0; c < csv_column_count(self->units); c++)
        if (strncmp(csv_column_name(self->units, c), prefix, sizeof prefix - 1) == 0) {
            sum += strtod(csv_text(self->units, row, c), NULL);
            count++;
        }
    return count ? sum / count : 0;
}

static void unit_row(AgreePage *self, int64_t row)
{
    writer_text(self->page, "<tr>");
    name_cell(self, csv_name(self->units, row, self->layer));
    const char *unit = csv_text(self->units, row, self->unit);
    writer_text(self->page, "<td data-value=\"%.9g\">%.12s</td>", strtod(unit, NULL), unit);
    for (int m = 0; m < self->job->method_count; m++)
        name_cell(self, csv_name(self->units, row, 2 + m));
    double overlap = mean_overlap(self, row);
    writer_text(self->page, "<td data-value=\"%.9g\">%.3f</td></tr>\n", overlap, overlap);
}

typedef struct Ranked {
    double  overlap;
    int64_t row;
} Ranked;

static int by_overlap(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (x->overlap != y->overlap)
        return x->overlap < y->overlap ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

static void unit_table(AgreePage *self, const Ranked *units, int64_t step, int64_t count)
{
    writer_text(
        self->page,
        "<div class=\"scroll tall wide\" tabindex=\"0\"><table class=\"sortable\">\n<thead><tr>"
        "<th data-sort=\"text\">layer</th><th data-sort=\"number\">unit</th>");
    for (int m = 0; m < self->job->method_count; m++) {
        writer_text(self->page, "<th data-sort=\"text\">");
        html_name(self->page, self->job->methods[m]);
        writer_text(self->page, "</th>");
    }
    writer_text(self->page, "<th data-sort=\"number\">word overlap</th></tr></thead>\n<tbody>\n");
    for (int64_t i = 0; i < SHOWN_UNITS && i * step < count; i++)
        unit_row(self, units[i * step].row);
    writer_text(self->page, "</tbody></table></div>\n");
}

static bool section_of_units(AgreePage *self, Error *error)
{
    int64_t count  = csv_row_count(self->units);
    Ranked *ranked = memory_new((size_t)count, sizeof *ranked, error);
    if (!ranked)
        return false;
    for (int64_t i = 0; i < count; i++)
        ranked[i] = (Ranked){mean_overlap(self, i), i};
    writer_text(self->page, "<section id=\"units\">\n<h2>Units, side by side</h2>\n<p>Evenly taken "
                            "from all, in the order of layers.</p>\n");
    unit_table(self, ranked, (count + SHOWN_UNITS - 1) / SHOWN_UNITS, count);
    qsort(ranked, (size_t)count, sizeof *ranked, by_overlap);
    writer_text(self->page, "<p>Those whose descriptions have most words in common, on the average "
                            "over pairs of methods.</p>\n");
    unit_table(self, ranked, 1, count);
    writer_text(self->page, "<p>All of them are in agree.csv.</p>\n</section>\n");
    memory_free(ranked);
    return true;
}

/* ---- the page -------------------------------------------------------------------------------- */

static bool write_page(AgreePage *self, Error *error)
{
    page_begin(self->page, "agreement", self->job->run);
    writer_text(self->page,
                "<header>\n<p class=\"kicker\">nemesis \xc2\xb7 agree report</p>\n<h1>What methods "
                "say of the same "
                "units</h1>\n<p class=\"lead\">%lld units that %d methods describe. By chance: the "
                "same descriptions with units permuted within their layers, the mean of %d "
                "draws.</p>\n</header>\n<main>\n<section id=\"figures\">\n<h2>How often they "
                "agree</h2>\n",
                (long long)csv_row_count(self->units), self->job->method_count, AGREE_DRAWS);
    summary_table(self, true, false);
    writer_text(self->page, "</section>\n<section id=\"layers\">\n<h2>Layer by layer</h2>\n");
    summary_table(self, false, false);
    writer_text(self->page, "</section>\n");
    section_of_stable(self);
    if (!section_of_units(self, error))
        return false;
    section_facts(self->page, self->job->facts, self->job->fact_count);
    page_end(self->page, "Made by nemesis from the files of the run.", true);
    return true;
}

static bool find_columns(AgreePage *self, Error *error)
{
    static const char *const numbers[] = {"value", "low", "high", "chance", "units"};
    int                      column    = 0;
    for (int i = 0; i < 5; i++)
        if (!csv_need(self->summary, numbers[i], &column, error))
            return false;
    if (csv_column_count(self->units) < 2 + self->job->method_count)
        return fail(error, ERROR_DATA, "%s: agree.csv has too few columns for %d methods",
                    self->job->run, self->job->method_count);
    return csv_need(self->summary, "a", &self->a, error) &&
           csv_need(self->summary, "b", &self->b, error) &&
           csv_need(self->summary, "group", &self->group, error) &&
           csv_need(self->summary, "figure", &self->figure, error) &&
           csv_need(self->units, "layer", &self->layer, error) &&
           csv_need(self->units, "unit", &self->unit, error);
}

bool agree_report_write(const AgreeReportJob *job, Error *error)
{
    AgreePage self = {.job = job};
    char      path[LIMIT_PATH];
    bool      ok = path_join(path, job->run, "summary.csv", error) &&
              csv_read(&self.summary, path, error) &&
              path_join(path, job->run, "agree.csv", error) && csv_read(&self.units, path, error) &&
              find_columns(&self, error) && path_join(path, job->folder, "index.html", error) &&
              file_remove(path, error) && style_write(job->folder, error) &&
              writer_open(&self.page, path, error) && write_page(&self, error);
    csv_close(self.summary);
    csv_close(self.units);
    if (ok)
        return writer_publish(self.page, error);
    writer_discard(self.page);
    return false;
}
