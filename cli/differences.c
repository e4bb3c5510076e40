/* cli/differences.c - see differences.h. */
#include "differences.h"
#include "output.h"

#include <string.h>

const char *setting_text(const Json *json, const char *name)
{
    const JsonNode *settings = json_member(json, json->nodes, "settings");
    const JsonNode *node     = settings ? json_member(json, settings, name) : NULL;
    return node && node->kind == JSON_TEXT ? node->text : NULL;
}

void differences_add(Differences *differences, const char *name, const char *a, const char *b)
{
    if (a && b && strcmp(a, b) != 0 && differences->count < DIFFERENCES)
        differences->list[differences->count++] = (Difference){name, a, b};
}

static bool is_named(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

void differences_find(Differences *differences, const Json *a, const Json *b,
                      const char *const *but)
{
    const JsonNode *list = json_member(a, a->nodes, "settings");
    for (int i = list ? list->first : -1; i >= 0; i = a->nodes[i].next)
        if (!is_named(a->nodes[i].key, but))
            differences_add(differences, a->nodes[i].key, a->nodes[i].text,
                            setting_text(b, a->nodes[i].key));
}

void differences_add_files(Differences *differences, const Json *a, const Json *b)
{
    differences_add(differences, "files_sha256", json_member_text(a, "data.files_sha256"),
                    json_member_text(b, "data.files_sha256"));
    differences_add(differences, "tables_sha256", json_member_text(a, "data.tables_sha256"),
                    json_member_text(b, "data.tables_sha256"));
}

void differences_tell(const Differences *differences, const Settings *settings)
{
    for (int i = 0; i < differences->count; i++)
        note(settings, "note: the runs differ in %s: '%.40s' and '%.40s'",
             differences->list[i].name, differences->list[i].a, differences->list[i].b);
}

void differences_json(const Differences *differences, JsonWriter *json)
{
    json_open_array(json, "differences");
    for (int i = 0; i < differences->count; i++) {
        json_open_object(json, NULL);
        json_text(json, "setting", differences->list[i].name);
        json_text(json, "a", differences->list[i].a);
        json_text(json, "b", differences->list[i].b);
        json_close(json);
    }
    json_close(json);
}
