/* text/tables.c - see tables.h. Tokens are found in sorted lists, so that no choice of tokens makes
 * a look-up slow. */
#include "tables.h"

#include <stdlib.h>
#include <string.h>

/* ---- lines ----------------------------------------------------------------------------------- */

typedef struct Lines {
    const char    *name, *table; // file and tensor, in messages
    const uint8_t *line, *next, *end;
    size_t         size;   // of the line
    int32_t        number; // of the line, from 1
} Lines;

static bool lines_open(Lines *lines, const char *name, const char *table, const void *bytes,
                       size_t size, Error *error)
{
    *lines = (Lines){.name = name, .table = table, .next = bytes};
    if (size > LIMIT_TABLE_BYTES)
        return fail(error, ERROR_DATA, "%s: '%s' has %zu bytes, the limit is %d", name, table, size,
                    LIMIT_TABLE_BYTES);
    lines->end = size ? lines->next + size : lines->next;
    if (size && lines->end[-1] != '\n')
        return fail(error, ERROR_DATA, "%s: the last line of '%s' has no end", name, table);
    return true;
}

static bool line_fails(const Lines *lines, Error *error, const char *what)
{
    return fail(error, ERROR_DATA, "%s: line %d of '%s' %s", lines->name, lines->number,
                lines->table, what);
}

// The next line, with no byte below the space: every table is printable text.
static bool lines_next(Lines *lines, Error *error)
{
    const uint8_t *stop = memchr(lines->next, '\n', (size_t)(lines->end - lines->next));
    lines->line         = lines->next;
    lines->size         = (size_t)(stop - lines->line);
    lines->next         = stop + 1;
    if (lines->number++ == LIMIT_TABLE_LINES)
        return fail(error, ERROR_DATA, "%s: '%s' has more than %d lines", lines->name, lines->table,
                    LIMIT_TABLE_LINES);
    for (size_t i = 0; i < lines->size; i++)
        if (lines->line[i] < ' ' || lines->line[i] == 0x7F)
            return line_fails(lines, error, "holds a control character");
    return true;
}

// How many there are, or the limit, which whoever reads on finds out.
static size_t lines_count(const Lines *lines)
{
    size_t count = 0;
    for (const uint8_t *at = lines->next; at < lines->end && count < LIMIT_TABLE_LINES; count++)
        at = (const uint8_t *)memchr(at, '\n', (size_t)(lines->end - at)) + 1;
    return count;
}

// Whether a token of the line is as short as it must be.
static bool token_fits(const Lines *lines, size_t size, Error *error)
{
    return size <= LIMIT_TOKEN_BYTES ||
           fail(error, ERROR_DATA, "%s: line %d of '%s' has a token of %zu bytes, the limit is %d",
                lines->name, lines->number, lines->table, size, LIMIT_TOKEN_BYTES);
}

/* ---- vocabulary ------------------------------------------------------------------------------ */

static int text_order(const TokenText *a, const TokenText *b)
{
    size_t least = a->size < b->size ? a->size : b->size;
    int    order = memcmp(a->text, b->text, least);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static int by_text(const void *a, const void *b)
{
    return text_order(a, b);
}

static bool read_tokens(Vocabulary *vocabulary, Lines *lines, Error *error)
{
    while (lines->next < lines->end) {
        if (!lines_next(lines, error))
            return false;
        if (lines->size == 0)
            return line_fails(lines, error, "is empty, expected a token");
        if (!token_fits(lines, lines->size, error))
            return false;
        if (memchr(lines->line, ' ', lines->size))
            return line_fails(lines, error, "holds a space, expected one token");
        vocabulary->sorted[vocabulary->count] =
            (TokenText){lines->line, (uint32_t)lines->size, vocabulary->count};
        vocabulary->count++;
    }
    qsort(vocabulary->sorted, (size_t)vocabulary->count, sizeof *vocabulary->sorted, by_text);
    for (int32_t i = 1; i < vocabulary->count; i++) {
        const TokenText *a = &vocabulary->sorted[i - 1], *b = &vocabulary->sorted[i];
        if (text_order(a, b) == 0)
            return fail(error, ERROR_DATA, "%s: lines %d and %d of '%s' are the same token",
                        lines->name, (a->id < b->id ? a->id : b->id) + 1,
                        (a->id < b->id ? b->id : a->id) + 1, lines->table);
    }
    return true;
}

bool vocabulary_open(Vocabulary *out, const TokenTables *tables, Error *error)
{
    Lines lines;
    *out = (Vocabulary){0};
    if (!lines_open(&lines, tables->name, "vocabulary", tables->vocabulary,
                    tables->vocabulary_bytes, error))
        return false;
    out->sorted = memory_new(lines_count(&lines), sizeof *out->sorted, error);
    if (out->sorted && read_tokens(out, &lines, error))
        return true;
    vocabulary_close(out);
    return false;
}

void vocabulary_close(Vocabulary *vocabulary)
{
    memory_free(vocabulary->sorted);
    *vocabulary = (Vocabulary){0};
}

int32_t vocabulary_find(const Vocabulary *vocabulary, const void *text, size_t size)
{
    TokenText        key   = {.text = text, .size = (uint32_t)size};
    const TokenText *found = bsearch(&key, vocabulary->sorted, (size_t)vocabulary->count,
                                     sizeof *vocabulary->sorted, by_text);
    return found ? found->id : -1;
}

/* ---- merges ---------------------------------------------------------------------------------- */

static bool read_merge(const Vocabulary *vocabulary, const Lines *lines, Merge *out, Error *error)
{
    uint8_t        whole[2 * LIMIT_TOKEN_BYTES];
    const uint8_t *space = memchr(lines->line, ' ', lines->size);
    if (!space)
        return line_fails(lines, error, "has no space, expected two tokens");
    size_t left  = (size_t)(space - lines->line);
    size_t right = lines->size - left - 1;
    if (!token_fits(lines, left, error) || !token_fits(lines, right, error))
        return false;
    if (memchr(space + 1, ' ', right))
        return line_fails(lines, error, "has more than one space, expected two tokens");
    memcpy(whole, lines->line, left);
    memcpy(whole + left, space + 1, right);
    *out = (Merge){.left  = vocabulary_find(vocabulary, whole, left),
                   .right = vocabulary_find(vocabulary, whole + left, right),
                   .whole = vocabulary_find(vocabulary, whole, left + right)};
    if (out->left < 0)
        return line_fails(lines, error, "begins with what is no token of 'vocabulary'");
    if (out->right < 0)
        return line_fails(lines, error, "ends with what is no token of 'vocabulary'");
    if (out->whole < 0)
        return line_fails(lines, error, "makes what is no token of 'vocabulary'");
    return true;
}

static int by_right(const void *a, const void *b)
{
    const Follower *p = a, *q = b;
    return (p->right > q->right) - (p->right < q->right);
}

// Followers counted, placed and sorted for each left token.
static bool sort_merges(Merges *merges, int32_t ids, const char *name, Error *error)
{
    int32_t *first = merges->first;
    for (int32_t rank = 0; rank < merges->count; rank++)
        first[merges->list[rank].left + 1]++;
    for (int32_t id = 0; id < ids; id++)
        first[id + 1] += first[id];
    for (int32_t rank = 0; rank < merges->count; rank++) {
        const Merge *merge                      = &merges->list[rank];
        merges->followers[first[merge->left]++] = (Follower){merge->right, rank};
    }
    for (int32_t id = ids; id > 0; id--) // each now stands where the next one begins
        first[id] = first[id - 1];
    first[0] = 0;
    for (int32_t id = 0; id < ids; id++) {
        Follower *followers = merges->followers + first[id];
        int32_t   count     = first[id + 1] - first[id];
        qsort(followers, (size_t)count, sizeof *followers, by_right);
        for (int32_t i = 1; i < count; i++)
            if (followers[i].right == followers[i - 1].right) {
                int32_t a = followers[i - 1].rank, b = followers[i].rank;
                return fail(error, ERROR_DATA, "%s: lines %d and %d of 'merges' join the same two",
                            name, (a < b ? a : b) + 1, (a < b ? b : a) + 1);
            }
    }
    return true;
}

static bool read_merges(Merges *merges, const Vocabulary *vocabulary, Lines *lines, Error *error)
{
    while (lines->next < lines->end) {
        if (!lines_next(lines, error) ||
            !read_merge(vocabulary, lines, &merges->list[merges->count], error))
            return false;
        merges->count++;
    }
    return sort_merges(merges, vocabulary->count, lines->name, error);
}

bool merges_open(Merges *out, const Vocabulary *vocabulary, const TokenTables *tables, Error *error)
{
    Lines lines;
    *out = (Merges){0};
    if (!lines_open(&lines, tables->name, "merges", tables->merges, tables->merges_bytes, error))
        return false;
    size_t count   = lines_count(&lines);
    out->list      = memory_new(count, sizeof *out->list, error);
    out->first     = memory_new((size_t)vocabulary->count + 1, sizeof *out->first, error);
    out->followers = memory_new(count, sizeof *out->followers, error);
    if (out->list && out->first && out->followers && read_merges(out, vocabulary, &lines, error))
        return true;
    merges_close(out);
    return false;
}

void merges_close(Merges *merges)
{
    memory_free(merges->list);
    memory_free(merges->first);
    memory_free(merges->followers);
    *merges = (Merges){0};
}

int32_t merges_rank(const Merges *merges, int32_t left, int32_t right)
{
    int32_t low = merges->first[left], high = merges->first[left + 1];
    while (low < high) {
        int32_t         middle   = low + (high - low) / 2;
        const Follower *follower = &merges->followers[middle];
        if (follower->right == right)
            return follower->rank;
        if (follower->right < right)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}
