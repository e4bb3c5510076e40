/* report/map_measures.c - what was measured of attacked photos and clean ones, as a table. */
#include "../format/html.h"
#include "map_page.h"

#include <string.h>

int measure_index(const char *name)
{
    int index = 0;
    while (map_measure_name(index + 1) && strcmp(map_measure_name(index), name) != 0)
        index++;
    return index;
}

// Of the image as it is kept for the pictures, where it was measured.
const MapMeasure *group_of(const MapPage *page, int method, bool softplus, bool control)
{
    const MapMeasure *found = NULL;
    for (int i = 0; i < page->group_count; i++) {
        const MapMeasure *group = page->groups[i];
        if (group->method == method && group->is_softplus == softplus &&
            group->is_control == control && (!found || group->store == STORE_FLOAT))
            found = group;
    }
    return found;
}

bool shows_softplus(const MapPage *page, int method)
{
    const MapResults *results = &page->results;
    double            first = 0, last = 0;
    bool              is_seen = false;
    for (int64_t i = 0; i < results->step_count; i++)
        if (results->steps[i].method == method) {
            last    = results->steps[i].loss.beta;
            first   = is_seen ? first : last;
            is_seen = true;
        }
    return first > 0 && first == last && group_of(page, method, true, false);
}

double median_of(MapPage *page, const MapMeasure *group, const char *measure)
{
    return map_results_median(&page->results, group, measure_index(measure), page->values);
}

static void write_kept(MapPage *page, const MapMeasure *group)
{
    int64_t count = map_results_sorted(&page->results, group, measure_index("class_kept"),
                                       page->values),
            kept  = 0;
    for (int64_t i = 0; i < count; i++)
        kept += page->values[i] > 0;
    writer_text(page->page, "<td>%lld/%lld</td>", (long long)kept, (long long)count);
}

static void write_row(MapPage *page, const MapMeasure *group)
{
    static const struct {
        const char *measure, *format;
    } cells[] = {
        {"map_pcc_target", "%.3f"},   {"map_ssim_target", "%.3f"},   {"map_mse_target", "%.2e"},
        {"map_pcc_original", "%.3f"}, {"map_ssim_original", "%.3f"}, {"map_mse_original", "%.2e"},
        {"image_pcc", "%.4f"},        {"image_ssim", "%.3f"},        {"image_mse", "%.2e"}};
    Writer *out = page->page;
    writer_text(out, "<tr%s><th scope=\"row\">%s</th><td>",
                group->is_control ? " class=\"control\"" : "",
                page->study.methods[group->method]->name);
    html_text(out, group->is_softplus ? "softplus" : page->job->activation, HTML_NAME_LENGTH);
    writer_text(out, "</td><td>%s</td><td>%s</td>", store_arm_name(group->store),
                group->is_control ? "clean" : "attacked");
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        char text[32];
        snprintf(text, sizeof text, cells[i].format, median_of(page, group, cells[i].measure));
        writer_text(out, i == 0 ? "<td><b>%s</b></td>" : "<td>%s</td>", text);
    }
    writer_text(out, "<td>%.3g</td><td>%.3f</td><td>%.3f</td>",
                255 * median_of(page, group, "linf"), median_of(page, group, "probability_before"),
                median_of(page, group, "probability_after"));
    write_kept(page, group);
    writer_text(out, "</tr>\n");
}

void section_measures(MapPage *page)
{
    writer_text(
        page->page,
        "<section id=\"measures\">\n<h2>How alike, and how safely stored</h2>\n<p>Maps are "
        "compared with the one aimed at and with that of the clean photo, by Pearson's "
        "correlation (PCC), structural similarity (SSIM) and the mean squared difference (MSE); "
        "largest is the largest change of a value, in levels of 255. A "
        "row is one way to store the photo before the network sees it; the row below it, the "
        "control, is the clean photo stored in the same way.</p>\n"
        "<p class=\"note hint\">The table scrolls sideways \xe2\x86\x92</p>\n"
        "<div class=\"scroll wide\" tabindex=\"0\" role=\"region\" aria-label=\"Measures\">"
        "<table>\n<caption>%s</caption>\n<thead><tr><th scope=\"col\" rowspan=\"2\">method</th>"
        "<th scope=\"col\" rowspan=\"2\">network</th><th scope=\"col\" rowspan=\"2\">stored as"
        "</th><th scope=\"col\" rowspan=\"2\">photo</th><th scope=\"colgroup\" colspan=\"3\">map "
        "and target</th><th scope=\"colgroup\" colspan=\"3\">map and that of the photo</th><th "
        "scope=\"colgroup\" colspan=\"4\">both photos</th><th scope=\"colgroup\" colspan=\"2\">"
        "probability</th><th scope=\"col\" rowspan=\"2\">class kept</th></tr>\n<tr>",
        page->study.pairs > 1 ? "Medians of the pairs" : "One photo");
    for (int i = 0; i < 3; i++)
        writer_text(page->page, "<th scope=\"col\">PCC</th><th scope=\"col\">SSIM</th><th "
                                "scope=\"col\">MSE</th>");
    writer_text(page->page, "<th scope=\"col\">largest</th><th scope=\"col\">before"
                            "</th><th scope=\"col\">after</th></tr></thead>\n<tbody>\n");
    for (int i = 0; i < page->group_count; i++)
        write_row(page, page->groups[i]);
    writer_text(page->page, "</tbody></table></div>\n</section>\n");
}
