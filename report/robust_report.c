/* report/robust_report.c - see robust_report.h. */
#include "../format/csv.h"
#include "plot.h"
#include "robust_page.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- curves ---------------------------------------------------------------------------------- */

typedef struct Line {
    char   name[64];
    double middle[ROBUST_RATIOS], low[ROBUST_RATIOS], high[ROBUST_RATIOS];
} Line;

// The curve of a method and measure; false if the run has none.
static bool find_line(const RobustRecord *record, const char *method, const char *measure,
                      Line *out)
{
    int found = 0;
    for (int64_t r = 0; r < record->row_count && found < ROBUST_RATIOS; r++)
        if (strcmp(robust_record_text(record, r, "method"), method) == 0 &&
            strcmp(robust_record_text(record, r, "measure"), measure) == 0 &&
            robust_page_number(record, r, "value", &out->middle[found]) &&
            robust_page_number(record, r, "low", &out->low[found]) &&
            robust_page_number(record, r, "high", &out->high[found])) {
            out->low[found]  = fmax(out->low[found], 0); // of probabilities
            out->high[found] = fmin(out->high[found], 1);
            found++;
        }
    return found == ROBUST_RATIOS;
}

static void show_lines(RobustPage *page, const char *method)
{
    static const char *const measures[] = {"insertion", "adv-insertion", "deletion"};
    for (int k = 0; k < 3; k++) {
        Line  lines[2];
        Curve curves[2];
        int   count = 0;
        for (int i = 0; i < robust_run_count(page); i++) {
            const RobustRecord *record = &page->job->runs[i]->record;
            if (!find_line(record, method, measures[k], &lines[count]))
                continue;
            snprintf(lines[count].name, sizeof lines[count].name, "%s",
                     robust_has_two(page) ? (i ? "B" : "A") : measures[k]);
            curves[count] = (Curve){lines[count].name, lines[count].middle, lines[count].low,
                                    lines[count].high};
            count++;
        }
        if (count == 0)
            continue;
        char caption[96];
        snprintf(caption, sizeof caption, "%s: probability of the label", measures[k]);
        CurveChart chart = {.caption     = caption,
                            .description = caption,
                            .axis_name   = k == 2 ? "% of pixels gone, the largest first"
                                                  : "% of pixels kept, the largest",
                            .last        = 95,
                            .count       = ROBUST_RATIOS,
                            .curve_count = count,
                            .curves      = curves};
        chart_curves(page->page, &chart);
    }
}

static void section_lines(RobustPage *page)
{
    const RobustMethods *methods = &page->methods[0];
    bool                 has_any = false;
    for (int m = 0; m < methods->count; m++) {
        Line line;
        has_any |=
            find_line(&page->job->runs[0]->record, methods->names[m], "insertion", &line) ||
            find_line(&page->job->runs[0]->record, methods->names[m], "deletion", &line) ||
            find_line(&page->job->runs[0]->record, methods->names[m], "adv-insertion", &line);
    }
    if (!has_any)
        return;
    writer_text(page->page,
                "<section id=\"curves\">\n<h2>What the map finds</h2>\n<p>Pixels stay or "
                "go by the size of their cell in the map; the others take the mean "
                "colour. Bands: 95 %% over images.</p>\n");
    for (int m = 0; m < methods->count; m++) {
        writer_text(page->page, "<h3>");
        html_name(page->page, methods->names[m]);
        writer_text(page->page, "</h3>\n<div class=\"charts\">\n");
        show_lines(page, methods->names[m]);
        writer_text(page->page, "</div>\n");
    }
    writer_text(page->page, "</section>\n");
}

/* ---- the page -------------------------------------------------------------------------------- */

static void write_head(RobustPage *page)
{
    const RobustReportJob *job = page->job;
    page_begin(page->page, "robustness", job->runs[0]->network);
    writer_text(page->page,
                "<header>\n<p class=\"source\">nemesis robustness</p>\n<h1>How far maps "
                "move</h1>\n<p class=\"lead\">Each image is explained for its label, "
                "moved a little, and explained again.</p>\n");
    robust_page_networks(page);
    robust_page_findings(page);
    writer_text(page->page, "</header>\n<main>\n");
}

static bool write_page(RobustPage *page, Error *error)
{
    write_head(page);
    writer_text(page->page, "<section id=\"maps\">\n<h2>Maps</h2>\n");
    if (!robust_page_maps(page, error))
        return false;
    writer_text(page->page, "</section>\n");
    section_lines(page);
    writer_text(page->page, "<section id=\"rows\">\n<h2>Every measure</h2>\n");
    robust_page_rows(page);
    writer_text(page->page, "</section>\n");
    section_facts(page->page, page->job->facts, page->job->fact_count);
    page_end(page->page, "Made by nemesis from the files of the run.", false);
    return true;
}

bool robust_report_write(const RobustReportJob *job, Error *error)
{
    RobustPage page;
    char       path[LIMIT_PATH];
    bool       ok = robust_page_open(&page, job, error) &&
              path_join(path, job->folder, "index.html", error) && file_remove(path, error) &&
              style_write(job->folder, error) && writer_open(&page.page, path, error) &&
              write_page(&page, error);
    robust_page_close(&page);
    if (ok)
        return writer_publish(page.page, error);
    writer_discard(page.page);
    return false;
}

bool robust_report_section(const RobustReportJob *job, Writer *out, Error *error)
{
    RobustPage page;
    bool       ok = robust_page_open(&page, job, error);
    page.page     = out;
    if (ok) {
        writer_text(out,
                    "<section id=\"robust\">\n<h2>%s</h2>\n<p class=\"what\">A photo that hardly "
                    "changes should be explained as before. Each photo is explained for its "
                    "label, moved a little, and explained again%s.</p>\n",
                    job->runs[1] ? "How far maps move in two networks" : "How far maps move",
                    job->runs[1] ? ", by two networks" : "");
        robust_page_networks(&page);
        robust_page_findings(&page);
        ok = robust_page_maps(&page, error);
        robust_page_rows(&page);
        writer_text(out, "</section>\n");
    }
    robust_page_close(&page);
    return ok;
}
