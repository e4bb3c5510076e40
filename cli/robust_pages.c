/* cli/robust_pages.c - the pages of a run of `robustness`, or of two side by side. */
#include "../report/robust_report.h"
#include "pages_run.h"

static const char *network_of(const Json *json)
{
    const char *name = json_member_text(json, "weights.architecture");
    return name ? name : "a network";
}

bool pages_of_robustness(PagesRun *pages, Error *error)
{
    RobustReportRun first = {0}, second = {0};
    RobustReportJob job = {.runs       = {&first, pages->second ? &second : NULL},
                           .facts      = pages->facts.list,
                           .fact_count = pages->facts.count};
    bool            ok  = robust_report_read(&first, pages->told, error) &&
              (!pages->second || robust_report_read(&second, pages->second, error)) &&
              pages_begin(pages, NULL, 0, error);
    first.network  = network_of(&pages->json);
    second.network = pages->second ? network_of(&pages->second_json) : NULL;
    job.folder     = pages->run.folder.path;
    ok             = ok && robust_report_write(&job, error);
    robust_report_close(&first);
    robust_report_close(&second);
    return ok;
}
