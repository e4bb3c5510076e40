/* format/json_write.c - the writing half of json.h. */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(JsonWriter *json, const char *text, size_t length)
{
    if (json->error.code)
        return;
    if (json->length + length + 1 > json->room) {
        size_t room = (json->length + length + 1) * 2;
        char  *more = memory_grow(json->text, json->room, room, 1, &json->error);
        if (!more)
            return;
        json->text = more;
        json->room = room;
    }
    memcpy(json->text + json->length, text, length);
    json->length += length;
    json->text[json->length] = 0;
}

static void append_text(JsonWriter *json, const char *text)
{
    append(json, text, strlen(text));
}

static void append_quoted(JsonWriter *json, const char *text)
{
    const unsigned char *at   = (const unsigned char *)text;
    size_t               left = strlen(text);
    append(json, "\"", 1);
    while (left > 0) {
        char escape[8];
        int  n = utf8_length(at, left);
        if (n == 0) {
            append_text(json, "\\ufffd");
            n = 1;
        } else if (*at == '"' || *at == '\\') {
            escape[0] = '\\';
            escape[1] = (char)*at;
            append(json, escape, 2);
        } else if (*at < 0x20 || *at == 0x7f) {
            snprintf(escape, sizeof escape, "\\u%04x", *at);
            append(json, escape, 6);
        } else {
            append(json, (const char *)at, (size_t)n);
        }
        at += n;
        left -= (size_t)n;
    }
    append(json, "\"", 1);
}

// Comma, line break, indent and key: what stands before any value.
static void begin_value(JsonWriter *json, const char *key)
{
    if (json->depth > 0) {
        int level = json->depth - 1;
        append_text(json, json->has_members[level] ? ",\n" : "\n");
        for (int i = 0; i < json->depth; i++)
            append(json, "  ", 2);
        json->has_members[level] = true;
    }
    if (key) {
        append_quoted(json, key);
        append(json, ": ", 2);
    }
}

static void open_level(JsonWriter *json, const char *key, bool is_array)
{
    begin_value(json, key);
    if (json->depth == JSON_DEPTH) {
        fail(&json->error, ERROR_INTERNAL, "JSON deeper than %d levels", JSON_DEPTH);
        return;
    }
    json->has_members[json->depth] = false;
    json->is_array[json->depth++]  = is_array;
    append_text(json, is_array ? "[" : "{");
}

void json_open_object(JsonWriter *json, const char *key)
{
    open_level(json, key, false);
}

void json_open_array(JsonWriter *json, const char *key)
{
    open_level(json, key, true);
}

void json_close(JsonWriter *json)
{
    if (json->error.code)
        return;
    int level = --json->depth;
    if (json->has_members[level]) {
        append_text(json, "\n");
        for (int i = 0; i < level; i++)
            append(json, "  ", 2);
    }
    append_text(json, json->is_array[level] ? "]" : "}");
}

static void add_raw(JsonWriter *json, const char *key, const char *raw)
{
    begin_value(json, key);
    append_text(json, raw);
}

void json_text(JsonWriter *json, const char *key, const char *text)
{
    begin_value(json, key);
    if (text)
        append_quoted(json, text);
    else
        append_text(json, "null");
}

void json_whole(JsonWriter *json, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    add_raw(json, key, text);
}

void json_natural(JsonWriter *json, const char *key, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, value);
    add_raw(json, key, text);
}

void number_text(double value, char out[32])
{
    if (!isfinite(value)) {
        memcpy(out, "null", 5);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            return;
    }
}

void json_number(JsonWriter *json, const char *key, double value)
{
    char text[32];
    number_text(value, text);
    add_raw(json, key, text);
}

void json_flag(JsonWriter *json, const char *key, bool value)
{
    add_raw(json, key, value ? "true" : "false");
}

bool json_finish(JsonWriter *json, Error *error)
{
    append(json, "\n", 1);
    return !json->error.code || fail(error, json->error.code, "%s", json->error.message);
}

void json_discard(JsonWriter *json)
{
    memory_free(json->text);
    *json = (JsonWriter){0};
}
