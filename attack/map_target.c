/* attack/map_target.c - see map_target.h. */
#include "map_target.h"

#include <math.h>

/* ---- arrays ---------------------------------------------------------------------------------- */

bool map_target_take(float *values, Shape shape, int64_t height, int64_t width, const char *name,
                     Error *error)
{
    double sum = 0;
    if (shape.rank != 2 || shape.dim[0] != height || shape.dim[1] != width)
        return fail(error, ERROR_DATA, "%s: is %s, expected a map of %lldx%lld (rows x columns)",
                    name, SHAPE_TEXT(shape), (long long)height, (long long)width);
    for (int64_t i = 0; i < height * width; i++) {
        if (!isfinite(values[i]) || values[i] < 0)
            return fail(error, ERROR_DATA, "%s: element %lld is %g, expected none below 0", name,
                        (long long)i, (double)values[i]);
        sum += (double)values[i];
    }
    if (sum <= 0)
        return fail(error, ERROR_DATA, "%s: is zero everywhere, expected a map with a sum", name);
    for (int64_t i = 0; i < height * width; i++)
        values[i] = (float)((double)values[i] / sum);
    return true;
}

/* ---- words ----------------------------------------------------------------------------------- */

enum { LETTER_WIDTH = 5, LETTER_HEIGHT = 7, LETTER_STEP = 6, MOST_LETTERS = 32 };

/* Rows from the top, five bits each, the left one highest. */
typedef struct Letter {
    char    code;
    uint8_t row[LETTER_HEIGHT];
} Letter;

static const Letter letters[] = {
    {' ', {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00}},
    {'A', {0x0e, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11}},
    {'B', {0x1e, 0x11, 0x11, 0x1e, 0x11, 0x11, 0x1e}},
    {'C', {0x0f, 0x10, 0x10, 0x10, 0x10, 0x10, 0x0f}},
    {'D', {0x1e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1e}},
    {'E', {0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x1f}},
    {'F', {0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x10}},
    {'G', {0x0f, 0x10, 0x10, 0x13, 0x11, 0x11, 0x0f}},
    {'H', {0x11, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11}},
    {'I', {0x1f, 0x04, 0x04, 0x04, 0x04, 0x04, 0x1f}},
    {'J', {0x07, 0x01, 0x01, 0x01, 0x01, 0x11, 0x0e}},
    {'K', {0x11, 0x12, 0x14, 0x18, 0x14, 0x12, 0x11}},
    {'L', {0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1f}},
    {'M', {0x11, 0x1b, 0x15, 0x15, 0x11, 0x11, 0x11}},
    {'N', {0x11, 0x19, 0x19, 0x15, 0x13, 0x13, 0x11}},
    {'O', {0x0e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e}},
    {'P', {0x1e, 0x11, 0x11, 0x1e, 0x10, 0x10, 0x10}},
    {'Q', {0x0e, 0x11, 0x11, 0x11, 0x15, 0x12, 0x0d}},
    {'R', {0x1e, 0x11, 0x11, 0x1e, 0x14, 0x12, 0x11}},
    {'S', {0x0f, 0x10, 0x10, 0x0e, 0x01, 0x01, 0x1e}},
    {'T', {0x1f, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04}},
    {'U', {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e}},
    {'V', {0x11, 0x11, 0x11, 0x0a, 0x0a, 0x04, 0x04}},
    {'W', {0x11, 0x11, 0x11, 0x15, 0x15, 0x1b, 0x11}},
    {'X', {0x11, 0x0a, 0x04, 0x04, 0x04, 0x0a, 0x11}},
    {'Y', {0x11, 0x11, 0x0a, 0x04, 0x04, 0x04, 0x04}},
    {'Z', {0x1f, 0x01, 0x02, 0x04, 0x08, 0x10, 0x1f}},
    {'0', {0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e}},
    {'1', {0x04, 0x0c, 0x14, 0x04, 0x04, 0x04, 0x1f}},
    {'2', {0x0e, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1f}},
    {'3', {0x1e, 0x01, 0x01, 0x0e, 0x01, 0x01, 0x1e}},
    {'4', {0x12, 0x12, 0x12, 0x1f, 0x02, 0x02, 0x02}},
    {'5', {0x1f, 0x10, 0x10, 0x1e, 0x01, 0x01, 0x1e}},
    {'6', {0x0e, 0x10, 0x10, 0x1e, 0x11, 0x11, 0x0e}},
    {'7', {0x1f, 0x01, 0x02, 0x02, 0x04, 0x04, 0x04}},
    {'8', {0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e}},
    {'9', {0x0e, 0x11, 0x11, 0x0f, 0x01, 0x01, 0x0e}},
};

static const Letter *letter_of(char code)
{
    char capital = (char)(code >= 'a' && code <= 'z' ? code - 'a' + 'A' : code);
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (letters[i].code == capital)
            return &letters[i];
    return NULL;
}

static bool count_letters(const char *word, int64_t *out, Error *error)
{
    int64_t count   = 0;
    bool    is_seen = false;
    for (; word[count]; count++) {
        if (count == MOST_LETTERS || !letter_of(word[count]))
            return fail(error, ERROR_USAGE,
                        "a drawn word has at most %d letters A-Z, digits and spaces", MOST_LETTERS);
        is_seen |= word[count] != ' ';
    }
    *out = count;
    return is_seen || fail(error, ERROR_USAGE, "a drawn word needs a letter or a digit");
}

bool map_target_word(const char *word, int64_t height, int64_t width, float *map, Error *error)
{
    int64_t count = 0, drawn = 0;
    if (!count_letters(word, &count, error))
        return false;
    int64_t columns = LETTER_STEP * count - 1, scale = width / columns;
    scale = height / LETTER_HEIGHT < scale ? height / LETTER_HEIGHT : scale;
    if (scale < 1)
        return fail(error, ERROR_USAGE,
                    "a word of %lld letters does not fit into a map of %lldx%lld", (long long)count,
                    (long long)width, (long long)height);
    int64_t top = (height - LETTER_HEIGHT * scale) / 2, left = (width - columns * scale) / 2;
    for (int64_t i = 0; i < height * width; i++) {
        int64_t y = i / width - top, x = i % width - left;
        map[i] = 0;
        if (y < 0 || x < 0 || y >= LETTER_HEIGHT * scale || x >= columns * scale)
            continue;
        int64_t column = x / scale;
        uint8_t row    = letter_of(word[column / LETTER_STEP])->row[y / scale];
        if (column % LETTER_STEP < LETTER_WIDTH &&
            row >> (LETTER_WIDTH - 1 - column % LETTER_STEP) & 1) {
            map[i] = 1;
            drawn++;
        }
    }
    for (int64_t i = 0; i < height * width; i++)
        map[i] /= (float)drawn;
    return true;
}
