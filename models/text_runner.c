/* models/text_runner.c - see text.h. */
#include "text.h"

#include <string.h>

enum { TEXTS_AT_ONCE = 32 };

static bool runner_plan(TextRunner *runner, WeightBlob *blob, const NetworkRequest *request,
                        Error *error)
{
    Network *network = &runner->network;
    if (!graph_create(&runner->graph, error) ||
        !network_build(runner->graph, blob, request, network, error) ||
        !plan_create(&runner->plan, runner->graph, &network->layer, 1, NULL, error))
        return false;
    Shape shape     = graph_shape(runner->graph, network->layer);
    runner->batch   = request->batch;
    runner->length  = request->tokens;
    runner->units   = shape.dim[1];
    runner->places  = shape.rank == 4 ? shape.dim[3] : 1;
    size_t elements = 0;
    if (network->ends == NODE_NONE)
        return true;
    shape_count(graph_shape(runner->graph, network->ends), &elements);
    return (runner->ends = memory_new(elements, sizeof *runner->ends, error)) != NULL;
}

bool text_runner_open(TextRunner *out, WeightBlob *blob, const char *layer, int64_t batch,
                      int64_t length, Error *error)
{
    TextRunner     runner  = {0};
    NetworkRequest request = {.batch = batch, .layer = layer, .unit = -1, .tokens = length};
    if (length < 1)
        return fail(error, ERROR_USAGE, "%s: a text without tokens", blob_path(blob));
    if (!runner_plan(&runner, blob, &request, error)) {
        text_runner_close(&runner);
        return false;
    }
    *out = runner;
    return true;
}

void text_runner_close(TextRunner *runner)
{
    plan_destroy(runner->plan);
    graph_destroy(runner->graph);
    memory_free(runner->ends);
    *runner = (TextRunner){0};
}

// The place of a text's end: the first of its largest tokens.
static int64_t end_of(const int32_t *text, int64_t length)
{
    int64_t end = 0;
    for (int64_t i = 1; i < length; i++)
        end = text[i] > text[end] ? i : end;
    return end;
}

void text_ends(const int32_t *tokens, int64_t count, int64_t row, int64_t width, int32_t *out)
{
    for (int64_t text = 0; text < count; text++) {
        int64_t end = end_of(tokens + text * row, row);
        for (int64_t c = text * width; c < (text + 1) * width; c++)
            out[c] = (int32_t)(c * row + end);
    }
}

static bool set_ends(TextRunner *runner, const int32_t *tokens, int64_t count, Error *error)
{
    Shape shape = graph_shape(runner->graph, runner->network.ends);
    text_ends(tokens, count, runner->length, shape.dim[1], runner->ends);
    return plan_set_index(runner->plan, runner->network.ends, runner->ends, error);
}

// The plan takes whole batches; texts that are not there are repeats of the first token's row.
static bool set_tokens(TextRunner *runner, const int32_t *tokens, int64_t count, Error *error)
{
    if (count == runner->batch)
        return plan_set_index(runner->plan, runner->network.tokens, tokens, error);
    int32_t *all = memory_new((size_t)(runner->batch * runner->length), sizeof *all, error);
    bool     ok  = all != NULL;
    if (ok) {
        memcpy(all, tokens, (size_t)(count * runner->length) * sizeof *all);
        ok = plan_set_index(runner->plan, runner->network.tokens, all, error);
    }
    memory_free(all);
    return ok;
}

bool text_runner_run(TextRunner *runner, const int32_t *tokens, int64_t count, real *out,
                     Error *error)
{
    if (!set_tokens(runner, tokens, count, error) ||
        (runner->ends && !set_ends(runner, tokens, count, error)))
        return false;
    plan_run(runner->plan);
    memcpy(out, plan_output(runner->plan, runner->network.layer),
           (size_t)(count * runner->units * runner->places) * sizeof *out);
    return true;
}

/* ---- many texts ------------------------------------------------------------------------------ */

typedef struct Embedding {
    WeightBlob    *blob;
    const int32_t *tokens; // [count, row]
    int64_t        count, row, outputs;
    real          *out; // NULL until the first length told how many outputs there are
} Embedding;

static bool embed_batch(Embedding *self, TextRunner *runner, const int64_t *texts, int64_t count,
                        int32_t *cut, real *found, Error *error)
{
    for (int64_t i = 0; i < count; i++)
        memcpy(cut + i * runner->length, self->tokens + texts[i] * self->row,
               (size_t)runner->length * sizeof *cut);
    if (!text_runner_run(runner, cut, count, found, error))
        return false;
    for (int64_t i = 0; i < count; i++)
        memcpy(self->out + texts[i] * self->outputs, found + i * self->outputs,
               (size_t)self->outputs * sizeof *found);
    return true;
}

// All texts of this length.
static bool embed_length(Embedding *self, int64_t length, const int64_t *texts, int64_t count,
                         Error *error)
{
    TextRunner runner = {0};
    int64_t    batch  = count < TEXTS_AT_ONCE ? count : TEXTS_AT_ONCE;
    int32_t   *cut    = memory_new((size_t)(batch * length), sizeof *cut, error);
    real      *found  = NULL;
    bool       ok = cut && text_runner_open(&runner, self->blob, "embedding", batch, length, error);
    self->outputs = runner.units;
    if (ok && !self->out)
        self->out = memory_new((size_t)self->count * (size_t)self->outputs, sizeof *found, error);
    ok = ok && self->out &&
         (found = memory_new((size_t)(batch * self->outputs), sizeof *found, error)) != NULL;
    for (int64_t first = 0; ok && first < count; first += batch)
        ok = embed_batch(self, &runner, texts + first,
                         count - first < batch ? count - first : batch, cut, found, error);
    text_runner_close(&runner);
    memory_free(cut);
    memory_free(found);
    return ok;
}

bool text_embed(WeightBlob *blob, const int32_t *tokens, int64_t count, int64_t row, real **out,
                int64_t *outputs, Error *error)
{
    Embedding self  = {.blob = blob, .tokens = tokens, .count = count, .row = row};
    int64_t  *texts = memory_new((size_t)count, sizeof *texts, error);
    bool      ok    = texts != NULL;
    for (int64_t length = 1; ok && length <= row; length++) {
        int64_t found = 0;
        for (int64_t text = 0; text < count; text++)
            if (end_of(tokens + text * row, row) + 1 == length)
                texts[found++] = text;
        ok = found == 0 || embed_length(&self, length, texts, found, error);
    }
    memory_free(texts);
    if (ok) {
        *out     = self.out;
        *outputs = self.outputs;
    } else {
        memory_free(self.out);
    }
    return ok;
}
