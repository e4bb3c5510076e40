/* report/map_report.c - the page of a run of maps: what it begins and ends with, and the order of
 * its parts. */
#include "map_report.h"
#include "../format/html.h"
#include "map_page.h"

#include <string.h>

static bool is_manipulation(const MapPage *page)
{
    return strcmp(page->job->verb, "manipulate") == 0;
}

/* ---- header of manipulate -------------------------------------------------------------------- */

// Whether the answer stays: that of the network as it is, whatever its maps are smoothed by.
static void write_answer(MapPage *page, int method, bool softplus)
{
    const MapMeasure *own   = group_of(page, method, false, false);
    const MapMeasure *rows  = own ? own : group_of(page, method, true, false);
    const char       *whose = own && softplus ? " of the network itself" : "";
    int64_t           count =
                map_results_sorted(&page->results, rows, measure_index("class_kept"), page->values),
            kept = 0;
    for (int64_t i = 0; i < count; i++)
        kept += page->values[i] > 0;
    if (count > 1)
        writer_text(page->page, "; the class%s stays in <b>%lld of %lld</b>.</li>\n", whose,
                    (long long)kept, (long long)count);
    else
        writer_text(page->page, "; the class%s %s.</li>\n", whose,
                    kept ? "stays" : "<b>changes</b>");
}

// One method in one sentence, as its attack meant the map: on which network, against its control.
static void write_finding(MapPage *page, int method)
{
    bool              softplus = shows_softplus(page, method);
    const MapMeasure *attacked = group_of(page, method, softplus, false);
    const MapMeasure *control  = group_of(page, method, softplus, true);
    Writer           *out      = page->page;
    if (!attacked)
        return;
    double before = control ? median_of(page, control, "map_pcc_target") : 0;
    writer_text(out, "<li><b>%s</b>%s: ", page->study.methods[method]->name,
                softplus ? " of the network with softplus" : "");
    if (control)
        writer_text(out, "the map\xe2\x80\x99s correlation with its target goes from %.3f to ",
                    before);
    else
        writer_text(out, "the map\xe2\x80\x99s correlation with its target is ");
    writer_text(out, "<b>%.3f</b>, ", median_of(page, attacked, "map_pcc_target"));
    writer_text(out, "that of the photos is %.4f", median_of(page, attacked, "image_pcc"));
    write_answer(page, method, softplus);
}

static void write_findings(MapPage *page, const char *paragraph)
{
    bool pairs = page->job->has_pairs;
    writer_text(page->page,
                "<p class=\"%s\">A map says which pixels counted for the network\xe2\x80\x99s "
                "decision. Here %s changed a little in every pixel, so that the answer stays and "
                "the map becomes %s.%s</p>\n<ul class=\"findings\">\n",
                paragraph, pairs ? "photos were" : "a photo was",
                pairs ? "that of another photo" : "one that was chosen",
                pairs ? " Medians of the pairs:" : "");
    for (int m = 0; m < page->study.method_count; m++)
        write_finding(page, m);
    writer_text(page->page, "</ul>\n");
}

static void write_source(MapPage *page)
{
    const MapReportJob *job = page->job;
    writer_text(page->page, "<p class=\"source\">Maps of ");
    html_name(page->page, job->network);
    writer_text(page->page, ", mode <b>");
    html_text(page->page, job->mode, HTML_NAME_LENGTH);
    writer_text(page->page, "</b>, seed ");
    html_text(page->page, job->seed, 24);
    writer_text(page->page, "</p>\n");
}

static void header_of_manipulation(MapPage *page)
{
    Writer *out = page->page;
    writer_text(out, "<header>\n<p class=\"kicker\">nemesis \xc2\xb7 manipulate report</p>\n<h1>");
    if (page->job->has_pairs)
        writer_text(out, "Explanation maps of %lld pairs, moved", (long long)page->study.pairs);
    else
        writer_text(out, "A photo whose explanation map became another one");
    writer_text(out,
                "</h1>\n<p class=\"lead\">A map says which pixels counted for the "
                "network\xe2\x80\x99s decision. Here %s changed a little in every pixel, so "
                "that the answer stays and the map becomes %s.%s</p>\n<ul class=\"findings\">\n",
                page->job->has_pairs ? "photos were" : "a photo was",
                page->job->has_pairs ? "that of another photo" : "one that was chosen",
                page->job->has_pairs ? " Medians of the pairs:" : "");
    for (int m = 0; m < page->study.method_count; m++)
        write_finding(page, m);
    writer_text(out, "</ul>\n");
    write_source(page);
    writer_text(out,
                "<nav aria-label=\"On this page\"><a href=\"#pictures\">Photos and their maps</a>"
                "<a href=\"#measures\">How alike</a>%s<a href=\"#curves\">Over the steps</a><a "
                "href=\"#again\">Smoothed</a><a href=\"#constants\">Constants</a></nav>\n"
                "</header>\n<main>\n",
                page->job->has_pairs ? "<a href=\"#boxes\">All pairs</a>" : "");
}

/* ---- the run --------------------------------------------------------------------------------- */

static bool find_groups(MapPage *page, Error *error)
{
    for (int64_t i = 0; i < page->results.measure_count; i++) {
        const MapMeasure *row     = &page->results.measures[i];
        bool              is_seen = false;
        for (int k = 0; k < page->group_count && !is_seen; k++)
            is_seen = map_measures_are_alike(page->groups[k], row);
        if (!is_seen && page->group_count == MAP_GROUPS)
            return fail(error, ERROR_DATA, "%s/measures.csv: has more than %d kinds of rows",
                        page->job->run, MAP_GROUPS);
        if (!is_seen)
            page->groups[page->group_count++] = row;
    }
    return true;
}

static bool open_manipulation(MapPage *page, Error *error)
{
    MapResults *results = &page->results;
    if (!map_results_read(page->job->run, &page->study, results, error))
        return false;
    int64_t most = results->measure_count;
    most         = results->smoothing_count > most ? results->smoothing_count : most;
    most         = results->step_count > most ? results->step_count : most;
    page->values = memory_new((size_t)most, sizeof *page->values, error);
    return page->values && find_groups(page, error);
}

static bool manipulation_page(MapPage *page, Error *error)
{
    header_of_manipulation(page);
    writer_text(page->page, "<section id=\"pictures\">\n<h2>Photos and their maps</h2>\n");
    if (!show_cases(page, error))
        return false;
    writer_text(page->page, "</section>\n");
    section_measures(page);
    if (page->job->has_pairs)
        section_boxes(page);
    return section_curves(page, error);
}

/* ---- the page -------------------------------------------------------------------------------- */

static bool write_page(MapPage *page, Error *error)
{
    const MapReportJob *job = page->job;
    page_begin(page->page, job->verb, job->network);
    if (!(is_manipulation(page) ? manipulation_page(page, error) : attribute_page(page, error)))
        return false;
    section_facts(page->page, job->facts, job->fact_count);
    page_end(page->page, "Made by nemesis from the files of the run.", false);
    return true;
}

static bool make_folder(const MapReportJob *job, Error *error)
{
    char path[LIMIT_PATH];
    return path_join(path, job->folder, "pictures", error) && folder_create(path, error);
}

static void map_page_close(MapPage *page)
{
    map_results_close(&page->results);
    memory_free(page->values);
}

bool map_report_section(const MapReportJob *job, Writer *page, Error *error)
{
    MapPage maps = {.job = job, .page = page};
    bool    ok   = open_manipulation(&maps, error) && make_folder(job, error);
    if (ok) {
        writer_text(page, "<section id=\"maps\">\n<h2>A map that was moved</h2>\n");
        write_findings(&maps, "what");
        ok = show_cases(&maps, error);
        writer_text(page, "</section>\n");
    }
    map_page_close(&maps);
    return ok;
}

bool map_report_write(const MapReportJob *job, Error *error)
{
    MapPage page = {.job = job};
    char    path[LIMIT_PATH];
    bool    done = path_join(path, job->folder, "index.html", error) && file_remove(path, error) &&
                (!is_manipulation(&page) || open_manipulation(&page, error)) &&
                make_folder(job, error) && style_write(job->folder, error) &&
                writer_open(&page.page, path, error) && write_page(&page, error);
    if (done) {
        Writer *whole = page.page;
        page.page     = NULL;
        done          = writer_publish(whole, error);
    }
    writer_discard(page.page);
    map_page_close(&page);
    return done;
}
