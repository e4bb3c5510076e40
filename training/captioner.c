/* training/captioner.c - see captioner.h. */
#include "captioner.h"
#include "objective.h"

#include <stdio.h>

typedef struct Captioner {
    Graph                *graph;
    const CaptionerSizes *sizes;
    CaptionerWeight      *weight;
    void                 *self;
} Captioner;

static NodeId weight(const Captioner *c, const char *base, const char *part, Shape shape)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", base, part);
    return c->weight(c->self, name, shape);
}

/* A dense layer, whose tensors are looked up once for all words. */
typedef struct Dense {
    NodeId matrix, bias; // [outputs, inputs], [outputs]
} Dense;

static Dense dense(const Captioner *c, const char *base, int64_t outputs, int64_t inputs)
{
    return (Dense){weight(c, base, "weight", shape_2d(outputs, inputs)),
                   weight(c, base, "bias", shape_1d(outputs))};
}

// x [n, inputs]
static NodeId through(const Captioner *c, Dense layer, NodeId x)
{
    return op_bias(c->graph, op_matmul(c->graph, x, layer.matrix, false, true), layer.bias);
}

// 2 sigmoid(2x) - 1
static NodeId tanh_of(Graph *graph, NodeId x)
{
    return op_offset(graph, op_scale(graph, op_sigmoid(graph, x, 2), 2), -1);
}

/* ---- LSTM ------------------------------------------------------------------------------------ */

typedef struct Lstm {
    Dense   input, hidden;
    int64_t width;
} Lstm;

typedef struct LstmState {
    NodeId h, c; // [n, width]
} LstmState;

// Names end in _l0, _l1 where a network has several layers.
static Lstm lstm(const Captioner *c, const char *base, const char *end, int64_t width,
                 int64_t inputs)
{
    char  names[4][32];
    Shape shapes[4] = {shape_2d(4 * width, inputs), shape_2d(4 * width, width), shape_1d(4 * width),
                       shape_1d(4 * width)};
    static const char *const parts[4] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    NodeId                   nodes[4];
    for (int i = 0; i < 4; i++) {
        snprintf(names[i], sizeof names[i], "%s%s", parts[i], end);
        nodes[i] = weight(c, base, names[i], shapes[i]);
    }
    return (Lstm){{nodes[0], nodes[2]}, {nodes[1], nodes[3]}, width};
}

// Gates in torch's order: input, forget, cell, output.
static LstmState lstm_step(const Captioner *c, const Lstm *cell, NodeId x, LstmState state)
{
    Graph *graph = c->graph;
    NodeId all   = op_add(graph, through(c, cell->input, x), through(c, cell->hidden, state.h));
    NodeId gates[4];
    for (int i = 0; i < 4; i++) {
        gates[i] = op_slice(graph, all, 1, i * cell->width, cell->width);
        gates[i] = i == 2 ? tanh_of(graph, gates[i]) : op_sigmoid(graph, gates[i], 1);
    }
    state.c = op_add(graph, op_mul(graph, gates[1], state.c), op_mul(graph, gates[0], gates[2]));
    state.h = op_mul(graph, gates[3], tanh_of(graph, state.c));
    return state;
}

/* ---- the decoder ----------------------------------------------------------------------------- */

typedef struct Decoder {
    Dense  query, score, gate;
    Lstm   cell;
    NodeId features, keys; // [n, exemplars, features], [n exemplars, attention]
} Decoder;

// The mixture of a unit's features that the next word is said from, [n, features].
static NodeId attended(const Captioner *c, const Decoder *decoder, NodeId h)
{
    const CaptionerSizes *s     = c->sizes;
    Graph                *graph = c->graph;
    int64_t               n = s->units, k = s->exemplars;
    NodeId query = op_reshape(graph, through(c, decoder->query, h), shape_3d(n, 1, s->attention));
    query        = op_reshape(graph, op_broadcast_to(graph, query, shape_3d(n, k, s->attention)),
                              shape_2d(n * k, s->attention));
    NodeId score = through(c, decoder->score, tanh_of(graph, op_add(graph, query, decoder->keys)));
    NodeId share = op_softmax(graph, op_reshape(graph, score, shape_3d(n, 1, k)));
    NodeId mixed = op_reshape(graph, op_matmul(graph, share, decoder->features, false, false),
                              shape_2d(n, s->features));
    return op_mul(graph, mixed, op_sigmoid(graph, through(c, decoder->gate, h), 1));
}

static LstmState decoder_start(const Captioner *c, Decoder *decoder, NodeId features)
{
    const CaptionerSizes *s     = c->sizes;
    Graph                *graph = c->graph;
    int64_t               n = s->units, k = s->exemplars, f = s->features;
    Dense                 key = dense(c, "attend.key_to_hidden", s->attention, f);
    decoder->query            = dense(c, "attend.query_to_hidden", s->attention, s->hidden);
    decoder->score            = dense(c, "attend.output.0", 1, s->attention);
    decoder->gate             = dense(c, "feature_gate.0", f, s->hidden);
    decoder->cell             = lstm(c, "lstm", "", s->hidden, s->embedding + f);
    decoder->features         = features;
    decoder->keys             = through(c, key, op_reshape(graph, features, shape_2d(n * k, f)));
    NodeId mean = op_scale(graph, op_sum_to(graph, features, shape_3d(n, 1, f)), 1 / (real)k);
    mean        = op_reshape(graph, mean, shape_2d(n, f));
    return (LstmState){
        tanh_of(graph, through(c, dense(c, "init_h.0", s->hidden, f), mean)),
        tanh_of(graph, through(c, dense(c, "init_c.0", s->hidden, f), mean)),
    };
}

/* ---- both ------------------------------------------------------------------------------------ */

// Vectors of the words before each step [n, width] out of those of all steps.
static NodeId word_at(const Captioner *c, NodeId all, int64_t step, int64_t width)
{
    return op_reshape(c->graph, op_slice(c->graph, all, 0, step, 1),
                      shape_2d(c->sizes->units, width));
}

static NodeId below(Graph *graph, NodeId rows, NodeId more)
{
    return rows == NODE_NONE ? more : op_concat(graph, rows, more, 0);
}

static NodeId decode(const Captioner *c, NodeId features, NodeId words)
{
    const CaptionerSizes *s     = c->sizes;
    Graph                *graph = c->graph;
    Decoder               decoder;
    NodeId                hidden = NODE_NONE;
    LstmState             state  = decoder_start(c, &decoder, features);
    NodeId table = weight(c, "embedding", "weight", shape_2d(s->words, s->embedding));
    NodeId all   = op_gather_rows(graph, table, words);
    for (int64_t step = 0; step < s->steps; step++) {
        NodeId z = op_concat(graph, word_at(c, all, step, s->embedding),
                             attended(c, &decoder, state.h), 1);
        state    = lstm_step(c, &decoder.cell, z, state);
        hidden   = below(graph, hidden, state.h);
    }
    return through(c, dense(c, "output.1", s->words, s->hidden), hidden);
}

static NodeId language_model(const Captioner *c, NodeId words)
{
    const CaptionerSizes *s     = c->sizes;
    Graph                *graph = c->graph;
    NodeId    hidden = NODE_NONE, zero = op_constant(graph, shape_2d(s->units, s->lm_hidden), 0);
    LstmState first = {zero, zero}, second = {zero, zero};
    Lstm      layers[2] = {lstm(c, "lm.lstm", "_l0", s->lm_hidden, s->lm_embedding),
                           lstm(c, "lm.lstm", "_l1", s->lm_hidden, s->lm_hidden)};
    NodeId    table     = weight(c, "lm.embedding", "weight", shape_2d(s->words, s->lm_embedding));
    NodeId    all       = op_gather_rows(graph, table, words);
    for (int64_t step = 0; step < s->steps; step++) {
        first  = lstm_step(c, &layers[0], word_at(c, all, step, s->lm_embedding), first);
        second = lstm_step(c, &layers[1], first.h, second);
        hidden = below(graph, hidden, second.h);
    }
    return through(c, dense(c, "lm.output.0", s->words, s->lm_hidden), hidden);
}

void captioner_build(Graph *graph, const CaptionerSizes *s, CaptionerWeight *weight_of, void *self,
                     CaptionerGraph *out)
{
    Captioner c    = {graph, s, weight_of, self};
    out->features  = op_input(graph, shape_3d(s->units, s->exemplars, s->features), "features");
    out->words     = op_index_input(graph, shape_2d(s->steps, s->units), s->words, "words");
    out->target    = op_input(graph, shape_2d(s->steps * s->units, s->words), "target");
    out->logits    = decode(&c, out->features, out->words);
    out->lm_logits = language_model(&c, out->words);
    out->decoder   = cross_entropy_sum(graph, out->logits, out->target);
    out->language_model = cross_entropy_sum(graph, out->lm_logits, out->target);
    out->loss           = op_add(graph, out->decoder, out->language_model);
}
