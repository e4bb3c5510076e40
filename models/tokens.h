/* models/tokens.h - the tokenizer of a blob's network of texts. */
#ifndef MODELS_TOKENS_H
#define MODELS_TOKENS_H

#include "../engine/blob.h"
#include "../text/text.h"

/* Made of the blob's tensors `vocabulary` and `merges`; every id is a row of the network's table of
 * tokens, if it has one. Errors: ERROR_DATA, ERROR_MEMORY. */
bool blob_tokenizer(const WeightBlob *blob, TokenizerKind kind, Tokenizer **out, Error *error);

#endif
