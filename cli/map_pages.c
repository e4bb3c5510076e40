/* cli/map_pages.c - see map_pages.h. */
#include "map_pages.h"
#include "clean_run.h"
#include "commands.h"

#include <math.h>
#include <string.h>

bool verb_has_maps(const char *verb)
{
    return strcmp(verb, verb_attribute.name) == 0 || strcmp(verb, verb_manipulate.name) == 0;
}

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

bool map_pages_job(const Json *json, const char *told, const char *folder, MapReportJob *out,
                   Error *error)
{
    const char *pairs = json_member_text(json, "settings.pairs");
    *out              = (MapReportJob){.seed      = fact_text(json, "seed"),
                                       .run       = told,
                                       .has_pairs = pairs && strcmp(pairs, "0") != 0,
                                       .folder    = folder};
    return run_need(json, told, "verb", &out->verb, error) &&
           run_need(json, told, "weights.architecture", &out->network, error) &&
           run_need(json, told, "compat.mode", &out->mode, error) &&
           (strcmp(out->verb, verb_attribute.name) == 0 ||
            read_levels(json, told, out->levels, error));
}
