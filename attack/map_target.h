/* attack/map_target.h - maps that an attack can aim at, besides the map of another image: any array
 * without negative values, and a drawn word (M6). Both are brought to the sum 1, as maps have. */
#ifndef ATTACK_MAP_TARGET_H
#define ATTACK_MAP_TARGET_H

#include "../base/shape.h"

/* Checks an array [height, width] and divides it by its sum. `name` is the file in messages.
 * Errors: ERROR_DATA (another shape; a value that is negative or not finite; all are zero). */
bool map_target_take(float *values, Shape shape, int64_t height, int64_t width, const char *name,
                     Error *error);

/* Draws letters, digits and spaces as large as they fit, in one line in the middle, small letters
 * as capitals. map [height, width] gets the sum 1. Errors: ERROR_USAGE (an empty word, another
 * character, a word that is too long for the map). */
bool map_target_word(const char *word, int64_t height, int64_t width, float *map, Error *error);

#endif
