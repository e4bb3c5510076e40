/* report/robust_report.c - see robust_report.h. */
#include "robust_report.h"
#include "../format/csv.h"
#include "../image/image.h"
#include "page.h"
#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct RobustPage {
    const RobustReportJob *job;
    Writer                *page;
    const char            *methods[ROBUST_METHODS]; // of the first run, in the order of maps.npy
    int                    method_count;
    RobustPair            *pairs; // of two runs
    int64_t                pair_count;
} RobustPage;

static bool has_two(const RobustPage *page)
{
    return page->job->runs[1] != NULL;
}

static int run_count(const RobustPage *page)
{
    return has_two(page) ? 2 : 1;
}

// The first methods of the rows are those of the maps; "none" has none.
static void list_methods(RobustPage *page)
{
    const RobustReportRun *run = page->job->runs[0];
    for (int64_t r = 0; r < run->record.row_count; r++) {
        const char *name  = robust_record_text(&run->record, r, "method");
        bool        known = strcmp(name, "none") == 0;
        for (int m = 0; m < page->method_count; m++)
            known |= strcmp(page->methods[m], name) == 0;
        if (!known && page->method_count < run->methods && page->method_count < ROBUST_METHODS)
            page->methods[page->method_count++] = name;
    }
}

/* ---- pictures -------------------------------------------------------------------------------- */

static uint8_t level(float value)
{
    value = value < 0 ? 0 : value > 1 ? 1 : value;
    return (uint8_t)lrintf(255 * value);
}

// A photo, or a map [cells] in heat colours: black, red, yellow, white at its largest value.
static bool write_picture(const RobustPage *page, const RobustReportRun *run, const char *name,
                          const float *planes, const float *map, Error *error)
{
    size_t cells = (size_t)(run->height * run->width), size = 0;
    Image  image = {
         .width = (int)run->width, .height = (int)run->height, .channels = 3, .orientation = 1};
    char     path[LIMIT_PATH];
    uint8_t *bytes = NULL;
    float    most  = 1e-30f;
    image.pixels   = memory_new(3 * cells, 1, error);
    if (!image.pixels)
        return false;
    for (size_t i = 0; map && i < cells; i++)
        most = fmaxf(most, map[i]);
    for (size_t i = 0; i < cells; i++)
        for (size_t c = 0; c < 3; c++)
            image.pixels[3 * i + c] =
                level(map ? 3 * map[i] / most - (float)c : planes[c * cells + i]);
    bool ok = path_join(path, page->job->folder, name, error) &&
              png_encode(&image, &bytes, &size, error) && file_publish(path, bytes, size, error);
    memory_free(bytes);
    image_free(&image);
    return ok;
}

static bool is_there(const float *map, int64_t cells)
{
    for (int64_t i = 0; i < cells; i++)
        if (map[i] != 0)
            return true;
    return false;
}

static void picture_cell(RobustPage *page, const char *name, const char *what, int64_t image)
{
    writer_text(page->page,
                "<td><div class=\"shot pixels\" style=\"width:128px%s\"><img "
                "src=\"%s\" alt=\"%s of image %lld\" width=\"128\" height=\"128\"></div></td>",
                strcmp(what, "photo") == 0 ? "" : ";margin-left:auto", name, what,
                (long long)image);
}

static bool map_cells(RobustPage *page, int run_index, int method, int64_t image, Error *error)
{
    static const char *const whats[] = {"map", "map after random noise", "map after the attack"};
    const RobustReportRun   *run     = page->job->runs[run_index];
    int64_t                  cells   = run->height * run->width;
    if (method >= run->methods || image >= run->shown)
        return true;
    for (int k = 0; k < 3; k++) {
        const float *map = run->maps + ((method * run->shown + image) * 3 + k) * cells;
        char         name[64];
        if (!is_there(map, cells)) {
            writer_text(page->page, "<td class=\"none\">not made</td>");
            continue;
        }
        snprintf(name, sizeof name, "map-%d-%d-%lld-%d.png", run_index, method, (long long)image,
                 k);
        if (!write_picture(page, run, name, NULL, map, error))
            return false;
        picture_cell(page, name, whats[k], image);
    }
    return true;
}

static void map_heads(RobustPage *page)
{
    writer_text(page->page, "<thead>");
    if (has_two(page))
        writer_text(page->page,
                    "<tr><th></th><th colspan=\"3\">A</th><th colspan=\"3\">B</th></tr>\n");
    writer_text(page->page, "<tr><th>photo</th>");
    for (int i = 0; i < run_count(page); i++)
        writer_text(page->page, "<th>its map</th><th>moved at random</th><th>attacked</th>");
    writer_text(page->page, "</tr></thead>\n<tbody>\n");
}

static bool section_maps(RobustPage *page, Error *error)
{
    const RobustReportRun *run   = page->job->runs[0];
    int64_t                cells = run->height * run->width;
    writer_text(
        page->page,
        "<section id=\"maps\">\n<h2>Maps</h2>\n<p>The first images. Each map is drawn up to "
        "its own largest value; at random: by the largest eps, the first draw.</p>\n");
    for (int m = 0; m < page->method_count; m++) {
        writer_text(page->page, "<h3>");
        html_name(page->page, page->methods[m]);
        writer_text(page->page, "</h3>\n<div class=\"scroll\" tabindex=\"0\"><table>\n");
        map_heads(page);
        for (int64_t i = 0; i < run->shown; i++) {
            char name[64];
            snprintf(name, sizeof name, "photo-%lld.png", (long long)i);
            if (!write_picture(page, run, name, run->photos + 3 * i * cells, NULL, error))
                return false;
            writer_text(page->page, "<tr>");
            picture_cell(page, name, "photo", i);
            if (!map_cells(page, 0, m, i, error) ||
                (has_two(page) && !map_cells(page, 1, m, i, error)))
                return false;
            writer_text(page->page, "</tr>\n");
        }
        writer_text(page->page, "</tbody></table></div>\n");
    }
    writer_text(page->page, "</section>\n");
    return true;
}

/* ---- curves ---------------------------------------------------------------------------------- */

typedef struct Line {
    char   name[64];
    double middle[ROBUST_RATIOS], low[ROBUST_RATIOS], high[ROBUST_RATIOS];
} Line;

static bool number(const RobustRecord *record, int64_t row, const char *column, double *out)
{
    int at = csv_column(record->csv, column);
    return at >= 0 && csv_number(record->csv, row, at, out, NULL);
}

// The curve of a method and measure; false if the run has none.
static bool find_line(const RobustRecord *record, const char *method, const char *measure,
                      Line *out)
{
    int found = 0;
    for (int64_t r = 0; r < record->row_count && found < ROBUST_RATIOS; r++)
        if (strcmp(robust_record_text(record, r, "method"), method) == 0 &&
            strcmp(robust_record_text(record, r, "measure"), measure) == 0 &&
            number(record, r, "value", &out->middle[found]) &&
            number(record, r, "low", &out->low[found]) &&
            number(record, r, "high", &out->high[found])) {
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
        for (int i = 0; i < run_count(page); i++) {
            const RobustRecord *record = &page->job->runs[i]->record;
            if (!find_line(record, method, measures[k], &lines[count]))
                continue;
            snprintf(lines[count].name, sizeof lines[count].name, "%s",
                     has_two(page) ? (i ? "B" : "A") : measures[k]);
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
    bool has_any = false;
    for (int m = 0; m < page->method_count; m++) {
        Line line;
        has_any |= find_line(&page->job->runs[0]->record, page->methods[m], "insertion", &line) ||
                   find_line(&page->job->runs[0]->record, page->methods[m], "deletion", &line) ||
                   find_line(&page->job->runs[0]->record, page->methods[m], "adv-insertion", &line);
    }
    if (!has_any)
        return;
    writer_text(page->page,
                "<section id=\"curves\">\n<h2>What the map finds</h2>\n<p>Pixels stay or "
                "go by the size of their cell in the map; the others take the mean "
                "colour. Bands: 95 %% over images.</p>\n");
    for (int m = 0; m < page->method_count; m++) {
        writer_text(page->page, "<h3>");
        html_name(page->page, page->methods[m]);
        writer_text(page->page, "</h3>\n<div class=\"charts\">\n");
        show_lines(page, page->methods[m]);
        writer_text(page->page, "</div>\n");
    }
    writer_text(page->page, "</section>\n");
}

/* ---- the table ------------------------------------------------------------------------------- */

static void text_cells(RobustPage *page, int64_t row)
{
    static const char *const columns[] = {"method", "measure", "setting", "similarity"};
    for (int k = 0; k < 4; k++) {
        writer_text(page->page, k ? "<td>" : "<th scope=\"row\">");
        html_text(page->page, robust_record_text(&page->job->runs[0]->record, row, columns[k]), 24);
        writer_text(page->page, k ? "</td>" : "</th>");
    }
}

static void one_row(RobustPage *page, int64_t row)
{
    const RobustRecord *record = &page->job->runs[0]->record;
    double              value = 0, low = 0, high = 0;
    number(record, row, "value", &value);
    number(record, row, "low", &low);
    number(record, row, "high", &high);
    writer_text(page->page, "<tr>");
    text_cells(page, row);
    writer_text(page->page, "<td>%.4g</td><td>%.4g to %.4g</td></tr>\n", value, low, high);
}

static void pair_row(RobustPage *page, const RobustPair *pair)
{
    writer_text(page->page, "<tr>");
    text_cells(page, pair->row_a);
    writer_text(page->page,
                "<td>%.4g</td><td>%.4g</td><td>%.4g</td><td>%.4g to %.4g</td><td>%.2g</td></tr>\n",
                pair->value_a, pair->value_b, pair->difference, pair->low, pair->high, pair->p);
}

static bool is_main(const RobustRecord *record, int64_t row)
{
    return robust_row_is_main(robust_record_text(record, row, "measure"),
                              robust_record_text(record, row, "setting"));
}

static void section_rows(RobustPage *page)
{
    const RobustRecord *record = &page->job->runs[0]->record;
    writer_text(
        page->page,
        "<section id=\"rows\">\n<h2>Every measure</h2>\n<p>Means over %lld images with their "
        "95 %% intervals, which do not cover other draws, seeds or trainings. Rows of "
        "setting 0 are controls: nothing moved.</p>\n<div class=\"scroll tall wide\" "
        "tabindex=\"0\"><table>\n<thead><tr><th>method</th><th>measure</th><th>setting</th>"
        "<th>similarity</th>%s</tr></thead>\n<tbody>\n",
        (long long)record->images,
        has_two(page) ? "<th>A</th><th>B</th><th>B - A</th><th>95 %</th><th>p</th>"
                      : "<th>value</th><th>95 %</th>");
    for (int64_t r = 0; r < record->row_count && !has_two(page); r++)
        if (is_main(record, r))
            one_row(page, r);
    for (int64_t i = 0; i < page->pair_count; i++)
        if (is_main(record, page->pairs[i].row_a))
            pair_row(page, &page->pairs[i]);
    writer_text(page->page, "</tbody></table></div>\n</section>\n");
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
    for (int i = 0; has_two(page) && i < 2; i++) {
        writer_text(page->page, "<p>%c: ", 'A' + i);
        html_name(page->page, job->runs[i]->name);
        writer_text(page->page, ", ");
        html_name(page->page, job->runs[i]->network);
        writer_text(page->page, "</p>\n");
    }
    writer_text(page->page, "</header>\n<main>\n");
}

static bool write_page(RobustPage *page, Error *error)
{
    write_head(page);
    if (!section_maps(page, error))
        return false;
    section_lines(page);
    section_rows(page);
    section_facts(page->page, page->job->facts, page->job->fact_count);
    page_end(page->page, "Made by nemesis from the files of the run.", false);
    return true;
}

bool robust_report_write(const RobustReportJob *job, Error *error)
{
    RobustPage page = {.job = job};
    char       path[LIMIT_PATH];
    list_methods(&page);
    bool ok = (!has_two(&page) || robust_compare(&job->runs[0]->record, &job->runs[1]->record,
                                                 &page.pairs, &page.pair_count, error)) &&
              path_join(path, job->folder, "index.html", error) && file_remove(path, error) &&
              style_write(job->folder, error) && writer_open(&page.page, path, error) &&
              write_page(&page, error);
    memory_free(page.pairs);
    if (ok)
        return writer_publish(page.page, error);
    writer_discard(page.page);
    return false;
}
