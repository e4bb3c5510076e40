/* models/embed.c - see embed.h. */
#include "embed.h"
#include "text.h"
#include "tokens.h"

#include <math.h>
#include <string.h>

// Brings a vector to length 1; false if it has none.
static bool to_unit_length(const real *vector, int64_t width, float *out)
{
    double squares = 0;
    for (int64_t i = 0; i < width; i++)
        squares += (double)vector[i] * (double)vector[i];
    if (!(squares > 0 && isfinite(squares)))
        return false;
    double length = sqrt(squares);
    for (int64_t i = 0; i < width; i++)
        out[i] = (float)((double)vector[i] / length);
    return true;
}

/* ---- images ---------------------------------------------------------------------------------- */

bool image_tower_open(ImageTower *out, WeightBlob *blob, int64_t batch, Error *error)
{
    NetworkRequest request = {.batch = batch, .layer = "embedding", .unit = -1};
    ImageTower     tower   = {.name = blob_path(blob)};
    if (!layer_runner_open(&tower.runner, blob, &request, error))
        return false;
    tower.width = tower.runner.units;
    tower.rows  = memory_new((size_t)(batch * tower.width), sizeof *tower.rows, error);
    if (!tower.rows) {
        image_tower_close(&tower);
        return false;
    }
    *out = tower;
    return true;
}

void image_tower_close(ImageTower *tower)
{
    layer_runner_close(&tower->runner);
    memory_free(tower->rows);
    *tower = (ImageTower){0};
}

bool image_tower_run(ImageTower *tower, const real *pixels, int64_t count, float *out, Error *error)
{
    layer_runner_run(&tower->runner, pixels, count, tower->rows);
    for (int64_t i = 0; i < count; i++)
        if (!to_unit_length(tower->rows + i * tower->width, tower->width, out + i * tower->width))
            return fail(error, ERROR_DATA, "%s: the embedding of an image has no finite length",
                        tower->name);
    return true;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

// Texts as rows [count, row] of tokens, filled up with zeros behind their ends.
typedef struct TokenRows {
    int32_t *tokens; // owned
    int64_t  row;
} TokenRows;

// The most tokens a text may have: places of the tower.
static bool row_of(const WeightBlob *blob, int64_t *row, Error *error)
{
    const BlobTensor *places = blob_lookup(blob, "positional_embedding");
    if (!places || places->shape.rank != 2 || places->shape.dim[0] < 2 ||
        places->shape.dim[0] > LIMIT_TOKENS)
        return fail(error, ERROR_USAGE, "%s: %s has no tower of texts", blob_path(blob),
                    blob_architecture(blob));
    *row = places->shape.dim[0];
    return true;
}

static bool encode_text(const Tokenizer *tokenizer, const WeightBlob *blob, const char *text,
                        int64_t row, int32_t *out, Error *error)
{
    Tokens tokens = {0};
    Error  cause  = {0};
    if (!tokenizer_encode(tokenizer, text, strlen(text), row, LONG_TEXT_REFUSED, &tokens, &cause))
        return fail(error, cause.code, "%s: '%.60s': %s", blob_path(blob), text, cause.message);
    memcpy(out, tokens.ids, (size_t)tokens.count * sizeof *out);
    tokens_free(&tokens);
    return true;
}

// What a blob's texts are tokenized by: one of the two.
typedef struct TextTokens {
    Tokenizer *pairs;
    WordList  *words;
} TextTokens;

static bool tokens_open(TextTokens *out, const WeightBlob *blob, Error *error)
{
    *out = (TextTokens){NULL, NULL};
    return blob_lookup(blob, "words") ? blob_words(blob, &out->words, error)
                                      : blob_tokenizer(blob, TOKENIZER_CLIP, &out->pairs, error);
}

static bool encode_words(const WordList *words, const WeightBlob *blob, const char *text,
                         int64_t row, int32_t *out, Error *error)
{
    const char *rest = text;
    char        word[LIMIT_WORD_BYTES];
    int64_t     count = 0;
    for (; word_next(&rest, word); count++) {
        int32_t id = 0;
        word_list_ids(words, word, 1, &id);
        if (id >= word_list_count(words))
            return fail(error, ERROR_DATA, "%s: '%.60s': it does not know the word '%s'",
                        blob_path(blob), text, word);
    }
    if (count < 1 || count > row - 2)
        return fail(error, ERROR_DATA, "%s: '%.60s' has %lld words, expected 1 to %lld",
                    blob_path(blob), text, (long long)count, (long long)row - 2);
    words_tokens(words, text, row, out);
    return true;
}

static bool encode_texts(const WeightBlob *blob, const char *const *texts, int64_t count,
                         TokenRows *out, Error *error)
{
    TextTokens by      = {NULL, NULL};
    TokenRows  rows    = {0};
    size_t     numbers = 0;
    bool       ok      = row_of(blob, &rows.row, error) && tokens_open(&by, blob, error);
    if (ok && !size_mul((size_t)count, (size_t)rows.row, &numbers))
        ok = fail(error, ERROR_MEMORY, "%lld texts do not fit into memory", (long long)count);
    ok = ok && (rows.tokens = memory_new(numbers, sizeof *rows.tokens, error)) != NULL;
    for (int64_t i = 0; ok && i < count; i++)
        ok = by.words ? encode_words(by.words, blob, texts[i], rows.row, rows.tokens + i * rows.row,
                                     error)
                      : encode_text(by.pairs, blob, texts[i], rows.row, rows.tokens + i * rows.row,
                                    error);
    tokenizer_free(by.pairs);
    word_list_close(by.words);
    if (ok)
        *out = rows;
    else
        memory_free(rows.tokens);
    return ok;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static bool to_unit_lengths(const WeightBlob *blob, const char *const *texts, int64_t count,
                            const real *rows, int64_t width, float *out, Error *error)
{
    for (int64_t i = 0; i < count; i++)
        if (!to_unit_length(rows + i * width, width, out + i * width))
            return fail(error, ERROR_DATA, "%s: the embedding of '%.60s' has no finite length",
                        blob_path(blob), texts[i]);
    return true;
}

bool texts_embed(WeightBlob *blob, const char *const *texts, int64_t count, float **out,
                 int64_t *width, Error *error)
{
    TokenRows tokens = {0};
    real     *rows   = NULL;
    float    *units  = NULL;
    int64_t   size   = 0;
    bool      ok     = encode_texts(blob, texts, count, &tokens, error) &&
              text_embed(blob, tokens.tokens, count, tokens.row, &rows, &size, error);
    memory_free(tokens.tokens);
    ok = ok && (units = memory_new((size_t)(count * size), sizeof *units, error)) != NULL &&
         to_unit_lengths(blob, texts, count, rows, size, units, error);
    memory_free(rows);
    if (ok) {
        *out   = units;
        *width = size;
    } else {
        memory_free(units);
    }
    return ok;
}
