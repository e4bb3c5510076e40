/* tests/fuzz/fuzz_json.c - any bytes as JSON; what is read comes back from our own writer. */
#include "../../format/json.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

// Numbers are written as texts: a reader keeps any of them, a writer only those of a double.
static void write_node(JsonWriter *out, const JsonNode *node)
{
    switch (node->kind) {
    case JSON_NULL:
        json_text(out, node->key, NULL);
        break;
    case JSON_FALSE:
    case JSON_TRUE:
        json_flag(out, node->key, node->kind == JSON_TRUE);
        break;
    case JSON_NUMBER:
    case JSON_TEXT:
        json_text(out, node->key, node->text);
        break;
    case JSON_ARRAY:
        json_open_array(out, node->key);
        break;
    case JSON_OBJECT:
        json_open_object(out, node->key);
        break;
    }
}

static void write_again(JsonWriter *out, const Json *json)
{
    int open[JSON_DEPTH], depth = 0, node = 0;
    for (;;) {
        const JsonNode *at      = &json->nodes[node];
        bool            is_list = at->kind == JSON_ARRAY || at->kind == JSON_OBJECT;
        write_node(out, at);
        if (is_list && at->first >= 0) {
            open[depth++] = node;
            node          = at->first;
            continue;
        }
        if (is_list)
            json_close(out);
        while (depth > 0 && json->nodes[node].next < 0) {
            node = open[--depth];
            json_close(out);
        }
        if (depth == 0)
            return;
        node = json->nodes[node].next;
    }
}

void fuzz_json(const uint8_t *data, size_t size)
{
    Json       json = {0}, back = {0};
    JsonWriter out = {0};
    if (!json_read(data, size, "fuzz.json", &json, NULL))
        return;
    json_member(&json, json.nodes, "a.b");
    json_member_text(&json, "weights.sha256");
    write_again(&out, &json);
    FUZZ_CHECK(json_finish(&out, NULL));
    FUZZ_CHECK(json_read(out.text, out.length, "back.json", &back, NULL));
    FUZZ_CHECK(back.count == json.count);
    for (int i = 0; i < json.count; i++) {
        const JsonNode *a = &json.nodes[i], *b = &back.nodes[i];
        FUZZ_CHECK(a->count == b->count && a->first == b->first && a->next == b->next);
        FUZZ_CHECK(same_text(a->key, b->key) && same_text(a->text, b->text));
    }
    json_free(&back);
    json_free(&json);
    json_discard(&out);
}
