/* engine/sweep.h - walking a network backwards with rules of one's own.
 *
 * graph_gradient asks every op for its derivative. Explanation methods walk the same way and hand
 * down something else at some ops: guided back-propagation drops negative values at a ReLU,
 * layer-wise relevance propagation divides what arrives at a layer among its inputs. Here such a
 * rule takes the place of an op's own. It appends ordinary nodes with the builders of engine.h, so
 * what a sweep makes can be differentiated by graph_gradient, or swept again.
 *
 *     // A ReLU that lets through what is positive on the way forward and on the way back.
 *     static void guided(void *self, Graph *graph, NodeId node, NodeId arrived, const bool *wanted,
 *                        NodeId *handed)
 *     {
 *         handed[0] = op_gate(graph, node, op_relu(graph, arrived));
 *     }
 *     SweepRules rules = {.rule = {[OP_RELU] = guided}};
 *     graph_sweep(graph, &rules, logit, one, &image, 1, &map); */
#ifndef ENGINE_SWEEP_H
#define ENGINE_SWEEP_H

#include "engine.h"

/* ---- what a node is -------------------------------------------------------------------------- */

typedef enum OpKind {
    OP_INPUT,
    OP_INDEX_INPUT,
    OP_PARAMETER,
    OP_CONSTANT,
    OP_RESHAPE,
    OP_BROADCAST_TO,
    OP_SUM_TO,
    OP_SLICE,
    OP_PAD,
    OP_ADD,
    OP_SCALE_OFFSET, // op_scale and op_offset: factor * x + term
    OP_SCALE_BY,
    OP_MUL,
    OP_EXP,
    OP_LOG,
    OP_POWER,
    OP_SIGMOID,  // of x and a node of beta
    OP_SOFTPLUS, // likewise
    OP_NORMAL_CDF,
    OP_RELU,
    OP_CLAMP,
    OP_GATE,
    OP_MATMUL,
    OP_CONV2D,
    OP_CONV2D_INPUT,
    OP_CONV2D_WEIGHT,
    OP_MAXPOOL_INDEX,
    OP_GATHER, // op_maxpool is this, by an OP_MAXPOOL_INDEX of the same array
    OP_SCATTER_ADD,
    OP_LOG_SOFTMAX,
    OP_SOFTMAX,
    OP_LARGEST,
    OP_MAXPOOL,    // made by the plan from the two halves of op_maxpool; never a node, no gradient
    OP_ATTENTION,  // made by the plan of two products and the soft-max between; likewise
    OP_LAYER_NORM, // made by the plan of op_layer_norm's nodes; likewise
    OP_CHANNELS,   // made by the plan of what runs channel by channel; likewise
    OP_COUNT
} OpKind;

enum { OP_ARITY = 3 }; // most inputs of an op; arrays of inputs have this length

/* The constants of an op, besides its inputs. What it does not use is zero. */
typedef struct OpParams {
    Shape       shape;       // of the result; gather: of the array it reads
    const real *data;        // parameter
    real        value, term; // constant, input: value (an input's first); scale_offset: factor,
                             // term; power: exponent; clamp: most; gate: open below it, 0: any
    int64_t start, count;    // slice: start, count; pad: before, after; gather, scatter: count
                             // groups; largest: count; index_input: positions are below count
    int64_t row;             // gather, scatter: numbers a position stands for; 0: one of any
    int     axis;            // slice, pad
    int     stride, pad;     // convolutions, max-pool
    int     window;          // max-pool
    bool    transpose_a, transpose_b; // matmul
} OpParams;

const char *op_name(OpKind op); // "conv2d"

/* Nodes are 0..graph_node_count-1, each behind its inputs. */
OpKind   graph_op(const Graph *graph, NodeId node);
int      graph_input_count(const Graph *graph, NodeId node);
NodeId   graph_input(const Graph *graph, NodeId node, int i); // as the builder took them: x, w
OpParams graph_params(const Graph *graph, NodeId node);

/* Whether a node is one number a channel spread over a layer, as op_bias and op_affine make them:
 * of the two inputs of an OP_ADD behind a layer, the bias. */
bool graph_is_per_channel(const Graph *graph, NodeId node);

/* ---- sweeps ---------------------------------------------------------------------------------- */

/* What a node hands down to its inputs.
 *   self     of the SweepRules
 *   node     the node: its op, inputs, parameters and shape can be asked for, and its values used
 *   arrived  the sum of what its readers handed down to it; has the node's shape
 *   wanted   an entry an input: whether a variable of the sweep lies that way. A rule may ignore
 *            it; what is handed to others is dropped.
 *   handed   out, an entry an input, of that input's shape; NODE_NONE, as it begins: nothing
 * A rule keeps ids, not pointers into the graph, which grows while it works. */
typedef void SweepRule(void *self, Graph *graph, NodeId node, NodeId arrived, const bool *wanted,
                       NodeId *handed);

/* Which rule holds where: that of the node, else that of its kind of op, else the op's own, which
 * is its derivative. All zero is the gradient. */
typedef struct SweepRules {
    SweepRule *rule[OP_COUNT];
    SweepRule *(*rule_for)(void *self, const Graph *graph, NodeId node); // NULL, or may return NULL
    void *self;
} SweepRules;

/* Walks from one node down to `count` others.
 *   rules    NULL: the gradient
 *   from     any node: logits, or a layer
 *   start    what arrives there, of its shape: a one at a logit, its value, a direction. With no
 *            rules the result is the gradient of op_dot(from, start), start held fixed.
 *   wrt      where the sweep ends: inputs or nodes between
 *   result   out, what arrives at each; a node of zeros where nothing does
 * Errors, on the graph: ERROR_INTERNAL (start or what a rule hands down has a wrong shape). */
void graph_sweep(Graph *graph, const SweepRules *rules, NodeId from, NodeId start,
                 const NodeId *wrt, int count, NodeId *result);

#endif
