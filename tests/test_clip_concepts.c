/* tests/test_clip_concepts.c - lists of concepts: their lines, and what is no list. */
#include "clip_world.h"

#include <string.h>

static void concepts_are_lines_that_are_not_blank(void)
{
    static const char text[] = "red\n\n  \t\nblue sky \r\n\r\nred\nlast";
    Concepts          concepts;
    const char       *path = in_folder("list.txt");
    REQUIRE(file_publish(path, text, sizeof text - 1, NULL) &&
            concepts_open(&concepts, path, NULL));
    REQUIRE(concepts.count == 4);
    CHECK_TEXT(concepts.text[0], "");
    CHECK_TEXT(concepts.text[1], "red");
    CHECK_TEXT(concepts.text[2], "blue sky ");
    CHECK_TEXT(concepts.text[3], "red");
    CHECK_TEXT(concepts.text[4], "last");
    CHECK(concepts.line[1] == 1 && concepts.line[2] == 4 && concepts.line[3] == 6 &&
          concepts.line[4] == 7);
    concepts_close(&concepts);
}

static void what_is_no_list_is_refused(void)
{
    static const struct {
        const char *text;
        size_t      size;
        const char *message;
    } cases[]        = {{"", 0, "has no concepts, expected one a line"},
                        {"\n \n\r\n", 5, "has no concepts"},
                        {"red\0blue\n", 9, "has a zero byte"}};
    const char *path = in_folder("list.txt");
    Concepts    concepts;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error error = {0};
        REQUIRE(file_publish(path, cases[i].text, cases[i].size, NULL));
        CHECK(!concepts_open(&concepts, path, &error));
        CHECK_REFUSED("concepts", &error, cases[i].message);
    }
    Error error = {0};
    CHECK(!concepts_open(&concepts, in_folder("none.txt"), &error) &&
          error.code == ERROR_NOT_FOUND);
}

// Towers are built in, words are not.
static void words_need_a_list(void)
{
    ClipWorld *world     = memory_new(1, sizeof *world, NULL);
    Explainer  explainer = {0};
    Error      error     = {0};
    REQUIRE(world && clip_world_draw(world));
    clip_world_set(world, "concepts", NULL);
    CHECK(!clip_world_open(world, NULL, &explainer, &error) && error.code == ERROR_USAGE);
    CHECK(strstr(error.message, "--concepts FILE.txt") != NULL);
    memory_free(world);
}

SUITE(clip_concepts)
{
    RUN(concepts_are_lines_that_are_not_blank);
    RUN(what_is_no_list_is_refused);
    RUN(words_need_a_list);
}
