/* tests/fuzz/fuzz_text.c - a byte that chooses the tokenizer, then any bytes as a text. */
#include "../token_tables.h"
#include "fuzz.h"

#include <string.h>

enum { KINDS = TOKENIZER_GPT2 + 1 };

static const char merges[] = "t h\nth e\nth e</w>\ni n\na a\naa aa\n\xC4\xA0 t\n\xC4\xA0t h\nb a\n"
                             "a b\nba b\n' s\n' s</w>\n\xC3\x83 \xC2\xA9\n& l\n\xC4\xA0 \xC4\xA0\n";

// Merges that the vocabulary of the kind has tokens for.
static const char *merges_of(TokenizerKind kind)
{
    static char plain[sizeof merges];
    size_t      used = 0;
    if (kind == TOKENIZER_CLIP)
        return merges;
    for (const char *line = merges; *line;) {
        size_t size = strcspn(line, "\n") + 1;
        if (size < 5 || memcmp(line + size - 5, "</w>", 4) != 0) {
            memcpy(plain + used, line, size);
            used += size;
        }
        line += size;
    }
    plain[used] = 0;
    return plain;
}

typedef struct Ready {
    SmallTables small;
    Tokenizer  *tokenizer;
    char       *token[512]; // the bytes that each stands for
    size_t      size[512];
} Ready;

// Made at the first call and kept: the suite counts what one run leaves.
static Ready *ready(TokenizerKind kind)
{
    static Ready all[KINDS];
    static char  room[KINDS][1 << 13];
    Ready       *one  = &all[kind];
    size_t       used = 0, size = 0;
    if (one->tokenizer)
        return one;
    small_tables(&one->small, kind, merges_of(kind));
    FUZZ_CHECK(tokenizer_create(&one->tokenizer, kind, &one->small.tables, NULL));
    if (kind == TOKENIZER_CLIP)
        return one;
    for (int32_t id = 0; id < tokenizer_id_count(one->tokenizer); id++) {
        const char *token = small_token(&one->small, id, &size);
        one->token[id]    = room[kind] + used;
        one->size[id]     = small_token_bytes(token, size, (uint8_t *)one->token[id]);
        used += one->size[id];
    }
    return one;
}

static bool is_utf8(const uint8_t *text, size_t size)
{
    for (size_t at = 0, length; at < size; at += length) {
        length = (size_t)utf8_length(text + at, size - at);
        if (length == 0)
            return false;
    }
    return true;
}

// GPT-2 and RoBERTa lose nothing: the tokens are the text.
static void check_bytes(const Ready *one, const Tokens *tokens, int64_t around, const uint8_t *text,
                        size_t size)
{
    for (int64_t i = around; i < tokens->count - around; i++) {
        size_t length = one->size[tokens->ids[i]];
        FUZZ_CHECK(length <= size && !memcmp(text, one->token[tokens->ids[i]], length));
        text += length;
        size -= length;
    }
    FUZZ_CHECK(size == 0);
}

static void check_cut(const Ready *one, const Tokens *whole, const char *text, size_t size)
{
    Tokens  cut  = {0};
    int64_t most = 2 + (int64_t)(size % 8);
    FUZZ_CHECK(tokenizer_encode(one->tokenizer, text, size, most, LONG_TEXT_CUT, &cut, NULL));
    FUZZ_CHECK(cut.count == (whole->count < most ? whole->count : most));
    FUZZ_CHECK(!memcmp(cut.ids, whole->ids, (size_t)(cut.count - 1) * sizeof *cut.ids));
    FUZZ_CHECK(tokenizer_end_id(one->tokenizer) < 0 ||
               cut.ids[cut.count - 1] == tokenizer_end_id(one->tokenizer));
    tokens_free(&cut);
}

void fuzz_text(const uint8_t *data, size_t size)
{
    if (size == 0)
        return;
    TokenizerKind kind   = (TokenizerKind)(data[0] % KINDS);
    const Ready  *one    = ready(kind);
    Tokens        tokens = {0};
    int32_t       start  = tokenizer_start_id(one->tokenizer);
    data++, size--;
    FUZZ_CHECK(tokenizer_encode(one->tokenizer, (const char *)data, size, INT32_MAX,
                                LONG_TEXT_REFUSED, &tokens, NULL));
    for (int64_t i = 0; i < tokens.count; i++)
        FUZZ_CHECK(tokens.ids[i] >= 0 && tokens.ids[i] < tokenizer_id_count(one->tokenizer));
    FUZZ_CHECK(start < 0 || (tokens.count >= 2 && tokens.ids[0] == start));
    if ((kind == TOKENIZER_ROBERTA || kind == TOKENIZER_GPT2) && is_utf8(data, size))
        check_bytes(one, &tokens, start >= 0, data, size);
    if (tokens.count > 0)
        check_cut(one, &tokens, (const char *)data, size);
    tokens_free(&tokens);
}
