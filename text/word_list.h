/* text/word_list.h - the words of MILAN's captioner, and the sentence that a list of ids stands for.
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

typedef struct WordList WordList;

/* The bytes of a blob's tensor `vocabulary`, copied; `name` is the file in messages. Errors:
 * ERROR_DATA with the line that breaks a rule, ERROR_MEMORY. */
bool word_list_open(WordList **out, const void *bytes, size_t size, const char *name, Error *error);
void word_list_close(WordList *list); // NULL allowed

int32_t word_list_count(const WordList *list);                     // without the special words
int32_t word_list_special(const WordList *list, SpecialWord word); // its id

/* The text of `count` ids up to the first stop, without special words: no space before . , ; : and
 * around -, a space behind each full stop, each sentence with a capital (of A to Z) at its
 * beginning and lower case behind. *out is zero-terminated, may be empty, and is released with
 * memory_free. Errors: ERROR_DATA (an id out of range, a text over LIMIT_TEXT_BYTES), ERROR_MEMORY. */
bool word_list_text(const WordList *list, const int32_t *ids, int64_t count, char **out,
                    Error *error);

#endif
