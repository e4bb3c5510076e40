/* cli/accuracy_pages.c - the page of a run of `accuracy`. */
#include "../report/accuracy_report.h"
#include "pages_run.h"

bool pages_of_accuracy(PagesRun *pages, Error *error)
{
    AccuracyReportJob job = {
        .run = pages->told, .facts = pages->facts.list, .fact_count = pages->facts.count};
    if (!pages_begin(pages, NULL, 0, error))
        return false;
    job.folder = pages->run.folder.path;
    return accuracy_report_write(&job, error);
}
