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
