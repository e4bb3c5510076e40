/* study/text_table.c - see text_table.h. */
#include "text_table.h"

#include "../text/word_list.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_KNOWN = 4096 }; // texts whose pairs are remembered: 64 MiB

/* ---- plain texts ----------------------------------------------------------------------------- */

bool text_table_plain(const char *text, char **out, Error *error)
{
    char *plain = NULL;
    if (!text_plain(text, &plain, error))
        return false;
    size_t length = strlen(plain);
    if (length > 2 && plain[length - 2] == '-' && strchr("sc", plain[length - 1]))
        plain[length - 2] = 0;
    for (char *c = plain; *c; c++)
        if (*c == '_')
            *c = ' ';
    *out = plain;
    return true;
}

typedef struct Named {
    char   *text; // plain; owned until it is in the table
    int64_t place;
} Named;

static int by_text(const void *a, const void *b)
{
    const Named *x = a, *y = b;
    int          order = strcmp(x->text, y->text);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

// The first of equal texts goes to the table, the others are released.
static bool number_texts(TextTable *table, Named *named, int64_t count, int32_t *ids, Error *error)
{
    qsort(named, (size_t)count, sizeof *named, by_text);
    if (!(table->texts = memory_new((size_t)count, sizeof *table->texts, error)))
        return false;
    for (int64_t i = 0; i < count; i++) {
        bool is_new =
            table->count == 0 || strcmp(table->texts[table->count - 1], named[i].text) != 0;
        if (is_new) {
            table->texts[table->count++] = named[i].text;
            named[i].text                = NULL;
        }
        ids[named[i].place] = table->count - 1;
    }
    return true;
}

static bool find_texts(TextTable *table, const char *const *texts, int64_t count, int32_t *ids,
                       Error *error)
{
    Named *named = memory_new((size_t)count, sizeof *named, error);
    bool   ok    = named != NULL;
    for (int64_t i = 0; ok && i < count; i++) {
        named[i].place = i;
        ok             = text_table_plain(texts[i], &named[i].text, error);
    }
    ok = ok && number_texts(table, named, count, ids, error);
    for (int64_t i = 0; named && i < count; i++)
        memory_free(named[i].text);
    memory_free(named);
    return ok;
}

/* ---- words ----------------------------------------------------------------------------------- */

typedef struct Word {
    const char *at; // in a text of the table
    size_t      length;
    int32_t     text;
} Word;

static int by_word(const void *a, const void *b)
{
    const Word *x = a, *y = b;
    size_t      length = x->length < y->length ? x->length : y->length;
    int         order  = memcmp(x->at, y->at, length);
    if (order == 0 && x->length != y->length)
        order = x->length < y->length ? -1 : 1;
    return order ? order : (x->text > y->text) - (x->text < y->text);
}

static int64_t list_words(const TextTable *table, Word *out)
{
    int64_t count  = 0;
    size_t  length = 0;
    for (int32_t text = 0; text < table->count; text++)
        for (const char *at = table->texts[text]; (at = word_span(at, &length)); at += length) {
            if (out)
                out[count] = (Word){at, length, text};
            count++;
        }
    return count;
}

static bool find_words(TextTable *table, Error *error)
{
    int64_t count     = list_words(table, NULL);
    Word   *words     = memory_new((size_t)count, sizeof *words, error);
    bool    ok        = words != NULL;
    table->words      = ok ? memory_new((size_t)table->count, sizeof *table->words, error) : NULL;
    table->word_count = memory_new((size_t)table->count, sizeof *table->word_count, error);
    ok                = table->words && table->word_count;
    for (int64_t i = ok ? list_words(table, words) : 0; i > 0; i--)
        table->word_count[words[i - 1].text]++;
    for (int32_t text = 0; ok && text < table->count; text++) {
        ok                      = (table->words[text] = memory_new((size_t)table->word_count[text],
                                                                   sizeof *table->words[text], error)) != NULL;
        table->word_count[text] = 0;
    }
    if (ok)
        qsort(words, (size_t)count, sizeof *words, by_word);
    int32_t number = -1;
    for (int64_t i = 0; ok && i < count; i++) {
        const Word *word    = &words[i];
        bool        is_same = i > 0 && word->length == words[i - 1].length &&
                       memcmp(word->at, words[i - 1].at, word->length) == 0;
        number += !is_same;
        if (!is_same || word->text != words[i - 1].text)
            table->words[word->text][table->word_count[word->text]++] = number;
    }
    memory_free(words);
    return ok;
}

double text_table_overlap(const TextTable *table, int32_t a, int32_t b)
{
    const int32_t *x = table->words[a], *y = table->words[b];
    int32_t        i = 0, k = 0, both = 0, nx = table->word_count[a], ny = table->word_count[b];
    while (i < nx && k < ny) {
        int32_t p = x[i], q = y[k];
        both += p == q;
        i += p <= q;
        k += q <= p;
    }
    return nx + ny ? (double)both / (double)(nx + ny - both) : 1;
}

/* ---- F1-BERT --------------------------------------------------------------------------------- */

static bool prepare_bert(TextTable *table, Error *error)
{
    size_t pairs = (size_t)table->count * (size_t)table->count;
    if (!table->bert)
        return true;
    if (!bertscore_read(table->bert, (const char *const *)table->texts, table->count, error))
        return false;
    if (table->count > MOST_KNOWN)
        return true;
    if (!(table->known = memory_new(pairs, sizeof *table->known, error)))
        return false;
    for (size_t i = 0; i < pairs; i++)
        table->known[i] = NAN;
    return true;
}

bool text_table_f1(TextTable *table, int32_t candidate, int32_t reference, double *out,
                   Error *error)
{
    float *known =
        table->known ? table->known + (int64_t)candidate * table->count + reference : NULL;
    if (known && !isnan(*known)) {
        *out = (double)*known;
        return true;
    }
    if (!bertscore_f1(table->bert, table->texts[candidate], table->texts[reference], out, error))
        return false;
    if (known) {
        *known = (float)*out;
        *out   = (double)*known;
    }
    return true;
}

/* ---- the table ------------------------------------------------------------------------------- */

bool text_table_open(TextTable *out, const char *const *texts, int64_t count, BertScore *bert,
                     int32_t *ids, Error *error)
{
    TextTable table = {.bert = bert};
    if (count > INT32_MAX)
        return fail(error, ERROR_DATA, "%lld descriptions, expected at most %d", (long long)count,
                    INT32_MAX);
    if (!find_texts(&table, texts, count, ids, error) || !find_words(&table, error) ||
        !prepare_bert(&table, error)) {
        text_table_close(&table);
        return false;
    }
    *out = table;
    return true;
}

void text_table_close(TextTable *table)
{
    for (int32_t i = 0; i < table->count; i++) {
        memory_free(table->texts[i]);
        if (table->words)
            memory_free(table->words[i]);
    }
    memory_free(table->texts);
    memory_free(table->words);
    memory_free(table->word_count);
    memory_free(table->known);
    *table = (TextTable){0};
}
