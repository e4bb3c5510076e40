/* models/tokens.h - the tokenizer of a blob's network of texts. */
#ifndef MODELS_TOKENS_H
#define MODELS_TOKENS_H

#include "../engine/blob.h"
#include "../text/text.h"
#include "../text/word_list.h"

/* Made of the blob's tensors `vocabulary` and `merges`; every id is a row of the network's table of
 * tokens, if it has one. Errors: ERROR_DATA, ERROR_MEMORY. */
bool blob_tokenizer(const WeightBlob *blob, TokenizerKind kind, Tokenizer **out, Error *error);

/* Of a network whose tokens are whole words (clip_mini): the list in its tensor `words`, to be
 * released with word_list_close. Errors: ERROR_DATA (none), ERROR_MEMORY. */
bool blob_words(const WeightBlob *blob, WordList **out, Error *error);

/* A text as tokens of that network, out [row], row >= 2: a start token, its words, an end token,
 * zeros. Words that do not fit in a row are left out. */
void words_tokens(const WordList *list, const char *text, int64_t row, int32_t *out);

/* How many tokens the network has: words, one for all unknown ones, start and end. */
int32_t words_token_count(const WordList *list);

#endif
