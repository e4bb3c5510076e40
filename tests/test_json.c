/* tests/test_json.c - JSON out and back, and everything that is no JSON. */
#include "../cli/arguments.h"
#include "../format/json.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void json_comes_back_as_it_went(void)
{
    static const char *const texts[]   = {"plain",
                                          "\"quoted\\",
                                          "line\nend\ttab\r",
                                          "\x01\x1f\x7f",
                                          "gr\xc3\xbc\xc3\x9f",
                                          "\xf0\x9f\x90\x8d",
                                          ""};
    static const double      numbers[] = {0,      -1,      0.1,     1e300,
                                          5e-324, 1.0 / 3, -2.5e-7, 123456789012345.0};
    JsonWriter               writer    = {0};
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
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "byte 0: not a value"},
        {" ", "byte 1: not a value"},
        {"{", "byte 1: expected a key"},
        {"[", "byte 1: not a value"},
        {"}", "byte 0: not a value"},
        {"[1", "byte 2: expected ',' or ']'"},
        {"[1,", "byte 3: not a value"},
        {"[1,]", "byte 3: not a value"},
        {"[,1]", "byte 1: not a value"},
        {"{\"a\"}", "byte 4: expected ':'"},
        {"{\"a\":}", "byte 5: not a value"},
        {"{\"a\":1,}", "byte 7: expected a key"},
        {"{a:1}", "byte 1: expected a key"},
        {"{\"a\":1 \"b\":2}", "byte 7: expected ',' or '}'"},
        {"[1 2]", "byte 3: expected ',' or ']'"},
        {"1 2", "byte 2: text after the value"},
        {"[]]", "byte 2: text after the value"},
        {"{}}", "byte 2: text after the value"},
        {"[}", "byte 1: not a value"},
        {"{]", "byte 1: expected a key"},
        {"nul", "byte 0: not a value"},
        {"truee", "byte 4: text after the value"},
        {"+1", "byte 0: not a value"},
        {"01", "byte 1: text after the value"},
        {"1.", "byte 2: no digit after the point"},
        {".5", "byte 0: not a value"},
        {"1e", "byte 2: no digit in the exponent"},
        {"1e+", "byte 3: no digit in the exponent"},
        {"-", "byte 1: not a value"},
        {"0x1", "byte 1: text after the value"},
        {"NaN", "byte 0: not a value"},
        {"Infinity", "byte 0: not a value"},
        {"\"", "byte 1: text without end"},
        {"\"\\", "byte 2: unknown escape"},
        {"\"\\x\"", "byte 3: unknown escape"},
        {"\"\\u12\"", "byte 5: \\u needs four hex digits"},
        {"\"\\ud800\"", "byte 7: half a surrogate pair"},
        {"\"\\ud800\\u0041\"", "byte 13: half a surrogate pair"},
        {"\"\\udc00\"", "byte 7: half a surrogate pair"},
        {"\"\\u0000\"", "byte 7: U+0000 in a text"},
        {"\"\n\"", "byte 1: control character in a text"},
        {"\"\x01\"", "byte 1: control character in a text"},
        {"\"\xff\"", "byte 1: not UTF-8"},
        {"\"\xc0\xaf\"", "byte 1: not UTF-8"},
        {"\"\xed\xa0\x80\"", "byte 1: not UTF-8"},
        {"\"\xf4\x90\x80\x80\"", "byte 1: not UTF-8"},
        {"\"\xe2\x82\"", "byte 1: not UTF-8"},
        {"'a'", "byte 0: not a value"},
        {"{\"a\":1,\"a\":2}", "byte 10: key given twice"},
        {"{\"a\":1,\"\\u0061\":2}", "byte 15: key given twice"},
        {"// x", "byte 0: not a value"},
        {"[1]x", "byte 3: text after the value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Json  json  = {0};
        Error error = {0};
        CHECK(!json_read(cases[i].text, strlen(cases[i].text), "t", &json, &error) && !json.nodes);
        CHECK_REFUSED("json", &error, cases[i].message);
    }
    Json  json  = {0};
    Error error = {0};
    CHECK(!json_read("[1]\0", 4, "test", &json, &error)); // a zero byte is no end
    CHECK_REFUSED("json", &error, "byte 3: text after the value");
}

// `count` times `text` between two ends: at the limit it is read, one more is refused.
static void check_limit(const char *before, const char *text, size_t count, const char *after,
                        const char *message)
{
    size_t length = strlen(text), used = strlen(before);
    char  *all = memory_new(used + (count + 1) * length + strlen(after) + 1, 1, NULL);
    for (size_t more = 0; more < 2; more++) {
        Json  json  = {0};
        Error error = {0};
        used        = strlen(before);
        memcpy(all, before, used);
        for (size_t i = 0; i < count + more; i++, used += length)
            memcpy(all + used, text, length);
        memcpy(all + used, after, strlen(after) + 1);
        CHECK(json_read(all, strlen(all), "t", &json, &error) == !more);
        if (more)
            CHECK_REFUSED("json", &error, message);
        json_free(&json);
    }
    memory_free(all);
}

static void json_limits_hold(void)
{
    check_limit("\"", "x", JSON_TEXT_BYTES, "\"", "text longer than 64 KiB");
    check_limit("", "1", JSON_DIGITS, "", "number longer than 64 characters");
    check_limit("[", "0,", JSON_NODES - 2, "0]", "too many values");
    char  *text  = memory_new(JSON_BYTES + 1, 1, NULL);
    Json   json  = {0};
    Error  error = {0}, members = {0};
    size_t used = 1;
    memset(text, ' ', JSON_BYTES);
    CHECK(!json_read(text, JSON_BYTES + 1, "t", &json, &error));
    CHECK_REFUSED("json", &error, "JSON has 16777217 bytes, the limit is 16777216");
    text[0] = '{';
    for (int i = 0; i <= JSON_MEMBERS; i++)
        used += (size_t)sprintf(text + used, "\"%d\":0,", i);
    CHECK(!json_read(text, used, "t", &json, &members));
    CHECK_REFUSED("json", &members, "too many members");
    memory_free(text);
}

static void json_depth_is_limited(void)
{
    char text[2 * JSON_DEPTH + 3];
    Json json = {0};
    for (int depth = JSON_DEPTH; depth <= JSON_DEPTH + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        Error error = {0};
        bool  ok    = json_read(text, (size_t)depth * 2, "test", &json, &error);
        CHECK(ok == (depth == JSON_DEPTH));
        if (!ok)
            CHECK_REFUSED("json", &error, "byte 16: nested too deeply");
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
    RUN(json_limits_hold);
    RUN(json_depth_is_limited);
    RUN(json_cut_anywhere_is_refused);
    RUN(json_survives_lack_of_memory);
}
