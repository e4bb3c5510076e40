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

// Three numbers of the preparation, each over the scale.
static bool read_channels(const Json *json, const char *name, double scale, float out[3])
{
    const JsonNode *list  = json_member(json, &json->nodes[0], name);
    double          value = 0;
    bool            ok    = list && list->kind == JSON_ARRAY && list->count == 3;
    for (int c = 0, node = ok ? list->first : -1; ok && c < 3; c++, node = json->nodes[node].next) {
        ok     = number_of(&json->nodes[node], &value) && isfinite(value / scale);
        out[c] = (float)(value / scale);
    }
    return ok;
}

bool preparation_levels(const Json *json, float step[3], float middle[3])
{
    double scale = 0;
    return number_of(json_member(json, &json->nodes[0], "preparation.scale"), &scale) &&
           scale > 0 && read_channels(json, "preparation.std", scale, step) &&
           read_channels(json, "preparation.mean", scale, middle);
}

bool map_pages_job(const Json *json, const char *told, MapReportJob *out, Error *error)
{
    const char *pairs = json_member_text(json, "settings.pairs");
    const char *own   = json_member_text(json, "activation.name");
    float       middle[3];
    *out = (MapReportJob){.seed       = fact_text(json, "seed"),
                          .run        = told,
                          .activation = own ? own : "ReLU", // older runs do not say
                          .is_relu    = strcmp(fact_text(json, "activation.is_relu"), "no") != 0,
                          .has_pairs  = pairs && strcmp(pairs, "0") != 0};
    return run_need(json, told, "verb", &out->verb, error) &&
           run_need(json, told, "weights.architecture", &out->network, error) &&
           run_need(json, told, "compat.mode", &out->mode, error) &&
           (strcmp(out->verb, verb_attribute.name) == 0 ||
            preparation_levels(json, out->levels, middle) ||
            fail(error, ERROR_DATA, "%s/run.json: has no preparation of images", told));
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
