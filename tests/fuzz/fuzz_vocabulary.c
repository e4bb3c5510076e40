/* tests/fuzz/fuzz_vocabulary.c - a byte that chooses the tokenizer, lines of tokens, a byte 0x1E,
 * lines of merges. The 256 bytes and special tokens stand before those lines, unless the first byte
 * has its highest bit set: hardly any bytes would make a vocabulary by themselves. */
#include "../token_tables.h"
#include "fuzz.h"

#include <string.h>

static void check_text(const Tokenizer *tokenizer, const char *text, size_t size)
{
    Tokens tokens = {0};
    FUZZ_CHECK(
        tokenizer_encode(tokenizer, text, size, INT32_MAX, LONG_TEXT_REFUSED, &tokens, NULL));
    for (int64_t i = 0; i < tokens.count; i++)
        FUZZ_CHECK(tokens.ids[i] >= 0 && tokens.ids[i] < tokenizer_id_count(tokenizer));
    FUZZ_CHECK(tokens.count <= (int64_t)(3 * size) + 2); // a token of each byte, U+FFFD for some
    tokens_free(&tokens);
}

// The tokens that there must be.
static const SmallTables *needed(TokenizerKind kind)
{
    static SmallTables all[TOKENIZER_GPT2 + 1];
    if (!all[kind].tables.vocabulary_bytes)
        small_tables(&all[kind], kind, "");
    return &all[kind];
}

void fuzz_vocabulary(const uint8_t *data, size_t size)
{
    if (size == 0)
        return;
    TokenizerKind kind   = (TokenizerKind)(data[0] % (TOKENIZER_GPT2 + 1));
    bool          is_all = data[0] & 0x80;
    data++, size--;
    const uint8_t *mark   = size ? memchr(data, 0x1E, size) : NULL;
    size_t         tokens = mark ? (size_t)(mark - data) : size;
    size_t         before = is_all ? 0 : needed(kind)->tables.vocabulary_bytes;
    uint8_t       *whole  = memory_new(before + tokens, 1, NULL);
    memcpy(whole, needed(kind)->vocabulary, before);
    if (tokens)
        memcpy(whole + before, data, tokens);
    TokenTables tables    = {.name             = "fuzz.nw",
                             .vocabulary       = whole,
                             .vocabulary_bytes = before + tokens,
                             .merges           = mark ? mark + 1 : data,
                             .merges_bytes     = mark ? size - tokens - 1 : 0};
    Tokenizer  *tokenizer = NULL;
    if (tokenizer_create(&tokenizer, kind, &tables, NULL)) {
        FUZZ_CHECK(tokenizer_id_count(tokenizer) >= 256);
        check_text(tokenizer, (const char *)data, size);
        check_text(tokenizer, "the theme, a a aaaa", 19);
        tokenizer_free(tokenizer);
    }
    memory_free(whole);
}
