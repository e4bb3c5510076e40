/* models/text_states.c - RoBERTa's encoder block by block, for all texts at once; see text.h.
 *
 * Texts of one length share a run, and the runs of all lengths share a plan, which lays out the
 * weights of a block once. Texts are taken in portions, so that the memory of a plan is bounded. */
#include "text.h"

#include "transformer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORTION_TOKENS = 4096 };

// Texts of one length in a portion.
typedef struct Batch {
    int64_t first, count, length; // of the texts in their order by length
    NodeId  in, out;
    int64_t start; // its first number among those of the portion
} Batch;

typedef struct Walk {
    WeightBlob    *blob;
    const Tokens  *texts;
    const int64_t *order;   // texts by length
    const int64_t *row;     // [text]: its first token among all
    Batch         *batches; // of the portion
    int            batch_count;
    int64_t        width;
    real          *room; // states of the portion, each batch [count, width, 1, length]
    real          *out;  // [all tokens, width]
} Walk;

/* ---- one step of a portion ------------------------------------------------------------------- */

static NodeId step_nodes(Walk *walk, Builder *builder, Batch *batch, int block)
{
    Graph *graph = builder->graph;
    if (block < 0) {
        const BlobTensor *table = blob_lookup(walk->blob, "embeddings.word_embeddings.weight");
        batch->in               = op_index_input(graph, shape_2d(batch->count, batch->length),
                                   table ? table->shape.dim[0] : 1, "tokens");
        return roberta_start(builder, batch->in);
    }
    batch->in = op_input(graph, shape_4d(batch->count, walk->width, 1, batch->length), "states");
    return roberta_block(builder, batch->in, block);
}

static bool step_build(Walk *walk, Graph *graph, int block, NodeId *outputs, Error *error)
{
    NetworkRequest request = {.batch = 1, .unit = -1};
    for (int i = 0; i < walk->batch_count; i++) {
        // One layer is wanted and never found, so that nothing but a lack ends the building.
        Builder builder = {.graph        = graph,
                           .blob         = walk->blob,
                           .request      = &request,
                           .wanted_count = 1,
                           .wanted_index = -1,
                           .ends         = NODE_NONE,
                           .layers       = {NODE_NONE}};
        outputs[i] = walk->batches[i].out = step_nodes(walk, &builder, &walk->batches[i], block);
        if (builder.lack.code != ERROR_NONE)
            return fail(error, builder.lack.code, "%s", builder.lack.message);
        if (!graph_check(graph, error))
            return false;
    }
    return true;
}

static bool batch_fill(const Walk *walk, const Batch *batch, Plan *plan, int block, Error *error)
{
    size_t numbers = (size_t)(batch->count * batch->length * walk->width);
    if (block >= 0) {
        memcpy(plan_input(plan, batch->in), walk->room + batch->start, numbers * sizeof(real));
        return true;
    }
    int32_t *ids = memory_new((size_t)(batch->count * batch->length), sizeof *ids, error);
    for (int64_t i = 0; ids && i < batch->count; i++)
        memcpy(ids + i * batch->length, walk->texts[walk->order[batch->first + i]].ids,
               (size_t)batch->length * sizeof *ids);
    bool ok = ids && plan_set_index(plan, batch->in, ids, error);
    memory_free(ids);
    return ok;
}

// The width is known once the embeddings are built.
static bool make_room(Walk *walk, const Graph *graph, Error *error)
{
    int64_t tokens = 0;
    if (walk->room)
        return true;
    walk->width = graph_shape(graph, walk->batches[0].out).dim[1];
    for (int i = 0; i < walk->batch_count; i++) {
        walk->batches[i].start = tokens * walk->width;
        tokens += walk->batches[i].count * walk->batches[i].length;
    }
    return (walk->room = memory_new((size_t)tokens * (size_t)walk->width, sizeof(real), error)) !=
           NULL;
}

static bool step_run(Walk *walk, const Graph *graph, Plan *plan, int block, Error *error)
{
    if (!make_room(walk, graph, error))
        return false;
    for (int i = 0; i < walk->batch_count; i++)
        if (!batch_fill(walk, &walk->batches[i], plan, block, error))
            return false;
    plan_run(plan);
    for (int i = 0; i < walk->batch_count; i++) {
        const Batch *batch = &walk->batches[i];
        memcpy(walk->room + batch->start, plan_output(plan, batch->out),
               (size_t)(batch->count * batch->length * walk->width) * sizeof(real));
    }
    return true;
}

// Block -1 are the embeddings.
static bool step(Walk *walk, int block, Error *error)
{
    Graph  *graph   = NULL;
    Plan   *plan    = NULL;
    NodeId *outputs = memory_new((size_t)walk->batch_count, sizeof *outputs, error);
    bool    ok      = outputs && graph_create(&graph, error) &&
              step_build(walk, graph, block, outputs, error) &&
              plan_create(&plan, graph, outputs, walk->batch_count, NULL, error) &&
              step_run(walk, graph, plan, block, error);
    plan_destroy(plan);
    graph_destroy(graph);
    memory_free(outputs);
    blob_forget(walk->blob);
    return ok;
}

/* ---- a portion ------------------------------------------------------------------------------- */

// From [width, length] of each text to rows of its tokens.
static void hand_out(const Walk *walk)
{
    for (int b = 0; b < walk->batch_count; b++) {
        const Batch *batch = &walk->batches[b];
        for (int64_t i = 0; i < batch->count; i++) {
            const real *from = walk->room + batch->start + i * batch->length * walk->width;
            real       *to   = walk->out + walk->row[walk->order[batch->first + i]] * walk->width;
            for (int64_t c = 0; c < walk->width; c++)
                for (int64_t t = 0; t < batch->length; t++)
                    to[t * walk->width + c] = from[c * batch->length + t];
        }
    }
}

static bool hold_all(Walk *walk, int64_t tokens, Error *error)
{
    return walk->out || (walk->out = memory_new((size_t)tokens * (size_t)walk->width,
                                                sizeof *walk->out, error)) != NULL;
}

// Texts of equal length from `first` on, as many as a portion has room for: how many texts.
static int64_t cut_portion(Walk *walk, int64_t first, int64_t count)
{
    int64_t tokens = 0, at = first;
    walk->batch_count = 0;
    for (; at < count; at++) {
        int64_t length = walk->texts[walk->order[at]].count;
        Batch  *last   = walk->batch_count ? &walk->batches[walk->batch_count - 1] : NULL;
        if (last && tokens + length > PORTION_TOKENS)
            break;
        tokens += length;
        if (last && last->length == length)
            last->count++;
        else
            walk->batches[walk->batch_count++] = (Batch){.first = at, .count = 1, .length = length};
    }
    return at - first;
}

static bool walk_portions(Walk *walk, int64_t count, int64_t tokens, int layer, Error *error)
{
    for (int64_t first = 0; first < count;) {
        first += cut_portion(walk, first, count);
        bool ok = true;
        for (int block = -1; ok && block < layer; block++)
            ok = step(walk, block, error);
        ok = ok && hold_all(walk, tokens, error);
        if (ok)
            hand_out(walk);
        memory_free(walk->room);
        walk->room = NULL;
        if (!ok)
            return false;
    }
    return true;
}

/* ---- all texts ------------------------------------------------------------------------------- */

typedef struct Length {
    int64_t length, text;
} Length;

static int by_length(const void *a, const void *b)
{
    const Length *x = a, *y = b;
    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    return x->text < y->text ? -1 : x->text > y->text;
}

static bool order_texts(const Tokens *texts, int64_t count, int64_t *order, Error *error)
{
    Length *lengths = memory_new((size_t)count, sizeof *lengths, error);
    if (!lengths)
        return false;
    for (int64_t i = 0; i < count; i++)
        lengths[i] = (Length){texts[i].count, i};
    qsort(lengths, (size_t)count, sizeof *lengths, by_length);
    for (int64_t i = 0; i < count; i++)
        order[i] = lengths[i].text;
    memory_free(lengths);
    return true;
}

static bool check_texts(const WeightBlob *blob, const Tokens *texts, int64_t count, int layer,
                        Error *error)
{
    int depth = roberta_depth(blob);
    if (strcmp(blob_architecture(blob), "roberta") != 0)
        return fail(error, ERROR_DATA, "%s: architecture is '%s', expected roberta",
                    blob_path(blob), blob_architecture(blob));
    if (layer < 0 || layer > depth)
        return fail(error, ERROR_DATA, "%s: has %d blocks, layer %d was asked for", blob_path(blob),
                    depth, layer);
    for (int64_t i = 0; i < count; i++)
        if (texts[i].count < 1 || texts[i].count > LIMIT_TOKENS)
            return fail(error, ERROR_USAGE, "%s: a text of %lld tokens, expected 1 to %d",
                        blob_path(blob), (long long)texts[i].count, LIMIT_TOKENS);
    return true;
}

bool text_states(WeightBlob *blob, const Tokens *texts, int64_t count, int layer, real **states,
                 int64_t *width, Error *error)
{
    Walk     walk  = {.blob = blob, .texts = texts};
    int64_t *order = NULL, *row = NULL, tokens = 0;
    if (!check_texts(blob, texts, count, layer, error))
        return false;
    bool ok = (order = memory_new((size_t)count, sizeof *order, error)) != NULL &&
              (row = memory_new((size_t)count, sizeof *row, error)) != NULL &&
              (walk.batches = memory_new(PORTION_TOKENS, sizeof *walk.batches, error)) != NULL &&
              order_texts(texts, count, order, error);
    for (int64_t i = 0; ok && i < count; i++) {
        row[i] = tokens;
        tokens += texts[i].count;
    }
    walk.order = order;
    walk.row   = row;
    ok         = ok && walk_portions(&walk, count, tokens, layer, error);
    memory_free(order);
    memory_free(row);
    memory_free(walk.batches);
    if (!ok) {
        memory_free(walk.out);
        return false;
    }
    *states = walk.out;
    *width  = walk.width;
    return true;
}
