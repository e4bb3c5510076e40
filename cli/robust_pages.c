/* cli/robust_pages.c - the pages of a run of `robustness`, or of two side by side. */
#include "../report/robust_report.h"
#include "commands.h"
#include "compare_robustness.h"
#include "outputs.h"
#include "pages_run.h"

static const char *network_of(const Json *json)
{
    const char *name = json_member_text(json, "weights.architecture");
    return name ? name : "a network";
}

static bool read_second(const char *told, Json *json, RobustReportRun *out, Error *error)
{
    if (!is_robustness_run(told))
        return fail(error, ERROR_USAGE, "two runs have one page if both are of robustness");
    if (!run_folder_read(told, json, error) || !robust_report_read(out, told, error))
        return false;
    out->network = network_of(json);
    return true;
}

bool pages_of_robustness(PagesRun *pages, Error *error)
{
    const char     *told   = pages->settings.input_count > 1 ? pages->settings.inputs[1] : NULL;
    const UsedPath  used[] = {{"the run", pages->told}, {"the second run", told}};
    RobustReportRun first = {0}, second = {0};
    Json            json = {0};
    RobustReportJob job  = {.runs       = {&first, told ? &second : NULL},
                            .facts      = pages->facts.list,
                            .fact_count = pages->facts.count};
    bool            ok   = robust_report_read(&first, pages->told, error) &&
              (!told || read_second(told, &json, &second, error)) &&
              pages_begin(pages, used, 2, error);
    first.network = network_of(&pages->json);
    job.folder    = pages->run.folder.path;
    ok            = ok && robust_report_write(&job, error);
    robust_report_close(&first);
    robust_report_close(&second);
    json_free(&json);
    return ok;
}
