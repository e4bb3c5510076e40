/* tests/token_tables.c - see token_tables.h. */
#include "token_tables.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_plain(int byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

int small_letter(int byte, char out[4])
{
    int point = byte;
    if (!is_plain(byte)) {
        point = 0x100;
        for (int before = 0; before < byte; before++)
            point += !is_plain(before);
    }
    if (point < 0x80)
        return snprintf(out, 4, "%c", point);
    return snprintf(out, 4, "%c%c", 0xC0 | point >> 6, 0x80 | (point & 0x3F));
}

static void add(SmallTables *tables, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(SmallTables *tables, const char *format, ...)
{
    size_t  used = tables->tables.vocabulary_bytes;
    va_list arguments;
    va_start(arguments, format);
    used += (size_t)vsnprintf(tables->vocabulary + used, SMALL_TABLE - used, format, arguments);
    va_end(arguments);
    assert(used < SMALL_TABLE);
    tables->tables.vocabulary_bytes = used;
}

static void add_bytes(SmallTables *tables, const char *word_end)
{
    char letter[4];
    for (int plain = 1; plain >= 0; plain--)
        for (int byte = 0; byte < 256; byte++)
            if (is_plain(byte) == plain) {
                int length = small_letter(byte, letter);
                add(tables, "%.*s%s\n", length, letter, word_end);
            }
}

static bool has_token(const SmallTables *tables, const char *token, size_t size)
{
    size_t      there;
    const char *found;
    for (int32_t id = 0; (found = small_token(tables, id, &there)); id++)
        if (there == size && memcmp(found, token, size) == 0)
            return true;
    return false;
}

static void add_merged(SmallTables *tables)
{
    for (const char *line = tables->merges; *line; line = strchr(line, '\n') + 1) {
        char        token[256];
        const char *space = strchr(line, ' ');
        int         size  = snprintf(token, sizeof token, "%.*s%.*s", (int)(space - line), line,
                                     (int)strcspn(space + 1, "\n"), space + 1);
        assert(size < (int)sizeof token);
        if (!has_token(tables, token, (size_t)size))
            add(tables, "%s\n", token);
    }
}

void small_tables(SmallTables *out, TokenizerKind kind, const char *merges)
{
    out->tables = (TokenTables){.name         = "small.nw",
                                .vocabulary   = out->vocabulary,
                                .merges       = out->merges,
                                .merges_bytes = strlen(merges)};
    assert(out->tables.merges_bytes < SMALL_TABLE);
    memcpy(out->merges, merges, out->tables.merges_bytes + 1);
    if (kind != TOKENIZER_CLIP)
        add(out, "<s>\n</s>\n");
    add_bytes(out, "");
    if (kind == TOKENIZER_CLIP)
        add_bytes(out, "</w>");
    add_merged(out);
    if (kind == TOKENIZER_CLIP)
        add(out, "<|startoftext|>\n<|endoftext|>\n");
}

const char *small_token(const SmallTables *tables, int32_t id, size_t *size)
{
    const char *line = tables->vocabulary, *end = line + tables->tables.vocabulary_bytes;
    for (; id > 0 && line < end; id--)
        line = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
    if (line >= end)
        return NULL;
    *size = (size_t)((const char *)memchr(line, '\n', (size_t)(end - line)) - line);
    return line;
}

size_t small_token_bytes(const char *token, size_t size, uint8_t *out)
{
    size_t count = 0;
    for (size_t at = 0; at < size;)
        for (int byte = 0; byte < 256; byte++) {
            char   letter[4];
            size_t length = (size_t)small_letter(byte, letter);
            if (length <= size - at && memcmp(token + at, letter, length) == 0) {
                out[count++] = (uint8_t)byte;
                at += length;
                break;
            }
        }
    return count;
}
