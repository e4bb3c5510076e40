/* cli/map_pages.c - the pages of runs of `attribute` and `manipulate`, from their files alone. */
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

bool map_pages_job(const Json *json, const char *told, MapReportJob *out, Error *error)
{
    const char *pairs = json_member_text(json, "settings.pairs");
    *out              = (MapReportJob){.seed      = fact_text(json, "seed"),
                                       .run       = told,
                                       .has_pairs = pairs && strcmp(pairs, "0") != 0};
    return run_need(json, told, "verb", &out->verb, error) &&
           run_need(json, told, "weights.architecture", &out->network, error) &&
           run_need(json, told, "compat.mode", &out->mode, error) &&
           (strcmp(out->verb, verb_attribute.name) == 0 ||
            read_levels(json, told, out->levels, error));
}

bool pages_of_maps(PagesRun *pages, Error *error)
{
    MapReportJob job;
    if (!map_pages_job(&pages->json, pages->told, &job, error) ||
        !pages_begin(pages, NULL, 0, error))
        return false;
    job.facts      = pages->facts.list;
    job.fact_count = pages->facts.count;
    job.folder     = pages->run.folder.path;
    return map_report_write(&job, error);
}
