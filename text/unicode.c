/* text/unicode.c - see unicode.h. */
#include "unicode.h"
#include "unicode_tables.h"

enum {
    REPLACEMENT      = 0xFFFD,
    CAPITAL_DOTTED_I = 0x130,
    DOT_ABOVE        = 0x307,
    FINAL_SIGMA      = 0x3C2,
    CAPITAL_SIGMA    = 0x3A3,
    SIGMA            = 0x3C3
};

#define IN_TABLE(table, point) in_ranges(table, sizeof(table) / sizeof *(table), point)

static bool in_ranges(const UnicodeRange *ranges, size_t count, uint32_t point)
{
    size_t low = 0;
    while (low < count) {
        size_t middle = low + (count - low) / 2;
        if (point > ranges[middle].last)
            low = middle + 1;
        else if (point < ranges[middle].first)
            count = middle;
        else
            return true;
    }
    return false;
}

PointClass point_class(uint32_t point)
{
    if (IN_TABLE(SPACES, point))
        return POINT_SPACE;
    if (IN_TABLE(LETTERS, point))
        return POINT_LETTER;
    return IN_TABLE(NUMBERS, point) ? POINT_NUMBER : POINT_OTHER;
}

bool point_is_blank(uint32_t point)
{
    return (point >= 0x1C && point <= 0x1F) || IN_TABLE(SPACES, point);
}

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

size_t points_read(const char *text, size_t size, uint32_t *points)
{
    static const uint8_t first_bits[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    size_t               count         = 0;
    for (size_t at = 0; at < size; count++) {
        const unsigned char *bytes  = (const unsigned char *)text + at;
        int                  length = utf8_length(bytes, size - at);
        points[count]               = length ? bytes[0] & first_bits[length] : REPLACEMENT;
        for (int i = 1; i < length; i++)
            points[count] = points[count] << 6 | (bytes[i] & 0x3F);
        at += length ? (size_t)length : 1;
    }
    return count;
}

size_t point_write(uint32_t point, uint8_t *out)
{
    static const uint8_t marks[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t               length   = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (!out)
        return length;
    for (size_t i = length - 1; i > 0; i--, point >>= 6)
        out[i] = (uint8_t)(0x80 | (point & 0x3F));
    out[0] = (uint8_t)(marks[length] | point);
    return length;
}

/* ---- lower case ------------------------------------------------------------------------------ */

static uint32_t lower_of(uint32_t point)
{
    size_t low = 0, high = sizeof LOWER_RUNS / sizeof *LOWER_RUNS;
    while (low < high) {
        size_t          middle = low + (high - low) / 2;
        const LowerRun *run    = &LOWER_RUNS[middle];
        if (point > run->last)
            low = middle + 1;
        else if (point < run->first)
            high = middle;
        else if ((point - run->first) % run->step)
            break;
        else
            return (uint32_t)((int32_t)point + run->shift);
    }
    return point;
}

// Behind a cased character and before none, both beyond what case ignores. Each character that is
// ignored is looked through from either side once.
static bool sigma_is_final(const uint32_t *points, size_t count, size_t at)
{
    size_t before = at, after = at + 1;
    while (before > 0 && IN_TABLE(IGNORED, points[before - 1]))
        before--;
    if (before == 0 || !IN_TABLE(CASED, points[before - 1]))
        return false;
    while (after < count && IN_TABLE(IGNORED, points[after]))
        after++;
    return after == count || !IN_TABLE(CASED, points[after]);
}

size_t points_lower(const uint32_t *points, size_t count, uint32_t *out)
{
    size_t used = 0;
    for (size_t at = 0; at < count; at++)
        if (points[at] == CAPITAL_SIGMA) {
            out[used++] = sigma_is_final(points, count, at) ? FINAL_SIGMA : SIGMA;
        } else if (points[at] == CAPITAL_DOTTED_I) {
            out[used++] = 'i';
            out[used++] = DOT_ABOVE;
        } else {
            out[used++] = lower_of(points[at]);
        }
    return used;
}
