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

int word_slips(const char *text, size_t length, const char *word)
{
    enum { MOST = 32 };
    int    row[3][MOST + 1]; // of the table of edits: the last two and this one
    size_t count = strlen(word);
    if (length >= MOST || count >= MOST)
        return -1;
    for (size_t i = 0; i <= length; i++)
        for (size_t k = 0; k <= count; k++) {
            int *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
            if (i == 0 || k == 0) {
                now[k] = (int)(i + k);
                continue;
            }
            int best = last[k - 1] + (text[i - 1] != word[k - 1]);
            best     = last[k] + 1 < best ? last[k] + 1 : best;
            best     = now[k - 1] + 1 < best ? now[k - 1] + 1 : best;
            if (i > 1 && k > 1 && text[i - 1] == word[k - 2] && text[i - 2] == word[k - 1])
                best = before[k - 2] + 1 < best ? before[k - 2] + 1 : best;
            now[k] = best;
        }
    int slips = row[length % 3][count];
    return slips <= (count < 5 ? 1 : 2) ? slips : -1;
}
