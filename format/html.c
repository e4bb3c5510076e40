/* format/html.c - see html.h. */
#include "html.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *entity_of(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return c < 0x20 || c == 0x7f ? " " : NULL;
    }
}

void html_text(Writer *page, const char *text, int most)
{
    const unsigned char *at   = (const unsigned char *)text;
    size_t               left = strlen(text);
    for (int shown = 0; left > 0; shown++) {
        int         length = utf8_length(at, left), step = length ? length : 1;
        const char *entity = length == 1 ? entity_of(*at) : NULL;
        if (shown == most) {
            writer_text(page, "\xe2\x80\xa6");
            return;
        }
        if (entity)
            writer_text(page, "%s", entity);
        else if (!utf8_shown(at, left))
            writer_text(page, "\xef\xbf\xbd");
        else
            writer_bytes(page, at, (size_t)length);
        at += step;
        left -= (size_t)step;
    }
}

void html_name(Writer *page, const char *name)
{
    writer_text(page, "<bdi class=\"name\">");
    if (*name)
        html_text(page, name, HTML_NAME_LENGTH);
    else
        writer_text(page, "no label");
    writer_text(page, "</bdi>");
}

void html_whole(Writer *page, uint64_t value)
{
    char digits[24];
    int  length = snprintf(digits, sizeof digits, "%" PRIu64, value);
    for (int i = 0; i < length; i++)
        writer_text(page, "%s%c", i && (length - i) % 3 == 0 && length > 4 ? "\xe2\x80\xaf" : "",
                    digits[i]);
}

const char *category_class(const char *category)
{
    static const char *const names[] = {"object", "part", "material", "texture", "color", "scene"};
    static const char *const classes[] = {"c0", "c1", "c2", "c3", "c4", "c5"};
    uint32_t                 hash      = 2166136261; // FNV-1a
    for (int i = 0; i < 6; i++)
        if (strcmp(names[i], category) == 0)
            return classes[i];
    for (const char *at = category; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619;
    return classes[*category ? hash % 6 : 5];
}
