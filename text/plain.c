/* text/plain.c - see text_plain in text.h. */
#include "text.h"

#include "unicode.h"

#include <string.h>

static bool lower(const char *text, char **out, Error *error)
{
    size_t    size = strlen(text), count = 0, used = 0;
    uint32_t *points = memory_new(size, sizeof *points, error);
    uint32_t *small  = points ? memory_new(2 * size, sizeof *small, error) : NULL;
    char     *result = small ? memory_new(8 * size + 1, 1, error) : NULL; // 4 bytes a point
    if (result) {
        count = points_lower(points, points_read(text, size, points), small);
        for (size_t i = 0; i < count; i++)
            used += point_write(small[i], (uint8_t *)result + used);
        *out = result;
    }
    memory_free(points);
    memory_free(small);
    return result != NULL;
}

bool text_plain(const char *text, char **out, Error *error)
{
    char *plain = NULL;
    if (!lower(text, &plain, error))
        return false;
    size_t start = strspn(plain, ". "), end = strlen(plain);
    while (end > start && strchr(". ", plain[end - 1]))
        end--;
    memmove(plain, plain + start, end - start);
    plain[end - start] = 0;
    *out               = plain;
    return true;
}
