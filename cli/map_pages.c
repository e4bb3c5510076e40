/* cli/map_pages.c - the pages of runs of `attribute` and `manipulate`, from their files alone. */
#include "../report/map_report.h"
#include "clean_run.h"
#include "commands.h"
#include "outputs.h"
#include "pages_run.h"

#include <math.h>
#include <string.h>

static bool number_of(const JsonNode *node, double *out)
{
    return node && node->kind == JSON_NUMBER && number_parse(node->text, out);
}

// std / scale of each channel: what a unit of the prepared image is in pixels of 0..1.
static bool read_levels(const Json *json, const char *told, float levels[3], Error *error)
{
    const JsonNode *std   = json_member(json, &json->nodes[0], "preparation.std");
    double          scale = 0, value = 0;
    bool ok = number_of(json_member(json, &json->nodes[0], "preparation.scale"), &scale) &&
              scale > 0 && std && std->kind == JSON_ARRAY && std->count == 3;
    for (int c = 0, node = ok ? std->first : -1; ok && c < 3; c++, node = json->nodes[node].next) {
        ok        = number_of(&json->nodes[node], &value) && isfinite(value / scale);
        levels[c] = (float)(value / scale);
    }
    return ok || fail(error, ERROR_DATA, "%s/run.json: has no preparation of images", told);
}

bool pages_of_maps(PagesRun *pages, Error *error)
{
    const Json    *json   = &pages->json;
    const UsedPath used[] = {{"the run", pages->told}};
    const char    *paired = json_member_text(json, "settings.pairs");
    MapReportJob   job    = {.verb       = pages->verb,
                             .seed       = fact_text(json, "seed"),
                             .run        = pages->told,
                             .has_pairs  = paired && strcmp(paired, "0") != 0,
                             .facts      = pages->facts.list,
                             .fact_count = pages->facts.count};
    if (!run_need(json, pages->told, "weights.architecture", &job.network, error) ||
        !run_need(json, pages->told, "compat.mode", &job.mode, error) ||
        (strcmp(job.verb, verb_attribute.name) != 0 &&
         !read_levels(json, pages->told, job.levels, error)) ||
        !pages_begin(pages, used, 1, error))
        return false;
    job.folder = pages->run.folder.path;
    return map_report_write(&job, error);
}
