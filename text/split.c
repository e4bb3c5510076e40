/* text/split.c - see split.h. */
#include "split.h"
#include "unicode.h"

#include <string.h>

static const char *const endings[]  = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d", NULL};
static const char *const specials[] = {"<|startoftext|>", "<|endoftext|>", NULL};

/* CLIP's pattern ignores case, which behind lower case matters to two code points. A long s is an
 * s. U+0345, an iota below a vowel, is no letter, but its capital is one, so that the published
 * code (regex 2026.5.9) finds it neither in runs of letters nor in runs of what are none: it is lost. */
enum { LONG_S = 0x17F, IOTA_BELOW = 0x345 };

static PointClass clip_class(uint32_t point)
{
    return point == IOTA_BELOW ? POINT_SPACE : point_class(point);
}

// The length of the word that the text begins with, 0 if it begins with none of them.
static size_t known_word(const char *const *words, const uint32_t *points, size_t count,
                         uint32_t other_s)
{
    for (; *words; words++) {
        size_t length = strlen(*words), same = 0;
        while (same < length && same < count) {
            uint32_t point = points[same] == other_s ? 's' : points[same];
            if (point != (unsigned char)(*words)[same])
                break;
            same++;
        }
        if (same == length)
            return length;
    }
    return 0;
}

// The end of the run of one class that begins at `at`.
static size_t run_end(PointClass class_of(uint32_t), const uint32_t *points, size_t count,
                      size_t at)
{
    PointClass class = class_of(points[at]);
    while (at < count && class_of(points[at]) == class)
        at++;
    return at;
}

bool split_clip(const uint32_t *points, size_t count, size_t *start, size_t *end)
{
    size_t at = *start;
    while (at < count && clip_class(points[at]) == POINT_SPACE)
        at++;
    if (at == count)
        return false;
    size_t known = known_word(specials, points + at, count - at, LONG_S);
    if (!known)
        known = known_word(endings, points + at, count - at, LONG_S);
    *start = at;
    if (known)
        *end = at + known;
    else if (clip_class(points[at]) == POINT_NUMBER)
        *end = at + 1;
    else
        *end = run_end(clip_class, points, count, at);
    return true;
}

bool split_gpt2(const uint32_t *points, size_t count, size_t *start, size_t *end)
{
    size_t at = *start;
    if (at == count)
        return false;
    size_t known = known_word(endings, points + at, count - at, 's');
    if (known) {
        *end = at + known;
    } else if (point_class(points[at]) != POINT_SPACE) {
        *end = run_end(point_class, points, count, at);
    } else {
        size_t behind = run_end(point_class, points, count, at);
        if (behind == count)
            *end = behind;
        else if (behind > at + 1) // the last space belongs to what follows
            *end = behind - 1;
        else
            *end = points[at] == ' ' ? run_end(point_class, points, count, behind) : behind;
    }
    return true;
}
