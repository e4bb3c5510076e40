/* engine/engine.h - computes with arrays, and differentiates what was computed, as often as wanted.
 *
 * In three steps: a Graph says what is computed, a Plan decides where each array lies in memory,
 * plan_run computes. A graph is an array of nodes; a node reads nodes of smaller index, so array
 * order is execution order. A gradient is more nodes of the same graph, so the gradient of a
 * gradient is the same call once more. Everything that can fail fails while building or planning;
 * plan_run cannot.
 * Arrays are contiguous and row-major; images are [n, c, h, w] (image, channel, row, column).
 *
 *     NodeId image = op_input(graph, shape_4d(1, 3, 224, 224), "image");
 *     NodeId score = op_pick(graph, logits, label), map, step;
 *     graph_gradient(graph, score, &image, 1, &map);                   // saliency map
 *     NodeId loss  = op_squared_distance(graph, map, target);
 *     graph_gradient(graph, loss, &image, 1, &step);                   // gradient of a gradient
 *     plan_create(&plan, graph, (NodeId[]){loss, step}, 2, NULL, &error);
 *
 * The op_ functions add a node each. The first error stays with the graph, and from then on they
 * return NODE_NONE; so a model reads as maths and is checked once, by graph_check or plan_create. A
 * Graph and a Plan belong to one thread at a time; several plans may share parameters. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "../base/base.h"
#include "../base/shape.h"

/* ---- graph ----------------------------------------------------------------------------------- */

typedef struct Graph Graph;
typedef int32_t      NodeId; // index of a node
enum { NODE_NONE = -1 };

bool   graph_create(Graph **out, Error *error);
void   graph_destroy(Graph *graph);                   // NULL allowed
bool   graph_check(const Graph *graph, Error *error); // false with the first builder error
Shape  graph_shape(const Graph *graph, NodeId node);
void   graph_name(Graph *graph, NodeId node, const char *name); // copied, at most 63 bytes
NodeId graph_find(const Graph *graph, const char *name);    // latest node of that name or NODE_NONE
const char *graph_name_of(const Graph *graph, NodeId node); // "" if it has none
int32_t     graph_node_count(const Graph *graph);

/* Appends the nodes of d scalar / d wrt[i] and returns them in gradients[i] (a node of zeros where
 * the scalar does not depend on wrt[i]). `scalar` must have one element. Other rules than the
 * gradient's, and other nodes to start from: graph_sweep in sweep.h. */
void graph_gradient(Graph *graph, NodeId scalar, const NodeId *wrt, int count, NodeId *gradients);

/* Which pixels a layer looks at, along one axis: its element i depends on `size` pixels from
 * offset + step * i on, and on no others. */
typedef struct Field {
    int64_t offset, size, step;
} Field;

/* The receptive field of a [n,c,h,w] node in an input, rows in field[0] and columns in field[1];
 * false where an op on the way mixes places (a dense layer, a mean). */
bool graph_field(const Graph *graph, NodeId input, NodeId output, Field field[2]);

/* To show how one number of a layer comes about: the terms whose sum a channel is. Convolutions,
 * biases and what is carried on unchanged (a shortcut), then an activation. Looks through ReLU or
 * softplus and channels put side by side. */
typedef enum SumTermKind { SUM_CONVOLUTION, SUM_BIAS, SUM_CARRIED } SumTermKind;

enum { CHANNEL_SUM_TERMS = 8 };

typedef struct SumTerm {
    SumTermKind kind;
    NodeId      node;    // the convolution's input, or the node that is carried on
    int64_t     channel; // of the carried node; of a convolution: the first that it reads
    real        value;   // of a bias
    const real *weights; // of a convolution: [channels, rows, columns]
    int64_t     channels, rows, columns;
    int         stride, pad;
} SumTerm;

typedef struct ChannelSum {
    int     count;
    SumTerm term[CHANNEL_SUM_TERMS];
    bool    is_rectified;  // ReLU of the sum
    real    softplus_beta; // softplus of the sum with a fixed beta; 0: none
} ChannelSum;

/* Errors: ERROR_USAGE where no convolution makes the layer, or it has no such channel. */
bool graph_channel_sum(const Graph *graph, NodeId layer, int64_t channel, ChannelSum *out,
                       Error *error);

/* ---- leaves ---------------------------------------------------------------------------------- */

NodeId op_input(Graph *graph, Shape shape, const char *name); // filled before each run
/* One number that may change from run to run, as the beta of a softplus that grows during an
 * attack. It begins as `value`; plan_set_scalar changes it. */
NodeId op_scalar_input(Graph *graph, real value, const char *name);
/* Positions that come from outside, such as the tokens of a text: int32, each in 0..limit-1. They
 * say what op_gather and op_gather_rows read; no gradient goes through them. Filled by
 * plan_set_index. Errors: ERROR_DATA unless 1 <= limit <= 2^31 - 1. */
NodeId op_index_input(Graph *graph, Shape shape, int64_t limit, const char *name);
NodeId op_parameter(Graph *graph, Shape shape, const real *data); // constant; data outlives plans
NodeId op_constant(Graph *graph, Shape shape, real value);

/* ---- ops: the gradient of each is made of these ops again ------------------------------------ */

NodeId op_reshape(Graph *graph, NodeId x, Shape shape);      // shares memory
NodeId op_broadcast_to(Graph *graph, NodeId x, Shape shape); // same rank; dims of 1 are repeated
NodeId op_sum_to(Graph *graph, NodeId x, Shape shape);       // sums what broadcast_to would repeat
NodeId op_slice(Graph *graph, NodeId x, int axis, int64_t start, int64_t count);
NodeId op_pad(Graph *graph, NodeId x, int axis, int64_t before,
              int64_t after); // zeros; adjoint of slice
NodeId op_add(Graph *graph, NodeId a, NodeId b);
NodeId op_scale(Graph *graph, NodeId x, real factor);
NodeId op_offset(Graph *graph, NodeId x, real term);
NodeId op_mul(Graph *graph, NodeId a, NodeId b);
NodeId op_exp(Graph *graph, NodeId x);
NodeId op_log(Graph *graph, NodeId x);
NodeId op_power(Graph *graph, NodeId x, real exponent); // x > 0 unless the exponent is whole
NodeId op_sigmoid(Graph *graph, NodeId x, real beta);   // 1 / (1 + exp(-beta x))
NodeId op_softplus(Graph *graph, NodeId x, real beta);  // log(1 + exp(beta x)) / beta
NodeId op_normal_cdf(Graph *graph, NodeId x); // Phi(x) = (1 + erf(x / sqrt 2)) / 2; x Phi(x): GELU
/* The same by a number that is a node, so that it may change from run to run (op_scalar_input) or
 * be computed; it has a gradient too. Equal numbers give equal bits in either form. */
NodeId op_scale_by(Graph *graph, NodeId x, NodeId factor);
NodeId op_sigmoid_by(Graph *graph, NodeId x, NodeId beta);
NodeId op_softplus_by(Graph *graph, NodeId x, NodeId beta);
NodeId op_relu(Graph *graph, NodeId x);
NodeId op_clamp(Graph *graph, NodeId x, real most);       // relu, but at most `most` > 0 (ReLU6)
NodeId op_gate(Graph *graph, NodeId condition, NodeId x); // x where condition > 0, else 0
/* a [m,k] b [k,n], or batched a [g,m,k] b [g,k,n]; a flag says the operand is stored transposed. */
NodeId op_matmul(Graph *graph, NodeId a, NodeId b, bool transpose_a, bool transpose_b);
/* x [n,c,h,w], w [k,c,r,s] -> [n,k,oh,ow], oh = (h + 2 pad - r) / stride + 1. In g groups w is
 * [k,c/g,r,s]: outputs i k/g to (i+1) k/g - 1 read the inputs i c/g to (i+1) c/g - 1 alone. The
 * shape of w says so, here and in the gradients; depthwise is c = k = g. */
NodeId op_conv2d(Graph *graph, NodeId x, NodeId w, int stride, int pad);
/* The two gradients of op_conv2d: gy is the gradient in its result; these give that in x, of shape
 * x_shape, and that in w, of shape w_shape. */
NodeId op_conv2d_input(Graph *graph, NodeId gy, NodeId w, Shape x_shape, int stride, int pad);
NodeId op_conv2d_weight(Graph *graph, NodeId x, NodeId gy, Shape w_shape, int stride, int pad);
/* Index of the first maximum of each window, as int32 positions in the whole array x. */
NodeId op_maxpool_index(Graph *graph, NodeId x, int window, int stride, int pad);
NodeId op_gather(Graph *graph, NodeId x, NodeId index); // shape of index
NodeId op_scatter_add(Graph *graph, NodeId y, NodeId index, Shape shape);
/* Whole rows of a table [rows, width], as the embedding of tokens: an index of shape [...] gives
 * [..., width] (of up to four dimensions). The adjoint adds rows of y to the rows they came from.
 */
NodeId op_gather_rows(Graph *graph, NodeId table, NodeId index);
NodeId op_scatter_add_rows(Graph *graph, NodeId y, NodeId index, int64_t rows);
NodeId op_log_softmax(Graph *graph, NodeId x); // over the last axis; so is the next
NodeId op_softmax(Graph *graph, NodeId x);     // exp x_i / sum_j exp x_j
/* 1 at the `count` largest numbers of each row (the last axis), 0 elsewhere; of equal ones the
 * first counts as larger. */
NodeId op_largest(Graph *graph, NodeId x, int64_t count);

/* ---- built from the ops above ---------------------------------------------------------------- */

NodeId op_sub(Graph *graph, NodeId a, NodeId b);
NodeId op_bias(Graph *graph, NodeId x, NodeId bias); // x [n,c,h,w] or [n,c], bias [c]
NodeId op_affine(Graph *graph, NodeId x, NodeId factor, NodeId term); // per channel, both [c]
/* Every place by itself: (x - mean) / sqrt(variance + epsilon), then op_affine; mean and variance
 * (the sum of squares divided by c) are those of its c channels. x [n,c,1,t] or [n,c], gain and
 * bias [c]. Source: Ba, Kiros and Hinton, arXiv 1607.06450. */
NodeId op_layer_norm(Graph *graph, NodeId x, NodeId gain, NodeId bias, real epsilon);
NodeId op_sum(Graph *graph, NodeId x);                        // all elements -> scalar
NodeId op_dot(Graph *graph, NodeId a, NodeId b);              // sum of products -> scalar
NodeId op_squared_distance(Graph *graph, NodeId a, NodeId b); // -> scalar
NodeId op_pick(Graph *graph, NodeId x, int64_t element);      // one element -> scalar
NodeId op_maxpool(Graph *graph, NodeId x, int window, int stride, int pad);
NodeId op_avgpool2(Graph *graph, NodeId x);    // 2x2, stride 2, even sides
NodeId op_global_mean(Graph *graph, NodeId x); // [n,c,h,w] -> [n,c]
/* x / (k + alpha / size * sum of x^2 over `size` channels around each)^beta, past the first and
 * last channel zeros; size odd. Source: Krizhevsky et al., NeurIPS 2012, section 3.3; alpha is
 * divided as in Caffe and PyTorch. */
NodeId op_response_norm(Graph *graph, NodeId x, int size, real alpha, real beta, real k);
NodeId op_concat(Graph *graph, NodeId a, NodeId b, int axis);

/* One channel of a layer: the values of op_slice(x, 1, channel, 1), but the convolution that makes
 * them computes no other channel, which an attack on one unit does not need. Looks through relu,
 * softplus, add, bias, per-channel factors and concat. */
NodeId op_channel(Graph *graph, NodeId x, int64_t channel);

/* ---- plan and run ---------------------------------------------------------------------------- */

typedef struct Plan Plan;

typedef enum ConvMethod { CONV_AUTO, CONV_DIRECT, CONV_WINOGRAD } ConvMethod;

typedef struct PlanOptions {
    ConvMethod conv;         // AUTO: Winograd for 3x3 stride-1 where it is faster
    bool       even_forward; // AUTO: but forward passes direct, so that equal patches of an image
                             // give equal results and max-pools find the ties exact sums have;
                             // no pool looks at convolutions of gradients, which stay as they are
    const NodeId *stages;    // each is the first node of a stage (plan_run_stage)
    int           stage_count;
    bool          no_fuse;  // tests: one step per node
    bool          no_reuse; // tests: every node has memory of its own
} PlanOptions;

/* Gives every node that the outputs need its place in one block of memory (the arena); nothing
 * allocates afterwards. `options` may be NULL. */
bool plan_create(Plan **out, const Graph *graph, const NodeId *outputs, int count,
                 const PlanOptions *options, Error *error);
void plan_destroy(Plan *plan); // NULL allowed

real *plan_input(Plan *plan, NodeId input); // fill before plan_run; keeps its contents
void  plan_set_scalar(Plan *plan, NodeId input, real value); // of an op_scalar_input
/* Fills an op_index_input; it keeps its contents, which begin as zeros. `positions` has as many as
 * its shape. Errors: ERROR_DATA (one is out of range; nothing is changed then). */
bool        plan_set_index(Plan *plan, NodeId input, const int32_t *positions, Error *error);
const real *plan_output(const Plan *plan, NodeId output); // valid until the next run
void        plan_run(Plan *plan);                         // uses all threads of parallel.h
/* Runs only the nodes from..end-1: one of the parts into which options->stages cut the graph. What
 * an earlier part left is there until that part, or one before it, runs again. */
void   plan_run_stage(Plan *plan, NodeId from, NodeId end);
size_t plan_bytes(const Plan *plan); // arena + scratch + prepared weights

/* The kernels in use: "portable", "avx2", "avx512", "neon". */
const char *engine_isa(void);

/* Treats numbers too small for full precision (denormals) as zero, since computing with them is
 * slow: in the calling thread and in threads it starts later. Call it before the first run. The
 * command does, the library never does on its own. */
void engine_flush_denormals(void);

#endif
