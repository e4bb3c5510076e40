/* cli/robust_pages.c - the pages of a run of `robustness`, or of two side by side. */
#include "pages_run.h"

bool robust_pages_read(const Json *json, const char *told, RobustReportRun *out, Error *error)
{
    if (!robust_report_read(out, told, error))
        return false;
    out->network    = fact_text(json, "weights.architecture");
    out->weights    = fact_text(json, "weights.path");
    out->recipe     = fact_text(json, "weights.source");
    out->has_levels = preparation_levels(json, out->step, out->middle);
    return true;
}

bool pages_of_robustness(PagesRun *pages, Error *error)
{
    const BesideRun *beside = &pages->robust[0];
    RobustReportRun  first = {0}, second = {0};
    RobustReportJob  job = {.runs       = {&first, beside->told ? &second : NULL},
                            .facts      = pages->facts.list,
                            .fact_count = pages->facts.count};
    bool             ok  = robust_pages_read(&pages->json, pages->told, &first, error) &&
              (!beside->told || robust_pages_read(&beside->json, beside->told, &second, error)) &&
              pages_begin(pages, NULL, 0, error);
    job.folder = pages->run.folder.path;
    ok         = ok && robust_report_write(&job, error);
    robust_report_close(&first);
    robust_report_close(&second);
    return ok;
}
