/* tests/token_tables.h - small vocabularies: the 256 bytes, what some merges make, special tokens. */
#ifndef TESTS_TOKEN_TABLES_H
#define TESTS_TOKEN_TABLES_H

#include "../text/text.h"

enum { SMALL_TABLE = 1 << 15 };

typedef struct SmallTables {
    TokenTables tables; // of the texts below
    char        vocabulary[SMALL_TABLE], merges[SMALL_TABLE];
} SmallTables;

/* Tables with the merges of this text, lines of two tokens. As in the published files: for CLIP the
 * bytes, the bytes that end a word, what merges make, start, end; else <s>, </s>, the bytes, what
 * merges make. */
void small_tables(SmallTables *out, TokenizerKind kind, const char *merges);

/* The letter of a byte, counted out as the published code does it. Returns its bytes. */
int small_letter(int byte, char out[4]);

/* The token of an id, not zero-terminated, as written in the vocabulary; NULL past its end. */
const char *small_token(const SmallTables *tables, int32_t id, size_t *size);

/* The bytes that a token of GPT-2 or RoBERTa stands for; `out` has room for its size. */
size_t small_token_bytes(const char *token, size_t size, uint8_t *out);

#endif
