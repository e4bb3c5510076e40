/* text/lower.c - see text_lower in text.h. */
#include "text.h"

#include "unicode.h"

#include <string.h>

bool text_lower(const char *text, char **out, Error *error)
{
    size_t    size = strlen(text), count = 0, used = 0;
    uint32_t *points = memory_new(size, sizeof *points, error);
    uint32_t *lower  = points ? memory_new(2 * size, sizeof *lower, error) : NULL;
    char     *result = lower ? memory_new(8 * size + 1, 1, error) : NULL; // 4 bytes a point
    if (result) {
        count = points_lower(points, points_read(text, size, points), lower);
        for (size_t i = 0; i < count; i++)
            used += point_write(lower[i], (uint8_t *)result + used);
        *out = result;
    }
    memory_free(points);
    memory_free(lower);
    return result != NULL;
}
