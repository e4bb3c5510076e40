/* cli/report_facts.c - see report_facts.h. */
#include "report_facts.h"

#include <string.h>

static const char *node_text(const JsonNode *node)
{
    switch (node->kind) {
    case JSON_TRUE:
        return "yes";
    case JSON_FALSE:
        return "no";
    case JSON_NULL:
        return "none";
    default:
        return node->text ? node->text : "";
    }
}

// The items of a flat array with blanks between them; NULL for an array of objects.
static bool join_items(const Json *json, const JsonNode *array, char **out, Error *error)
{
    size_t length = 1;
    *out          = NULL;
    for (int i = array->first; i >= 0; i = json->nodes[i].next) {
        if (json->nodes[i].kind == JSON_ARRAY || json->nodes[i].kind == JSON_OBJECT)
            return true;
        length += strlen(node_text(&json->nodes[i])) + 1;
    }
    char *text = memory_new(length, 1, error);
    if (!text)
        return false;
    size_t used = 0;
    for (int i = array->first; i >= 0; i = json->nodes[i].next) {
        const char *item = node_text(&json->nodes[i]);
        if (used)
            text[used++] = ' ';
        memcpy(text + used, item, strlen(item));
        used += strlen(item);
    }
    *out = text;
    return true;
}

static bool add_fact(const Json *json, const JsonNode *node, const char *group, Facts *facts,
                     Error *error)
{
    ReportFact *fact = &facts->list[facts->count];
    if (facts->count == FACTS || node->kind == JSON_OBJECT)
        return true;
    *fact = (ReportFact){group, node->key, node_text(node)};
    if (node->kind == JSON_ARRAY) {
        if (!join_items(json, node, &facts->owned[facts->count], error))
            return false;
        if (!facts->owned[facts->count])
            return true;
        fact->value = facts->owned[facts->count];
    }
    facts->count++;
    return true;
}

bool facts_collect(const Json *json, Facts *facts, Error *error)
{
    for (int i = json->nodes[0].first; i >= 0; i = json->nodes[i].next)
        if (!add_fact(json, &json->nodes[i], "", facts, error))
            return false;
    for (int i = json->nodes[0].first; i >= 0; i = json->nodes[i].next)
        for (int k = json->nodes[i].kind == JSON_OBJECT ? json->nodes[i].first : -1; k >= 0;
             k     = json->nodes[k].next)
            if (!add_fact(json, &json->nodes[k], json->nodes[i].key, facts, error))
                return false;
    return true;
}

void facts_free(Facts *facts)
{
    for (int i = 0; i < facts->count; i++)
        memory_free(facts->owned[i]);
}

const char *fact_text(const Json *json, const char *name)
{
    const JsonNode *node = json_member(json, &json->nodes[0], name);
    return node ? node_text(node) : "";
}
