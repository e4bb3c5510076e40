/* base/words.h - lists of words such as "pgd|fgsm": the names of an enum, in its order.
 *
 * Such a list stands beside its enum, and whoever reads or writes a name uses that list. */
#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* The index-th word in *length bytes, not zero-terminated, or NULL past the last. */
const char *word_at(const char *words, int index, size_t *length);

/* Index of the word of length bytes at `text`, -1 if it is none of them. */
int word_index(const char *words, const char *text, size_t length);

/* The index-th word, copied, at most 31 bytes. Static storage of four slots: for messages and
 * files, by one thread at a time. */
const char *word_text(const char *words, int index);

/* How many letters of `text` are missing, too many, wrong or swapped, where a word of at most 31
 * letters was meant; -1 if it probably was not: more than two are, or than one of a short word. */
int word_slips(const char *text, size_t length, const char *word);

#endif
