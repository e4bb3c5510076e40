/* tests/check_map_target.c - what a map can be asked to become: an array, a drawn word. */
#include "../attack/map_target.h"
#include "test.h"

#include <math.h>

static void refuses(float *values, Shape shape, const char *message)
{
    Error error = {0};
    CHECK(!map_target_take(values, shape, 2, 3, "map.npy", &error));
    CHECK(error.code == ERROR_DATA);
    CHECK_TEXT(error.message, message);
}

static void only_maps_without_negative_values_are_targets(void)
{
    float map[6] = {1, 2, 3, 0, 0, 2}, zero[6] = {0}, less[6] = {1, -1}, odd[6] = {1, NAN};
    CHECK(map_target_take(map, shape_2d(2, 3), 2, 3, "map.npy", NULL));
    CHECK(map[0] == 0.125f && map[2] == 0.375f && map[5] == 0.25f);
    refuses(map, shape_2d(3, 2), "map.npy: is 3x2, expected a map of 2x3 (rows x columns)");
    refuses(zero, shape_2d(2, 3), "map.npy: is zero everywhere, expected a map with a sum");
    refuses(less, shape_2d(2, 3), "map.npy: element 1 is -1, expected none below 0");
    refuses(odd, shape_2d(2, 3), "map.npy: element 1 is nan, expected none below 0");
}

static void a_word_is_drawn_in_the_middle(void)
{
    float map[16 * 9];
    char  text[9 * 17], *at = text;
    CHECK(map_target_word("l1", 9, 16, map, NULL));
    for (int i = 0; i < 9 * 16; i++) {
        *at++ = map[i] > 0 ? '#' : '.';
        if (i % 16 == 15)
            *at++ = i == 9 * 16 - 1 ? 0 : '\n';
    }
    CHECK_TEXT(text, "................\n"
                     "..#.......#.....\n"
                     "..#......##.....\n"
                     "..#.....#.#.....\n"
                     "..#.......#.....\n"
                     "..#.......#.....\n"
                     "..#.......#.....\n"
                     "..#####.#####...\n"
                     "................");
    double sum = 0;
    for (int i = 0; i < 9 * 16; i++)
        sum += (double)map[i];
    CHECK_CLOSE(sum, 1, 1e-6);
    CHECK(!map_target_word("abc", 9, 16, map, NULL));
    CHECK(!map_target_word("", 9, 16, map, NULL));
    CHECK(!map_target_word("  ", 9, 16, map, NULL));
    CHECK(!map_target_word("a?", 9, 16, map, NULL));
}

SUITE(map_target)
{
    RUN(only_maps_without_negative_values_are_targets);
    RUN(a_word_is_drawn_in_the_middle);
}
