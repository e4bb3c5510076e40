/* text/unicode.h - code points: from and to UTF-8, their classes, their lower case. */
#ifndef TEXT_UNICODE_H
#define TEXT_UNICODE_H

#include "../base/base.h"

/* What the patterns of tokenizers tell apart: \p{L}, \p{N}, \s and the rest. */
typedef enum PointClass { POINT_LETTER, POINT_NUMBER, POINT_SPACE, POINT_OTHER } PointClass;

PointClass point_class(uint32_t point);

/* What Python's str.isspace() says: white space and the separators U+001C to U+001F. */
bool point_is_blank(uint32_t point);

/* The code points of `size` bytes, at most as many as bytes; U+FFFD for each byte that is part of
 * no sequence. Returns their number. */
size_t points_read(const char *text, size_t size, uint32_t *points);

/* Bytes of a code point as UTF-8, 1 to 4; written unless out is NULL. */
size_t point_write(uint32_t point, uint8_t *out);

/* The lower case of a text; `out` has room for 2 * count. Returns their number. A capital sigma at
 * the end of a word becomes a final one, U+0130 an i and a dot above it, all else one code point
 * (Unicode, SpecialCasing.txt). */
size_t points_lower(const uint32_t *points, size_t count, uint32_t *out);

#endif
