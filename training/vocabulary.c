/* training/vocabulary.c - see vocabulary.h. */
#include "vocabulary.h"

#include "../text/word_list.h"

#include <string.h>

static bool make_room(WordCounts *counts, Error *error)
{
    if (counts->count < counts->room)
        return true;
    size_t old = (size_t)counts->room, room = old ? 2 * old : 64;
    char **words = memory_grow(counts->words, old, room, sizeof *words, error);
    if (!words)
        return false;
    counts->words  = words;
    int64_t *times = memory_grow(counts->times, old, room, sizeof *times, error);
    if (!times)
        return false;
    counts->times = times;
    counts->room  = (int64_t)room;
    return true;
}

static bool add_word(WordCounts *counts, const char *word, Error *error)
{
    for (int64_t i = 0; i < counts->count; i++)
        if (strcmp(counts->words[i], word) == 0) {
            counts->times[i]++;
            return true;
        }
    if (!make_room(counts, error) || !(counts->words[counts->count] = memory_text(word, error)))
        return false;
    counts->times[counts->count++] = 1;
    return true;
}

bool word_counts_add(WordCounts *counts, const char *text, Error *error)
{
    char word[LIMIT_WORD_BYTES];
    while (word_next(&text, word))
        if (!add_word(counts, word, error))
            return false;
    return true;
}

void word_counts_free(WordCounts *counts)
{
    for (int64_t i = 0; i < counts->count; i++)
        memory_free(counts->words[i]);
    memory_free(counts->words);
    memory_free(counts->times);
    *counts = (WordCounts){0};
}

// Whether one word comes before another.
static bool is_before(const WordCounts *counts, int64_t one, int64_t other)
{
    int64_t more = counts->times[one] - counts->times[other];
    return more > 0 || (more == 0 && one < other);
}

bool word_counts_lines(WordCounts *counts, int64_t most, char **out, Error *error)
{
    size_t size = 1;
    for (int64_t i = 0; i < counts->count; i++)
        size += strlen(counts->words[i]) + 1;
    char *lines = memory_new(size, 1, error), *end = lines;
    for (int64_t i = 0; lines && i < counts->count; i++) {
        int64_t rank = 0;
        for (int64_t other = 0; other < counts->count; other++)
            rank += is_before(counts, other, i);
        if (rank >= most)
            continue;
        size_t length = strlen(counts->words[i]);
        memcpy(end, counts->words[i], length);
        end[length] = '\n';
        end += length + 1;
    }
    *out = lines;
    return lines != NULL;
}
