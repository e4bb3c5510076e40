/* report/robust_page.c - see robust_page.h. */
#include "robust_page.h"
#include "../format/csv.h"

#include <string.h>

bool robust_has_two(const RobustPage *page)
{
    return page->job->runs[1] != NULL;
}

int robust_run_count(const RobustPage *page)
{
    return robust_has_two(page) ? 2 : 1;
}

int robust_method_place(const RobustMethods *methods, const char *name)
{
    for (int m = 0; m < methods->count; m++)
        if (strcmp(methods->names[m], name) == 0)
            return m;
    return -1;
}

// The first methods of the rows are those of the maps; "none" has none.
static void list_methods(const RobustReportRun *run, RobustMethods *out)
{
    for (int64_t r = 0; r < run->record.row_count; r++) {
        const char *name  = robust_record_text(&run->record, r, "method");
        bool        known = strcmp(name, "none") == 0 || robust_method_place(out, name) >= 0;
        if (!known && out->count < run->methods && out->count < ROBUST_METHODS)
            out->names[out->count++] = name;
    }
}

bool robust_page_number(const RobustRecord *record, int64_t row, const char *column, double *out)
{
    int at = csv_column(record->csv, column);
    return at >= 0 && csv_number(record->csv, row, at, out, NULL);
}

bool robust_page_open(RobustPage *page, const RobustReportJob *job, Error *error)
{
    *page = (RobustPage){.job = job};
    for (int i = 0; i < robust_run_count(page); i++)
        list_methods(job->runs[i], &page->methods[i]);
    return !robust_has_two(page) || robust_compare(&job->runs[0]->record, &job->runs[1]->record,
                                                   &page->pairs, &page->pair_count, error);
}

void robust_page_close(RobustPage *page)
{
    memory_free(page->pairs);
    page->pairs = NULL;
}
