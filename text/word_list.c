/* text/word_list.c - see word_list.h. */
#include "word_list.h"
#include "tables.h"
#include "unicode.h"

#include <string.h>

typedef struct Word {
    const uint8_t *text; // in the list's bytes
    size_t         size;
} Word;

struct WordList {
    uint8_t *bytes; // owned
    Word    *words; // owned
    int32_t  count;
};

static bool fill(WordList *list, const void *bytes, size_t size, const char *name, Error *error)
{
    TokenTables tables = {.name = name, .vocabulary_bytes = size};
    Vocabulary  vocabulary;
    list->bytes = memory_new(size, 1, error);
    if (!list->bytes)
        return false;
    if (size)
        memcpy(list->bytes, bytes, size);
    tables.vocabulary = list->bytes;
    if (!vocabulary_open(&vocabulary, &tables, error))
        return false;
    list->count = vocabulary.count;
    list->words = memory_new((size_t)list->count, sizeof *list->words, error);
    for (int32_t i = 0; list->words && i < list->count; i++) {
        const TokenText *token = &vocabulary.sorted[i];
        list->words[token->id] = (Word){token->text, token->size};
    }
    vocabulary_close(&vocabulary);
    return list->words;
}

bool word_list_open(WordList **out, const void *bytes, size_t size, const char *name, Error *error)
{
    WordList *list = memory_new(1, sizeof *list, error);
    if (list && fill(list, bytes, size, name, error)) {
        *out = list;
        return true;
    }
    word_list_close(list);
    return false;
}

void word_list_close(WordList *list)
{
    if (list) {
        memory_free(list->bytes);
        memory_free(list->words);
    }
    memory_free(list);
}

int32_t word_list_count(const WordList *list)
{
    return list->count;
}

int32_t word_list_special(const WordList *list, SpecialWord word)
{
    return list->count + (int32_t)word;
}

/* ---- ids of a text --------------------------------------------------------------------------- */

// Bytes above 0x7F are part of letters of other alphabets.
static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (uint8_t)c >= 0x80;
}

const char *word_span(const char *text, size_t *length)
{
    while (*text && !is_word_byte(*text))
        text++;
    *length = 0;
    while (is_word_byte(text[*length]))
        ++*length;
    return *length ? text : NULL;
}

bool word_next(const char **text, char out[LIMIT_WORD_BYTES])
{
    size_t      length = 0;
    const char *word   = word_span(*text, &length);
    length             = length < LIMIT_WORD_BYTES ? length : LIMIT_WORD_BYTES - 1;
    for (size_t i = 0; i < length; i++)
        out[i] = (char)(word[i] >= 'A' && word[i] <= 'Z' ? word[i] + ('a' - 'A') : word[i]);
    out[length] = 0;
    *text       = word ? word + length : *text + strlen(*text);
    return word != NULL;
}

static int32_t id_of(const WordList *list, const char *text)
{
    size_t size = strlen(text);
    for (int32_t id = 0; id < list->count; id++)
        if (list->words[id].size == size && memcmp(list->words[id].text, text, size) == 0)
            return id;
    return word_list_special(list, WORD_UNKNOWN);
}

int64_t word_list_ids(const WordList *list, const char *text, int64_t most, int32_t *ids)
{
    char    word[LIMIT_WORD_BYTES];
    int64_t count = 0;
    while (count < most && word_next(&text, word))
        ids[count++] = id_of(list, word);
    return count;
}

/* ---- a text ---------------------------------------------------------------------------------- */

// The ids up to the first stop, and the bytes of their words with a space behind each.
static bool measure(const WordList *list, const int32_t *ids, int64_t *count, size_t *size,
                    Error *error)
{
    *size = 0;
    for (int64_t i = 0; i < *count; i++) {
        if (ids[i] < 0 || ids[i] >= list->count + SPECIAL_WORDS)
            return fail(error, ERROR_DATA, "the id %d is no word, expected 0 to %d", ids[i],
                        list->count + SPECIAL_WORDS - 1);
        if (ids[i] == word_list_special(list, WORD_STOP))
            *count = i;
        else if (ids[i] < list->count)
            *size += list->words[ids[i]].size + 1;
        if (*size > LIMIT_TEXT_BYTES)
            return fail(error, ERROR_DATA, "a text of words has more than %d bytes",
                        LIMIT_TEXT_BYTES);
    }
    return true;
}

// Whether a space stands between what is written and a word.
static bool is_apart(const uint8_t *text, size_t used, const Word *word)
{
    return used > 0 && text[used - 1] != '-' && !memchr(".,;:-", word->text[0], 5);
}

static size_t join_words(const WordList *list, const int32_t *ids, int64_t count, uint8_t *text)
{
    size_t used = 0;
    for (int64_t i = 0; i < count; i++) {
        if (ids[i] >= list->count)
            continue;
        const Word *word = &list->words[ids[i]];
        if (is_apart(text, used, word))
            text[used++] = ' ';
        memcpy(text + used, word->text, word->size);
        used += word->size;
    }
    return used;
}

// One sentence without spaces at its ends, in UTF-8; `lower` has room for 2 * count.
static size_t write_sentence(const uint32_t *points, size_t count, uint32_t *lower, uint8_t *out)
{
    size_t used = 0;
    while (count > 0 && points[count - 1] == ' ')
        count--;
    for (; count > 0 && *points == ' '; points++)
        count--;
    count = points_lower(points, count, lower);
    if (count > 0 && *lower >= 'a' && *lower <= 'z')
        *lower -= 'a' - 'A';
    for (size_t i = 0; i < count; i++)
        used += point_write(lower[i], out + used);
    return used;
}

// Sentences apart, and no space at the end: none stands at the beginning.
static size_t write_sentences(const uint32_t *points, size_t count, uint32_t *lower, uint8_t *out)
{
    size_t used = 0;
    for (size_t start = 0, end = 0; start <= count; start = end + 1) {
        for (end = start; end < count && points[end] != '.';)
            end++;
        used += write_sentence(points + start, end - start, lower, out + used);
        if (end < count) {
            out[used++] = '.';
            out[used++] = ' ';
        }
    }
    while (used > 0 && out[used - 1] == ' ')
        used--;
    return used;
}

bool word_list_text(const WordList *list, const int32_t *ids, int64_t count, char **out,
                    Error *error)
{
    size_t size = 0;
    if (!measure(list, ids, &count, &size, error))
        return false;
    uint8_t  *joined = memory_new(size + 1, 1, error);
    uint32_t *points = memory_new(3 * size + 1, sizeof *points, error);
    // A full stop becomes two bytes, a code point at most four, and lower case may double them.
    uint8_t *text = memory_new(8 * size + 1, 1, error);
    if (joined && points && text) {
        size_t used = points_read((char *)joined, join_words(list, ids, count, joined), points);
        text[write_sentences(points, used, points + used, text)] = 0;
        *out                                                     = (char *)text;
    } else {
        memory_free(text);
        text = NULL;
    }
    memory_free(joined);
    memory_free(points);
    return text;
}
