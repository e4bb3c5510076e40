/* report/accuracy_report.c - see accuracy_report.h. */
#include "accuracy_report.h"

#include "../format/csv.h"
#include "page.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER_LENGTH = 20 }; // most that is shown of one

/* A share with the columns of its interval. */
typedef struct ShareColumns {
    int value, low, high;
} ShareColumns;

typedef struct AccuracyPage {
    const AccuracyReportJob *job;
    Csv                     *csv;
    int                      setting, store, class, label, count; // columns
    ShareColumns             right, unchanged;
    bool                     has_labels; // else there is only `unchanged`
    Writer                  *page;
} AccuracyPage;

/* ---- rows ------------------------------------------------------------------------------------ */

static const char *text_of(const AccuracyPage *self, int64_t row, int column)
{
    return csv_text(self->csv, row, column);
}

// Rows of a setting as a whole have no label; those of its classes follow.
static bool is_setting(const AccuracyPage *self, int64_t row)
{
    return !*text_of(self, row, self->label);
}

// The first row of a setting behind this one, or the number of rows.
static int64_t next_setting(const AccuracyPage *self, int64_t row)
{
    int64_t count = csv_row_count(self->csv);
    do
        row++;
    while (row < count && !is_setting(self, row));
    return row;
}

// The row of a class in a setting; -1: it has no image of that class.
static int64_t row_of_class(const AccuracyPage *self, int64_t setting, const char *label)
{
    int64_t past = next_setting(self, setting);
    for (int64_t row = setting + 1; row < past; row++)
        if (strcmp(text_of(self, row, self->label), label) == 0)
            return row;
    return -1;
}

static double share_of(const AccuracyPage *self, int64_t row, int column)
{
    return strtod(text_of(self, row, column), NULL);
}

static void write_share(AccuracyPage *self, int64_t row, int column)
{
    writer_text(self->page, "%.1f %%", 100 * share_of(self, row, column));
}

/* ---- bars ------------------------------------------------------------------------------------ */

enum { ROW = 40, LEFT = 186, ROOM = 142, WIDTH = 400, AXIS = 26 };

static double place_of(double share)
{
    return LEFT + ROOM * share;
}

static void draw_axis(AccuracyPage *self, int bottom)
{
    for (int tick = 0; tick <= 4; tick++)
        writer_text(self->page,
                    "<line class=\"%s\" x1=\"%.1f\" y1=\"0\" x2=\"%.1f\" y2=\"%d\"/><text "
                    "class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d</text>\n",
                    tick ? "grid" : "axis", place_of(tick / 4.0), place_of(tick / 4.0), bottom,
                    place_of(tick / 4.0), bottom + 16, 25 * tick);
    writer_text(self->page, "<text class=\"tick\" x=\"%.1f\" y=\"%d\">%%</text>\n",
                place_of(1) + 20, bottom + 16);
}

// What a setting is called, below it how its images were stored.
static void draw_name(AccuracyPage *self, int64_t row, int top)
{
    writer_text(self->page, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", LEFT - 8, top + 17);
    html_text(self->page, text_of(self, row, self->setting), 24);
    writer_text(self->page, "</text><text class=\"tick\" x=\"%d\" y=\"%d\" text-anchor=\"end\">",
                LEFT - 8, top + 32);
    html_text(self->page, text_of(self, row, self->store), 24);
    writer_text(self->page, "</text>");
}

static void draw_bars(AccuracyPage *self, ShareColumns columns, const char *caption)
{
    int settings = 0, at = 0;
    for (int64_t row = 0; row < csv_row_count(self->csv); row = next_setting(self, row))
        settings++;
    writer_text(self->page,
                "<figure>\n<figcaption>%s</figcaption>\n<svg class=\"chart\" viewBox=\"0 0 %d %d\" "
                "role=\"img\" aria-label=\"%s, with 95 %% Wilson intervals; the same numbers are "
                "in the table below\">\n",
                caption, WIDTH, settings * ROW + AXIS, caption);
    draw_axis(self, settings * ROW + 4);
    for (int64_t row = 0; row < csv_row_count(self->csv); row = next_setting(self, row), at++) {
        int    top    = at * ROW;
        double middle = top + 20.0, high = place_of(share_of(self, row, columns.high));
        draw_name(self, row, top);
        writer_text(self->page,
                    "<rect class=\"c0\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"22\"/><g "
                    "class=\"all\"><line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/></g>"
                    "<text class=\"figure\" x=\"%.1f\" y=\"%.1f\">",
                    LEFT, top + 9, ROOM * share_of(self, row, columns.value),
                    place_of(share_of(self, row, columns.low)), middle, high, middle, high + 7,
                    middle + 4);
        write_share(self, row, columns.value);
        writer_text(self->page, "</text>\n");
    }
    writer_text(self->page, "</svg>\n</figure>\n");
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void share_cells(AccuracyPage *self, int64_t row, ShareColumns columns)
{
    writer_text(self->page, "<td>");
    write_share(self, row, columns.value);
    writer_text(self->page, "</td><td>");
    write_share(self, row, columns.low);
    writer_text(self->page, " to ");
    write_share(self, row, columns.high);
    writer_text(self->page, "</td>");
}

static void table_of_settings(AccuracyPage *self)
{
    writer_text(self->page,
                "<div class=\"scroll wide\" tabindex=\"0\"><table>\n<thead><tr><th>images</th>"
                "<th>stored as</th><th>number</th>%s<th>as the clean one</th><th>95 %%</th></tr>"
                "</thead>\n<tbody>\n",
                self->has_labels ? "<th>right</th><th>95 %</th>" : "");
    for (int64_t row = 0; row < csv_row_count(self->csv); row = next_setting(self, row)) {
        writer_text(self->page, "<tr><th>");
        html_text(self->page, text_of(self, row, self->setting), HTML_NAME_LENGTH);
        writer_text(self->page, "</th><td>");
        html_text(self->page, text_of(self, row, self->store), HTML_NAME_LENGTH);
        writer_text(self->page, "</td><td>");
        html_text(self->page, text_of(self, row, self->count), NUMBER_LENGTH);
        writer_text(self->page, "</td>");
        if (self->has_labels)
            share_cells(self, row, self->right);
        share_cells(self, row, self->unchanged);
        writer_text(self->page, "</tr>\n");
    }
    writer_text(self->page, "</tbody></table></div>\n");
}

static void row_of_class_table(AccuracyPage *self, int64_t class)
{
    const char *label  = text_of(self, class, self->label);
    const char *images = text_of(self, class, self->count);
    writer_text(self->page, "<tr><th data-value=\"");
    html_text(self->page, label, NUMBER_LENGTH);
    writer_text(self->page, "\">");
    html_name(self->page, csv_name(self->csv, class, self->class));
    writer_text(self->page, "</th><td data-value=\"");
    html_text(self->page, images, NUMBER_LENGTH);
    writer_text(self->page, "\">");
    html_text(self->page, images, NUMBER_LENGTH);
    writer_text(self->page, "</td>");
    for (int64_t row = 0; row < csv_row_count(self->csv); row = next_setting(self, row)) {
        int64_t found = row_of_class(self, row, label);
        if (found < 0) {
            writer_text(self->page, "<td data-value=\"-1\">\xe2\x80\x93</td>");
            continue;
        }
        writer_text(self->page, "<td data-value=\"%.9g\">",
                    share_of(self, found, self->right.value));
        write_share(self, found, self->right.value);
        writer_text(self->page, "</td>");
    }
    writer_text(self->page, "</tr>\n");
}

static void section_of_classes(AccuracyPage *self)
{
    writer_text(self->page,
                "<section id=\"classes\">\n<h2>Class by class</h2>\n<p>The share of right answers "
                "of the images of each class. Intervals are in accuracy.csv.</p>\n<div "
                "class=\"scroll tall wide\" tabindex=\"0\"><table class=\"sortable\">\n<thead><tr>"
                "<th data-sort=\"number\">class</th><th data-sort=\"number\">images</th>");
    for (int64_t row = 0; row < csv_row_count(self->csv); row = next_setting(self, row)) {
        writer_text(self->page, "<th data-sort=\"number\">");
        html_text(self->page, text_of(self, row, self->setting), HTML_NAME_LENGTH);
        writer_text(self->page, " (");
        html_text(self->page, text_of(self, row, self->store), HTML_NAME_LENGTH);
        writer_text(self->page, ")</th>");
    }
    writer_text(self->page, "</tr></thead>\n<tbody>\n");
    int64_t past = next_setting(self, 0);
    for (int64_t class = 1; class < past; class ++)
        row_of_class_table(self, class);
    writer_text(self->page, "</tbody></table></div>\n</section>\n");
}

/* ---- the page -------------------------------------------------------------------------------- */

static void write_header(AccuracyPage *self)
{
    writer_text(self->page,
                "<header>\n<p class=\"kicker\">nemesis \xc2\xb7 accuracy report</p>\n<h1>%s</h1>\n"
                "<p class=\"lead\">",
                self->has_labels ? "How often the network is right" : "How often the answer stays");
    html_text(self->page, text_of(self, 0, self->count), NUMBER_LENGTH);
    writer_text(self->page, " images");
    if (self->has_labels) {
        writer_text(self->page, ", of which ");
        write_share(self, 0, self->right.value);
        writer_text(self->page, " are named right as they are");
    }
    writer_text(self->page,
                ". Beside them stand the same images after storage alone (control) and corrupted, "
                "and how many of these get the answer that the clean image gets.</p>\n</header>\n"
                "<main>\n");
}

static void write_page(AccuracyPage *self)
{
    page_begin(self->page, "accuracy", self->job->run);
    write_header(self);
    writer_text(self->page, "<section id=\"settings\">\n<h2>Under each corruption</h2>\n<div "
                            "class=\"charts\">\n");
    if (self->has_labels)
        draw_bars(self, self->right, "Right answers");
    draw_bars(self, self->unchanged, "Answered as the clean image");
    writer_text(self->page, "</div>\n");
    table_of_settings(self);
    writer_text(self->page, "<p class=\"note\">Intervals are Wilson\xe2\x80\x99s. Images of an "
                            "attack count once for each attacked unit.</p>\n</section>\n");
    if (self->has_labels)
        section_of_classes(self);
    section_facts(self->page, self->job->facts, self->job->fact_count);
    page_end(self->page, "Made by nemesis from the files of the run.", self->has_labels);
}

static bool find_columns(AccuracyPage *self, Error *error)
{
    Csv *csv = self->csv;
    bool ok  = csv_need(csv, "setting", &self->setting, error) &&
              csv_need(csv, "store", &self->store, error) &&
              csv_need(csv, "class", &self->class, error) &&
              csv_need(csv, "label", &self->label, error) &&
              csv_need(csv, "count", &self->count, error) &&
              csv_need(csv, "accuracy", &self->right.value, error) &&
              csv_need(csv, "low", &self->right.low, error) &&
              csv_need(csv, "high", &self->right.high, error) &&
              csv_need(csv, "agreement", &self->unchanged.value, error) &&
              csv_need(csv, "agreement_low", &self->unchanged.low, error) &&
              csv_need(csv, "agreement_high", &self->unchanged.high, error);
    if (!ok)
        return false;
    if (csv_row_count(csv) == 0 || !is_setting(self, 0))
        return fail(error, ERROR_DATA, "%s: accuracy.csv does not begin with all clean images",
                    self->job->run);
    self->has_labels = *text_of(self, 0, self->right.value) != 0;
    return true;
}

bool accuracy_report_write(const AccuracyReportJob *job, Error *error)
{
    AccuracyPage self = {.job = job};
    char         path[LIMIT_PATH];
    bool         ok = path_join(path, job->run, "accuracy.csv", error) &&
              csv_read(&self.csv, path, error) && find_columns(&self, error) &&
              path_join(path, job->folder, "index.html", error) && file_remove(path, error) &&
              style_write(job->folder, error) && writer_open(&self.page, path, error);
    if (ok)
        write_page(&self);
    csv_close(self.csv);
    return ok && writer_publish(self.page, error);
}
