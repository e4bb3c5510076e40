/* tests/test_json.c - JSON out and back, and everything that is no JSON. */
#include "../cli/arguments.h"
#include "../cli/json.h"
#include "test.h"

#include <math.h>
#include <string.h>

static void json_comes_back_as_it_went(void)
{
    static const char *const texts[] = {"plain", "\"quoted\\", "line\nend\ttab\r", "\x01\x1f\x7f",
                                        "gr\xc3\xbc\xc3\x9f", "\xf0\x9f\x90\x8d", ""};
    static const double numbers[] = {0, -1, 0.1, 1e300, 5e-324, 1.0 / 3, -2.5e-7, 123456789012345.0};
    JsonWriter          writer = {0};
    json_open_object(&writer, NULL);
    json_open_array(&writer, "texts");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        json_text(&writer, NULL, texts[i]);
    json_close(&writer);
    json_open_array(&writer, "numbers");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_number(&writer, NULL, numbers[i]);
    json_close(&writer);
    json_natural(&writer, "seed", UINT64_MAX);
    json_number(&writer, "nan", (double)NAN);
    json_number(&writer, "infinity", -(double)INFINITY);
    json_flag(&writer, "yes", true);
    json_open_object(&writer, "empty");
    json_close(&writer);
    json_open_object(&writer, "deep");
    json_text(&writer, "key", "value");
    json_close(&writer);
    json_close(&writer);
    REQUIRE(json_finish(&writer, NULL));
    Json json = {0};
    REQUIRE(json_read(writer.text, writer.length, "test", &json, NULL));
    const JsonNode *list = json_member(&json, json.nodes, "texts");
    REQUIRE(list && list->kind == JSON_ARRAY && list->count == 7);
    int child = list->first;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++, child = json.nodes[child].next)
        CHECK_TEXT(json.nodes[child].text, texts[i]);
    CHECK(child == -1);
    child = json_member(&json, json.nodes, "numbers")->first;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++, child = json.nodes[child].next) {
        double value = -1;
        CHECK(number_parse(json.nodes[child].text, &value) && value == numbers[i]);
    }
    CHECK_TEXT(json_member(&json, json.nodes, "seed")->text, "18446744073709551615");
    CHECK(json_member(&json, json.nodes, "nan")->kind == JSON_NULL);
    CHECK(json_member(&json, json.nodes, "infinity")->kind == JSON_NULL);
    CHECK(json_member(&json, json.nodes, "yes")->kind == JSON_TRUE);
    CHECK(json_member(&json, json.nodes, "empty")->count == 0);
    CHECK_TEXT(json_member_text(&json, "deep.key"), "value");
    CHECK(!json_member_text(&json, "deep.none") && !json_member_text(&json, "seed.x"));
    json_free(&json);
    json_discard(&writer);
}

static void json_writer_replaces_what_is_not_utf8(void)
{
    JsonWriter writer = {0};
    json_text(&writer, NULL, "a\xff\xc0\xaf\xed\xa0\x80z");
    REQUIRE(json_finish(&writer, NULL));
    CHECK_TEXT(writer.text, "\"a\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffdz\"\n");
    json_discard(&writer);
}

static void hostile_json_is_refused(void)
{
    static const char *const wrong[] = {
        "", " ", "{", "[", "}", "[1", "[1,", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
        "{a:1}", "{\"a\":1 \"b\":2}", "[1 2]", "1 2", "[]]", "{}}", "[}", "{]", "nul", "truee", "+1",
        "01", "1.", ".5", "1e", "1e+", "-", "0x1", "NaN", "Infinity", "\"", "\"\\", "\"\\x\"",
        "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\\u0000\"", "\"\n\"",
        "\"\x01\"", "\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
        "\"\xe2\x82\"", "'a'", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "// x", "[1]x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Json  json  = {0};
        Error error = {0};
        if (!CHECK(!json_read(wrong[i], strlen(wrong[i]), "test", &json, &error) &&
                   error.code == ERROR_DATA && !json.nodes))
            printf("  %s\n", wrong[i]);
    }
    Json json = {0};
    CHECK(!json_read("[1]\0", 4, "test", &json, NULL)); // a zero byte is no end
}

static void json_depth_is_limited(void)
{
    char text[2 * JSON_DEPTH + 3];
    Json json = {0};
    for (int depth = JSON_DEPTH; depth <= JSON_DEPTH + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        bool ok = json_read(text, (size_t)depth * 2, "test", &json, NULL);
        CHECK(ok == (depth == JSON_DEPTH));
        json_free(&json);
    }
}

static void json_cut_anywhere_is_refused(void)
{
    static const char text[] = "{\"a\": [1, -2.5e3, \"x\\u00e9\\n\"], \"b\": {\"c\": null}}";
    for (size_t size = 0; size < sizeof text - 1; size++) {
        Json json = {0};
        CHECK(!json_read(text, size, "test", &json, NULL));
    }
    Json json = {0};
    CHECK(json_read(text, sizeof text - 1, "test", &json, NULL));
    json_free(&json);
}

static void json_survives_lack_of_memory(void)
{
    static const char text[] = "{\"a\": [1, 2, 3], \"b\": \"text\"}";
    int64_t           before = memory_live_blocks();
    for (int call = 1; call < 5; call++) {
        Json  json  = {0};
        Error error = {0};
        memory_fail_at(call, true);
        bool ok = json_read(text, sizeof text - 1, "test", &json, &error);
        memory_fail_at(0, false);
        CHECK(ok || error.code == ERROR_MEMORY);
        json_free(&json);
    }
    CHECK(memory_live_blocks() == before);
}

SUITE(json)
{
    RUN(json_comes_back_as_it_went);
    RUN(json_writer_replaces_what_is_not_utf8);
    RUN(hostile_json_is_refused);
    RUN(json_depth_is_limited);
    RUN(json_cut_anywhere_is_refused);
    RUN(json_survives_lack_of_memory);
}
