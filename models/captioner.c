/* models/captioner.c - see captioner.h. */
#include "captioner.h"

#include <assert.h>
#include <string.h>

static NodeId tanh_of(Graph *graph, NodeId x)
{
    return op_offset(graph, op_scale(graph, op_sigmoid(graph, x, 2), 2), -1);
}

// A matrix that others have to fit; where it is missing the builder is over.
static Shape size_of(Builder *builder, const char *name)
{
    return builder_is_over(builder) ? shape_2d(0, 0) : builder_shape(builder, name, 2);
}

// x [rows, inputs] by the matrix of a tensor [outputs, inputs] of any name, and its bias.
static NodeId product(Builder *builder, NodeId x, int64_t outputs, const char *weight,
                      const char *bias)
{
    if (builder_is_over(builder))
        return NODE_NONE;
    Shape  shape  = shape_2d(outputs, graph_shape(builder->graph, x).dim[1]);
    NodeId matrix = builder_tensor(builder, weight, shape, shape);
    if (builder_is_over(builder))
        return NODE_NONE;
    NodeId vector = builder_tensor(builder, bias, shape_1d(outputs), shape_1d(outputs));
    if (builder_is_over(builder))
        return NODE_NONE;
    return op_bias(builder->graph, op_matmul(builder->graph, x, matrix, false, true), vector);
}

static NodeId dense(Builder *builder, NodeId x, int64_t outputs, const char *base)
{
    return product(builder, x, outputs, LAYER("%s.weight", base), LAYER("%s.bias", base));
}

static NodeId embed(Builder *builder, NodeId tokens, const char *name)
{
    Shape shape = builder_shape(builder, name, 2);
    if (builder_is_over(builder))
        return NODE_NONE;
    NodeId table = builder_tensor(builder, name, shape, shape);
    return builder_is_over(builder) ? NODE_NONE : op_gather_rows(builder->graph, table, tokens);
}

// One of the four gates' sums [rows, 4 hidden].
static NodeId gate(Graph *graph, NodeId sums, int64_t hidden, int index)
{
    return op_slice(graph, sums, 1, index * hidden, hidden);
}

LstmState build_lstm(Builder *builder, const char *base, const char *end, NodeId x, LstmState state)
{
    static const LstmState none = {NODE_NONE, NODE_NONE};
    if (builder_is_over(builder))
        return none;
    Graph  *graph  = builder->graph;
    int64_t hidden = graph_shape(graph, state.h).dim[1];
    NodeId  seen   = product(builder, x, 4 * hidden, LAYER("%s.weight_ih%s", base, end),
                             LAYER("%s.bias_ih%s", base, end));
    NodeId  kept   = product(builder, state.h, 4 * hidden, LAYER("%s.weight_hh%s", base, end),
                             LAYER("%s.bias_hh%s", base, end));
    if (builder_is_over(builder))
        return none;
    NodeId sums   = op_add(graph, seen, kept);
    NodeId in     = op_sigmoid(graph, gate(graph, sums, hidden, 0), 1);
    NodeId forget = op_sigmoid(graph, gate(graph, sums, hidden, 1), 1);
    NodeId cell   = tanh_of(graph, gate(graph, sums, hidden, 2));
    NodeId out    = op_sigmoid(graph, gate(graph, sums, hidden, 3), 1);
    NodeId c      = op_add(graph, op_mul(graph, forget, state.c), op_mul(graph, in, cell));
    return (LstmState){op_mul(graph, out, tanh_of(graph, c)), c};
}

/* ---- decoder --------------------------------------------------------------------------------- */

CaptionView build_caption_view(Builder *builder, NodeId features)
{
    Graph  *graph = builder->graph;
    Shape   in    = graph_shape(graph, features);
    NodeId  rows  = op_reshape(graph, features, shape_2d(in.dim[0] * in.dim[1], in.dim[2]));
    int64_t width = size_of(builder, "attend.key_to_hidden.weight").dim[0];
    NodeId  keys  = dense(builder, rows, width, "attend.key_to_hidden");
    if (builder_is_over(builder))
        return (CaptionView){NODE_NONE, NODE_NONE};
    return (CaptionView){features, op_reshape(graph, keys, shape_3d(in.dim[0], in.dim[1], width))};
}

LstmState build_caption_start(Builder *builder, NodeId features)
{
    Graph  *graph  = builder->graph;
    Shape   in     = graph_shape(graph, features);
    NodeId  sum    = op_sum_to(graph, features, shape_3d(in.dim[0], 1, in.dim[2]));
    NodeId  mean   = op_reshape(graph, op_scale(graph, sum, 1 / (real)in.dim[1]),
                                shape_2d(in.dim[0], in.dim[2]));
    int64_t hidden = size_of(builder, "lstm.weight_hh").dim[1];
    NodeId  h      = dense(builder, mean, hidden, "init_h.0");
    NodeId  c      = dense(builder, mean, hidden, "init_c.0");
    if (builder_is_over(builder))
        return (LstmState){NODE_NONE, NODE_NONE};
    return (LstmState){tanh_of(graph, h), tanh_of(graph, c)};
}

// How much each row looks at each image [rows, images].
static NodeId attend(Builder *builder, NodeId keys, NodeId query)
{
    Graph  *graph = builder->graph;
    Shape   in    = graph_shape(graph, keys);
    int64_t units = in.dim[0], images = in.dim[1], width = in.dim[2];
    int64_t rows  = graph_shape(graph, query).dim[0];
    Shape   all   = shape_4d(units, rows / units, images, width);
    NodeId  asked = op_reshape(graph, query, shape_4d(units, rows / units, 1, width));
    NodeId  held  = op_reshape(graph, keys, shape_4d(units, 1, images, width));
    NodeId  sum =
        op_add(graph, op_broadcast_to(graph, asked, all), op_broadcast_to(graph, held, all));
    NodeId flat  = op_reshape(graph, tanh_of(graph, sum), shape_2d(rows * images, width));
    NodeId score = dense(builder, flat, 1, "attend.output.0");
    return builder_is_over(builder)
               ? NODE_NONE
               : op_softmax(graph, op_reshape(graph, score, shape_2d(rows, images)));
}

// The images' mean by their attention [rows, features].
static NodeId weigh(Graph *graph, NodeId features, NodeId attention)
{
    Shape   in     = graph_shape(graph, features);
    int64_t rows   = graph_shape(graph, attention).dim[0];
    NodeId weights = op_reshape(graph, attention, shape_3d(in.dim[0], rows / in.dim[0], in.dim[1]));
    return op_reshape(graph, op_matmul(graph, weights, features, false, false),
                      shape_2d(rows, in.dim[2]));
}

CaptionStep build_caption_step(Builder *builder, CaptionView view, NodeId tokens, LstmState state)
{
    static const CaptionStep none  = {{NODE_NONE, NODE_NONE}, NODE_NONE, NODE_NONE};
    Graph                   *graph = builder->graph;
    if (builder_is_over(builder))
        return none;
    int64_t width    = graph_shape(graph, view.keys).dim[2];
    int64_t features = graph_shape(graph, view.features).dim[2];
    NodeId  query    = dense(builder, state.h, width, "attend.query_to_hidden");
    NodeId  open     = dense(builder, state.h, features, "feature_gate.0");
    NodeId  word     = embed(builder, tokens, "embedding.weight");
    if (builder_is_over(builder))
        return none;
    NodeId attention = attend(builder, view.keys, query);
    if (builder_is_over(builder))
        return none;
    NodeId    seen   = weigh(graph, view.features, attention);
    NodeId    z      = op_concat(graph, word, op_mul(graph, seen, op_sigmoid(graph, open, 1)), 1);
    LstmState next   = build_lstm(builder, "lstm", "", z, state);
    int64_t   words  = size_of(builder, "embedding.weight").dim[0];
    NodeId    logits = dense(builder, next.h, words, "output.1");
    if (builder_is_over(builder))
        return none;
    return (CaptionStep){next, attention, op_log_softmax(graph, logits)};
}

/* ---- language model -------------------------------------------------------------------------- */

int language_layers(const WeightBlob *blob)
{
    int layers = 0;
    while (layers < LANGUAGE_LAYERS && blob_lookup(blob, LAYER("lm.lstm.weight_ih_l%d", layers)))
        layers++;
    return layers;
}

NodeId build_language_step(Builder *builder, NodeId tokens, LstmState *states)
{
    NodeId x      = embed(builder, tokens, "lm.embedding.weight");
    int    layers = language_layers(builder->blob);
    for (int layer = 0; layer < layers; layer++) {
        states[layer] = build_lstm(builder, "lm.lstm", LAYER("_l%d", layer), x, states[layer]);
        x             = states[layer].h;
    }
    int64_t words  = size_of(builder, "lm.embedding.weight").dim[0];
    NodeId  logits = dense(builder, x, words, "lm.output.0");
    return builder_is_over(builder) ? NODE_NONE : op_log_softmax(builder->graph, logits);
}

/* ---- to run ---------------------------------------------------------------------------------- */

// Rows and columns of a matrix of the blob.
static bool matrix_size(const WeightBlob *blob, const char *name, int64_t *rows, int64_t *columns,
                        Error *error)
{
    const BlobTensor *tensor = blob_lookup(blob, name);
    if (!tensor || tensor->shape.rank != 2)
        return fail(error, ERROR_DATA, "%s: has no captioner, as it has no matrix '%s'",
                    blob_path(blob), name);
    *rows    = tensor->shape.dim[0];
    *columns = tensor->shape.dim[1];
    return true;
}

static bool read_sizes(Captioner *out, const WeightBlob *blob, Error *error)
{
    int64_t rows = 0, columns = 0, heard = 0;
    out->language_layers = language_layers(blob);
    if (blob_lookup(blob, LAYER("lm.lstm.weight_ih_l%d", LANGUAGE_LAYERS)))
        return fail(error, ERROR_DATA, "%s: its language model has more than %d layers",
                    blob_path(blob), LANGUAGE_LAYERS);
    if (!matrix_size(blob, "attend.key_to_hidden.weight", &rows, &out->features, error) ||
        !matrix_size(blob, "embedding.weight", &out->words, &columns, error) ||
        !matrix_size(blob, "lstm.weight_hh", &rows, &out->hidden, error) ||
        !matrix_size(blob, "lm.lstm.weight_hh_l0", &rows, &out->language_hidden, error) ||
        !matrix_size(blob, "lm.embedding.weight", &heard, &columns, error))
        return false;
    return heard == out->words ||
           fail(error, ERROR_DATA, "%s: its decoder has %lld words, its language model %lld",
                blob_path(blob), (long long)out->words, (long long)heard);
}

static LstmState state_input(Graph *graph, int64_t rows, int64_t hidden)
{
    Shape shape = shape_2d(rows, hidden);
    return (LstmState){op_input(graph, shape, "h"), op_input(graph, shape, "c")};
}

static void add_nodes(Captioner *self, Builder *builder)
{
    Graph *graph = builder->graph;
    Shape  seen  = shape_3d(1, self->images, self->features);
    self->seen   = op_input(graph, seen, "features");
    self->view   = build_caption_view(builder, self->seen);
    self->start  = build_caption_start(builder, self->seen);
    if (builder_is_over(builder))
        return;
    self->view_features = op_input(graph, seen, "features");
    self->view_keys     = op_input(graph, graph_shape(graph, self->view.keys), "keys");
    self->tokens        = op_index_input(graph, shape_1d(self->rows), self->words, "tokens");
    self->before        = state_input(graph, self->rows, self->hidden);
    CaptionStep step    = build_caption_step(
           builder, (CaptionView){self->view_features, self->view_keys}, self->tokens, self->before);
    self->after     = step.state;
    self->attention = step.attention;
    self->log_p     = step.log_p;
    self->heard     = op_index_input(graph, shape_1d(self->rows), self->words, "tokens");
    for (int layer = 0; layer < self->language_layers; layer++)
        self->language_before[layer] = self->language_after[layer] =
            state_input(graph, self->rows, self->language_hidden);
    self->language_log_p = build_language_step(builder, self->heard, self->language_after);
}

static bool make_plans(Captioner *self, Error *error)
{
    NodeId look[] = {self->view.keys, self->start.h, self->start.c};
    NodeId step[] = {self->log_p, self->attention, self->after.h, self->after.c};
    NodeId language[1 + 2 * LANGUAGE_LAYERS] = {self->language_log_p};
    for (int layer = 0; layer < self->language_layers; layer++) {
        language[1 + 2 * layer] = self->language_after[layer].h;
        language[2 + 2 * layer] = self->language_after[layer].c;
    }
    return plan_create(&self->look, self->graph, look, 3, NULL, error) &&
           plan_create(&self->step, self->graph, step, 4, NULL, error) &&
           plan_create(&self->language, self->graph, language, 1 + 2 * self->language_layers, NULL,
                       error);
}

bool captioner_open(Captioner *out, WeightBlob *blob, int64_t rows, int64_t images, Error *error)
{
    Captioner      self    = {.rows = rows, .images = images};
    NetworkRequest request = {.batch = rows, .unit = -1};
    bool           ok      = read_sizes(&self, blob, error) && graph_create(&self.graph, error);
    if (ok) {
        Builder builder = {.graph        = self.graph,
                           .blob         = blob,
                           .request      = &request,
                           .wanted_count = 1,
                           .ends         = NODE_NONE};
        add_nodes(&self, &builder);
        ok = builder.lack.code == ERROR_NONE ||
             fail(error, builder.lack.code, "%s", builder.lack.message);
    }
    if (!ok || !graph_check(self.graph, error) || !make_plans(&self, error)) {
        captioner_close(&self);
        return false;
    }
    *out = self;
    return true;
}

void captioner_close(Captioner *captioner)
{
    plan_destroy(captioner->look);
    plan_destroy(captioner->step);
    plan_destroy(captioner->language);
    graph_destroy(captioner->graph);
    *captioner = (Captioner){0};
}

static void fill(Plan *plan, NodeId input, const real *from, int64_t count)
{
    memcpy(plan_input(plan, input), from, (size_t)count * sizeof *from);
}

static void fetch(const Plan *plan, NodeId output, real *to, int64_t count)
{
    memcpy(to, plan_output(plan, output), (size_t)count * sizeof *to);
}

void captioner_look(Captioner *captioner, const real *features, real *h, real *c)
{
    Plan   *look = captioner->look, *step = captioner->step;
    int64_t count = captioner->images * captioner->features;
    int64_t keys  = shape_elements(graph_shape(captioner->graph, captioner->view.keys));
    fill(look, captioner->seen, features, count);
    plan_run(look);
    fill(step, captioner->view_features, features, count);
    fill(step, captioner->view_keys, plan_output(look, captioner->view.keys), keys);
    fetch(look, captioner->start.h, h, captioner->hidden);
    fetch(look, captioner->start.c, c, captioner->hidden);
}

static void set_tokens(Plan *plan, NodeId input, const int32_t *tokens)
{
    bool fits = plan_set_index(plan, input, tokens, NULL);
    assert(fits);
    (void)fits;
}

const real *captioner_step(Captioner *captioner, const int32_t *tokens, real *h, real *c)
{
    Plan   *step  = captioner->step;
    int64_t count = captioner->rows * captioner->hidden;
    set_tokens(step, captioner->tokens, tokens);
    fill(step, captioner->before.h, h, count);
    fill(step, captioner->before.c, c, count);
    plan_run(step);
    fetch(step, captioner->after.h, h, count);
    fetch(step, captioner->after.c, c, count);
    return plan_output(step, captioner->log_p);
}

const real *captioner_attention(const Captioner *captioner)
{
    return plan_output(captioner->step, captioner->attention);
}

const real *captioner_language(Captioner *captioner, const int32_t *tokens, real *states)
{
    Plan   *plan  = captioner->language;
    int64_t count = captioner->rows * captioner->language_hidden;
    set_tokens(plan, captioner->heard, tokens);
    for (int layer = 0; layer < captioner->language_layers; layer++) {
        fill(plan, captioner->language_before[layer].h, states + (2 * layer) * count, count);
        fill(plan, captioner->language_before[layer].c, states + (2 * layer + 1) * count, count);
    }
    plan_run(plan);
    for (int layer = 0; layer < captioner->language_layers; layer++) {
        fetch(plan, captioner->language_after[layer].h, states + (2 * layer) * count, count);
        fetch(plan, captioner->language_after[layer].c, states + (2 * layer + 1) * count, count);
    }
    return plan_output(plan, captioner->language_log_p);
}
