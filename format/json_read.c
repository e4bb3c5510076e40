/* format/json_read.c - the reading half of json.h: one loop and a stack of fixed depth. */
#include "json.h"

#include <string.h>

typedef struct Reader {
    const unsigned char *start, *at, *end;
    const char          *name;
    Json                *json;
    int                  room; // of json->nodes
    char                *out;  // next free byte of json->text
    int                  depth;
    int                  open[JSON_DEPTH]; // nodes of the open arrays and objects
    int                  last[JSON_DEPTH]; // their last child so far, -1: none
    Error               *error;
} Reader;

static bool bad(Reader *reader, const char *what)
{
    return fail(reader->error, ERROR_DATA, "%s: JSON byte %zu: %s", reader->name,
                (size_t)(reader->at - reader->start), what);
}

static int peek(Reader *reader) // the next byte that is no blank, -1 at the end
{
    while (reader->at < reader->end && *reader->at && strchr(" \t\r\n", *reader->at))
        reader->at++;
    return reader->at < reader->end ? *reader->at : -1;
}

static bool read_hex4(Reader *reader, unsigned *out)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        int c     = reader->at < reader->end ? *reader->at : 0;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return bad(reader, "\\u needs four hex digits");
        value = value * 16 + (unsigned)digit;
        reader->at++;
    }
    *out = value;
    return true;
}

static void put_code_point(Reader *reader, unsigned c)
{
    char *out = reader->out;
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    reader->out = out;
}

static bool read_escape(Reader *reader)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    int               c      = reader->at < reader->end ? *reader->at++ : 0;
    const char       *letter = c ? strchr(letters, c) : NULL;
    unsigned          code, low;
    if (letter) {
        *reader->out++ = meanings[letter - letters];
        return true;
    }
    if (c != 'u')
        return bad(reader, "unknown escape");
    if (!read_hex4(reader, &code))
        return false;
    if (code >= 0xd800 && code < 0xdc00) {
        if (reader->end - reader->at < 2 || reader->at[0] != '\\' || reader->at[1] != 'u')
            return bad(reader, "half a surrogate pair");
        reader->at += 2;
        if (!read_hex4(reader, &low))
            return false;
        if (low < 0xdc00 || low > 0xdfff)
            return bad(reader, "half a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code < 0xe000) {
        return bad(reader, "half a surrogate pair");
    }
    if (code == 0)
        return bad(reader, "U+0000 in a text");
    put_code_point(reader, code);
    return true;
}

// A text behind its opening quote, decoded; never longer than it was.
static bool read_text(Reader *reader, const char **out)
{
    const unsigned char *start = ++reader->at;
    *out                       = reader->out;
    while (reader->at < reader->end && *reader->at != '"') {
        if (reader->at - start >= JSON_TEXT_BYTES)
            return bad(reader, "text longer than 64 KiB");
        if (*reader->at == '\\') {
            reader->at++;
            if (!read_escape(reader))
                return false;
            continue;
        }
        int n = utf8_length(reader->at, (size_t)(reader->end - reader->at));
        if (n == 0 || *reader->at < 0x20)
            return bad(reader, n == 0 ? "not UTF-8" : "control character in a text");
        memcpy(reader->out, reader->at, (size_t)n);
        reader->out += n;
        reader->at += n;
    }
    if (reader->at == reader->end)
        return bad(reader, "text without end");
    reader->at++;
    *reader->out++ = 0;
    return true;
}

static bool digits(Reader *reader)
{
    const unsigned char *start = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return reader->at > start;
}

static bool next_is(Reader *reader, int c)
{
    return reader->at < reader->end && *reader->at == c;
}

static bool read_number(Reader *reader, const char **out)
{
    const unsigned char *start = reader->at;
    reader->at += next_is(reader, '-');
    if (next_is(reader, '0'))
        reader->at++;
    else if (!digits(reader))
        return bad(reader, "not a value");
    if (next_is(reader, '.')) {
        reader->at++;
        if (!digits(reader))
            return bad(reader, "no digit after the point");
    }
    if (next_is(reader, 'e') || next_is(reader, 'E')) {
        reader->at++;
        reader->at += next_is(reader, '+') || next_is(reader, '-');
        if (!digits(reader))
            return bad(reader, "no digit in the exponent");
    }
    size_t length = (size_t)(reader->at - start);
    if (length > JSON_DIGITS)
        return bad(reader, "number longer than 64 characters");
    *out = memcpy(reader->out, start, length);
    reader->out += length;
    *reader->out++ = 0;
    return true;
}

// Appends a node as the last child of the open array or object; -1 with the error set.
static int add_node(Reader *reader, JsonKind kind, const char *key)
{
    Json *json = reader->json;
    if (json->count == JSON_NODES) {
        bad(reader, "too many values");
        return -1;
    }
    if (json->count == reader->room) {
        JsonNode *more = memory_grow(json->nodes, (size_t)reader->room, (size_t)reader->room * 2,
                                     sizeof *more, reader->error);
        if (!more)
            return -1;
        json->nodes = more;
        reader->room *= 2;
    }
    int node          = json->count++;
    json->nodes[node] = (JsonNode){.kind = kind, .key = key, .first = -1, .next = -1};
    if (reader->depth > 0) {
        int      *last   = &reader->last[reader->depth - 1];
        JsonNode *parent = &json->nodes[reader->open[reader->depth - 1]];
        if (*last < 0)
            parent->first = node;
        else
            json->nodes[*last].next = node;
        *last = node;
        parent->count++;
    }
    return node;
}

static bool read_key(Reader *reader, const char **key)
{
    *key = NULL;
    if (reader->depth == 0)
        return true;
    const JsonNode *nodes = reader->json->nodes, *object = &nodes[reader->open[reader->depth - 1]];
    if (object->kind != JSON_OBJECT)
        return true;
    if (peek(reader) != '"')
        return bad(reader, "expected a key");
    if (object->count == JSON_MEMBERS)
        return bad(reader, "too many members");
    if (!read_text(reader, key))
        return false;
    for (int child = object->first; child >= 0; child = nodes[child].next)
        if (strcmp(nodes[child].key, *key) == 0)
            return bad(reader, "key given twice");
    if (peek(reader) != ':')
        return bad(reader, "expected ':'");
    reader->at++;
    return true;
}

// One value; an array or object is only opened, and *opened tells so.
static bool read_value(Reader *reader, const char *key, bool *opened)
{
    static const struct {
        const char *text;
        JsonKind    kind;
    } words[]        = {{"null", JSON_NULL}, {"true", JSON_TRUE}, {"false", JSON_FALSE}};
    const char *text = NULL;
    int         c    = peek(reader);
    *opened          = c == '{' || c == '[';
    if (*opened) {
        if (reader->depth == JSON_DEPTH)
            return bad(reader, "nested too deeply");
        int node = add_node(reader, c == '{' ? JSON_OBJECT : JSON_ARRAY, key);
        if (node < 0)
            return false;
        reader->at++;
        reader->open[reader->depth]   = node;
        reader->last[reader->depth++] = -1;
        return true;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i].text);
        if ((size_t)(reader->end - reader->at) >= length &&
            memcmp(reader->at, words[i].text, length) == 0) {
            reader->at += length;
            return add_node(reader, words[i].kind, key) >= 0;
        }
    }
    if (!(c == '"' ? read_text(reader, &text) : read_number(reader, &text)))
        return false;
    int node = add_node(reader, c == '"' ? JSON_TEXT : JSON_NUMBER, key);
    if (node >= 0)
        reader->json->nodes[node].text = text;
    return node >= 0;
}

// After a value: closes what ends here. *more: another member of the open array or object follows.
static bool read_ends(Reader *reader, bool just_opened, bool *more)
{
    *more = false;
    while (reader->depth > 0) {
        int  c         = peek(reader);
        bool is_object = reader->json->nodes[reader->open[reader->depth - 1]].kind == JSON_OBJECT;
        if (c == (is_object ? '}' : ']')) {
            reader->at++;
            reader->depth--;
        } else if (just_opened) {
            *more = true;
            return true;
        } else if (c == ',') {
            reader->at++;
            *more = true;
            return true;
        } else {
            return bad(reader, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
        }
        just_opened = false;
    }
    return peek(reader) < 0 || bad(reader, "text after the value");
}

bool json_read(const void *data, size_t size, const char *name, Json *out, Error *error)
{
    enum { FIRST_ROOM = 64 };
    if (size > JSON_BYTES)
        return fail(error, ERROR_DATA, "%s: JSON has %zu bytes, the limit is %d", name, size,
                    JSON_BYTES);
    Json json  = {0};
    json.nodes = memory_new(FIRST_ROOM, sizeof *json.nodes, error);
    json.text  = memory_new(size + 2, 1, error); // a text shrinks, a number grows by one zero
    bool   opened, more = true, ok = json.nodes && json.text;
    Reader reader = {.start = data,
                     .at    = data,
                     .end   = (const unsigned char *)data + size,
                     .name  = name,
                     .json  = &json,
                     .room  = FIRST_ROOM,
                     .out   = json.text,
                     .error = error};
    while (ok && more) {
        const char *key;
        ok = read_key(&reader, &key) && read_value(&reader, key, &opened) &&
             read_ends(&reader, opened, &more);
    }
    if (ok)
        *out = json;
    else
        json_free(&json);
    return ok;
}

void json_free(Json *json)
{
    memory_free(json->nodes);
    memory_free(json->text);
    *json = (Json){0};
}

const JsonNode *json_member(const Json *json, const JsonNode *object, const char *path)
{
    while (object && object->kind == JSON_OBJECT) {
        size_t          length = strcspn(path, ".");
        const JsonNode *found  = NULL;
        for (int child = object->first; child >= 0 && !found; child = json->nodes[child].next)
            if (strncmp(json->nodes[child].key, path, length) == 0 &&
                !json->nodes[child].key[length])
                found = &json->nodes[child];
        if (!path[length])
            return found;
        object = found;
        path += length + 1;
    }
    return NULL;
}

const char *json_member_text(const Json *json, const char *path)
{
    const JsonNode *node = json_member(json, json->nodes, path);
    return node && node->kind == JSON_TEXT ? node->text : NULL;
}
