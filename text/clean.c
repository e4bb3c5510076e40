/* text/clean.c - see clean.h. Entities are resolved as HTML 5 and Python's html.unescape have it. */
#include "clean.h"
#include "html_names.h"
#include "unicode.h"

#include <string.h>

enum { REPLACEMENT = 0xFFFD, MOST_NAME = 32, LAST_POINT = 0x10FFFF };

typedef struct Entity {
    size_t   length;    // code points of the text that stand for it, from the & on; 0: none
    int      count;     // 0 to 2 code points
    uint32_t points[2]; // that it stands for
} Entity;

/* ---- numbers --------------------------------------------------------------------------------- */

static int digit_of(uint32_t point, uint32_t base)
{
    if (point >= '0' && point <= '9')
        return (int)point - '0';
    uint32_t letter = point | 0x20;
    return base == 16 && letter >= 'a' && letter <= 'f' ? (int)letter - 'a' + 10 : -1;
}

// What HTML makes of a number: some stand for the bytes of Windows-1252, some for nothing.
static Entity numbered(uint32_t number)
{
    static const uint16_t windows[32] = {
        0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021, 0x2C6,  0x2030, 0x160,
        0x2039, 0x152,  0x8D,   0x17D,  0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
        0x2013, 0x2014, 0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};
    Entity entity = {.count = 1, .points = {number}};
    if (number >= 0x80 && number <= 0x9F)
        entity.points[0] = windows[number - 0x80];
    else if (number == 0 || number > LAST_POINT || (number >= 0xD800 && number <= 0xDFFF))
        entity.points[0] = REPLACEMENT;
    else if ((number < ' ' && !(number >= '\t' && number <= '\r' && number != 0xB)) ||
             number == 0x7F || number == 0xB || (number >= 0xFDD0 && number <= 0xFDEF) ||
             (number & 0xFFFE) == 0xFFFE)
        entity.count = 0;
    return entity;
}

// &#233; or &#xE9; with or without the semicolon.
static Entity number_at(const uint32_t *points, size_t count)
{
    bool     is_hex = count > 2 && (points[2] == 'x' || points[2] == 'X');
    uint32_t base = is_hex ? 16 : 10, number = 0;
    size_t   start = is_hex ? 3 : 2, at = start;
    for (; at < count && digit_of(points[at], base) >= 0; at++)
        if (number <= LAST_POINT) // larger ones are all the same
            number = number * base + (uint32_t)digit_of(points[at], base);
    if (at == start)
        return (Entity){.length = 0};
    Entity entity = numbered(number);
    entity.length = at + (at < count && points[at] == ';');
    return entity;
}

/* ---- names ----------------------------------------------------------------------------------- */

static const HtmlName *name_of(const char *text)
{
    size_t low = 0, high = sizeof HTML_NAMES / sizeof *HTML_NAMES;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int    order  = strcmp(text, HTML_NAMES[middle].name);
        if (order == 0)
            return &HTML_NAMES[middle];
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool ends_name(uint32_t point)
{
    return point == '\t' || point == '\n' || point == '\f' || point == ' ' || point == '<' ||
           point == '&' || point == '#' || point == ';';
}

// &eacute; or the longest name that the text begins with: &ampx is an & and an x.
static Entity name_at(const uint32_t *points, size_t count)
{
    char   name[MOST_NAME + 2];
    size_t length = 0;
    while (length < MOST_NAME && 1 + length < count && !ends_name(points[1 + length])) {
        uint32_t point = points[1 + length];
        name[length++] = (char)(point && point < 0x80 ? point : 0x7F); // no name has that one
    }
    if (length > 0 && 1 + length < count && points[1 + length] == ';')
        name[length++] = ';';
    for (; length >= 2; length--) {
        name[length]          = 0;
        const HtmlName *found = name_of(name);
        if (found)
            return (Entity){.length = 1 + length,
                            .count  = found->second ? 2 : 1,
                            .points = {found->first, found->second}};
    }
    return (Entity){.length = 0};
}

/* ---- the text -------------------------------------------------------------------------------- */

// In place: no entity is shorter than what it stands for.
static size_t resolve(uint32_t *points, size_t count)
{
    size_t used = 0;
    for (size_t at = 0; at < count;) {
        Entity entity = {.length = 0};
        if (points[at] == '&' && at + 1 < count)
            entity = points[at + 1] == '#' ? number_at(points + at, count - at)
                                           : name_at(points + at, count - at);
        if (!entity.length)
            entity = (Entity){.length = 1, .count = 1, .points = {points[at]}};
        at += entity.length;
        for (int i = 0; i < entity.count; i++)
            points[used++] = entity.points[i];
    }
    return used;
}

static size_t collapse(uint32_t *points, size_t count)
{
    size_t start = 0, used = 0;
    while (count > 0 && point_is_blank(points[count - 1]))
        count--;
    while (start < count && point_is_blank(points[start]))
        start++;
    for (size_t at = start; at < count; at++)
        if (point_class(points[at]) != POINT_SPACE)
            points[used++] = points[at];
        else if (points[used - 1] != ' ') // the first is not blank
            points[used++] = ' ';
    return used;
}

size_t text_clean(uint32_t *points, size_t count, uint32_t *out)
{
    count = resolve(points, count);
    count = resolve(points, count);
    count = collapse(points, count);
    return points_lower(points, count, out);
}
