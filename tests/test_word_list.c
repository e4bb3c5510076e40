/* tests/test_word_list.c - the words of a captioner: ids to sentences as published, and what is
 * refused. */
#include "../text/word_list.h"
#include "../base/file.h"
#include "program.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char words[] = "a\ndog\n-\nlike\nanimal\n.\n,\n;\nTHE\n\xC3\x89t\xC3\xA9\n:\n";

enum { A, DOG, DASH, LIKE, ANIMAL, STOP_MARK, COMMA, SEMICOLON, THE, SUMMER, COLON, COUNT };
enum { START = COUNT, STOP, PAD, UNKNOWN };

static WordList *open_words(void)
{
    WordList *list = NULL;
    CHECK(word_list_open(&list, words, sizeof words - 1, "words.nw", NULL));
    return list;
}

// Whether ids up to a -1 become this text.
static void becomes(const int32_t *ids, const char *wanted)
{
    WordList *list  = open_words();
    char     *text  = NULL;
    int64_t   count = 0;
    while (ids[count] >= 0)
        count++;
    CHECK(word_list_text(list, ids, count, &text, NULL));
    CHECK_TEXT(text, wanted);
    memory_free(text);
    word_list_close(list);
}

#define BECOMES(wanted, ...) becomes((const int32_t[]){__VA_ARGS__, -1}, wanted)

static void special_words_follow_the_list(void)
{
    WordList *list = open_words();
    CHECK(word_list_count(list) == COUNT);
    CHECK(word_list_special(list, WORD_START) == START);
    CHECK(word_list_special(list, WORD_STOP) == STOP);
    CHECK(word_list_special(list, WORD_PAD) == PAD);
    CHECK(word_list_special(list, WORD_UNKNOWN) == UNKNOWN);
    word_list_close(list);
    word_list_close(NULL);
}

static void ids_become_a_sentence(void)
{
    BECOMES("A dog-like animal.", A, DOG, DASH, LIKE, ANIMAL, STOP_MARK);
    BECOMES("A dog", START, A, PAD, UNKNOWN, DOG, STOP, LIKE, STOP);
    BECOMES("", STOP, A);
    BECOMES("", -1);
}

static void marks_stand_where_they_belong(void)
{
    BECOMES("The dog, a animal; like: a", THE, DOG, COMMA, A, ANIMAL, SEMICOLON, LIKE, COLON, A);
    BECOMES("A. Dog. . Like", A, STOP_MARK, DOG, STOP_MARK, STOP_MARK, LIKE);
    BECOMES(". A", STOP_MARK, A);
    BECOMES("-a--dog", DASH, A, DASH, DASH, DOG);
    BECOMES("A the \xC3\xA9t\xC3\xA9", A, THE, SUMMER); // lower case behind the first letter
}

static void hostile_words_are_refused(void)
{
    static const struct {
        const char *bytes, *message;
    } cases[] = {{"a\nb", "words.nw: the last line of 'vocabulary' has no end"},
                 {"a\n\nb\n", "line 2 of 'vocabulary' is empty"},
                 {"a\nb\na\n", "lines 1 and 3 of 'vocabulary' are the same token"},
                 {"a b\n", "line 1 of 'vocabulary' holds a space"}};
    static const int32_t wrong[][2] = {{0, COUNT + 4}, {-1, 0}};
    WordList            *list       = NULL;
    char                *text       = NULL;
    Error                error      = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        error = (Error){0};
        CHECK(!word_list_open(&list, cases[i].bytes, strlen(cases[i].bytes), "words.nw", &error));
        CHECK_REFUSED("words", &error, cases[i].message);
    }
    list = open_words();
    for (size_t i = 0; i < 2; i++) {
        error = (Error){0};
        CHECK(!word_list_text(list, wrong[i], 2, &text, &error) && !text);
        CHECK_REFUSED("words", &error, i ? "the id -1 is no word" : "the id 15 is no word");
    }
    int64_t  count = LIMIT_TEXT_BYTES / 2 + 1; // words of one letter and a space
    int32_t *many  = memory_new((size_t)count, sizeof *many, NULL);
    REQUIRE(many);
    error = (Error){0};
    CHECK(!word_list_text(list, many, count, &text, &error));
    CHECK_REFUSED("words", &error, "a text of words has more than 262144 bytes");
    CHECK(word_list_text(list, many, count - 1, &text, NULL) && strlen(text) == 2 * 131072 - 1);
    memory_free(text);
    memory_free(many);
    word_list_close(list);
}

static void out_of_memory_leaves_nothing(void)
{
    static const int32_t ids[] = {A, DOG};
    bool                 done  = false;
    for (int call = 1; !done && call < 16; call++) {
        int64_t   blocks = memory_live_blocks();
        WordList *list   = NULL;
        char     *text   = NULL;
        Error     error  = {0};
        memory_fail_at(call, false);
        done = word_list_open(&list, words, sizeof words - 1, "words.nw", &error) &&
               word_list_text(list, ids, 2, &text, &error);
        memory_fail_at(0, false);
        CHECK(done || error.code == ERROR_MEMORY);
        memory_free(text);
        word_list_close(list);
        CHECK(memory_live_blocks() == blocks);
    }
    CHECK(done);
}

static void captions_are_those_of_the_published_code(void)
{
    const char *path = test_data("reference/milan_words.txt");
    const char *npz  = test_data("reference/milan_decoder_thin.npz");
    char        command[3 * LIMIT_PATH];
    WordList   *list = NULL;
    Bytes       file = {0}, lines = {0};
    int         same = 0;
    if (!path || !npz || system("command -v python3 >/dev/null 2>&1") != 0)
        SKIP("no captions of the published code, or no python3");
    snprintf(command, sizeof command, "python3 tests/milan_captions.py '%s' '%s'", npz,
             in_folder("captions"));
    REQUIRE(system(command) == 0 && file_read(path, LIMIT_TEXT_FILE, &file, NULL));
    REQUIRE(file_read(in_folder("captions"), LIMIT_TEXT_FILE, &lines, NULL));
    REQUIRE(word_list_open(&list, file.data, file.size, path, NULL));
    CHECK(word_list_count(list) == 300);
    for (const char *line = (const char *)lines.data; *line; line = strchr(line, '\n') + 1) {
        int32_t ids[32];
        int64_t count = 0;
        char   *end = NULL, *text = NULL;
        size_t  length = strcspn(line, "\n");
        for (const char *at = line; *at != '\t' && count < 32; at = end)
            ids[count++] = (int32_t)strtol(at, &end, 10);
        REQUIRE(word_list_text(list, ids, count, &text, NULL));
        length -= (size_t)(end + 1 - line);
        same += strlen(text) == length && memcmp(text, end + 1, length) == 0;
        memory_free(text);
    }
    CHECK(same == 48);
    word_list_close(list);
    bytes_close(&file);
    bytes_close(&lines);
}

SUITE(word_list)
{
    RUN(special_words_follow_the_list);
    RUN(ids_become_a_sentence);
    RUN(marks_stand_where_they_belong);
    RUN(hostile_words_are_refused);
    RUN(out_of_memory_leaves_nothing);
    RUN(captions_are_those_of_the_published_code);
}
