/* text/text.h - text to the token ids of CLIP, RoBERTa and GPT-2 (byte-pair encoding).
 *
 * A text is cut into words by a pattern, a word is its UTF-8 bytes, and neighbours that stand in a
 * list of merges are joined, the earliest merge of the list first, until none is left. What remains
 * are tokens; a vocabulary gives each its id. The two tables come out of a weight blob; DESIGN.md,
 * "Vocabularies", has their form. Classes of letters and lower case are those of Unicode 14.0.0.
 *
 * Every text has ids: a byte that is not UTF-8 is read as U+FFFD. The published code of CLIP
 * repairs a text by the library ftfy first, which straightens curly quotes and composes accents,
 * and that is left out here. Names of special tokens are ordinary text, but for the two of CLIP,
 * where the published code knows them in a text.
 *
 * Sources: Sennrich et al., ACL 2016, algorithm 1 (merges); Radford et al., "Language models are
 * unsupervised multitask learners", 2019, section 2.2 (bytes). Threads: a tokenizer is only read
 * once it is made. */
#ifndef TEXT_TEXT_H
#define TEXT_TEXT_H

#include "../base/base.h"

enum {
    LIMIT_TEXT_BYTES  = 1 << 18, // of one text
    LIMIT_TABLE_BYTES = 1 << 26, // of a vocabulary, of a list of merges
    LIMIT_TABLE_LINES = 1 << 20, // lines of either
    LIMIT_TOKEN_BYTES = 1024,    // of one token as written in the tables
    CLIP_TOKENS       = 77,      // the longest text of CLIP, start and end included
    ROBERTA_TOKENS    = 512      // of RoBERTa, likewise
};

/* CLIP resolves HTML entities twice, makes spaces of white space and lower case of capitals.
 * RoBERTa and GPT-2 take the text as it is, white space included. The slow tokenizer of RoBERTa
 * puts a space before a text that does not begin with white space; the fast one, which is the
 * default elsewhere, does not. CLIP and RoBERTa put a token before and one after the text. */
typedef enum TokenizerKind {
    TOKENIZER_CLIP,
    TOKENIZER_ROBERTA,
    TOKENIZER_ROBERTA_SLOW,
    TOKENIZER_GPT2
} TokenizerKind;

/* The tensors `vocabulary` and `merges` of a blob; neither is needed once a tokenizer is made. */
typedef struct TokenTables {
    const char *name; // of the file, in messages
    const void *vocabulary, *merges;
    size_t      vocabulary_bytes, merges_bytes;
} TokenTables;

typedef struct Tokenizer Tokenizer;

/* Errors: ERROR_DATA with the line of the table that breaks a rule, ERROR_MEMORY. */
bool tokenizer_create(Tokenizer **out, TokenizerKind kind, const TokenTables *tables, Error *error);
void tokenizer_free(Tokenizer *tokenizer);              // NULL allowed
int32_t tokenizer_id_count(const Tokenizer *tokenizer); // every id is below it
int32_t tokenizer_start_id(const Tokenizer *tokenizer); // before a text; -1 if there is none
int32_t tokenizer_end_id(const Tokenizer *tokenizer);   // behind it; -1 if there is none

/* What to do with a text that has more tokens than allowed: an error (ERROR_DATA), or its first
 * tokens with the end token in the last place. */
typedef enum LongText { LONG_TEXT_REFUSED, LONG_TEXT_CUT } LongText;

typedef struct Tokens {
    int32_t *ids; // owned
    int64_t  count;
} Tokens;

/* The ids of a text of `size` bytes, at most `most` of them (2 or more) with those around the text.
 * The time grows with n log n whatever the text. Errors: ERROR_DATA, ERROR_MEMORY. */
bool tokenizer_encode(const Tokenizer *tokenizer, const char *text, size_t size, int64_t most,
                      LongText when_long, Tokens *out, Error *error);
void tokens_free(Tokens *tokens); // accepts a zeroed object

/* A text in lower case, as Python's str.lower() has it, without dots and blanks at its ends (B1);
 * memory_free. Errors: ERROR_MEMORY. */
bool text_plain(const char *text, char **out, Error *error);

#endif
