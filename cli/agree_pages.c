/* cli/agree_pages.c - the page of a run of `agree`. */
#include "../report/agree_report.h"
#include "../study/agreement.h"
#include "pages_run.h"

// Names of the methods, from run.json.
static bool find_methods(const PagesRun *pages, const char **names, int *count, Error *error)
{
    const Json     *json = &pages->json;
    const JsonNode *list = json_member(json, &json->nodes[0], "methods");
    *count               = 0;
    if (list && list->kind == JSON_ARRAY && list->count <= AGREE_METHODS)
        for (int i = list->first; i >= 0; i = json->nodes[i].next) {
            const JsonNode *name = json->nodes[i].kind == JSON_OBJECT
                                       ? json_member(json, &json->nodes[i], "name")
                                       : NULL;
            if (name && name->kind == JSON_TEXT)
                names[(*count)++] = name->text;
        }
    return *count >= 2 ||
           fail(error, ERROR_DATA, "%s: run.json names fewer than two methods", pages->told);
}

bool pages_of_agreement(PagesRun *pages, Error *error)
{
    const char    *names[AGREE_METHODS];
    AgreeReportJob job = {.run        = pages->told,
                          .methods    = names,
                          .facts      = pages->facts.list,
                          .fact_count = pages->facts.count};
    if (!find_methods(pages, names, &job.method_count, error) ||
        !pages_begin(pages, NULL, 0, error))
        return false;
    job.folder = pages->run.folder.path;
    return agree_report_write(&job, error);
}
