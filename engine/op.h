/* engine/op.h - what an op is: shape rule, float loop, gradient rule. One table, one line an op.
 * Kinds and parameters are public and stand in sweep.h. */
#ifndef ENGINE_OP_H
#define ENGINE_OP_H

#include "channelwise.h"
#include "conv.h"
#include "kernels.h"
#include "sweep.h"

/* One execution of one node. */
typedef struct OpCall {
    const OpParams       *params;
    Shape                 shape, in_shape[OP_ARITY];
    const void           *in[OP_ARITY];
    void                 *out;
    int64_t               count;    // elements of out
    real                 *scratch;  // scratch_size(...) reals, shared by the threads of this call
    const real           *prepared; // constant weights in the kernel's layout
    ConvMethod            method;   // convolutions: DIRECT or WINOGRAD
    ConvFinish            finish;   // convolutions: fused tail
    void                 *second;   // OP_MAXPOOL: positions, OP_ATTENTION: weights; or NULL
    const ChannelProgram *program;  // OP_CHANNELS
} OpCall;

enum {
    OP_ELEMENTWISE   = 1, // out may overwrite an input of the same shape
    OP_NO_GRADIENT   = 2, // zero almost everywhere: an index
    OP_SHARES_MEMORY = 4, // out is input 0 under another shape
    OP_IS_LEAF       = 8,
    OP_IS_INPUT      = 16 // a leaf that is filled before a run
};

/* What an array holds: numbers, or int32 positions in another array. */
typedef enum Element { ELEMENT_REAL, ELEMENT_INDEX } Element;

typedef struct OpInfo {
    const char *name;
    int         arity;
    unsigned    flags;
    Element     gives, takes[OP_ARITY];
    /* Shape of the result; false and a sentence if the inputs do not fit. */
    bool (*infer)(const Shape *in, const OpParams *params, Shape *out, Error *error);
    /* Reals of scratch and of prepared weights; NULL: none. */
    size_t (*scratch_size)(const OpCall *call, int threads);
    size_t (*prepared_size)(const OpCall *call);
    void (*prepare)(const OpCall *call, const real *weights, real *prepared);
    void (*forward)(const OpCall *call);
    /* Appends the contribution to the gradient of each wanted input; leaves NODE_NONE elsewhere.
     * `wanted` and `grad_in` have one entry an input. */
    void (*backward)(Graph *graph, NodeId out, NodeId grad, const bool *wanted, NodeId *grad_in);
} OpInfo;

const OpInfo *op_info(OpKind op);

/* Shape rules several ops share. */
bool infer_same(const Shape *in, const OpParams *params, Shape *out, Error *error);
bool infer_pair(const Shape *in, const OpParams *params, Shape *out, Error *error);
bool infer_by_scalar(const Shape *in, const OpParams *params, Shape *out, Error *error);

/* Cuts 0..count-1 into fixed chunks and runs them in parallel. */
void op_chunks(const OpCall *call, int64_t count, void (*chunk)(const OpCall *, int64_t, int64_t));

bool      conv_side_of(OpKind op, ConvSide *side); // false: no convolution
ConvShape conv_shape_of(OpKind op, const OpParams *params, const Shape *in, Shape out);

extern const OpInfo op_info_input, op_info_index_input, op_info_parameter, op_info_constant,
    op_info_reshape, op_info_broadcast_to, op_info_sum_to, op_info_slice, op_info_pad, op_info_add,
    op_info_scale_offset, op_info_scale_by, op_info_mul, op_info_exp, op_info_log, op_info_power,
    op_info_sigmoid, op_info_softplus, op_info_normal_cdf, op_info_relu, op_info_clamp,
    op_info_gate, op_info_matmul, op_info_conv2d, op_info_conv2d_input, op_info_conv2d_weight,
    op_info_maxpool_index, op_info_gather, op_info_scatter_add, op_info_log_softmax,
    op_info_softmax, op_info_largest, op_info_maxpool, op_info_channels, op_info_attention,
    op_info_layer_norm;

/* Of a sigmoid or softplus with a constant beta: beta. Of any other node: 0. */
real op_constant_beta(const Graph *graph, NodeId node);

#endif
