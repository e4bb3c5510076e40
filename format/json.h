/* format/json.h - JSON out and in (RFC 8259), as far as this program needs it.
 *
 * The writer keeps its text in memory and its first error until json_finish reports it. Bytes that
 * are not UTF-8 become U+FFFD and numbers that are not finite become null, so the result is always
 * valid. The reader is strict: UTF-8 only, no duplicate keys, no U+0000, nothing after the value;
 * at most JSON_DEPTH levels, JSON_NODES values, JSON_MEMBERS members of one object, JSON_TEXT_BYTES
 * of a key or text as written and JSON_DIGITS characters of a number. It does not recurse. */
#ifndef FORMAT_JSON_H
#define FORMAT_JSON_H

#include "../base/base.h"

enum {
    JSON_DEPTH      = 16,
    JSON_NODES      = 1 << 18,
    JSON_MEMBERS    = 1024,
    JSON_BYTES      = 1 << 24,
    JSON_TEXT_BYTES = 1 << 16,
    JSON_DIGITS     = 64
};

/* ---- writing --------------------------------------------------------------------------------- */

typedef struct JsonWriter {
    char  *text; // zero-terminated once anything was written; owned
    size_t length, room;
    int    depth;
    bool   has_members[JSON_DEPTH]; // of the open object or array
    bool   is_array[JSON_DEPTH];
    Error  error;
} JsonWriter;

/* `key` names a member of the open object; NULL inside an array and for the document itself. */
void json_open_object(JsonWriter *json, const char *key);
void json_open_array(JsonWriter *json, const char *key);
void json_close(JsonWriter *json);
void json_text(JsonWriter *json, const char *key, const char *text); // NULL: null
void json_whole(JsonWriter *json, const char *key, int64_t value);
void json_natural(JsonWriter *json, const char *key, uint64_t value);
void json_number(JsonWriter *json, const char *key, double value); // shortest text that reads back
void json_flag(JsonWriter *json, const char *key, bool value);
/* Ends the text with a newline. False with the first error. */
bool json_finish(JsonWriter *json, Error *error);
void json_discard(JsonWriter *json); // accepts a zeroed object

/* The shortest decimal that reads back as `value`; "null" if it is not finite. */
void number_text(double value, char out[32]);

/* ---- reading --------------------------------------------------------------------------------- */

typedef enum JsonKind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_TEXT,
    JSON_ARRAY,
    JSON_OBJECT
} JsonKind;

typedef struct JsonNode {
    JsonKind    kind;
    const char *key;   // of a member, else NULL
    const char *text;  // of a text (decoded) or a number (as written)
    int         first; // first child, -1: none
    int         next;  // next sibling, -1: none
    int         count; // of children
} JsonNode;

typedef struct Json {
    JsonNode *nodes; // nodes[0] is the document
    int       count;
    char     *text; // what keys and texts point into
} Json;

/* `name` is only used in messages. Errors: ERROR_DATA with the byte, ERROR_MEMORY. */
bool json_read(const void *data, size_t size, const char *name, Json *out, Error *error);
void json_free(Json *json); // accepts a zeroed object

/* The member of an object, or NULL. `path` may go down: "weights.sha256". */
const JsonNode *json_member(const Json *json, const JsonNode *object, const char *path);
/* The text of a member, or NULL if there is none or it is no text. */
const char *json_member_text(const Json *json, const char *path);

#endif
