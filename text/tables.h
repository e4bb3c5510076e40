/* text/tables.h - the two tables of a tokenizer as they lie in a blob: lines of tokens. */
#ifndef TEXT_TABLES_H
#define TEXT_TABLES_H

#include "text.h"

/* ---- vocabulary: a token a line, in order of ids --------------------------------------------- */

typedef struct TokenText {
    const uint8_t *text; // in the caller's bytes
    uint32_t       size;
    int32_t        id;
} TokenText;

typedef struct Vocabulary {
    TokenText *sorted; // by text; owned
    int32_t    count;
} Vocabulary;

bool vocabulary_open(Vocabulary *out, const TokenTables *tables, Error *error);
void vocabulary_close(Vocabulary *vocabulary);

/* The id of a token, -1 if there is none. */
int32_t vocabulary_find(const Vocabulary *vocabulary, const void *text, size_t size);

/* ---- merges: the two tokens a line that become one, the first to be joined first ------------- */

typedef struct Merge {
    int32_t left, right, whole; // ids
} Merge;

typedef struct Follower {
    int32_t right, rank;
} Follower;

typedef struct Merges {
    Merge    *list;      // by rank; owned
    int32_t  *first;     // [ids + 1]: where the followers of a left token begin; owned
    Follower *followers; // of each left token, by right token; owned
    int32_t   count;
} Merges;

bool merges_open(Merges *out, const Vocabulary *vocabulary, const TokenTables *tables,
                 Error *error);
void merges_close(Merges *merges);

/* The rank of the merge that joins two tokens, -1 if none does. */
int32_t merges_rank(const Merges *merges, int32_t left, int32_t right);

#endif
