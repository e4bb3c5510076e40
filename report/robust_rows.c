/* report/robust_rows.c - the rows of a run of robustness, or of two with their differences. */
#include "robust_page.h"

#include <string.h>

static void text_cells(RobustPage *page, int64_t row)
{
    static const char *const columns[] = {"method", "measure", "setting", "similarity"};
    for (int k = 0; k < 4; k++) {
        writer_text(page->page, k ? "<td>" : "<th scope=\"row\">");
        html_text(page->page, robust_record_text(&page->job->runs[0]->record, row, columns[k]),
                  k == 2 ? 7 : 24);
        writer_text(page->page, k ? "</td>" : "</th>");
    }
}

static void one_row(RobustPage *page, int64_t row)
{
    const RobustRecord *record = &page->job->runs[0]->record;
    double              value = 0, low = 0, high = 0;
    robust_page_number(record, row, "value", &value);
    robust_page_number(record, row, "low", &low);
    robust_page_number(record, row, "high", &high);
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

void robust_page_rows(RobustPage *page)
{
    const RobustRecord *record = &page->job->runs[0]->record;
    writer_text(page->page,
                "<p>Means over %lld images with their "
                "95 %% intervals, which do not cover other draws, seeds or trainings. Rows of "
                "setting 0 are controls: nothing moved.</p>\n<div class=\"scroll tall wide\" "
                "tabindex=\"0\"><table>\n<thead><tr><th>method</th><th>measure</th><th>setting</th>"
                "<th>similarity</th>%s</tr></thead>\n<tbody>\n",
                (long long)record->images,
                robust_has_two(page) ? "<th>A</th><th>B</th><th>B - A</th><th>95 %</th><th>p</th>"
                                     : "<th>value</th><th>95 %</th>");
    for (int64_t r = 0; r < record->row_count && !robust_has_two(page); r++)
        if (is_main(record, r))
            one_row(page, r);
    for (int64_t i = 0; i < page->pair_count; i++)
        if (is_main(record, page->pairs[i].row_a))
            pair_row(page, &page->pairs[i]);
    writer_text(page->page, "</tbody></table></div>\n");
}
