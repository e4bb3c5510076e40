/* base/words.c - see words.h. */
#include "words.h"

#include <stdio.h>
#include <string.h>

const char *word_at(const char *words, int index, size_t *length)
{
    for (; index > 0 && words; index--) {
        words = strchr(words, '|');
        words = words ? words + 1 : NULL;
    }
    *length = words ? strcspn(words, "|") : 0;
    return words;
}

const char *word_text(const char *words, int index)
{
    static char slots[4][32];
    static int  next;
    size_t      length;
    const char *word = word_at(words, index, &length);
    char       *slot = slots[next++ % 4];
    snprintf(slot, sizeof slots[0], "%.*s", (int)length, word ? word : "");
    return slot;
}

int word_index(const char *words, const char *text, size_t length)
{
    size_t      word_length;
    const char *word;
    for (int i = 0; (word = word_at(words, i, &word_length)); i++)
        if (word_length == length && memcmp(word, text, length) == 0)
            return i;
    return -1;
}
