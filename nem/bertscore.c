/* nem/bertscore.c - see bertscore.h. */
#include "bertscore.h"

#include "../models/text.h"
#include "../models/tokens.h"
#include "../text/text_pool.h"
#include "bert_models.h"

#include <math.h>
#include <string.h>

// Of a text that is known.
typedef struct Entry {
    Tokens      tokens;
    const real *states; // [tokens, width], each of length 1; NULL until embedded
} Entry;

// What one pass of the encoder gave.
typedef struct Block {
    struct Block *next;
    real         *states;
} Block;

struct BertScore {
    WeightBlob *blob;
    Tokenizer  *tokenizer;
    BertOptions options;
    BertModel   model;
    int64_t     most_tokens, width;
    TextPool    texts;   // in the form in which they are scored
    Entry      *entries; // [room], one a text
    int64_t     room;
    Block      *blocks;
    double     *weights; // [ids] of idf; NULL: every token counts the same
    double     *best;    // room for the best cosines of two texts
};

/* ---- open and close -------------------------------------------------------------------------- */

enum { FIRST_ROOM = 128, FIRST_PLACE = 2 };

static bool open_blob(BertScore *self, const char *path, Error *error)
{
    TokenizerKind kind = self->options.slow ? TOKENIZER_ROBERTA_SLOW : TOKENIZER_ROBERTA;
    if (!blob_open(path, &self->blob, error) ||
        !bert_model_of(self->blob, &self->options, &self->model, error) ||
        !blob_tokenizer(self->blob, kind, &self->tokenizer, error))
        return false;
    const BlobTensor *places = blob_lookup(self->blob, "embeddings.position_embeddings.weight");
    self->most_tokens        = ROBERTA_TOKENS;
    if (places && places->shape.rank == 2 && places->shape.dim[0] - FIRST_PLACE < ROBERTA_TOKENS)
        self->most_tokens = places->shape.dim[0] - FIRST_PLACE;
    if (self->most_tokens < 2)
        return fail(error, ERROR_DATA, "%s: has places for %lld tokens, expected 2 or more", path,
                    (long long)self->most_tokens);
    self->best = memory_new((size_t)(2 * self->most_tokens), sizeof *self->best, error);
    return self->best != NULL;
}

bool bertscore_open(BertScore **out, const char *path, const BertOptions *options, Error *error)
{
    BertScore *self = memory_new(1, sizeof *self, error);
    if (!self)
        return false;
    if (options)
        self->options = *options;
    if (!open_blob(self, path, error)) {
        bertscore_close(self);
        return false;
    }
    *out = self;
    return true;
}

void bertscore_close(BertScore *self)
{
    if (!self)
        return;
    for (int32_t i = 0; i < self->texts.count; i++)
        tokens_free(&self->entries[i].tokens);
    text_pool_close(&self->texts);
    for (Block *next; self->blocks; self->blocks = next) {
        next = self->blocks->next;
        memory_free(self->blocks->states);
        memory_free(self->blocks);
    }
    memory_free(self->entries);
    memory_free(self->weights);
    memory_free(self->best);
    tokenizer_free(self->tokenizer);
    blob_close(self->blob);
    memory_free(self);
}

const char *bertscore_sha256(BertScore *self)
{
    return blob_sha256(self->blob);
}

const char *bertscore_model(const BertScore *self)
{
    return self->model.name;
}

int bertscore_layer(const BertScore *self)
{
    return self->model.layer;
}

bool bertscore_has_baseline(const BertScore *self)
{
    return self->model.has_baseline;
}

/* ---- texts that are known -------------------------------------------------------------------- */

// What is scored of a text (B1).
static bool scored_form(const BertScore *self, const char *text, char **out, Error *error)
{
    if (self->options.verbatim)
        return (*out = memory_text(text, error)) != NULL;
    return text_plain(text, out, error);
}

static bool make_room(BertScore *self, Error *error)
{
    if (self->texts.count < self->room)
        return true;
    int64_t room = self->room ? 2 * self->room : FIRST_ROOM;
    Entry  *entries =
        memory_grow(self->entries, (size_t)self->room, (size_t)room, sizeof *entries, error);
    if (!entries)
        return false;
    self->entries = entries;
    self->room    = room;
    return true;
}

// A new text with its tokens, but no states yet; takes `text` on success.
static bool add_entry(BertScore *self, char *text, Error *error)
{
    Entry entry = {0};
    if (!make_room(self, error) ||
        !tokenizer_encode(self->tokenizer, text, strlen(text), self->most_tokens, LONG_TEXT_CUT,
                          &entry.tokens, error))
        return false;
    self->entries[self->texts.count] = entry;
    if (text_pool_add(&self->texts, text, error))
        return true;
    tokens_free(&entry.tokens);
    return false;
}

// *out: its number among the entries.
static bool entry_of(BertScore *self, const char *text, int64_t *out, Error *error)
{
    char *scored = NULL;
    if (!scored_form(self, text, &scored, error))
        return false;
    int32_t found = text_pool_find(&self->texts, scored);
    bool    ok    = found >= 0 || add_entry(self, scored, error);
    if (found >= 0 || !ok)
        memory_free(scored);
    if (ok)
        *out = found >= 0 ? found : self->texts.count - 1;
    return ok;
}

/* ---- vectors of tokens (B3, B4) -------------------------------------------------------------- */

static void normalise(real *states, int64_t rows, int64_t width)
{
    for (int64_t row = 0; row < rows; row++, states += width) {
        double sum = 0;
        for (int64_t i = 0; i < width; i++)
            sum += (double)states[i] * (double)states[i];
        double factor = sum > 0 ? 1 / sqrt(sum) : 0;
        for (int64_t i = 0; i < width; i++)
            states[i] = (real)((double)states[i] * factor);
    }
}

// `fresh`: numbers of entries without states.
static bool embed(BertScore *self, const int64_t *fresh, int64_t count, Error *error)
{
    Block  *block = memory_new(1, sizeof *block, error);
    Tokens *texts = block ? memory_new((size_t)count, sizeof *texts, error) : NULL;
    int64_t rows  = 0;
    for (int64_t i = 0; texts && i < count; i++)
        texts[i] = self->entries[fresh[i]].tokens;
    bool ok = texts && text_states(self->blob, texts, count, self->model.layer, &block->states,
                                   &self->width, error);
    for (int64_t i = 0; ok && i < count; i++) {
        self->entries[fresh[i]].states = block->states + rows * self->width;
        rows += texts[i].count;
    }
    memory_free(texts);
    if (!ok) {
        memory_free(block);
        return false;
    }
    normalise(block->states, rows, self->width);
    block->next  = self->blocks;
    self->blocks = block;
    return true;
}

bool bertscore_read(BertScore *self, const char *const *texts, int64_t count, Error *error)
{
    int64_t fresh = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t entry = 0;
        if (!entry_of(self, texts[i], &entry, error))
            return false;
    }
    int64_t *list = memory_new((size_t)self->texts.count, sizeof *list, error);
    if (!list)
        return false;
    for (int64_t i = 0; i < self->texts.count; i++)
        if (!self->entries[i].states)
            list[fresh++] = i;
    bool ok = fresh == 0 || embed(self, list, fresh, error);
    memory_free(list);
    return ok;
}

// An entry with its states.
static bool embedded(BertScore *self, const char *text, int64_t *out, Error *error)
{
    return entry_of(self, text, out, error) &&
           (self->entries[*out].states || embed(self, out, 1, error));
}

/* ---- weights (B5) ---------------------------------------------------------------------------- */

static bool count_references(BertScore *self, const char *const *references, int64_t count,
                             int64_t *holders, int64_t *last, Error *error)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t entry = 0;
        if (!entry_of(self, references[i], &entry, error))
            return false;
        const Tokens *tokens = &self->entries[entry].tokens;
        for (int64_t t = 0; t < tokens->count; t++) {
            int32_t id = tokens->ids[t];
            holders[id] += last[id] != i + 1;
            last[id] = i + 1;
        }
    }
    return true;
}

bool bertscore_weigh(BertScore *self, const char *const *references, int64_t count, Error *error)
{
    size_t   ids     = (size_t)tokenizer_id_count(self->tokenizer);
    int64_t *holders = memory_new(ids, sizeof *holders, error);
    int64_t *last    = holders ? memory_new(ids, sizeof *last, error) : NULL; // reference, from 1
    double  *weights = last ? memory_new(ids, sizeof *weights, error) : NULL;
    bool     ok      = weights && count_references(self, references, count, holders, last, error);
    for (size_t id = 0; ok && id < ids; id++)
        weights[id] = log((double)(count + 1) / (double)(holders[id] + 1));
    memory_free(holders);
    memory_free(last);
    if (!ok) {
        memory_free(weights);
        return false;
    }
    memory_free(self->weights);
    self->weights = weights;
    return true;
}

static double weight_of(const BertScore *self, int32_t id)
{
    if (self->weights)
        return self->weights[id];
    return id != tokenizer_start_id(self->tokenizer) && id != tokenizer_end_id(self->tokenizer);
}

/* ---- scores (B4, B6, B8) --------------------------------------------------------------------- */

static double dot(const real *a, const real *b, int64_t count)
{
    enum { SUMS = 8 };
    double  sum[SUMS] = {0};
    int64_t i         = 0;
    for (; i + SUMS <= count; i += SUMS)
        for (int k = 0; k < SUMS; k++)
            sum[k] += (double)a[i + k] * (double)b[i + k];
    for (; i < count; i++)
        sum[0] += (double)a[i] * (double)b[i];
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

// NaN where no token has a weight.
static double weighted_mean(const BertScore *self, const Tokens *tokens, const double *best)
{
    double sum = 0, weights = 0;
    for (int64_t t = 0; t < tokens->count; t++) {
        double weight = weight_of(self, tokens->ids[t]);
        sum += weight * best[t];
        weights += weight;
    }
    return sum / weights;
}

static bool is_empty(const Entry *entry)
{
    return entry->tokens.count <= 2; // the tokens around it
}

static BertValues values_of(BertScore *self, const Entry *a, const Entry *b)
{
    BertValues values = {0};
    double    *best_a = self->best, *best_b = self->best + a->tokens.count;
    if (is_empty(a) || is_empty(b))
        return values;
    for (int64_t i = 0; i < a->tokens.count + b->tokens.count; i++)
        self->best[i] = -2;
    for (int64_t i = 0; i < a->tokens.count; i++)
        for (int64_t j = 0; j < b->tokens.count; j++) {
            double cosine =
                dot(a->states + i * self->width, b->states + j * self->width, self->width);
            best_a[i] = cosine > best_a[i] ? cosine : best_a[i];
            best_b[j] = cosine > best_b[j] ? cosine : best_b[j];
        }
    values.precision = weighted_mean(self, &a->tokens, best_a);
    values.recall    = weighted_mean(self, &b->tokens, best_b);
    values.f1        = 2 * values.precision * values.recall / (values.precision + values.recall);
    if (isnan(values.f1))
        values.f1 = 0;
    return values;
}

// NaN, as PyTorch's maximum has it, where one of them is.
static double larger(double a, double b)
{
    return a > b || isnan(a) ? a : b;
}

bool bertscore_values(BertScore *self, const char *candidate, const char *const *references,
                      int64_t count, BertValues *out, Error *error)
{
    int64_t a = 0, b = 0;
    if (!embedded(self, candidate, &a, error))
        return false;
    for (int64_t i = 0; i < count; i++) {
        if (!embedded(self, references[i], &b, error))
            return false;
        BertValues values = values_of(self, &self->entries[a], &self->entries[b]);
        *out              = i == 0
                                ? values
                                : (BertValues){larger(out->precision, values.precision),
                                               larger(out->recall, values.recall), larger(out->f1, values.f1)};
    }
    return true;
}

static double rescaled(double value, double baseline)
{
    return (value - baseline) / (1 - baseline);
}

BertValues bertscore_rescaled(const BertScore *self, BertValues raw)
{
    const BertValues *baseline = &self->model.baseline;
    if (!self->model.has_baseline)
        return raw;
    return (BertValues){rescaled(raw.precision, baseline->precision),
                        rescaled(raw.recall, baseline->recall), rescaled(raw.f1, baseline->f1)};
}

bool bertscore_f1(BertScore *self, const char *candidate, const char *reference, double *out,
                  Error *error)
{
    BertValues values;
    if (!bertscore_values(self, candidate, &reference, 1, &values, error))
        return false;
    *out = bertscore_rescaled(self, values).f1;
    return true;
}
