/* models/tokens.c - see tokens.h. */
#include "tokens.h"

static bool text_of(const WeightBlob *blob, const char *name, const BlobTensor **out, Error *error)
{
    const BlobTensor *tensor = blob_lookup(blob, name);
    if (!tensor)
        return fail(error, ERROR_DATA, "%s: has no '%s', which weights/convert.py --merges adds",
                    blob_path(blob), name);
    if (tensor->type != BLOB_U8)
        return fail(error, ERROR_DATA, "%s: '%s' has numbers, expected bytes", blob_path(blob),
                    name);
    *out = tensor;
    return true;
}

static bool ids_have_rows(const WeightBlob *blob, int32_t ids, Error *error)
{
    static const char *const tables[] = {"token_embedding.weight",
                                         "embeddings.word_embeddings.weight"};
    for (int i = 0; i < 2; i++) {
        const BlobTensor *table = blob_lookup(blob, tables[i]);
        if (table && table->shape.rank > 0 && table->shape.dim[0] < ids)
            return fail(error, ERROR_DATA, "%s: 'vocabulary' has %d tokens, '%s' has %lld rows",
                        blob_path(blob), ids, tables[i], (long long)table->shape.dim[0]);
    }
    return true;
}

bool blob_tokenizer(const WeightBlob *blob, TokenizerKind kind, Tokenizer **out, Error *error)
{
    const BlobTensor *vocabulary = NULL, *merges = NULL;
    Tokenizer        *tokenizer = NULL;
    if (!text_of(blob, "vocabulary", &vocabulary, error) ||
        !text_of(blob, "merges", &merges, error))
        return false;
    TokenTables tables = {.name             = blob_path(blob),
                          .vocabulary       = vocabulary->data,
                          .merges           = merges->data,
                          .vocabulary_bytes = vocabulary->bytes,
                          .merges_bytes     = merges->bytes};
    if (!tokenizer_create(&tokenizer, kind, &tables, error))
        return false;
    if (!ids_have_rows(blob, tokenizer_id_count(tokenizer), error)) {
        tokenizer_free(tokenizer);
        return false;
    }
    *out = tokenizer;
    return true;
}

/* ---- whole words ----------------------------------------------------------------------------- */

// After the words, in an order in which the end is the largest token, as CLIP's tower has it.
enum { TOKEN_UNKNOWN, TOKEN_START, TOKEN_END, WORD_TOKENS };

int32_t words_token_count(const WordList *list)
{
    return word_list_count(list) + WORD_TOKENS;
}

bool blob_words(const WeightBlob *blob, WordList **out, Error *error)
{
    const BlobTensor *words = blob_lookup(blob, "words");
    WordList         *list  = NULL;
    if (!words || words->type != BLOB_U8)
        return fail(error, ERROR_DATA, "%s: has no list 'words'", blob_path(blob));
    if (!word_list_open(&list, words->data, words->bytes, blob_path(blob), error))
        return false;
    if (!ids_have_rows(blob, words_token_count(list), error)) {
        word_list_close(list);
        return false;
    }
    *out = list;
    return true;
}

void words_tokens(const WordList *list, const char *text, int64_t row, int32_t *out)
{
    int32_t words = word_list_count(list);
    out[0]        = words + TOKEN_START;
    int64_t count = word_list_ids(list, text, row - 2, out + 1);
    for (int64_t i = 1; i <= count; i++)
        out[i] = out[i] < words ? out[i] : words + TOKEN_UNKNOWN;
    out[count + 1] = words + TOKEN_END;
    for (int64_t i = count + 2; i < row; i++)
        out[i] = 0;
}
