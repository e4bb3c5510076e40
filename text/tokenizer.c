/* text/tokenizer.c - see text.h: the kinds of tokenizers, and a text from bytes to ids. */
#include "text.h"
#include "clean.h"
#include "join.h"
#include "split.h"
#include "unicode.h"

#include <assert.h>
#include <string.h>

/* All that one kind does differently. */
typedef struct Kind {
    SplitRule  *split;
    bool        cleans;      // the text first
    bool        adds_space;  // before a text that begins with none
    const char *word_end;    // behind the last byte of a word, part of its token
    const char *start, *end; // around a text; NULL: none
    bool        knows_both;  // in the text too
} Kind;

static const Kind kinds[] = {
    [TOKENIZER_CLIP]    = {.split      = split_clip,
                           .cleans     = true,
                           .word_end   = "</w>",
                           .start      = "<|startoftext|>",
                           .end        = "<|endoftext|>",
                           .knows_both = true},
    [TOKENIZER_ROBERTA] = {.split = split_gpt2, .word_end = "", .start = "<s>", .end = "</s>"},
    [TOKENIZER_ROBERTA_SLOW] =
        {.split = split_gpt2, .adds_space = true, .word_end = "", .start = "<s>", .end = "</s>"},
    [TOKENIZER_GPT2] = {.split = split_gpt2, .word_end = ""},
};

struct Tokenizer {
    const Kind *kind;
    Merges      merges;
    int32_t     count;        // of ids
    int32_t     start, end;   // ids, -1: none
    int32_t     inside[256];  // the token of a byte that another follows in its word
    int32_t     closing[256]; // and of the last byte of a word
};

/* ---- making one ------------------------------------------------------------------------------ */

/* The letter that a byte is written as in the published tables, where a token has neither spaces
 * nor control characters: itself if it is printable Latin-1, else one from U+0100 on, in order.
 * Source: GPT-2, encoder.py, bytes_to_unicode. */
static uint32_t letter_of(int byte)
{
    if (byte > 0xAD)
        return (uint32_t)byte;
    if (byte == 0xAD)
        return 0x100 + 67;
    if (byte > 0xA0)
        return (uint32_t)byte;
    if (byte > '~')
        return 0x100 + 33 + (uint32_t)(byte - 0x7F);
    return byte > ' ' ? (uint32_t)byte : 0x100 + (uint32_t)byte;
}

static bool find_bytes(int32_t ids[256], const Vocabulary *vocabulary, const char *word_end,
                       const char *name, Error *error)
{
    uint8_t token[16];
    size_t  end_size = strlen(word_end);
    for (int byte = 0; byte < 256; byte++) {
        size_t size = point_write(letter_of(byte), token);
        memcpy(token + size, word_end, end_size);
        ids[byte] = vocabulary_find(vocabulary, token, size + end_size);
        if (ids[byte] < 0)
            return fail(error, ERROR_DATA, "%s: 'vocabulary' has no token for byte 0x%02x%s", name,
                        (unsigned)byte, end_size ? " at the end of a word" : "");
    }
    return true;
}

static bool find_special(int32_t *id, const Vocabulary *vocabulary, const char *token,
                         const char *name, Error *error)
{
    *id = token ? vocabulary_find(vocabulary, token, strlen(token)) : -1;
    return !token || *id >= 0 ||
           fail(error, ERROR_DATA, "%s: 'vocabulary' has no token '%s'", name, token);
}

static bool fill(Tokenizer *tokenizer, const Vocabulary *vocabulary, const TokenTables *tables,
                 Error *error)
{
    const Kind *kind = tokenizer->kind;
    const char *name = tables->name;
    tokenizer->count = vocabulary->count;
    return find_bytes(tokenizer->inside, vocabulary, "", name, error) &&
           find_bytes(tokenizer->closing, vocabulary, kind->word_end, name, error) &&
           find_special(&tokenizer->start, vocabulary, kind->start, name, error) &&
           find_special(&tokenizer->end, vocabulary, kind->end, name, error) &&
           merges_open(&tokenizer->merges, vocabulary, tables, error);
}

bool tokenizer_create(Tokenizer **out, TokenizerKind kind, const TokenTables *tables, Error *error)
{
    Vocabulary vocabulary;
    Tokenizer *tokenizer = memory_new(1, sizeof *tokenizer, error);
    if (!tokenizer)
        return false;
    tokenizer->kind = &kinds[kind];
    bool is_made =
        vocabulary_open(&vocabulary, tables, error) && fill(tokenizer, &vocabulary, tables, error);
    vocabulary_close(&vocabulary);
    if (is_made)
        *out = tokenizer;
    else
        tokenizer_free(tokenizer);
    return is_made;
}

void tokenizer_free(Tokenizer *tokenizer)
{
    if (tokenizer)
        merges_close(&tokenizer->merges);
    memory_free(tokenizer);
}

int32_t tokenizer_id_count(const Tokenizer *tokenizer)
{
    return tokenizer->count;
}

int32_t tokenizer_start_id(const Tokenizer *tokenizer)
{
    return tokenizer->start;
}

int32_t tokenizer_end_id(const Tokenizer *tokenizer)
{
    return tokenizer->end;
}

/* ---- a text ---------------------------------------------------------------------------------- */

typedef struct Encoding {
    const Tokenizer *tokenizer;
    Joiner           joiner;
    int32_t         *ids;
    size_t           count, room;
} Encoding;

static bool reserve(Encoding *encoding, size_t more, Error *error)
{
    if (encoding->count + more <= encoding->room)
        return true;
    size_t   room = 2 * (encoding->count + more);
    int32_t *ids  = memory_grow(encoding->ids, encoding->room, room, sizeof *ids, error);
    if (!ids)
        return false;
    encoding->ids  = ids;
    encoding->room = room;
    return true;
}

static bool is_text(const uint32_t *points, size_t count, const char *text)
{
    if (strlen(text) != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (points[i] != (unsigned char)text[i])
            return false;
    return true;
}

// Start or end token written in the text, -1 if the word is none of them.
static int32_t special_id(const Tokenizer *tokenizer, const uint32_t *points, size_t count)
{
    const Kind *kind = tokenizer->kind;
    if (!kind->knows_both)
        return -1;
    if (is_text(points, count, kind->start))
        return tokenizer->start;
    return is_text(points, count, kind->end) ? tokenizer->end : -1;
}

static bool encode_word(Encoding *encoding, const uint32_t *points, size_t count, Error *error)
{
    const Tokenizer *tokenizer = encoding->tokenizer;
    size_t           bytes     = 0;
    int32_t          special   = special_id(tokenizer, points, count);
    for (size_t i = 0; i < count; i++)
        bytes += point_write(points[i], NULL);
    if (!reserve(encoding, bytes, error) || !joiner_reserve(&encoding->joiner, bytes, error))
        return false;
    if (special >= 0) {
        encoding->ids[encoding->count++] = special;
        return true;
    }
    Piece  *piece   = encoding->joiner.pieces;
    uint8_t utf8[4] = {0};
    for (size_t i = 0; i < count; i++) {
        size_t length = point_write(points[i], utf8);
        for (size_t k = 0; k < length; k++)
            (piece++)->id = tokenizer->inside[utf8[k]];
    }
    piece[-1].id = tokenizer->closing[utf8[point_write(points[count - 1], utf8) - 1]];
    encoding->count += (size_t)joiner_join(&encoding->joiner, &tokenizer->merges, (int32_t)bytes,
                                           encoding->ids + encoding->count);
    return true;
}

static bool encode_points(Encoding *encoding, const uint32_t *points, size_t count, Error *error)
{
    const Tokenizer *tokenizer = encoding->tokenizer;
    size_t           start = 0, end = 0;
    if (tokenizer->start >= 0) {
        if (!reserve(encoding, 1, error))
            return false;
        encoding->ids[encoding->count++] = tokenizer->start;
    }
    for (; tokenizer->kind->split(points, count, &start, &end); start = end)
        if (!encode_word(encoding, points + start, end - start, error))
            return false;
    if (!reserve(encoding, 1, error)) // a text without ids has memory too
        return false;
    if (tokenizer->end >= 0)
        encoding->ids[encoding->count++] = tokenizer->end;
    return true;
}

static bool encode(Encoding *encoding, const char *text, size_t size, Error *error)
{
    const Kind *kind   = encoding->tokenizer->kind;
    uint32_t   *points = memory_new(3 * size + 1, sizeof *points, error);
    if (!points)
        return false;
    uint32_t *used  = points;
    size_t    count = points_read(text, size, points + 1); // with a place for a space before
    if (kind->cleans) {
        used  = points + 1 + size;
        count = text_clean(points + 1, count, used);
    } else if (kind->adds_space && count > 0 && !point_is_blank(points[1])) {
        points[0] = ' ';
        count++;
    } else {
        used = points + 1;
    }
    bool done = encode_points(encoding, used, count, error);
    memory_free(points);
    return done;
}

// Whether the ids fit, or have been made to.
static bool cut(Encoding *encoding, int64_t most, LongText when_long, Error *error)
{
    if (encoding->count <= (size_t)most)
        return true;
    if (when_long == LONG_TEXT_REFUSED)
        return fail(error, ERROR_DATA, "the text has %zu tokens, the limit is %lld",
                    encoding->count, (long long)most);
    encoding->count = (size_t)most;
    if (encoding->tokenizer->end >= 0)
        encoding->ids[most - 1] = encoding->tokenizer->end;
    return true;
}

bool tokenizer_encode(const Tokenizer *tokenizer, const char *text, size_t size, int64_t most,
                      LongText when_long, Tokens *out, Error *error)
{
    Encoding encoding = {.tokenizer = tokenizer};
    assert(most >= 2);
    if (size > LIMIT_TEXT_BYTES)
        return fail(error, ERROR_DATA, "a text has %zu bytes, the limit is %d", size,
                    LIMIT_TEXT_BYTES);
    bool done = encode(&encoding, text, size, error) && cut(&encoding, most, when_long, error);
    joiner_free(&encoding.joiner);
    if (done)
        *out = (Tokens){encoding.ids, (int64_t)encoding.count};
    else
        memory_free(encoding.ids);
    return done;
}

void tokens_free(Tokens *tokens)
{
    memory_free(tokens->ids);
    *tokens = (Tokens){0};
}
