/* cli/robust_pages.c - the pages of a run of `robustness`, or of two side by side. */
#include "compare_robustness.h"
#include "pages_run.h"

static bool read_run(const BesideRun *run, RobustReportRun *out, Error *error)
{
    if (!robust_report_read(out, run->told, error))
        return false;
    out->network    = fact_text(&run->json, "weights.architecture");
    out->weights    = fact_text(&run->json, "weights.path");
    out->recipe     = fact_text(&run->json, "weights.source");
    out->has_levels = preparation_levels(&run->json, out->step, out->middle);
    return true;
}

static bool pair_runs(RobustPages *pages, const BesideRun *first, const BesideRun *second,
                      Error *error)
{
    if (!robustness_runs_pair(&first->json, first->told, &second->json, second->told, &pages->found,
                              error))
        return false;
    for (int i = 0; i < pages->found.count; i++) {
        const Difference *found = &pages->found.list[i];
        pages->differences[i]   = (RobustDifference){found->name, found->a, found->b};
    }
    pages->job.runs[1]          = &pages->runs[1];
    pages->job.differences      = pages->differences;
    pages->job.difference_count = pages->found.count;
    return true;
}

bool robust_pages_open(RobustPages *pages, const BesideRun *first, const BesideRun *second,
                       Error *error)
{
    *pages             = (RobustPages){0};
    pages->job.runs[0] = &pages->runs[0];
    return read_run(first, &pages->runs[0], error) &&
           (!second || !second->told ||
            (read_run(second, &pages->runs[1], error) && pair_runs(pages, first, second, error)));
}

void robust_pages_close(RobustPages *pages)
{
    robust_report_close(&pages->runs[0]);
    robust_report_close(&pages->runs[1]);
}

bool pages_of_robustness(PagesRun *pages, Error *error)
{
    const BesideRun first  = {pages->told, pages->json};
    RobustPages    *robust = memory_new(1, sizeof *robust, error);
    if (!robust)
        return false;
    bool ok = robust_pages_open(robust, &first, &pages->robust[0], error) &&
              pages_begin(pages, NULL, 0, error);
    robust->job.facts      = pages->facts.list;
    robust->job.fact_count = pages->facts.count;
    robust->job.folder     = pages->run.folder.path;
    ok                     = ok && robust_report_write(&robust->job, error);
    robust_pages_close(robust);
    memory_free(robust);
    return ok;
}
