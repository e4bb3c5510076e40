/* text/word_list.h - whole words as tokens: the ids of a text, and the sentence that ids stand for.
 *
 * A list has the ids 0 to n - 1, in order of its lines; four special words follow it. The form of
 * the list is that of a tokenizer's vocabulary (DESIGN.md, "Vocabularies"). Source: MILAN
 * (Hernandez et al., ICLR 2022), src/utils/lang.py, Indexer. */
#ifndef TEXT_WORD_LIST_H
#define TEXT_WORD_LIST_H

#include "text.h"

/* What the ids n to n + 3 are. */
typedef enum SpecialWord {
    WORD_START,
    WORD_STOP,
    WORD_PAD,
    WORD_UNKNOWN,
    SPECIAL_WORDS
} SpecialWord;

/* Where the next word of a text begins, *length bytes; NULL: there is none. A word is a run of
 * letters (of other alphabets, too) and digits. */
const char *word_span(const char *text, size_t *length);

/* The next word of a text, in lower case (A to Z), behind which *text then stands; false: there is
 * none. Of a longer word than fits the rest is the next one. */
enum { LIMIT_WORD_BYTES = 64 };
bool word_next(const char **text, char out[LIMIT_WORD_BYTES]);

typedef struct WordList WordList;

/* The bytes of a blob's tensor `vocabulary`, copied; `name` is the file in messages. Errors:
 * ERROR_DATA with the line that breaks a rule, ERROR_MEMORY. */
bool word_list_open(WordList **out, const void *bytes, size_t size, const char *name, Error *error);
void word_list_close(WordList *list); // NULL allowed

int32_t word_list_count(const WordList *list);                     // without the special words
int32_t word_list_special(const WordList *list, SpecialWord word); // its id

/* The ids of a text's words, at most `most` of them; returns their number. A word that is not in
 * the list is WORD_UNKNOWN. */
int64_t word_list_ids(const WordList *list, const char *text, int64_t most, int32_t *ids);

/* The text of `count` ids up to the first stop, without special words: no space before . , ; : and
 * around -, a space behind each full stop, each sentence with a capital (of A to Z) at its
 * beginning and lower case behind. *out is zero-terminated, may be empty, and is released with
 * memory_free. Errors: ERROR_DATA (an id out of range, a text over LIMIT_TEXT_BYTES), ERROR_MEMORY. */
bool word_list_text(const WordList *list, const int32_t *ids, int64_t count, char **out,
                    Error *error);

#endif
